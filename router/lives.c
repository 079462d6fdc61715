#include "router/lives.h"

#include "router/topology_internal.h"

/* --- reads --- */

enum life_state topology_life(const struct topology *t, uint8_t node, uint32_t epoch)
{
    const struct life *life = &t->lives[node < LIVES_MAX ? node : 0];
    if (epoch < life->epoch) return LIFE_PAST;
    if (!epoch || life->epoch != epoch) return LIFE_UNKNOWN;
    return life->carries ? LIFE_CARRIER : LIFE_NEWCOMER;
}

void topology_lives(const struct topology *t, void (*each)(void *arg, uint8_t node, uint32_t epoch), void *arg)
{
    for (unsigned node = 1; node < LIVES_MAX; node++)
        if (t->lives[node].epoch) each(arg, (uint8_t)node, t->lives[node].epoch);
}

static bool any(const struct topology *t, bool carries)
{
    for (unsigned node = 1; node < LIVES_MAX; node++)
        if (t->lives[node].epoch && t->lives[node].carries == carries) return true;
    return false;
}

/* --- changes --- */

struct topology_command life_seen_command(uint8_t node, uint32_t epoch)
{
    return (struct topology_command){.type = TOPOLOGY_ALIVE, .node = node, .epoch = epoch};
}

static void all_carry(struct topology *t)
{
    for (unsigned node = 1; node < LIVES_MAX; node++) t->lives[node].carries = t->lives[node].epoch != 0;
}

static void remove_transient(struct topology *t)
{
    uint64_t cursor = 0;
    struct queue_entry *q;
    struct exchange_record *x;
    while ((q = ordered_next(&t->queues, &cursor)))
        if (!q->base.durable && q->era < t->era) queue_remove(t, q);
    for (cursor = 0; (x = ordered_next(&t->exchanges, &cursor));)
        if (!x->base.durable && x->era < t->era) exchange_remove(t, x);
}

static void settle(struct topology *t)
{
    if (any(t, true) || !any(t, false)) return;
    remove_transient(t);
    all_carry(t);
}

void life_seen(struct topology *t, const struct topology_command *c, bool change)
{
    if (!change || !c->node || c->node >= LIVES_MAX || !c->epoch) return;
    struct life *life = &t->lives[c->node];
    if (life->epoch > c->epoch) return;
    if (life->epoch == c->epoch) {
        if (life->carries) all_carry(t);
        return;
    }
    if (!any(t, false)) t->era++;
    *life = (struct life){.epoch = c->epoch};
    settle(t);
}

void life_gone(struct topology *t, uint8_t node, uint32_t epoch)
{
    if (node >= LIVES_MAX || !t->lives[node].epoch || t->lives[node].epoch > epoch) return;
    t->lives[node] = (struct life){0};
    settle(t);
}

void life_renew(const struct topology *t, bool durable, uint64_t *era, bool change, struct topology_result *r)
{
    if (durable || *era == t->era || !any(t, false)) return;
    r->renewed = true;
    if (change) *era = t->era;
}

/* --- bytes --- */

void lives_encode(const struct topology *t, struct buf *b)
{
    uint64_t count = 0;
    for (unsigned node = 1; node < LIVES_MAX; node++) count += t->lives[node].epoch != 0;
    buf_put_varint(b, t->era);
    buf_put_varint(b, count);
    for (unsigned node = 1; node < LIVES_MAX; node++) {
        if (!t->lives[node].epoch) continue;
        buf_put_u8(b, (uint8_t)node);
        buf_put_le32(b, t->lives[node].epoch);
        buf_put_u8(b, t->lives[node].carries);
    }
}

static bool eras_fit(const struct topology *t)
{
    uint64_t cursor = 0;
    struct queue_entry *q;
    struct exchange_record *x;
    while ((q = ordered_next(&t->queues, &cursor)))
        if (q->era > t->era) return false;
    for (cursor = 0; (x = ordered_next(&t->exchanges, &cursor));)
        if (x->era > t->era) return false;
    return true;
}

bool lives_restore(struct topology *t, struct reader *r)
{
    unsigned last = 0;
    t->era = reader_varint(r);
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        unsigned node = reader_u8(r);
        struct life life = {.epoch = reader_le32(r)};
        uint8_t carries = reader_u8(r);
        if (node <= last || node >= LIVES_MAX || !life.epoch || carries > 1) return false;
        life.carries = carries;
        t->lives[node] = life;
        last = node;
    }
    return !r->failed && (any(t, true) || !any(t, false)) && eras_fit(t);
}
