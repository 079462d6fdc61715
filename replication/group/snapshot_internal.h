/* Inside the transfer of checkpoints: what snapshot.c, snapshot_out.c and snapshot_in.c share. */
#ifndef WARREN_REPLICATION_GROUP_SNAPSHOT_INTERNAL_H
#define WARREN_REPLICATION_GROUP_SNAPSHOT_INTERNAL_H

#include "replication/group/group_internal.h"
#include "replication/store/transfer.h"

enum {
    TRANSFER_VERSION = 1,
    TRANSFER_WINDOW = 4,           /* ranges asked for at once */
    TRANSFER_LOOK_MS = 100,        /* between two looks at one on its way in */
    TRANSFER_STALL_MS = 3000,      /* the follower asks again after so long without an answer */
    TRANSFER_FORGET_MS = 60 * 1000 /* the leader lets the files go when nobody asks for so long */
};
enum transfer_type { TRANSFER_OFFER = 1, TRANSFER_READ, TRANSFER_DATA, TRANSFER_GONE, TRANSFER_DONE };

/* One on its way out. */
struct outgoing {
    uint8_t node;
    uint64_t id;
    struct transfer_source *source;
    uint64_t index, term;
    uint64_t used_ms;
    uint64_t may_send_ms; /* rate limit */
    struct transfer_range waiting[TRANSFER_WINDOW];
    uint32_t waiting_count;
    bool closing;
};

struct received {
    struct transfer_range range;
    struct buf bytes;
};

enum incoming_stage { FETCHING_MANIFEST, FETCHING_SEGMENTS, MAKING_DURABLE, TELLING_CORE };

/* The one on its way in. */
struct incoming {
    uint8_t node;
    uint64_t id, index, term;
    enum incoming_stage stage;
    uint64_t manifest_size, asked; /* of the manifest */
    struct buf manifest;
    struct transfer_sink *sink;
    uint32_t outstanding;
    uint64_t heard_ms;
    struct received queue[TRANSFER_WINDOW];
    uint32_t queue_count;
    bool abandoned; /* closes when the sink is idle */
    uint64_t lsn;   /* of the log's record, once written */
    bool told;
};

struct installs {
    struct outgoing out[GROUP_MEMBERS_MAX];
    uint64_t last_id;
    struct incoming in;
    bool receiving;
};

/* snapshot.c */
struct installs *installs(struct group *g);
void transfer_send(struct group *g, uint8_t node, struct buf *b, const struct part *bytes); /* closes b */
struct buf transfer_head(uint8_t type, uint64_t id);
struct buf transfer_range_head(uint8_t type, uint64_t id, struct transfer_range range);

/* snapshot_out.c: the leader's side */
void outgoing_turn(struct group *g, struct outgoing *o);
void outgoing_close(struct outgoing *o);
void outgoing_read(struct group *g, uint8_t from, uint64_t id, struct reader *r);
void outgoing_done(struct group *g, uint8_t from, uint64_t id);

/* snapshot_in.c: the follower's side */
void incoming_offer(struct group *g, uint8_t from, uint64_t id, struct reader *r);
void incoming_data(struct group *g, uint64_t id, struct reader *r);
void incoming_turn(struct group *g);
void incoming_close(struct group *g);

#endif
