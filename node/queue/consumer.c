/* Consumers come and go. */
#include "node/queue/machine_internal.h"

struct consumer *consumer_find(struct machine_port *port, uint32_t id)
{
    LIST_FOR(&port->consumers, link)
    {
        struct consumer *c = LIST_ITEM(link, struct consumer, port_link);
        if (c->id == id) return c;
    }
    return NULL;
}

void consumer_insert(struct queue *q, struct consumer *c)
{
    struct list *at = q->consumers.previous;
    while (at != &q->consumers && LIST_ITEM(at, struct consumer, queue_link)->priority < c->priority) at = at->previous;
    list_insert_before(at->next, &c->queue_link);
}

void choose_active(struct queue *q)
{
    q->active = list_empty(&q->consumers) ? NULL : LIST_ITEM(q->consumers.next, struct consumer, queue_link);
}

static uint8_t refusal(const struct queue *q, const struct command_attach *a)
{
    bool alone = a->flags & ATTACH_EXCLUSIVE;
    if (q->exclusive || (alone && (q->consumer_count || q->settings.single_active_consumer))) return REPLY_EXCLUSIVE;
    return REPLY_OK;
}

/* A port should never use a consumer's number twice. If it does, the new one answers for what the old one held: so it
 * is after a restore, too. */
static uint32_t held_by(struct machine_port *port, const struct consumer *c)
{
    uint32_t count = 0;
    uint64_t dseq = 0;
    for (uint64_t left = port->held; left; left--) {
        const struct unacked_item *item = unacked_next(port, &dseq);
        while (item && !item->consumer) item = unacked_next(port, &dseq);
        CHECK(item);
        count += item->consumer == c->id && item->queue == c->queue->id;
    }
    return count;
}

void attach(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects)
{
    struct command_attach a;
    bool sound = command_attach_decode(command->payload, &a) && !consumer_find(port, a.consumer);
    struct queue *q = sound ? queue_find(m, a.queue) : NULL;
    uint8_t code = !sound ? REPLY_INVALID : !q ? REPLY_NOT_FOUND : refusal(q, &a);
    port_table_reply(&port->base, command->number, code, 0, 0, (struct slice){0}, effects);
    if (code) return;
    struct consumer *c = mem_zalloc(sizeof *c);
    c->port = port;
    c->queue = q;
    c->id = a.consumer;
    c->flags = a.flags;
    c->prefetch = a.prefetch;
    c->priority = a.priority;
    c->timeout_ms = a.timeout_ms;
    c->oldest_ms = m->now_ms;
    c->tag = slice_of(mem_strndup((const char *)a.tag.data, a.tag.size), a.tag.size);
    list_append(&port->consumers, &c->port_link);
    consumer_insert(q, c);
    capacity_block(m, q, false);
    q->consumer_count++;
    q->had_consumers = true;
    q->unused_told = false;
    if (a.flags & ATTACH_EXCLUSIVE) q->exclusive = c;
    if (!q->active) q->active = c;
    c->unacked = held_by(port, c);
    if (c->unacked) consumers_watch(m, q);
    queue_used(m, q);
    pump(m, q, effects);
}

static void now_unused(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    queue_used(m, q);
    if (!q->settings.auto_delete || !q->had_consumers) return;
    q->unused_told = true;
    if (effects) effects_add(effects, EFFECT_QUEUE_UNUSED, 0)->queue = q->id;
}

void consumer_keep_cancelled(struct machine_port *port, struct cancelled what)
{
    if (!port->cancelled) port->cancelled = mem_alloc(PORT_CANCELLED_KEPT * sizeof *port->cancelled);
    if (port->cancelled_count == PORT_CANCELLED_KEPT)
        memmove(port->cancelled, port->cancelled + 1, --port->cancelled_count * sizeof *port->cancelled);
    port->cancelled[port->cancelled_count++] = what;
}

void consumer_tell_cancelled(struct consumer *c, uint64_t timeout_ms, struct effects *effects)
{
    consumer_keep_cancelled(c->port, (struct cancelled){c->id, timeout_ms});
    if (!effects) return;
    struct effect *e = effects_add(effects, EFFECT_CANCELLED, c->port->base.id);
    e->consumer = c->id;
    e->a = timeout_ms;
}

void consumer_free(struct consumer *c)
{
    list_remove(&c->queue_link);
    list_remove(&c->port_link);
    mem_free((void *)c->tag.data);
    mem_free(c);
}

void consumer_remove(struct queue_machine *m, struct consumer *c, struct effects *effects)
{
    struct queue *q = c->queue;
    capacity_block(m, q, false);
    list_remove(&c->queue_link);
    q->consumer_count--;
    if (q->exclusive == c) q->exclusive = NULL;
    if (q->active == c) choose_active(q);
    consumer_free(c);
    if (!q->consumer_count) now_unused(m, q, effects);
}

void detach(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects)
{
    struct command_detach d;
    struct consumer *c = command_detach_decode(command->payload, &d) ? consumer_find(port, d.consumer) : NULL;
    if (c) {
        stir(m, c->queue); /* another may be the active one now */
        consumer_remove(m, c, effects);
    }
    port_table_reply(&port->base, command->number, c ? REPLY_OK : REPLY_NOT_FOUND, 0, 0, (struct slice){0}, effects);
    pump_stirred(m, effects);
}
