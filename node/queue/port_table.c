#include "node/queue/port_table.h"

#include "base/mem.h"
#include "node/queue/port_id.h"

void port_table_init(struct port_table *t, const struct port_table_ops *ops, void *machine)
{
    *t = (struct port_table){.ops = ops, .machine = machine};
    list_init(&t->order);
}

static void forget(struct port_table *t, struct port_base *port, struct effects *effects)
{
    map_u64_remove(&t->ports, port->id);
    list_remove(&port->link);
    mem_free(port->reply_text);
    mem_free(port->refused);
    t->ops->destroy(t->machine, port, effects);
}

void port_table_close(struct port_table *t)
{
    while (!list_empty(&t->order)) forget(t, LIST_ITEM(t->order.next, struct port_base, link), NULL);
    map_u64_close(&t->ports);
}

struct port_base *port_table_find(struct port_table *t, uint64_t id)
{
    return map_u64_get(&t->ports, id);
}

void port_table_insert(struct port_table *t, struct port_base *port)
{
    map_u64_set(&t->ports, port->id, port);
    list_append(&t->order, &port->link);
}

void port_table_remove(struct port_table *t, struct port_base *port, struct effects *effects)
{
    forget(t, port, effects);
}

static bool closed_for_ever(const struct port_table *t, uint64_t id)
{
    return port_id_epoch(id) < t->floor[port_id_node(id)] && port_id_node(id) != PORT_NODE_GROUP;
}

static void say(struct effects *effects, uint8_t type, uint64_t port, uint64_t number)
{
    if (effects) effects_add(effects, type, port)->number = number;
}

static void apply_system(struct port_table *t, const struct chunk *chunk, struct part bytes, struct effects *effects)
{
    struct chunk_cursor cursor;
    struct command command;
    chunk_cursor_init(&cursor, chunk);
    while (chunk_cursor_next(&cursor, &command)) t->ops->apply(t->machine, NULL, &command, bytes, effects);
}

/* The port a chunk belongs to, made known by its first chunk. NULL: answered with GONE. */
static struct port_base *port_of(struct port_table *t, const struct chunk *chunk, struct effects *effects)
{
    struct port_base *port = port_table_find(t, chunk->port);
    if (port) return port;
    bool first = chunk->previous == 0 || port_id_node(chunk->port) == PORT_NODE_GROUP;
    if (!first || closed_for_ever(t, chunk->port)) {
        say(effects, EFFECT_GONE, chunk->port, 0);
        return NULL;
    }
    port = t->ops->create(t->machine);
    port->id = chunk->port;
    if (port_id_node(chunk->port) == PORT_NODE_GROUP) port->applied = chunk->previous;
    port_table_insert(t, port);
    return port;
}

/* Refused numbers are kept until the port cannot ask for them again: it has told a later chunk's `previous` ... which
 * it sends only in order, so what lies well behind is known. */
static void trim_refused(struct port_base *port, uint64_t acknowledged)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < port->refused_count; i++)
        if (port->refused[i] > acknowledged) port->refused[to++] = port->refused[i];
    port->refused_count = to;
}

void port_table_apply(struct port_table *t, struct part bytes, struct effects *effects)
{
    struct chunk chunk;
    if (!chunk_decode(part_slice(bytes), &chunk)) return; /* a peer's fault; the same on every replica */
    if (port_id_node(chunk.port) == PORT_NODE_SYSTEM) {
        apply_system(t, &chunk, bytes, effects);
        return;
    }
    struct port_base *port = port_of(t, &chunk, effects);
    if (!port) return;
    if (chunk.previous > port->applied) {
        say(effects, EFFECT_RESYNC, chunk.port, port->applied);
        return;
    }
    if (chunk.received > port->received) {
        port->received = chunk.received;
        if (t->ops->received) t->ops->received(t->machine, port, effects);
    }
    uint64_t kept = port_id_node(chunk.port) == PORT_NODE_GROUP ? PORT_REFUSED_KEPT_OF_GROUP : PORT_REFUSED_KEPT;
    if (port->refused_count && chunk.previous > kept) trim_refused(port, chunk.previous - kept);
    struct chunk_cursor cursor;
    struct command command;
    chunk_cursor_init(&cursor, &chunk);
    while (chunk_cursor_next(&cursor, &command)) {
        if (command.number <= port->applied) continue;
        port->applied = command.number;
        t->ops->apply(t->machine, port, &command, bytes, effects);
        if (command.type == COMMAND_CLOSE) { /* the port is gone; its owner waits for this */
            say(effects, EFFECT_APPLIED, chunk.port, command.number);
            return;
        }
    }
    say(effects, EFFECT_APPLIED, chunk.port, port->applied);
}

static void emit_reply(const struct port_base *port, struct effects *effects)
{
    struct slice text = {0};
    if (port->reply_text_size) text = effects_text(effects, slice_of(port->reply_text, port->reply_text_size));
    struct effect *e = effects_add(effects, EFFECT_REPLY, port->id);
    e->number = port->reply_number;
    e->code = port->reply_code;
    e->a = port->reply_a;
    e->b = port->reply_b;
    e->text = text;
}

