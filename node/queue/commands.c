/* Each command to its file; the small ones are here. */
#include "node/queue/machine_internal.h"

static void reply(struct machine_port *port, const struct command *command, uint8_t code, uint64_t a, uint64_t b,
                  struct effects *effects)
{
    if (port) port_table_reply(&port->base, command->number, code, a, b, (struct slice){0}, effects);
}

static void get(struct queue_machine *m, struct machine_port *port, const struct command *command,
                struct effects *effects)
{
    uint64_t id, number;
    uint8_t level, flags;
    struct slot *slot;
    struct queue *q = command_get_decode(command->payload, &id, &flags) ? queue_find(m, id) : NULL;
    if (!q) {
        reply(port, command, REPLY_NOT_FOUND, 0, 0, effects);
        return;
    }
    queue_used(m, q);
    while (queue_front(m, q, &level, &number, &slot) && slot->expires_ms && slot->expires_ms <= m->now_ms)
        bury(m, q, level, number, slot, DEAD_EXPIRED, effects);
    if (!queue_front(m, q, &level, &number, &slot)) {
        q->counts.get_empty++;
        reply(port, command, REPLY_EMPTY, 0, 0, effects);
        return;
    }
    uint64_t dseq = hand_out(m, q, port, NULL, level, number, slot);
    q->counts.got_no_ack += flags & GET_NO_ACK;
    if (effects) emit_delivery(m, port, dseq, unacked_at(port, dseq), effects);
    reply(port, command, REPLY_OK, q->ready, 0, effects);
}

static uint64_t purge_level(struct queue_machine *m, struct queue *q, uint8_t level)
{
    struct level *l = q->levels[level];
    uint64_t number, count = 0;
    struct slot *slot;
    while (level_front(l, m->store, &number, &slot)) {
        q->ready--;
        q->ready_bytes -= slot->content.body;
        q->expiring -= slot->expires_ms != 0;
        queue_forget(q, level, number);
        level_remove(l, number, slot, m->store);
        count++;
    }
    return count;
}

static void purge(struct queue_machine *m, struct machine_port *port, const struct command *command,
                  struct effects *effects)
{
    uint64_t id, count = 0;
    struct queue *q = command_queue_decode(command->payload, &id) ? queue_find(m, id) : NULL;
    if (q) retry_all(m, q); /* what waits for another try goes, too */
    for (unsigned i = 0; q && i < q->level_count; i++)
        if (q->levels[i]) count += purge_level(m, q, (uint8_t)i);
    reply(port, command, q ? REPLY_OK : REPLY_NOT_FOUND, count, 0, effects);
}

static void delete_queue(struct queue_machine *m, struct machine_port *port, const struct command *command,
                         struct effects *effects)
{
    struct command_delete d;
    struct queue *q = command_delete_decode(command->payload, &d) ? queue_find(m, d.queue) : NULL;
    if (!q) {
        reply(port, command, REPLY_NOT_FOUND, 0, 0, effects);
    } else if ((d.flags & DELETE_IF_UNUSED) && q->consumer_count) {
        reply(port, command, REPLY_IN_USE, 0, 0, effects);
    } else if ((d.flags & DELETE_IF_EMPTY) && q->ready + q->delayed_count) {
        reply(port, command, REPLY_NOT_EMPTY, 0, 0, effects);
    } else {
        uint64_t ready = q->ready + q->delayed_count;
        queue_drop(m, q, effects);
        reply(port, command, REPLY_OK, ready, 0, effects);
    }
}

static void configure(struct queue_machine *m, struct machine_port *port, const struct command *command,
                      struct effects *effects)
{
    struct command_configure c;
    if (!command_configure_decode(command->payload, &c)) {
        reply(port, command, REPLY_INVALID, 0, 0, effects);
        return;
    }
    struct queue *q = queue_find(m, c.queue);
    if (!q) {
        q = queue_make(m, c.queue);
        q->dead_pending = dead_letters_from(m, c.queue);
    }
    queue_set(q, &c.settings);
    queue_used(m, q);
    consumers_watch(m, q);
    capacity_block(m, q, false); /* single active consumer may have gone */
    pump(m, q, effects);
    drop_heads(m, q, effects);
    reply(port, command, REPLY_OK, q->ready, q->consumer_count, effects);
}

