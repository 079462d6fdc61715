/* The whole topology as bytes, in the order things were made; digest and check. docs/formats/topology.md */
#include "base/check.h"
#include "base/hash.h"
#include "router/exchange_type.h"
#include "router/members.h"

enum { VERSION = 6 };
enum { FLAG_DURABLE = 1, FLAG_EXCLUSIVE = 2, FLAG_AUTO_DELETE = 4, FLAG_INTERNAL = 8, FLAG_TO_EXCHANGE = 32 };
enum {
    EXCHANGE_FLAGS = FLAG_DURABLE | FLAG_AUTO_DELETE | FLAG_INTERNAL,
    QUEUE_FLAGS = FLAG_DURABLE | FLAG_EXCLUSIVE | FLAG_AUTO_DELETE,
};
#define QUEUE_ID_MAX (UINT64_MAX / 2) /* leaves room for the next id and for cursors */

static uint8_t flags_of(bool durable, bool exclusive, bool auto_delete, bool internal)
{
    return (durable ? FLAG_DURABLE : 0) | (exclusive ? FLAG_EXCLUSIVE : 0) | (auto_delete ? FLAG_AUTO_DELETE : 0) |
           (internal ? FLAG_INTERNAL : 0);
}

void topology_encode(const struct topology *t, struct buf *b)
{
    uint64_t cursor = 0;
    void *record;
    buf_put_u8(b, VERSION);
    buf_put_le64(b, t->index);
    buf_put_le64(b, t->last_queue_id);
    buf_put_varint(b, t->vhost_order.live);
    while ((record = ordered_next(&t->vhost_order, &cursor))) buf_put_counted(b, ((struct vhost *)record)->name);
    buf_put_varint(b, t->exchanges.live);
    for (cursor = 0; (record = ordered_next(&t->exchanges, &cursor));) {
        struct exchange_record *x = record;
        buf_put_u8(b, flags_of(x->base.durable, false, x->base.auto_delete, x->base.internal));
        buf_put_counted(b, x->vhost->name);
        buf_put_counted(b, x->base.name);
        buf_put_counted(b, x->base.type);
        buf_put_counted(b, x->base.arguments);
        if (!x->base.durable) buf_put_varint(b, x->era);
    }
    buf_put_varint(b, t->queues.live);
    for (cursor = 0; (record = ordered_next(&t->queues, &cursor));) {
        struct queue_entry *q = record;
        buf_put_u8(b, flags_of(q->base.durable, q->base.exclusive, q->base.auto_delete, false));
        buf_put_le64(b, q->base.id);
        buf_put_le32(b, q->base.group);
        buf_put_le64(b, q->base.owner);
        buf_put_counted(b, q->vhost->name);
        buf_put_counted(b, q->base.name);
        buf_put_counted(b, q->base.arguments);
        if (!q->base.durable) buf_put_varint(b, q->era);
    }
    buf_put_varint(b, t->bindings.live);
    for (cursor = 0; (record = ordered_next(&t->bindings, &cursor));) {
        struct binding_record *x = record;
        buf_put_u8(b, x->to_exchange ? FLAG_TO_EXCHANGE : 0);
        buf_put_counted(b, x->source->vhost->name);
        buf_put_counted(b, x->source->base.name);
        buf_put_counted(b, x->to_queue ? x->to_queue->base.name : x->to_exchange->base.name);
        buf_put_counted(b, x->routing_key);
        buf_put_counted(b, x->arguments);
    }
    registry_encode(t, b);
    members_encode(t, b);
    lives_encode(t, b);
}

static uint8_t read_flags(struct reader *r, uint8_t known)
{
    uint8_t flags = reader_u8(r);
    if (flags & ~known) reader_fail(r);
    return flags;
}

static struct slice read_name(struct reader *r)
{
    struct slice name = reader_counted(r);
    if (name.size > TOPOLOGY_NAME_MAX) reader_fail(r);
    return name;
}

static bool restore_exchange(struct topology *t, struct reader *r)
{
    uint8_t flags = read_flags(r, EXCHANGE_FLAGS);
    struct vhost *v = vhost_find(t, read_name(r));
    struct exchange x = {
        .durable = flags & FLAG_DURABLE, .auto_delete = flags & FLAG_AUTO_DELETE, .internal = flags & FLAG_INTERNAL};
    x.name = read_name(r);
    x.type = read_name(r);
    x.arguments = reader_counted(r);
    uint64_t era = x.durable ? 0 : reader_varint(r);
    struct topology_result ignored = {0};
    if (r->failed || !v || map_str_get(&v->exchanges, x.name)) return false;
    struct exchange_traits traits;
    if (!exchange_traits_of(x.type, x.arguments, &traits, &ignored)) return false;
    exchange_create(t, v, &x)->era = era;
    return true;
}

static bool restore_queue(struct topology *t, struct reader *r, uint64_t last_queue_id)
{
    uint8_t flags = read_flags(r, QUEUE_FLAGS);
    struct queue_record q = {
        .durable = flags & FLAG_DURABLE, .exclusive = flags & FLAG_EXCLUSIVE, .auto_delete = flags & FLAG_AUTO_DELETE};
    q.id = reader_le64(r);
    q.group = reader_le32(r);
    q.owner = reader_le64(r);
    struct vhost *v = vhost_find(t, read_name(r));
    q.name = read_name(r);
    q.arguments = reader_counted(r);
    uint64_t era = q.durable ? 0 : reader_varint(r);
    if (r->failed || !v || map_str_get(&v->queues, q.name)) return false;
    if (q.id <= t->last_queue_id || q.id > last_queue_id || !q.group || q.group > t->group_count + t->spare_count)
        return false;
    queue_create(t, v, &q)->era = era;
    return true;
}