void port_table_reply(struct port_base *port, uint64_t number, uint8_t code, uint64_t a, uint64_t b, struct slice text,
                      struct effects *effects)
{
    port->reply_number = number;
    port->reply_code = code;
    port->reply_a = a;
    port->reply_b = b;
    mem_free(port->reply_text);
    port->reply_text = text.size ? (uint8_t *)mem_strndup((const char *)text.data, text.size) : NULL;
    port->reply_text_size = (uint32_t)text.size;
    if (effects) emit_reply(port, effects);
}

void port_table_refuse(struct port_base *port, uint64_t number, struct effects *effects)
{
    size_t capacity = port->refused_capacity;
    port->refused = mem_grow(port->refused, &capacity, port->refused_count + 1u, sizeof *port->refused);
    port->refused_capacity = (uint32_t)capacity;
    port->refused[port->refused_count++] = number;
    say(effects, EFFECT_REFUSED, port->id, number);
}

static bool dies_with(const struct port_base *port, uint8_t node, uint32_t epoch)
{
    return port_id_node(port->id) == node && port_id_epoch(port->id) <= epoch;
}

void port_table_node_down(struct port_table *t, uint8_t node, uint32_t epoch, struct effects *effects)
{
    if (node == PORT_NODE_SYSTEM || node == PORT_NODE_GROUP) return;
    if (t->floor[node] <= epoch) t->floor[node] = epoch + 1;
    LIST_FOR(&t->order, link)
    {
        struct port_base *port = LIST_ITEM(link, struct port_base, link);
        if (t->ops->leave && dies_with(port, node, epoch)) t->ops->leave(t->machine, port, effects);
    }
    LIST_FOR_SAFE(&t->order, link)
    {
        struct port_base *port = LIST_ITEM(link, struct port_base, link);
        if (dies_with(port, node, epoch)) forget(t, port, effects);
    }
}

bool port_table_hello(struct port_table *t, uint64_t id, bool known, struct effects *effects)
{
    struct port_base *port = port_table_find(t, id);
    if (!port) {
        bool welcome = !known && !closed_for_ever(t, id);
        say(effects, welcome ? EFFECT_APPLIED : EFFECT_GONE, id, 0);
        return welcome;
    }
    for (uint32_t i = 0; i < port->refused_count; i++) say(effects, EFFECT_REFUSED, id, port->refused[i]);
    if (port->reply_number) emit_reply(port, effects);
    say(effects, EFFECT_APPLIED, id, port->applied);
    return true;
}

void port_table_nodes(const struct port_table *t,
                      void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg)
{
    uint32_t highest[256] = {0}, lowest[256];
    bool seen[256] = {0};
    LIST_FOR(&t->order, link)
    {
        uint64_t id = LIST_ITEM(link, struct port_base, link)->id;
        uint8_t node = port_id_node(id);
        uint32_t epoch = port_id_epoch(id);
        if (!seen[node] || epoch < lowest[node]) lowest[node] = epoch;
        if (epoch > highest[node]) highest[node] = epoch;
        seen[node] = true;
    }
    for (unsigned node = 1; node < 255; node++)
        if (seen[node]) each(arg, (uint8_t)node, lowest[node], highest[node]);
}

/* --- manifest --- */

void port_base_encode(const struct port_base *port, struct buf *b)
{
    buf_put_le64(b, port->id);
    buf_put_le64(b, port->applied);
    buf_put_le64(b, port->received);
    buf_put_le64(b, port->reply_number);
    buf_put_u8(b, port->reply_code);
    buf_put_le64(b, port->reply_a);
    buf_put_le64(b, port->reply_b);
    buf_put_counted(b, slice_of(port->reply_text, port->reply_text_size));
    buf_put_varint(b, port->refused_count);
    for (uint32_t i = 0; i < port->refused_count; i++) buf_put_le64(b, port->refused[i]);
}

bool port_base_decode(struct reader *r, struct port_base *port)
{
    port->id = reader_le64(r);
    port->applied = reader_le64(r);
    port->received = reader_le64(r);
    port->reply_number = reader_le64(r);
    port->reply_code = reader_u8(r);
    port->reply_a = reader_le64(r);
    port->reply_b = reader_le64(r);
    struct slice text = reader_counted(r);
    uint64_t refused = reader_varint(r);
    if (r->failed || refused > reader_left(r) / 8) return false;
    port->reply_text = text.size ? (uint8_t *)mem_strndup((const char *)text.data, text.size) : NULL;
    port->reply_text_size = (uint32_t)text.size;
    port->refused = refused ? mem_alloc(refused * 8) : NULL;
    port->refused_count = port->refused_capacity = (uint32_t)refused;
    for (uint64_t i = 0; i < refused; i++) port->refused[i] = reader_le64(r);
    return !r->failed && port_id_node(port->id) != PORT_NODE_SYSTEM;
}

void port_table_encode(const struct port_table *t, struct buf *b)
{
    unsigned count = 0;
    for (unsigned node = 0; node < 256; node++) count += t->floor[node] > 0;
    buf_put_varint(b, count);
    for (unsigned node = 0; node < 256; node++) {
        if (!t->floor[node]) continue;
        buf_put_u8(b, (uint8_t)node);
        buf_put_le32(b, t->floor[node]);
    }
}

bool port_table_decode(struct port_table *t, struct reader *r)
{
    for (uint64_t count = reader_varint(r); count && !r->failed; count--) {
        uint8_t node = reader_u8(r);
        t->floor[node] = reader_le32(r);
    }
    return !r->failed;
}
