/* Acks, rejects, requeues: by ranges of a port's delivery numbers. */
#include "node/queue/machine_internal.h"

static struct unacked_chunk *chunk_of(struct machine_port *port, uint64_t dseq)
{
    return map_u64_get(&port->chunks, dseq / UNACKED_CHUNK);
}

struct unacked_item *unacked_add(struct machine_port *port, uint64_t dseq)
{
    struct unacked_chunk *chunk = chunk_of(port, dseq);
    if (!chunk) {
        chunk = mem_zalloc(sizeof *chunk);
        if (!port->chunks.count) port->oldest_chunk = dseq / UNACKED_CHUNK;
        map_u64_set(&port->chunks, dseq / UNACKED_CHUNK, chunk);
    }
    chunk->live++;
    return &chunk->items[dseq % UNACKED_CHUNK];
}

struct unacked_item *unacked_at(struct machine_port *port, uint64_t dseq)
{
    struct unacked_chunk *chunk = chunk_of(port, dseq);
    struct unacked_item *item = chunk ? &chunk->items[dseq % UNACKED_CHUNK] : NULL;
    return item && item->live ? item : NULL;
}

struct unacked_item *unacked_next(struct machine_port *port, uint64_t *dseq)
{
    uint64_t at = *dseq + 1, from = port->oldest_chunk * UNACKED_CHUNK;
    if (at < from) at = from;
    while (port->chunks.count && at < port->next_dseq) {
        struct unacked_chunk *chunk = chunk_of(port, at);
        if (!chunk) {
            at = (at / UNACKED_CHUNK + 1) * UNACKED_CHUNK;
            continue;
        }
        struct unacked_item *item = &chunk->items[at % UNACKED_CHUNK];
        *dseq = at++;
        if (item->live) return item;
    }
    return NULL;
}

/* --- the receive window --- */

void window_add(struct machine_port *port, uint64_t dseq, uint32_t size)
{
    uint64_t outstanding = dseq - port->window_from;
    if (outstanding >= port->window_capacity) {
        uint32_t capacity = port->window_capacity ? port->window_capacity * 2 : 16;
        while (capacity <= outstanding) capacity *= 2;
        uint32_t *bigger = mem_zalloc(capacity * sizeof *bigger);
        for (uint64_t d = port->window_from + 1; d < dseq; d++)
            bigger[d & (capacity - 1)] = port->window_sizes[d & (port->window_capacity - 1)];
        mem_free(port->window_sizes);
        port->window_sizes = bigger;
        port->window_capacity = capacity;
    }
    port->window_sizes[dseq & (port->window_capacity - 1)] = size;
    port->window_bytes += size;
}

void window_received(struct machine_port *port)
{
    if (port->base.received >= port->next_dseq)
        port->base.received = port->next_dseq - 1; /* a peer's fault: it cannot have what was not sent */
    while (port->window_from < port->base.received) {
        port->window_from++;
        port->window_bytes -= port->window_sizes[port->window_from & (port->window_capacity - 1)];
    }
}

/* --- settling --- */

static void put_back(struct queue_machine *m, struct queue *q, const struct unacked_item *item, struct slot *slot)
{
    level_set_ready(q->levels[item->level], item->number, slot);
    q->ready++;
    q->ready_bytes += slot->content.body;
    if (slot->expires_ms) timer_set(m, q);
    stir(m, q);
}

static void requeue(struct queue_machine *m, struct queue *q, const struct unacked_item *item, struct slot *slot,
                    bool failed, struct effects *effects)
{
    slot->redelivered = true;
    slot->delivery_count++;
    bool too_often = q->settings.delivery_limit >= 0 && slot->delivery_count > (uint64_t)q->settings.delivery_limit;
    uint64_t delay_ms = too_often ? 0 : retry_delay(q, slot, failed);
    if (too_often) {
        bury(m, q, item->level, item->number, slot, DEAD_DELIVERY_LIMIT, effects);
        stir(m, q);
    } else if (delay_ms) {
        retry_later(m, q, item->level, item->number, slot, delay_ms);
    } else {
        put_back(m, q, item, slot);
    }
}

static void settle_item(struct queue_machine *m, struct machine_port *port, const struct unacked_item *item,
                        uint8_t outcome, struct effects *effects)
{
    struct queue *q = queue_find(m, item->queue);
    port->unacked--;
    port->held -= item->consumer != 0;
    struct consumer *c = item->consumer ? consumer_find(port, item->consumer) : NULL;
    if (c && c->queue->id == item->queue) c->unacked--;
    struct slot *slot = q && item->level < q->level_count && q->levels[item->level]
                            ? level_slot(q->levels[item->level], item->number, m->store)
                            : NULL;
    if (!slot) return; /* the queue went meanwhile */
    q->unacked--;
    q->unacked_bytes -= slot->content.body;
    if (outcome == SETTLE_UNSEEN) {
        put_back(m, q, item, slot);
        return;
    }
    if (outcome == SETTLE_REQUEUE || outcome == SETTLE_FAIL) {
        requeue(m, q, item, slot, outcome == SETTLE_FAIL, effects);
        return;
    }
    if (outcome == SETTLE_REJECT) {
        bury(m, q, item->level, item->number, slot, DEAD_REJECTED, effects);
        return;
    }
    q->counts.acked++;
    q->expiring -= slot->expires_ms != 0;
    queue_forget(q, item->level, item->number);
    level_remove(q->levels[item->level], item->number, slot, m->store);
}

static void drop_chunk(struct machine_port *port, uint64_t id)
{
    mem_free(map_u64_remove(&port->chunks, id));
    while (port->chunks.count && !map_u64_get(&port->chunks, port->oldest_chunk)) port->oldest_chunk++;
}

void settle_range(struct queue_machine *m, struct machine_port *port, uint64_t first, uint64_t last, uint8_t outcome,
                  struct effects *effects)
{
    if (last >= port->next_dseq) last = port->next_dseq - 1;
    if (first < port->oldest_chunk * UNACKED_CHUNK) first = port->oldest_chunk * UNACKED_CHUNK;
    if (!first) first = 1;
    for (uint64_t dseq = first; dseq <= last && port->chunks.count;) {
        uint64_t id = dseq / UNACKED_CHUNK, end = (id + 1) * UNACKED_CHUNK;
        struct unacked_chunk *chunk = chunk_of(port, dseq);
        if (end > last + 1) end = last + 1;
        for (; chunk && dseq < end; dseq++) {
            struct unacked_item *item = &chunk->items[dseq % UNACKED_CHUNK];
            if (!item->live) continue;
            item->live = false;
            chunk->live--;
            settle_item(m, port, item, outcome, effects);
        }
        if (chunk && !chunk->live) drop_chunk(port, id);
        dseq = end;
    }
}

void settle(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects)
{
    struct command_settle s;
    if (!command_settle_decode(command->payload, &s)) return;
    if (s.last < port->next_dseq && s.last > port->base.received)
        port->base.received = s.last; /* what is settled was received */
    window_received(port);
    settle_range(m, port, s.first, s.last, s.outcome, effects);
    trim_stirred(m, effects);
    port_may_take_more(m, port, effects);
    pump_stirred(m, effects); /* what came back may go to consumers of other ports */
}
