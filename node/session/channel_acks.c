/* What the client holds unacked, and settlements on their way to the queues. */
#include <stdlib.h>

#include "node/session/channel_internal.h"

enum { UNACKED_CAPACITY_MIN = 64 };

static void settle_run_flush(struct channel *ch, struct settle_run *run);
static int compare_tags(const void *a, const void *b);

void channel_unacked_close(struct unacked *u)
{
    mem_free(u->entries);
    *u = (struct unacked){0};
}

/* Room for one more at the tail: settled entries go first, and only a table half full of live ones grows. */
static void make_room(struct unacked *u)
{
    if (u->capacity && u->live <= u->capacity / 2) {
        size_t to = 0;
        for (size_t from = u->head; from < u->tail; from++)
            if (!u->entries[from].settled) u->entries[to++] = u->entries[from];
        u->head = 0;
        u->tail = to;
        return;
    }
    size_t wanted = u->capacity ? u->capacity + 1 : UNACKED_CAPACITY_MIN;
    u->entries = mem_grow(u->entries, &u->capacity, wanted, sizeof *u->entries);
}

void channel_unacked_push(struct unacked *u, const struct unacked_entry *entry)
{
    if (u->tail == u->capacity) make_room(u);
    u->entries[u->tail++] = *entry;
    u->live++;
}

void channel_unacked_restore(struct unacked *u, struct tx_settle *settles, size_t count)
{
    if (!count) return;
    struct unacked old = *u;
    qsort(settles, count, sizeof *settles, compare_tags);
    *u = (struct unacked){.capacity = old.live + count, .live = old.live + count};
    u->entries = mem_alloc(u->capacity * sizeof *u->entries);
    for (size_t i = 0; i < count || old.head < old.tail;) {
        const struct unacked_entry *e = old.head < old.tail ? &old.entries[old.head] : NULL;
        if (e && e->settled) old.head++;
        else if (i == count || (e && e->tag < settles[i].tag)) u->entries[u->tail++] = *e, old.head++;
        else {
            const struct tx_settle *back = &settles[i++];
            u->entries[u->tail++] = (struct unacked_entry){back->tag, back->dseq, back->group, back->counts, back->counted, false};
        }
    }
    mem_free(old.entries);
}

static int compare_tags(const void *a, const void *b)
{
    uint64_t x = ((const struct tx_settle *)a)->tag, y = ((const struct tx_settle *)b)->tag;
    return x < y ? -1 : x > y;
}

/* The index of a tag, or u->tail. */
static size_t find(const struct unacked *u, uint64_t tag)
{
    if (u->head == u->tail || tag < u->entries[u->head].tag) return u->tail;
    uint64_t distance = tag - u->entries[u->head].tag;
    size_t span = u->tail - u->head;
    size_t low = u->head, high = distance < span ? u->head + (size_t)distance + 1 : u->tail;
    if (u->entries[high - 1].tag == tag) return high - 1; /* no gaps: the common case */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u->entries[middle].tag == tag) return middle;
        if (u->entries[middle].tag < tag) low = middle + 1;
        else high = middle;
    }
    return u->tail;
}

static void trim(struct unacked *u)
{
    while (u->head < u->tail && u->entries[u->head].settled) u->head++;
    if (u->head == u->tail) u->head = u->tail = 0;
}

void channel_acks_count(struct channel *ch, uint16_t counts)
{
    struct session_queue_counts *q = counts_queue(&ch->counts, counts);
    ch->stats.ack++;
    if (q) q->ack++;
}

static void settle_entry(struct channel *ch, struct unacked_entry *e, uint8_t outcome)
{
    if (e->settled) return;
    e->settled = true;
    ch->unacked.live--;
    ch->counted -= e->counted;
    if (outcome == SETTLE_ACK) channel_acks_count(ch, e->counts);
    channel_settle_add(ch, e->group, e->dseq, outcome);
}

/* What the client settles: in a transaction it is held. */
static void take_settle(struct channel *ch, struct unacked_entry *e, uint8_t outcome)
{
    if (!ch->tx.selected) {
        settle_entry(ch, e, outcome);
        return;
    }
    if (e->settled) return;
    e->settled = true;
    ch->unacked.live--;
    channel_tx_settle(ch, e, outcome);
}

void channel_acks_settle(struct channel *ch, uint64_t tag, bool multiple, uint8_t outcome)
{
    struct unacked *u = &ch->unacked;
    if (!tag && multiple) {
        for (size_t i = u->head; i < u->tail; i++) take_settle(ch, &u->entries[i], outcome);
        trim(u);
        if (channel_tx_fits(ch)) channel_held_show(ch);
        return;
    }
    size_t at = find(u, tag);
    if (at == u->tail || u->entries[at].settled) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "unknown delivery tag %llu", (unsigned long long)tag);
        return;
    }
    for (size_t i = multiple ? u->head : at; i <= at; i++) take_settle(ch, &u->entries[i], outcome);
    trim(u);
    if (channel_tx_fits(ch)) channel_held_show(ch);
}

void channel_acks_requeue_all(struct channel *ch)
{
    struct unacked *u = &ch->unacked; /* at once, even in a transaction; what that holds is not concerned */
    for (size_t i = u->head; i < u->tail; i++) settle_entry(ch, &u->entries[i], SETTLE_REQUEUE);
    trim(u);
    channel_settle_flush(ch);
    channel_held_show(ch);
}

void channel_settle_add(struct channel *ch, uint32_t group, uint64_t dseq, uint8_t outcome)
{
    struct settle_run *run = &ch->runs[group % SETTLE_RUNS];
    if (run->open && run->group == group && run->outcome == outcome && dseq == run->last + 1) {
        run->last = dseq;
        return;
    }
    if (run->open) settle_run_flush(ch, run);
    *run = (struct settle_run){group, outcome, true, dseq, dseq};
    ch->runs_open++;
    session_mark_dirty(ch);
}

static void settle_run_flush(struct channel *ch, struct settle_run *run)
{
    const struct backend *backend = ch->session->backend;
    run->open = false;
    ch->runs_open--;
    backend->settle(backend->self, ch->backend, run->group, run->first, run->last, run->outcome);
}

void channel_settle_flush(struct channel *ch)
{
    for (size_t i = 0; ch->runs_open && i < SETTLE_RUNS; i++)
        if (ch->runs[i].open) settle_run_flush(ch, &ch->runs[i]);
}
