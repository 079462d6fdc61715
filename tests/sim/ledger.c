/* What was promised to clients, and what came. Speaks up at the first broken promise. */
#include <stdio.h>

#include "tests/sim/sim.h"

/* What happened to a message in a queue: its own, or that of dead letters. */
struct place {
    unsigned delivered;
    uint64_t held_by; /* channel that has it unacked; 0: none */
    uint64_t since_ms;
    uint64_t requeued_ms; /* by a channel that still lives; 0: not */
    enum release how;
    bool settled;
};

struct message {
    unsigned queue, publisher, priority;
    uint64_t sequence; /* among the publisher's of this priority for this queue */
    uint64_t published_ms, confirmed_ms;
    unsigned published;
    bool confirmed, rejected; /* rejected: the broker knows */
    struct place own, dead;
};

struct ledger {
    struct world *w;
    struct message *messages; /* the id is the place + 1 */
    size_t count, capacity;
    uint64_t next_sequence[SIM_QUEUES_MAX][SIM_PUBLISHERS][SIM_PRIORITIES];
    uint64_t last_seen[SIM_QUEUES_MAX][SIM_PUBLISHERS][SIM_PRIORITIES];
    uint64_t active[SIM_QUEUES_MAX]; /* the channel that a single active consumer has */
    uint64_t *replaced;              /* channels that were active and are not any more */
    size_t replaced_count, replaced_capacity;
    uint64_t confirmed;
};

struct ledger *ledger_create(struct world *w)
{
    struct ledger *l = mem_zalloc(sizeof *l);
    l->w = w;
    return l;
}

void ledger_destroy(struct ledger *l)
{
    mem_free(l->messages);
    mem_free(l->replaced);
    mem_free(l);
}

uint64_t ledger_publish(struct ledger *l, unsigned queue, unsigned publisher)
{
    l->messages = mem_grow(l->messages, &l->capacity, l->count + 1, sizeof *l->messages);
    unsigned priority = kind_priority_of(l->w, queue, l->count + 1);
    l->messages[l->count++] = (struct message){.queue = queue,
                                               .publisher = publisher,
                                               .priority = priority,
                                               .published = 1,
                                               .published_ms = l->w->now_ms,
                                               .sequence = ++l->next_sequence[queue][publisher][priority]};
    return l->count;
}

static struct message *message(struct ledger *l, uint64_t id)
{
    if (id && id <= l->count) return &l->messages[id - 1];
    world_fail(l->w, "a message with the number %llu was never published", (unsigned long long)id);
    return NULL;
}

void ledger_republish(struct ledger *l, uint64_t id)
{
    message(l, id)->published++;
}

void ledger_confirmed(struct ledger *l, uint64_t id)
{
    struct message *m = message(l, id);
    if (!m->confirmed) l->confirmed++;
    if (!m->confirmed) m->confirmed_ms = l->w->now_ms;
    m->confirmed = true;
    world_say(l->w, "message %llu confirmed", (unsigned long long)id);
}

void ledger_nacked(struct ledger *l, uint64_t id)
{
    (void)message(l, id); /* it may come or not */
}

static enum sim_kind kind_of(const struct ledger *l, unsigned queue)
{
    return (enum sim_kind)l->w->kinds[queue];
}

/* NULL: it has no business in this queue. */
static struct place *place_of(struct ledger *l, struct message *m, unsigned queue)
{
    if (m->queue == queue) return &m->own;
    return kind_of(l, queue) == KIND_DEAD && kind_of(l, m->queue) == KIND_REJECTED ? &m->dead : NULL;
}

/* Nothing may make a second copy of it. */
static bool is_one(const struct ledger *l, const struct message *m)
{
    return m->published == 1 || kind_of(l, m->queue) == KIND_DEDUP;
}

static void judge_single(struct ledger *l, unsigned queue, uint64_t channel)
{
    if (l->active[queue] == channel) return;
    for (size_t i = 0; i < l->replaced_count; i++)
        if (l->replaced[i] == channel)
            world_fail(l->w, "a consumer of queue %u is active again after another one was", queue);
    l->replaced = mem_grow(l->replaced, &l->replaced_capacity, l->replaced_count + 1, sizeof *l->replaced);
    if (l->active[queue]) l->replaced[l->replaced_count++] = l->active[queue];
    l->active[queue] = channel;
}

/* While nothing breaks: a message of higher priority that has been there for a while comes first. */
static void judge_priority(struct ledger *l, const struct message *m)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct message *o = &l->messages[i];
        if (o->queue == m->queue && o->priority > m->priority && o->confirmed && !o->own.delivered &&
            o->confirmed_ms + KIND_SLACK_MS < l->w->now_ms)
            world_fail(l->w, "a message of priority %u came before number %zu of priority %u", m->priority, i + 1,
                       o->priority);
    }
}

