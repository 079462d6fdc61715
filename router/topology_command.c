/* The bytes of a command: docs/formats/topology.md. */
#include "router/topology.h"

enum { VERSION = 1 };
enum {
    FLAG_DURABLE = 1,
    FLAG_EXCLUSIVE = 2,
    FLAG_AUTO_DELETE = 4,
    FLAG_INTERNAL = 8,
    FLAG_IF_UNUSED = 16,
    FLAG_TO_EXCHANGE = 32,
    FLAG_COMPARES_LABELS = 64
};

void topology_command_encode(struct buf *b, const struct topology_command *c)
{
    uint8_t flags = (c->durable ? FLAG_DURABLE : 0) | (c->exclusive ? FLAG_EXCLUSIVE : 0) |
                    (c->auto_delete ? FLAG_AUTO_DELETE : 0) | (c->internal ? FLAG_INTERNAL : 0) |
                    (c->if_unused ? FLAG_IF_UNUSED : 0) | (c->to_exchange ? FLAG_TO_EXCHANGE : 0) |
                    (c->compares_labels ? FLAG_COMPARES_LABELS : 0);
    buf_put_u8(b, VERSION);
    buf_put_u8(b, c->type);
    buf_put_u8(b, flags);
    buf_put_u8(b, c->node);
    buf_put_le32(b, c->epoch);
    buf_put_le32(b, c->group);
    buf_put_le64(b, c->connection);
    buf_put_le64(b, c->queue_id);
    buf_put_counted(b, c->vhost);
    buf_put_counted(b, c->name);
    buf_put_counted(b, c->kind);
    buf_put_counted(b, c->source);
    buf_put_counted(b, c->routing_key);
    buf_put_counted(b, c->arguments);
}

bool topology_command_decode(struct slice bytes, struct topology_command *c)
{
    struct reader r = reader_of(bytes);
    *c = (struct topology_command){0};
    if (reader_u8(&r) != VERSION) return false;
    c->type = reader_u8(&r);
    uint8_t flags = reader_u8(&r);
    c->durable = flags & FLAG_DURABLE;
    c->exclusive = flags & FLAG_EXCLUSIVE;
    c->auto_delete = flags & FLAG_AUTO_DELETE;
    c->internal = flags & FLAG_INTERNAL;
    c->if_unused = flags & FLAG_IF_UNUSED;
    c->to_exchange = flags & FLAG_TO_EXCHANGE;
    c->compares_labels = flags & FLAG_COMPARES_LABELS;
    c->node = reader_u8(&r);
    c->epoch = reader_le32(&r);
    c->group = reader_le32(&r);
    c->connection = reader_le64(&r);
    c->queue_id = reader_le64(&r);
    c->vhost = reader_counted(&r);
    c->name = reader_counted(&r);
    c->kind = reader_counted(&r);
    c->source = reader_counted(&r);
    c->routing_key = reader_counted(&r);
    c->arguments = reader_counted(&r);
    bool names_fit = c->vhost.size <= TOPOLOGY_NAME_MAX && c->name.size <= TOPOLOGY_NAME_MAX &&
                     c->source.size <= TOPOLOGY_NAME_MAX && c->routing_key.size <= TOPOLOGY_NAME_MAX &&
                     c->kind.size <= TOPOLOGY_NAME_MAX;
    return !r.failed && !reader_left(&r) && names_fit;
}