static bool restore_binding(struct topology *t, struct reader *r)
{
    bool to_exchange = read_flags(r, FLAG_TO_EXCHANGE);
    struct vhost *v = vhost_find(t, read_name(r));
    struct slice source = read_name(r), destination = read_name(r), key = read_name(r), arguments = reader_counted(r);
    if (r->failed || !v) return false;
    struct exchange_record *from = map_str_get(&v->exchanges, source);
    struct exchange_record *exchange = to_exchange ? map_str_get(&v->exchanges, destination) : NULL;
    struct queue_entry *queue = to_exchange ? NULL : map_str_get(&v->queues, destination);
    if (!from || (!exchange && !queue) || binding_find(v, source, destination, to_exchange, key, arguments))
        return false;
    struct topology_result ignored;
    if (!choice_check_binding(from->kind, to_exchange, key, &ignored)) return false;
    binding_create(t, from, exchange, queue, key, arguments);
    return true;
}

static bool restore_all(struct topology *t, struct reader *r)
{
    bool ok = true;
    t->index = reader_le64(r);
    uint64_t last_queue_id = reader_le64(r);
    if (last_queue_id > QUEUE_ID_MAX) return false;
    for (uint64_t n = reader_varint(r); ok && n; n--) {
        struct slice name = read_name(r);
        ok = !r->failed && !vhost_find(t, name);
        if (ok) vhost_create(t, name);
    }
    for (uint64_t n = reader_varint(r); ok && n; n--) ok = restore_exchange(t, r);
    for (uint64_t n = reader_varint(r); ok && n; n--) ok = restore_queue(t, r, last_queue_id);
    for (uint64_t n = reader_varint(r); ok && n; n--) ok = restore_binding(t, r);
    ok = ok && registry_restore(t, r) && members_restore(t, r) && lives_restore(t, r);
    t->last_queue_id = last_queue_id;
    return ok && !r->failed && !reader_left(r);
}

/* The head of this list is inside the topology, so a moved one needs new links. */
static void link_owned(struct topology *t)
{
    struct queue_entry *q;
    list_init(&t->owned);
    for (uint64_t cursor = 0; (q = ordered_next(&t->queues, &cursor));)
        if (q->base.exclusive) list_append(&t->owned, &q->owned_link);
}

int topology_restore(struct topology *t, struct slice bytes, struct err *err)
{
    struct reader r = reader_of(bytes);
    if (reader_u8(&r) != VERSION)
        return (int)err_set(err, ERR_VERSION, "topology: a format version this build does not read");
    struct topology *fresh = topology_create_with_spare(t->group_count, t->spare_count);
    topology_clear(fresh);
    bool ok = restore_all(fresh, &r);
    if (ok && topology_level(fresh) > LEVEL_NOW) {
        uint16_t level = topology_level(fresh);
        topology_destroy(fresh);
        return (int)err_set(err, ERR_VERSION,
                            "topology: the cluster works at level %u and this program knows %d: install a newer one",
                            level, LEVEL_NOW);
    }
    if (ok) {
        struct topology old = *t;
        *t = *fresh;
        *fresh = old;
        link_owned(t);
        link_owned(fresh);
        if (t->version <= old.version) t->version = old.version + 1;
        if (t->registry_version <= old.registry_version) t->registry_version = old.registry_version + 1;
        t->policy_version = old.policy_version; /* decoded anew: records of the old contents are gone */
        policy_changed(t);
    }
    topology_destroy(fresh);
    return ok ? 0
              : (int)err_set(err, ERR_FORMAT, "topology: damaged near byte %zu of %zu", bytes.size - reader_left(&r),
                             bytes.size);
}

void topology_reset(struct topology *t)
{
    struct topology *fresh = topology_create_with_spare(t->group_count, t->spare_count);
    struct buf b = {0};
    struct err err;
    topology_encode(fresh, &b);
    CHECK(topology_restore(t, buf_slice(&b), &err) == 0);
    buf_close(&b);
    topology_destroy(fresh);
}

uint64_t topology_digest(const struct topology *t)
{
    struct buf b = {0};
    topology_encode(t, &b);
    uint64_t digest = hash_slice(buf_slice(&b));
    buf_close(&b);
    return digest;
}

bool topology_check(const struct topology *t, struct err *err)
{
    uint64_t cursor = 0;
    void *record;
    size_t queues = 0, bindings = 0, in_groups = 0;
    while ((record = ordered_next(&t->queues, &cursor))) {
        struct queue_entry *q = record;
        queues++;
        if (map_str_get(&q->vhost->queues, q->base.name) != q || map_u64_get(&t->queues_by_id, q->base.id) != q) {
            err_set(err, ERR_CORRUPT, "topology: queue %llu is not found by its name and id",
                    (unsigned long long)q->base.id);
            return false;
        }
    }
    for (cursor = 0; (record = ordered_next(&t->exchanges, &cursor));)
        bindings += ((struct exchange_record *)record)->binding_count;
    for (cursor = 0; (record = ordered_next(&t->vhost_order, &cursor));) {
        struct slice name = ((struct vhost *)record)->name, none = {0};
        if (vhost_find(t, name) == record && registry_find(t, REGISTRY_VHOST, none, name, none)) continue;
        err_set(err, ERR_CORRUPT, "topology: vhost '%.*s' is not found, or has no item", SLICE_FORMAT(name));
        return false;
    }
    for (uint32_t g = 0; g <= t->group_count + t->spare_count; g++) in_groups += t->group_queues[g];
    if (queues == t->queues.live && bindings == t->bindings.live && in_groups == queues) return true;
    err_set(err, ERR_CORRUPT, "topology: counts differ: queues %zu/%zu/%zu, bindings %zu/%zu", queues, t->queues.live,
            in_groups, bindings, t->bindings.live);
    return false;
}
