#include "node/meta/meta_machine.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "node/queue/port_id.h"
#include "node/queue/port_table.h"
#include "router/lives.h"

enum { VERSION = 1 };

struct meta_machine {
    struct topology *topology;
    struct port_table ports;
    uint64_t index; /* of the entry being applied */
    void (*applied)(void *arg, uint64_t index, struct slice command);
    void *arg;
};

static struct port_base *create_port(void *machine)
{
    (void)machine;
    return mem_zalloc(sizeof(struct port_base));
}

static void destroy_port(void *machine, struct port_base *port, struct effects *effects)
{
    (void)machine;
    (void)effects;
    mem_free(port);
}

static void change(struct meta_machine *m, const struct topology_command *c, struct slice bytes,
                   struct topology_result *result)
{
    topology_apply(m->topology, m->index, c, result);
    if (!result->reply_code) m->applied(m->arg, m->index, bytes);
}

static void apply_topology(struct meta_machine *m, struct port_base *port, const struct command *command,
                           struct effects *effects)
{
    struct topology_command c;
    struct topology_result result = {0};
    if (!topology_command_decode(command->payload, &c)) {
        if (port) port_table_reply(port, command->number, REPLY_INVALID, 0, 0, (struct slice){0}, effects);
        return;
    }
    change(m, &c, command->payload, &result);
    if (!port) return;
    if (result.reply_code)
        port_table_reply(port, command->number, REPLY_REFUSED, result.reply_code, 0, slice_str(result.text), effects);
    else
        port_table_reply(port, command->number, REPLY_OK, result.queue_id, (uint64_t)result.group << 1 | result.created,
                         (struct slice){0}, effects);
}

static void node_down(struct meta_machine *m, struct slice payload, struct effects *effects)
{
    struct command_node_down down;
    if (!command_node_down_decode(payload, &down)) return;
    struct topology_command c = {.type = TOPOLOGY_OWNERS_GONE, .node = down.node, .epoch = down.epoch};
    struct topology_result result;
    struct buf bytes = {0};
    topology_command_encode(&bytes, &c);
    change(m, &c, buf_slice(&bytes), &result);
    buf_close(&bytes);
    port_table_node_down(&m->ports, down.node, down.epoch, effects);
}

/* `port` is NULL for the system's commands. */
static void apply_command(void *machine, struct port_base *port, const struct command *command, struct part chunk,
                          struct effects *effects)
{
    struct meta_machine *m = machine;
    (void)chunk;
    switch (command->type) {
    case COMMAND_TOPOLOGY:
        apply_topology(m, port, command, effects);
        return;
    case COMMAND_NOTHING: /* who asks knows by the index whether its copy is up to date */
        if (port)
            port_table_reply(port, command->number, REPLY_OK, topology_index(m->topology), 0, (struct slice){0},
                             effects);
        return;
    case COMMAND_CLOSE:
        if (port) port_table_remove(&m->ports, port, effects);
        return;
    case COMMAND_NODE_DOWN:
        if (!port) node_down(m, command->payload, effects);
        return;
    case COMMAND_RECEIPT:
        return;
    default:
        if (port) port_table_reply(port, command->number, REPLY_INVALID, 0, 0, (struct slice){0}, effects);
    }
}

static const struct port_table_ops port_ops = {.create = create_port, .destroy = destroy_port, .apply = apply_command};

struct meta_machine *meta_machine_create(struct topology *topology,
                                         void (*applied)(void *arg, uint64_t index, struct slice command), void *arg)
{
    struct meta_machine *m = mem_zalloc(sizeof *m);
    m->topology = topology;
    m->applied = applied;
    m->arg = arg;
    port_table_init(&m->ports, &port_ops, m);
    /* What a replica left that was dropped and is opened again: the group's entries come from the first one on, and on
     * top of it a deletion of long ago would hit what bears the name today. */
    if (topology_index(topology)) {
        topology_reset(topology);
        applied(arg, 0, (struct slice){0});
    }
    return m;
}

