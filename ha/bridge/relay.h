/* Messages on their way from one client's channel to another's: what was published and not confirmed, and what the
 * source may be told of it.
 *
 *     source --deliver--> forward --publish--> destination
 *     source <---ack----- settle <---confirm-- destination
 *
 * Deliveries are published in their order, so confirms map to delivery tags in order too: the oldest unconfirmed one
 * holds back the acks of its juniors, and one ack with `multiple` tells the source of many. A refused message stands
 * for RELAY_REFUSED_MS before it goes back to its queue, or a full destination would be asked in a tight loop.
 *
 * Pure. Thread: its owner's. Lifetime: relay_init() .. relay_close(). */
#ifndef WARREN_HA_BRIDGE_RELAY_H
#define WARREN_HA_BRIDGE_RELAY_H

#include "ha/client/client.h"

enum {
    RELAY_REFUSED_MS = 1000,
    RELAY_STALL_MS = 60000 /* without a confirm, while some are owed: the way is broken */
};

enum relay_ack_mode {
    RELAY_ON_CONFIRM, /* the source is acked when the destination confirmed: nothing is lost */
    RELAY_ON_PUBLISH, /* when the message was written: what is on the way is lost with the destination */
    RELAY_NO_ACK,     /* never: what is on the way is lost with either */
};

struct relay_entry {
    uint64_t tag;
    uint64_t up_to;      /* the same, or the last delivery behind it that was dropped */
    uint64_t refused_ms; /* when it was refused; 0: it was not */
    bool confirmed;
};

struct relay {
    uint8_t mode;                /* enum relay_ack_mode */
    struct relay_entry *entries; /* a ring; publish number `first` .. `next` - 1 */
    size_t capacity;             /* a power of two, or 0 */
    uint64_t first, next;
    uint64_t ack_up_to; /* delivery tag to ack with multiple; 0: none */
    uint64_t progress_ms;
    uint64_t forwarded, settled, refused, dropped;
};

void relay_init(struct relay *r, enum relay_ack_mode mode, uint64_t now_ms);
void relay_close(struct relay *r);

/* `number` of the publish as client_publish() gave it (0 without confirms). */
void relay_published(struct relay *r, uint64_t delivery_tag, uint64_t number, uint64_t now_ms);
/* A delivery that is not forwarded: acked when its elders are. */
void relay_dropped(struct relay *r, uint64_t delivery_tag);
void relay_confirmed(struct relay *r, uint64_t number, bool multiple, bool ok, uint64_t now_ms);
/* Tells the source what has become known. Call at the end of a turn. */
void relay_settle(struct relay *r, struct client *source, uint16_t channel, uint64_t now_ms);

uint64_t relay_pending(const struct relay *r); /* published, neither confirmed nor refused for good */
bool relay_stalled(const struct relay *r, uint64_t now_ms);
uint64_t relay_deadline_ms(const struct relay *r); /* when relay_settle() has more to do; UINT64_MAX: never */

#endif
