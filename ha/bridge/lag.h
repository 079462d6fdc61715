/* How far a link is behind, in time. A look at the source's queue says how many messages wait; when so many more are
 * settled, the last of them has waited since the look. Until then the lag is at least the age of that look.
 *
 *     look: 30 wait            30 more are settled
 *     |<------------- lag ---------->|
 *
 * A link that does not run is behind since it stopped, if that is longer. Pure. */
#ifndef WARREN_HA_BRIDGE_LAG_H
#define WARREN_HA_BRIDGE_LAG_H

#include <stdbool.h>
#include <stdint.h>

enum { LAG_LOOK_MS = 5000 /* between two looks */ };

struct lag {
    bool marked; /* a look waits for its last message */
    uint64_t looked_ms;
    uint64_t left;       /* messages that are to be settled until then */
    uint64_t last_ms;    /* what the one before came to */
    uint64_t stopped_ms; /* 0: the link runs */
};

/* `waiting`: messages in the source's queue, and those on the way. */
void lag_looked(struct lag *l, uint64_t waiting, uint64_t now_ms);
void lag_settled(struct lag *l, uint64_t count, uint64_t now_ms);
void lag_running(struct lag *l, bool runs, uint64_t now_ms);
uint64_t lag_ms(const struct lag *l, uint64_t now_ms);

#endif
