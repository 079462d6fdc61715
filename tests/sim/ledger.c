/* What was promised to clients, and what came. Speaks up at the first broken promise. */
#include <stdio.h>

#include "tests/sim/sim.h"

struct message {
    unsigned queue, publisher;
    uint64_t sequence; /* among the publisher's for this queue */
    unsigned published, delivered;
    bool confirmed, ack_sent, ack_known, requeued;
    uint64_t held_by; /* channel that has it unacked; 0: none */
};

struct ledger {
    struct world *w;
    struct message *messages; /* the id is the place + 1 */
    size_t count, capacity;
    uint64_t next_sequence[SIM_QUEUES][SIM_PUBLISHERS];
    uint64_t last_seen[SIM_QUEUES][SIM_PUBLISHERS];
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
    mem_free(l);
}

uint64_t ledger_publish(struct ledger *l, unsigned queue, unsigned publisher)
{
    l->messages = mem_grow(l->messages, &l->capacity, l->count + 1, sizeof *l->messages);
    l->messages[l->count++] = (struct message){
        .queue = queue, .publisher = publisher, .published = 1, .sequence = ++l->next_sequence[queue][publisher]};
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
    m->confirmed = true;
    world_say(l->w, "message %llu confirmed", (unsigned long long)id);
}

void ledger_nacked(struct ledger *l, uint64_t id)
{
    (void)message(l, id); /* it may come or not */
}

void ledger_delivered(struct ledger *l, uint64_t id, unsigned queue, uint64_t channel, bool redelivered)
{
    struct message *m = message(l, id);
    unsigned long long name = id;
    if (!m) return;
    if (m->queue != queue)
        world_fail(l->w, "message %llu came from queue %u, was published to %u", name, queue, m->queue);
    if (m->ack_known && m->published == 1)
        world_fail(l->w, "message %llu came back after its ack was known to the broker", name);
    if (m->held_by == channel && m->published == 1)
        world_fail(l->w, "message %llu came again to a channel that holds it", name);
    if (m->delivered && !redelivered && m->published == 1)
        world_fail(l->w, "message %llu was delivered twice without the redelivered flag", name);
    if (m->held_by && m->held_by != channel && m->published == 1)
        world_fail(l->w, "message %llu is held by two channels", name);
    uint64_t *last = &l->last_seen[queue][m->publisher];
    if (!redelivered && !m->delivered && m->published == 1) {
        if (m->sequence < *last)
            world_fail(l->w, "message %llu (%llu of publisher %u) came after number %llu", name,
                       (unsigned long long)m->sequence, m->publisher, (unsigned long long)*last);
        *last = m->sequence;
    }
    m->delivered++;
    m->held_by = channel;
    world_say(l->w, "message %llu delivered%s", name, redelivered ? " again" : "");
}

void ledger_released(struct ledger *l, uint64_t id, bool acked)
{
    struct message *m = message(l, id);
    m->held_by = 0;
    m->ack_sent |= acked;
}

void ledger_ack_known(struct ledger *l, uint64_t id)
{
    message(l, id)->ack_known = true;
}

bool ledger_complete(struct ledger *l, char *why, size_t size)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct message *m = &l->messages[i];
        if (!m->confirmed || m->delivered) continue;
        snprintf(why, size, "message %zu was confirmed and never delivered (queue %u, publisher %u, number %llu)",
                 i + 1, m->queue, m->publisher, (unsigned long long)m->sequence);
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