static void stat(struct queue_machine *m, struct machine_port *port, const struct command *command,
                 struct effects *effects)
{
    uint64_t id;
    struct queue *q = command_queue_decode(command->payload, &id) ? queue_find(m, id) : NULL;
    if (q) queue_used(m, q);
    reply(port, command, q ? REPLY_OK : REPLY_NOT_FOUND, q ? q->ready : 0, q ? q->consumer_count : 0, effects);
}

static void bind_history(struct queue_machine *m, struct machine_port *port, const struct command *command,
                         struct effects *effects)
{
    struct command_history c;
    bool sound = command_history_decode(command->payload, &c);
    if (sound) history_bind(m, &c, effects);
    reply(port, command, sound ? REPLY_OK : REPLY_INVALID, 0, 0, effects);
}

static void limit(struct queue_machine *m, struct machine_port *port, const struct command *command,
                  struct effects *effects)
{
    struct command_limit l;
    if (!command_limit_decode(command->payload, &l)) return;
    port->limit = l.prefetch;
    port_may_take_more(m, port, effects);
}

static void system_command(struct queue_machine *m, const struct command *command, struct part chunk,
                           struct effects *effects)
{
    struct command_node_down down;
    struct command_node_silent silent;
    struct command_history history;
    (void)chunk;
    switch (command->type) {
    case COMMAND_NODE_DOWN:
        if (command_node_down_decode(command->payload, &down))
            port_table_node_down(&m->ports, down.node, down.epoch, effects);
        return;
    case COMMAND_NODE_SILENT:
        if (command_node_silent_decode(command->payload, &silent)) node_silent(m, &silent, effects);
        return;
    case COMMAND_DEAD_LETTERED:
        dead_lettered(m, command, effects);
        return;
    case COMMAND_DEAD_LETTER_AGAIN:
        dead_letter_again(m, command);
        return;
    case COMMAND_HISTORY_FORGET:
        if (command_history_decode(command->payload, &history)) history_forget(m, &history);
        return;
    case COMMAND_DELETE:
        delete_queue(m, NULL, command, effects);
        return;
    case COMMAND_CONFIGURE:
        configure(m, NULL, command, effects);
        return;
    default:
        return;
    }
}

void machine_command(void *machine, struct port_base *base, const struct command *command, struct part chunk,
                     struct effects *effects)
{
    struct queue_machine *m = machine;
    struct machine_port *port = (struct machine_port *)base;
    if (!port) {
        system_command(m, command, chunk, effects);
        return;
    }
    switch (command->type) {
    case COMMAND_ENQUEUE:
        enqueue(m, port, command, chunk, effects);
        return;
    case COMMAND_SETTLE:
        settle(m, port, command, effects);
        return;
    case COMMAND_ATTACH:
        attach(m, port, command, effects);
        return;
    case COMMAND_DETACH:
        detach(m, port, command, effects);
        return;
    case COMMAND_LIMIT:
        limit(m, port, command, effects);
        return;
    case COMMAND_GET:
        get(m, port, command, effects);
        return;
    case COMMAND_PURGE:
        purge(m, port, command, effects);
        return;
    case COMMAND_DELETE:
        delete_queue(m, port, command, effects);
        return;
    case COMMAND_CONFIGURE:
        configure(m, port, command, effects);
        return;
    case COMMAND_STAT:
        stat(m, port, command, effects);
        return;
    case COMMAND_HISTORY_BIND:
        bind_history(m, port, command, effects);
        return;
    case COMMAND_CLOSE:
        port_table_remove(&m->ports, base, effects);
        return;
    case COMMAND_RECEIPT:
        return;
    default:
        reply(port, command, REPLY_INVALID, 0, 0, effects);
    }
}
