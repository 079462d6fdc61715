/* Who gets the next message: prefetch, priorities, single active consumer, the port's window. */
#include "node/queue/machine_internal.h"

static bool port_has_room(const struct machine_port *p)
{
    uint64_t outstanding = p->next_dseq - 1 > p->base.received ? p->next_dseq - 1 - p->base.received : 0;
    if (outstanding >= PORT_WINDOW_MESSAGES) return false;
    return outstanding == 0 || p->window_bytes < PORT_WINDOW_BYTES;
}

/* The active consumer takes no more once one with a higher priority is there ... */
static bool must_yield(const struct queue *q)
{
    return LIST_ITEM(q->consumers.next, struct consumer, queue_link)->priority > q->active->priority;
}

/* ... and hands over when it holds nothing any more: no message overtakes another on the way. */
static void yield(struct queue *q)
{
    if (q->settings.single_active_consumer && q->active && !q->active->unacked && must_yield(q)) choose_active(q);
}

static bool can_take(const struct consumer *c)
{
    const struct machine_port *p = c->port;
    if (c->queue->settings.single_active_consumer && (c->queue->active != c || must_yield(c->queue))) return false;
    if (c->prefetch && c->unacked >= c->prefetch) return false;
    if (p->limit && p->held >= p->limit) return false;
    return port_has_room(p);
}

struct consumer *next_consumer(const struct queue *q)
{
    LIST_FOR(&q->consumers, link)
    {
        struct consumer *c = LIST_ITEM(link, struct consumer, queue_link);
        if (can_take(c)) return c;
    }
    return NULL;
}

/* Behind the last of its own priority: round robin among equals. */
static void rotate(struct queue *q, struct consumer *c)
{
    if (q->consumer_count < 2) return;
    list_remove(&c->queue_link);
    consumer_insert(q, c);
}

void emit_delivery(struct queue_machine *m, struct machine_port *port, uint64_t dseq, const struct unacked_item *item,
                   struct effects *effects)
{
    struct queue *q = queue_find(m, item->queue);
    struct slot *slot = q && item->level < q->level_count && q->levels[item->level]
                            ? level_slot(q->levels[item->level], item->number, m->store)
                            : NULL;
    if (!slot) return;
    struct effect *e = effects_add(effects, EFFECT_DELIVER, port->base.id);
    e->dseq = dseq;
    e->number = dedup_place(item->level, item->number) + 1; /* it keeps that place when it comes again */
    e->consumer = item->consumer;
    e->queue = item->queue;
    e->redelivered = slot->redelivered;
    e->a = q->ready;
    e->b = slot->delivery_count;
    e->content = stored_part(&slot->content);
    e->location = slot->content.where;
    if (e->content.blob) effects_hold(effects, e->content.blob);
}

uint64_t hand_out(struct queue_machine *m, struct queue *q, struct machine_port *port, struct consumer *consumer,
                  uint8_t level, uint64_t number, struct slot *slot)
{
    uint64_t dseq = port->next_dseq++;
    struct unacked_item *item = unacked_add(port, dseq);
    *item = (struct unacked_item){.queue = q->id,
                                  .number = number,
                                  .delivered_ms = m->now_ms,
                                  .consumer = consumer ? consumer->id : 0,
                                  .level = level,
                                  .live = true};
    level_set_unacked(q->levels[level], number, slot);
    window_add(port, dseq, slot->content.size);
    port->unacked++;
    if (consumer) {
        port->held++;
        consumer->unacked++;
        consumer_took(m, consumer);
    }
    q->ready--;
    q->ready_bytes -= slot->content.body;
    q->unacked++;
    q->unacked_bytes += slot->content.body;
    q->counts.delivered++;
    q->counts.got += !consumer;
    q->counts.delivered_no_ack += consumer && (consumer->flags & ATTACH_NO_ACK);
    q->counts.redelivered += slot->redelivered;
    q->counts.read += !slot->content.blob;
    return dseq;
}

void pump(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    uint8_t level;
    uint64_t number;
    struct slot *slot;
    yield(q);
    while (queue_front(m, q, &level, &number, &slot)) {
        /* First of all: where nobody can take more nothing may happen, because `blocked` spares the call and is not
         * part of the state. */
        struct consumer *c = next_consumer(q);
        if (!c) {
            capacity_block(m, q, true);
            return;
        }
        if (slot->expires_ms && slot->expires_ms < m->now_ms) {
            bury(m, q, level, number, slot, DEAD_EXPIRED, effects);
            continue;
        }
        uint64_t dseq = hand_out(m, q, c->port, c, level, number, slot);
        if (effects) emit_delivery(m, c->port, dseq, unacked_at(c->port, dseq), effects);
        rotate(q, c);
    }
}

void stir(struct queue_machine *m, struct queue *q)
{
    if (q->stirred) return;
    q->stirred = true;
    m->stirred = mem_grow(m->stirred, &m->stirred_capacity, m->stirred_count + 1, sizeof *m->stirred);
    m->stirred[m->stirred_count++] = q->id;
}

void trim_stirred(struct queue_machine *m, struct effects *effects)
{
    for (size_t i = 0; i < m->stirred_count; i++) {
        struct queue *q = queue_find(m, m->stirred[i]);
        if (q) drop_heads(m, q, effects);
    }
}

void pump_stirred(struct queue_machine *m, struct effects *effects)
{
    trim_stirred(m, effects);
    for (size_t i = 0; i < m->stirred_count; i++) {
        struct queue *q = queue_find(m, m->stirred[i]);
        if (!q) continue;
        q->stirred = false;
        capacity_block(m, q, false);
        pump(m, q, effects);
    }
    m->stirred_count = 0;
}

void port_may_take_more(struct queue_machine *m, struct machine_port *port, struct effects *effects)
{
    LIST_FOR(&port->consumers, link)
    {
        struct queue *q = LIST_ITEM(link, struct consumer, port_link)->queue;
        capacity_block(m, q, false);
        if (q->ready) pump(m, q, effects);
    }
}
