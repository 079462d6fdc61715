#include "ha/bridge/lag.h"

void lag_looked(struct lag *l, uint64_t waiting, uint64_t now_ms)
{
    if (l->marked) return; /* the older look counts until its message is through */
    l->last_ms = waiting ? l->last_ms : 0;
    l->marked = waiting != 0;
    l->left = waiting;
    l->looked_ms = now_ms;
}

void lag_settled(struct lag *l, uint64_t count, uint64_t now_ms)
{
    if (!l->marked) return;
    l->left -= count < l->left ? count : l->left;
    if (l->left) return;
    l->marked = false;
    l->last_ms = now_ms - l->looked_ms;
}

void lag_running(struct lag *l, bool runs, uint64_t now_ms)
{
    if (runs) l->stopped_ms = 0;
    else if (!l->stopped_ms) l->stopped_ms = now_ms;
}

uint64_t lag_ms(const struct lag *l, uint64_t now_ms)
{
    uint64_t age_ms = l->marked ? now_ms - l->looked_ms : 0;
    uint64_t stopped_ms = l->stopped_ms ? now_ms - l->stopped_ms : 0;
    uint64_t longest = age_ms > l->last_ms ? age_ms : l->last_ms;
    return longest > stopped_ms ? longest : stopped_ms;
}
