/* A replica that the log does not reach any more gets a checkpoint: offered by the leader, asked for range by range,
 * written beside its own files, and only then shown to the Raft core (raft-notes: the core can do nothing else between
 * the install and its end).
 *
 *     u8 version (1) | u8 type | varint transfer | ...
 *     OFFER  varint index, varint term, varint manifest size  leader -> follower
 *     READ   varint segment, varint offset, varint size  follower -> leader; segment 0 is the manifest
 *     DATA   the same, then the bytes                    leader -> follower
 *     GONE                                             leader -> follower: this transfer is not known
 *     DONE                                             follower -> leader: it is installed, or not needed any more */
#include "replication/group/snapshot_internal.h"

struct installs *installs(struct group *g)
{
    if (!g->installs) g->installs = mem_zalloc(sizeof *g->installs);
    return g->installs;
}

void transfer_send(struct group *g, uint8_t node, struct buf *b, const struct part *bytes)
{
    g->params.io->send(g->params.io->self, g->params.id, node, GROUP_MESSAGE_TRANSFER, buf_slice(b), bytes,
                       bytes ? 1 : 0);
    buf_close(b);
}

struct buf transfer_head(uint8_t type, uint64_t id)
{
    struct buf b = {0};
    buf_put_u8(&b, TRANSFER_VERSION);
    buf_put_u8(&b, type);
    buf_put_varint(&b, id);
    return b;
}

struct buf transfer_range_head(uint8_t type, uint64_t id, struct transfer_range range)
{
    struct buf b = transfer_head(type, id);
    buf_put_varint(&b, range.segment);
    buf_put_varint(&b, range.offset);
    buf_put_varint(&b, range.size);
    return b;
}

/* --- the group's doors --- */

void snapshot_receive(struct group *g, uint8_t from, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = reader_u8(&r), type = reader_u8(&r);
    uint64_t id = reader_varint(&r);
    if (r.failed || version != TRANSFER_VERSION) {
        note(g, 1, "transfer_unreadable node=%u", from);
        return;
    }
    switch (type) {
    case TRANSFER_OFFER:
        incoming_offer(g, from, id, &r);
        return;
    case TRANSFER_READ:
        outgoing_read(g, from, id, &r);
        return;
    case TRANSFER_DATA:
        incoming_data(g, id, &r);
        return;
    case TRANSFER_DONE:
        outgoing_done(g, from, id);
        return;
    case TRANSFER_GONE:
        if (installs(g)->receiving && installs(g)->in.id == id && installs(g)->in.stage <= FETCHING_SEGMENTS)
            incoming_close(g);
        return;
    default:
        note(g, 1, "transfer_unreadable node=%u type=%u", from, type);
    }
}

void snapshot_turn(struct group *g)
{
    if (!g->installs) return;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source) outgoing_turn(g, &g->installs->out[i]);
    if (g->installs->receiving) incoming_turn(g);
}

bool snapshot_installing(const struct group *g)
{
    return g->installs && g->installs->receiving && g->installs->in.stage >= MAKING_DURABLE;
}

uint64_t snapshot_deadline_ms(const struct group *g)
{
    uint64_t at = UINT64_MAX;
    if (!g->installs) return at;
    if (g->installs->receiving) at = g->now_ms + TRANSFER_LOOK_MS;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++) {
        const struct outgoing *o = &g->installs->out[i];
        if (o->source && o->waiting_count && o->may_send_ms < at) at = o->may_send_ms;
    }
    return at;
}

bool snapshot_idle(const struct group *g)
{
    if (!g->installs) return true;
    if (g->installs->receiving && g->installs->in.sink && !transfer_sink_idle(g->installs->in.sink)) return false;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source && !transfer_source_idle(g->installs->out[i].source)) return false;
    return true;
}

void snapshot_close(struct group *g)
{
    if (!g->installs) return;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source) outgoing_close(&g->installs->out[i]);
    if (g->installs->receiving) incoming_close(g);
    mem_free(g->installs);
}