void meta_machine_destroy(struct meta_machine *m)
{
    port_table_close(&m->ports);
    mem_free(m);
}

static void apply(void *self, const struct entry *entry, struct effects *effects)
{
    struct meta_machine *m = self;
    struct entry_cursor cursor;
    struct part chunk;
    m->index = entry->index;
    if (entry_cursor_init(&cursor, entry)) return;
    while (entry_cursor_next(&cursor, &chunk)) port_table_apply(&m->ports, chunk, effects);
}

static void encode(struct meta_machine *m, struct buf *b)
{
    buf_put_u8(b, VERSION);
    port_table_encode(&m->ports, b);
    buf_put_varint(b, m->ports.ports.count);
    LIST_FOR(&m->ports.order, link) port_base_encode(LIST_ITEM(link, struct port_base, link), b);
    struct buf topology = {0};
    topology_encode(m->topology, &topology);
    buf_put_counted(b, buf_slice(&topology));
    buf_close(&topology);
}

static void checkpoint(void *self, struct checkpoint *checkpoint)
{
    encode(self, checkpoint_manifest(checkpoint));
}

static void checkpoint_done(void *self, bool durable)
{
    (void)self;
    (void)durable;
}

static bool restore_ports(struct meta_machine *m, struct reader *r)
{
    if (!port_table_decode(&m->ports, r)) return false;
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        struct port_base *port = create_port(m);
        if (!port_base_decode(r, port) || port_table_find(&m->ports, port->id)) {
            mem_free(port->reply_text);
            mem_free(port->refused);
            mem_free(port);
            return false;
        }
        port_table_insert(&m->ports, port);
    }
    return !r->failed;
}

static int restore(void *self, struct slice manifest, struct err *err)
{
    struct meta_machine *m = self;
    port_table_close(&m->ports);
    port_table_init(&m->ports, &port_ops, m);
    struct reader r = reader_of(manifest);
    if (reader_u8(&r) != VERSION)
        return (int)err_set(err, ERR_VERSION, "meta machine: a format version this build does not read");
    if (!restore_ports(m, &r)) return (int)err_set(err, ERR_FORMAT, "meta machine: ports are damaged");
    struct slice topology = reader_counted(&r);
    if (r.failed) return (int)err_set(err, ERR_FORMAT, "meta machine: cut off");
    int code = topology_restore(m->topology, topology, err);
    if (!code) m->applied(m->arg, topology_index(m->topology), (struct slice){0});
    return code;
}

static uint64_t digest(void *self)
{
    struct buf b = {0};
    encode(self, &b);
    uint64_t value = hash_slice(buf_slice(&b));
    buf_close(&b);
    return value;
}

static bool check(void *self, struct err *err)
{
    return topology_check(((struct meta_machine *)self)->topology, err);
}

static uint64_t deadline_ms(void *self)
{
    (void)self;
    return UINT64_MAX;
}

struct machine meta_machine_as_machine(struct meta_machine *m)
{
    static const struct machine_ops ops = {.apply = apply,
                                           .checkpoint = checkpoint,
                                           .checkpoint_done = checkpoint_done,
                                           .restore = restore,
                                           .digest = digest,
                                           .check = check,
                                           .deadline_ms = deadline_ms};
    return (struct machine){&ops, m};
}

void meta_machine_hello(struct meta_machine *m, uint64_t port, bool known, uint64_t received, struct effects *effects)
{
    (void)received; /* the meta group delivers nothing */
    port_table_hello(&m->ports, port, known, effects);
}

struct walk {
    void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max);
    void *arg;
};

static void visit_life(void *arg, uint8_t node, uint32_t epoch)
{
    struct walk *walk = arg;
    walk->each(walk->arg, node, epoch, epoch);
}

void meta_machine_nodes(const struct meta_machine *m,
                        void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg)
{
    port_table_nodes(&m->ports, each, arg);
    topology_lives(m->topology, visit_life, &(struct walk){each, arg});
}