static void judge_order(struct ledger *l, struct message *m, uint64_t id)
{
    uint64_t *last = &l->last_seen[m->queue][m->publisher][m->priority];
    if (m->sequence < *last)
        world_fail(l->w, "message %llu (%llu of publisher %u) came after number %llu", (unsigned long long)id,
                   (unsigned long long)m->sequence, m->publisher, (unsigned long long)*last);
    *last = m->sequence;
}

static void judge_kind(struct ledger *l, struct message *m, struct place *p, unsigned queue, uint64_t channel,
                       uint64_t id)
{
    unsigned long long name = id;
    uint64_t now = l->w->now_ms;
    switch (kind_of(l, queue)) {
    case KIND_DELAYED:
        if (now < m->published_ms + kind_delay_ms(l->w, queue, id))
            world_fail(l->w, "message %llu came before its time", name);
        return;
    case KIND_PRIORITY:
        if (l->w->options.calm && !p->delivered) judge_priority(l, m);
        return;
    case KIND_SINGLE:
        judge_single(l, queue, channel);
        return;
    case KIND_RETRY:
        if (p->requeued_ms && m->published == 1 && now < p->requeued_ms + KIND_RETRY_MIN_MS)
            world_fail(l->w, "message %llu was given back and came again at once", name);
        return;
    case KIND_DEAD:
        if (is_one(l, m) && m->own.settled && !m->rejected)
            world_fail(l->w, "message %llu was acked and came as a dead letter", name);
        return;
    default:
        return;
    }
}

void ledger_delivered(struct ledger *l, uint64_t id, unsigned queue, uint64_t channel, bool redelivered)
{
    struct message *m = message(l, id);
    unsigned long long name = id;
    if (!m) return;
    struct place *p = place_of(l, m, queue);
    if (!p) {
        world_fail(l->w, "message %llu came from queue %u, was published to %u", name, queue, m->queue);
        return;
    }
    if (is_one(l, m)) {
        if (p->settled) world_fail(l->w, "message %llu came back after its ack was known to the broker", name);
        if (p->held_by == channel) world_fail(l->w, "message %llu came again to a channel that holds it", name);
        if (p->delivered && !redelivered)
            world_fail(l->w, "message %llu was delivered twice without the redelivered flag", name);
        /* A node that is silent for disconnected_timeout_ms loses what its clients hold, before they hear of it. */
        if (p->held_by && p->held_by != channel && !l->w->options.soon_disconnected)
            world_fail(l->w, "message %llu is held by two channels", name);
    }
    bool in_order = queue == m->queue && kind_of(l, queue) != KIND_DELAYED;
    if (in_order && !redelivered && !p->delivered && m->published == 1) judge_order(l, m, id);
    judge_kind(l, m, p, queue, channel, id);
    p->delivered++;
    p->held_by = channel;
    p->since_ms = l->w->now_ms;
    p->requeued_ms = 0;
    world_say(l->w, "message %llu delivered%s", name, redelivered ? " again" : "");
}

void ledger_released(struct ledger *l, uint64_t id, unsigned queue, enum release how)
{
    struct message *m = message(l, id);
    struct place *p = place_of(l, m, queue);
    uint64_t held_ms = l->w->now_ms - p->since_ms;
    if (kind_of(l, queue) == KIND_TIMEOUT && l->w->options.calm && held_ms > KIND_TIMEOUT_MS + KIND_SLACK_MS)
        world_fail(l->w, "message %llu could be held for %llu ms", (unsigned long long)id, (unsigned long long)held_ms);
    static const char *const words[] = {"lost with its channel", "acked", "requeued", "rejected"};
    world_say(l->w, "message %llu %s", (unsigned long long)id, words[how]);
    p->held_by = 0;
    p->how = how;
    p->requeued_ms = how == RELEASE_REQUEUED ? l->w->now_ms : 0;
}

void ledger_settled(struct ledger *l, uint64_t id, unsigned queue)
{
    struct message *m = message(l, id);
    struct place *p = place_of(l, m, queue);
    p->settled = true;
    world_say(l->w, "message %llu settled", (unsigned long long)id);
    m->rejected |= p->how == RELEASE_REJECTED;
}

bool ledger_complete(struct ledger *l, char *why, size_t size)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct message *m = &l->messages[i];
        bool lost = m->confirmed && !m->own.delivered, dead_lost = m->rejected && !m->dead.delivered;
        if (!lost && !dead_lost) continue;
        snprintf(why, size, "message %zu was %s (queue %u, publisher %u, number %llu)", i + 1,
                 lost ? "confirmed and never delivered" : "rejected and never came as a dead letter", m->queue,
                 m->publisher, (unsigned long long)m->sequence);
        return false;
    }
    return true;
}

uint64_t ledger_count(const struct ledger *l)
{
    return l->count;
}

uint64_t ledger_confirmed_count(const struct ledger *l)
{
    return l->confirmed;
}
