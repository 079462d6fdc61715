/* Checkpoints on their way out: the leader pins the files of one and sends the ranges that a replica asks for. */
#include "replication/group/snapshot_internal.h"

static struct outgoing *outgoing_to(struct group *g, uint8_t node)
{
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (installs(g)->out[i].source && installs(g)->out[i].node == node) return &installs(g)->out[i];
    return NULL;
}

void outgoing_close(struct outgoing *o)
{
    o->closing = true;
    if (!transfer_source_idle(o->source)) return;
    transfer_source_close(o->source);
    *o = (struct outgoing){0};
}

static struct outgoing *outgoing_open(struct group *g, uint8_t node)
{
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++) {
        struct outgoing *o = &installs(g)->out[i];
        if (o->source) continue;
        struct transfer_source *source = transfer_source_open(g->params.store);
        if (!source) return NULL;
        struct store_manifest m;
        store_manifest(g->params.store, &m);
        *o = (struct outgoing){.node = node,
                               .id = core_term(g->core) << 20 | ++installs(g)->last_id,
                               .source = source,
                               .index = m.index,
                               .term = m.term,
                               .used_ms = g->now_ms};
        note(g, 2, "transfer_offered node=%u index=%llu", node, (unsigned long long)m.index);
        return o;
    }
    return NULL;
}

void snapshot_offer(struct group *g, uint8_t node)
{
    struct outgoing *o = outgoing_to(g, node);
    if (o && o->closing) return;
    if (!o) o = outgoing_open(g, node);
    if (!o) return;
    struct buf b = transfer_head(TRANSFER_OFFER, o->id);
    buf_put_varint(&b, o->index);
    buf_put_varint(&b, o->term);
    buf_put_varint(&b, transfer_source_manifest(o->source).size);
    transfer_send(g, node, &b, NULL);
}

struct answer {
    struct group *group;
    uint8_t node;
    uint64_t id;
};

static void on_range_read(void *arg, struct transfer_range range, struct blob *bytes, const struct err *err)
{
    struct answer *a = arg;
    struct group *g = a->group;
    if (bytes) {
        struct buf b = transfer_range_head(TRANSFER_DATA, a->id, range);
        struct part part = {bytes, 0, bytes->size};
        transfer_send(g, a->node, &b, &part);
        blob_unref(bytes);
    } else {
        note(g, 0, "transfer_read_failed node=%u error=\"%s\"", a->node, err->text);
    }
    mem_free(a);
}

void outgoing_turn(struct group *g, struct outgoing *o)
{
    while (o->waiting_count && !o->closing && g->now_ms >= o->may_send_ms) {
        struct transfer_range range = o->waiting[0];
        memmove(o->waiting, o->waiting + 1, --o->waiting_count * sizeof o->waiting[0]);
        if (g->params.transfer_rate) {
            uint64_t from = o->may_send_ms > g->now_ms ? o->may_send_ms : g->now_ms;
            o->may_send_ms = from + (uint64_t)range.size * 1000 / g->params.transfer_rate;
        }
        struct answer *a = mem_zalloc(sizeof *a);
        *a = (struct answer){g, o->node, o->id};
        transfer_source_read(o->source, range, on_range_read, a);
    }
    bool silent = g->now_ms > o->used_ms + TRANSFER_FORGET_MS;
    if (o->closing || silent) outgoing_close(o);
}

void outgoing_read(struct group *g, uint8_t from, uint64_t id, struct reader *r)
{
    struct transfer_range range;
    range.segment = (uint32_t)reader_varint(r);
    range.offset = (uint32_t)reader_varint(r);
    range.size = (uint32_t)reader_varint(r);
    struct outgoing *o = outgoing_to(g, from);
    if (r->failed) return;
    if (!o || o->id != id || o->closing) {
        struct buf b = transfer_head(TRANSFER_GONE, id);
        transfer_send(g, from, &b, NULL);
        return;
    }
    o->used_ms = g->now_ms;
    if (o->waiting_count < TRANSFER_WINDOW) o->waiting[o->waiting_count++] = range;
    outgoing_turn(g, o);
}

/* The next offer has a newer checkpoint, if the log does not reach by then. */
void outgoing_done(struct group *g, uint8_t from, uint64_t id)
{
    struct outgoing *o = outgoing_to(g, from);
    if (o && o->id == id) outgoing_close(o);
}
