/* The queue machine's door: its life, its ports, entries in. */
#include "node/queue/queue_machine.h"

#include "node/queue/machine_internal.h"

/* --- ports --- */

struct port_base *machine_port_create(void *machine)
{
    (void)machine;
    struct machine_port *p = mem_zalloc(sizeof *p);
    p->next_dseq = 1;
    list_init(&p->consumers);
    return &p->base;
}

static void port_leave(void *machine, struct port_base *base, struct effects *effects)
{
    struct queue_machine *m = machine;
    struct machine_port *p = (struct machine_port *)base;
    while (!list_empty(&p->consumers)) {
        struct consumer *c = LIST_ITEM(p->consumers.next, struct consumer, port_link);
        stir(m, c->queue); /* another may be the active one now */
        consumer_remove(m, c, effects);
    }
}

/* What it held goes back to its old place, then what waits there goes to others. */
static void port_destroy(void *machine, struct port_base *base, struct effects *effects)
{
    struct queue_machine *m = machine;
    struct machine_port *p = (struct machine_port *)base;
    port_leave(m, base, effects);
    settle_range(m, p, 1, UINT64_MAX - 1, SETTLE_FAIL, effects);
    pump_stirred(m, effects);
    map_u64_close(&p->chunks);
    mem_free(p->window_sizes);
    mem_free(p->cancelled);
    mem_free(p);
}

static void received(void *machine, struct port_base *base, struct effects *effects)
{
    struct machine_port *port = (struct machine_port *)base;
    window_received(port);
    port_may_take_more(machine, port, effects);
}

static const struct port_table_ops port_ops = {.create = machine_port_create,
                                               .leave = port_leave,
                                               .destroy = port_destroy,
                                               .apply = machine_command,
                                               .received = received};

/* --- the machine --- */

static void machine_apply(void *self, const struct entry *entry, struct effects *effects)
{
    struct queue_machine *m = self;
    struct entry_cursor cursor;
    struct part chunk;
    if (entry_cursor_init(&cursor, entry)) return;
    if (cursor.time_ms > m->now_ms) m->now_ms = cursor.time_ms;
    timers_run(m, effects);
    while (entry_cursor_next(&cursor, &chunk)) port_table_apply(&m->ports, chunk, effects);
    timers_run(m, effects); /* what came with no time to live and found no consumer */
}

static uint64_t machine_deadline(void *self)
{
    struct queue_machine *m = self;
    uint64_t postponed_ms = postponed_time(m);
    return m->timer_count && m->timers[0].at_ms < postponed_ms ? m->timers[0].at_ms : postponed_ms;
}

struct queue_machine *queue_machine_create(uint32_t group, struct store *store)
{
    struct queue_machine *m = mem_zalloc(sizeof *m);
    m->group = group;
    m->store = store;
    list_init(&m->dead);
    list_init(&m->histories);
    port_table_init(&m->ports, &port_ops, m);
    return m;
}

void machine_clear(struct queue_machine *m, bool release)
{
    LIST_FOR(&m->ports.order,
             link) /* first, and without a look at their queues: a restore may have got half-way only */
    {
        struct machine_port *p = (struct machine_port *)LIST_ITEM(link, struct port_base, link);
        while (!list_empty(&p->consumers)) consumer_free(LIST_ITEM(p->consumers.next, struct consumer, port_link));
    }
    while (m->queue_count) queue_drop(m, m->order[m->queue_count - 1], NULL);
    port_table_close(&m->ports);
    while (!list_empty(&m->dead)) {
        struct dead_letter_record *d = LIST_ITEM(m->dead.next, struct dead_letter_record, link);
        list_remove(&d->link);
        d->pending = 0; /* no checkpoint comes back to a machine that is cleared */
        dead_letter_free(m, d);
    }
    histories_clear(m);
    while (m->postponed_count) {
        struct dead_letter_record *d = m->postponed[--m->postponed_count];
        d->pending = 0;
        dead_letter_free(m, d);
    }
    if (!release) store_forget_counts(m->store);
    m->timer_count = 0;
    port_table_init(&m->ports, &port_ops, m);
}

void queue_machine_destroy(struct queue_machine *m)
{
    store_close_counts(m->store);
    machine_clear(m, true);
    port_table_close(&m->ports);
    map_u64_close(&m->queues);
    mem_free(m->order);
    mem_free(m->timers);
    mem_free(m->postponed);
    mem_free(m->due);
    mem_free(m->stirred);
    mem_free(m->pending);
    mem_free(m->indexed);
    mem_free(m);
}

struct machine queue_machine_as_machine(struct queue_machine *m)
{
    static const struct machine_ops ops = {.apply = machine_apply,
                                           .checkpoint = machine_checkpoint,
                                           .checkpoint_done = machine_checkpoint_done,
                                           .restore = machine_restore,
                                           .digest = machine_digest,
                                           .check = machine_check,
                                           .deadline_ms = machine_deadline};
    return (struct machine){&ops, m};
}

static void tell_cancelled(const struct machine_port *port, struct effects *effects)
{
    for (uint32_t i = 0; i < port->cancelled_count; i++) {
        struct effect *e = effects_add(effects, EFFECT_CANCELLED, port->base.id);
        e->consumer = port->cancelled[i].consumer;
        e->a = port->cancelled[i].timeout_ms;
    }
}

/* A port takes a gap for a loss, and would ask for ever: what is missing was settled meanwhile, without it. */
static void tell_settled(struct machine_port *port, uint64_t in_hand, struct effects *effects)
{
    uint64_t dseq = in_hand, last = in_hand, follow = 0;
    while (dseq < port->next_dseq && unacked_next(port, &dseq)) {
        last = dseq;
        follow++;
    }
    if (in_hand + follow + 1 >= port->next_dseq) return;
    struct effect *e = effects_add(effects, EFFECT_SETTLED, port->base.id);
    e->dseq = last;
    e->number = port->next_dseq - 1;
}

/* Deliveries come before the last reply, as they did the first time: a get whose reply comes without a message is answered
 * with "empty". Cancelled consumers are told twice: before the last reply, which a client takes as proof that what it
 * acked before is gone; and after it, for that reply may be the one that announces the consumer. */
void queue_machine_hello(struct queue_machine *m, uint64_t id, bool known, uint64_t in_hand, struct effects *effects)
{
    struct machine_port *port = (struct machine_port *)port_table_find(&m->ports, id);
    const struct unacked_item *item;
    if (!port) {
        port_table_hello(&m->ports, id, known, effects);
        return;
    }
    tell_cancelled(port, effects);
    tell_settled(port, in_hand, effects);
    while (in_hand < port->next_dseq && (item = unacked_next(port, &in_hand)))
        emit_delivery(m, port, in_hand, item, effects);
    port_table_hello(&m->ports, id, known, effects);
    tell_cancelled(port, effects);
}

void queue_machine_unused(struct queue_machine *m, struct effects *effects)
{
    for (size_t i = 0; i < m->queue_count; i++)
        if (m->order[i]->unused_told) effects_add(effects, EFFECT_QUEUE_UNUSED, 0)->queue = m->order[i]->id;
}

void queue_machine_nodes(const struct queue_machine *m,
                         void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg)
{
    port_table_nodes(&m->ports, each, arg);
}
