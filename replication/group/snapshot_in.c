/* A checkpoint on its way in: fetched range by range, made durable beside the replica's own files, then told to the core. */
#include "base/check.h"
#include "replication/group/snapshot_internal.h"

static void say_done(struct group *g, uint8_t to, uint64_t id)
{
    struct buf b = transfer_head(TRANSFER_DONE, id);
    transfer_send(g, to, &b, NULL);
}

void incoming_close(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    in->abandoned = true;
    if (in->sink && !transfer_sink_idle(in->sink)) return;
    if (in->sink) transfer_sink_close(in->sink);
    buf_close(&in->manifest);
    for (uint32_t i = 0; i < in->queue_count; i++) buf_close(&in->queue[i].bytes);
    *in = (struct incoming){0};
    installs(g)->receiving = false;
}

static bool next_range(struct incoming *in, struct transfer_range *range)
{
    if (in->stage == FETCHING_SEGMENTS) return transfer_sink_next(in->sink, range);
    if (in->asked == in->manifest_size) return false;
    uint64_t size = in->manifest_size - in->asked;
    if (size > TRANSFER_READ_SIZE) size = TRANSFER_READ_SIZE;
    *range = (struct transfer_range){0, (uint32_t)in->asked, (uint32_t)size};
    in->asked += size;
    return true;
}

static void ask(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct transfer_range range;
    while (in->stage <= FETCHING_SEGMENTS && in->outstanding + in->queue_count < TRANSFER_WINDOW &&
           next_range(in, &range)) {
        struct buf b = transfer_range_head(TRANSFER_READ, in->id, range);
        transfer_send(g, in->node, &b, NULL);
        in->outstanding++;
    }
}

/* What the snapshot covers is here, durable: the core says so to the leader, which waits for that before it sends
 * entries again. */
static bool have_it(struct group *g, uint64_t index, uint64_t term)
{
    if (core_last_stored(g->core) < index) return false;
    return g->applied >= index || log_entry_term(g->params.log, g->params.id, index) >= term;
}

static void tell_core(struct group *g, uint8_t from, const struct store_manifest *m)
{
    struct core_message message = {.type = CORE_INSTALL_SNAPSHOT,
                                   .peer = core_leader(g->core) ? core_leader(g->core) : from,
                                   .term = core_term(g->core),
                                   .last_log_index = m->index,
                                   .last_log_term = m->term,
                                   .conf_index = m->configuration_index,
                                   .conf = m->configuration};
    core_receive(g->core, &message, g->now_ms);
}

static void say_have_it(struct group *g, uint8_t from, uint64_t id, uint64_t index, uint64_t term)
{
    struct store_manifest m = {
        .index = index, .term = term, .configuration_index = g->conf_index, .configuration = buf_slice(&g->conf)};
    tell_core(g, from, &m);
    CHECK(!core_installing(g->core));
    say_done(g, from, id);
}

void incoming_offer(struct group *g, uint8_t from, uint64_t id, struct reader *r)
{
    uint64_t index = reader_varint(r), term = reader_varint(r), size = reader_varint(r);
    struct incoming *in = &installs(g)->in;
    bool current = from == core_leader(g->core) && core_state(g->core) == CORE_FOLLOWER && !core_installing(g->core);
    if (r->failed || size > TRANSFER_MANIFEST_MAX || !current) return;
    if (!snapshot_installing(g) && have_it(g, index, term)) {
        say_have_it(g, from, id, index, term);
        return;
    }
    if (installs(g)->receiving) {
        bool same = in->id == id && in->node == from;
        if (same || in->stage >= MAKING_DURABLE || in->abandoned) return;
        incoming_close(g);
        if (installs(g)->receiving) return; /* a write is under way: the next offer finds it closed */
    }
    *in = (struct incoming){
        .node = from, .id = id, .index = index, .term = term, .manifest_size = size, .heard_ms = g->now_ms};
    installs(g)->receiving = true;
    note(g, 2, "transfer_begins from=%u index=%llu", from, (unsigned long long)index);
    ask(g);
}

static void on_written(void *arg, const struct err *err)
{
    struct group *g = arg;
    struct incoming *in = &installs(g)->in;
    if (err) {
        note(g, 0, "transfer_write_failed error=\"%s\"", err->text);
        in->abandoned = true;
    }
    incoming_turn(g);
}

static void write_next(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    if (!in->queue_count || !transfer_sink_idle(in->sink)) return;
    struct received r = in->queue[0];
    memmove(in->queue, in->queue + 1, --in->queue_count * sizeof in->queue[0]);
    transfer_sink_write(in->sink, r.range, buf_slice(&r.bytes), on_written, g);
    buf_close(&r.bytes);
}

static void open_sink(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct err err;
    if (transfer_sink_open(&in->sink, g->params.store, buf_slice(&in->manifest), &err)) {
        note(g, 0, "transfer_manifest_damaged from=%u error=\"%s\"", in->node, err.text);
        incoming_close(g);
        return;
    }
    in->stage = FETCHING_SEGMENTS;
}

void incoming_data(struct group *g, uint64_t id, struct reader *r)
{
    struct incoming *in = &installs(g)->in;
    struct transfer_range range;
    range.segment = (uint32_t)reader_varint(r);
    range.offset = (uint32_t)reader_varint(r);
    range.size = (uint32_t)reader_varint(r);
    if (r->failed || reader_left(r) != range.size || !installs(g)->receiving || in->id != id || in->abandoned) return;
    in->heard_ms = g->now_ms;
    if (in->outstanding) in->outstanding--;
    struct slice bytes = reader_bytes(r, range.size);
    if (in->stage == FETCHING_MANIFEST && !range.segment && range.offset == in->manifest.size) {
        buf_put_slice(&in->manifest, bytes);
        if (in->manifest.size == in->manifest_size) open_sink(g);
    } else if (in->stage == FETCHING_SEGMENTS && range.segment && in->queue_count < TRANSFER_WINDOW) {
        struct received *q = &in->queue[in->queue_count++];
        *q = (struct received){.range = range};
        buf_put_slice(&q->bytes, bytes);
    }
    incoming_turn(g);
}

/* What the core would refuse, or what we have already. */
static bool is_pointless(struct group *g)
{
    const struct incoming *in = &installs(g)->in;
    struct store_manifest now;
    store_manifest(g->params.store, &now);
    return now.index >= in->index || core_state(g->core) != CORE_FOLLOWER || g->applied >= in->index ||
           log_entry_term(g->params.log, g->params.id, in->index) >= in->term;
}

static void on_durable_manifest(void *arg, const struct err *err)
{
    struct group *g = arg;
    struct incoming *in = &installs(g)->in;
    if (err) {
        note(g, 0, "transfer_finish_failed error=\"%s\"", err->text);
        store_fail(g->params.store,
                   err); /* which of two checkpoints a restart would find is not known: this replica must not go on */
        return;
    }
    transfer_sink_close(in->sink);
    in->sink = NULL;
    in->stage = TELLING_CORE;
}

static void begin_install(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct store_manifest m;
    store_installing(g->params.store, &m);
    in->told = true;
    tell_core(g, in->node, &m);
    CHECK(core_installing(g->core) && in->lsn);
    log_flush(g->params.log);
}

void snapshot_logged(struct group *g, uint64_t lsn)
{
    installs(g)->in.lsn = lsn;
}

static void finish_install(struct group *g)
{
    struct store_manifest m;
    struct err err;
    store_install(g->params.store);
    store_manifest(g->params.store, &m);
    if (g->params.machine.ops->restore(g->params.machine.self, m.machine, &err)) {
        note(g, 0, "transfer_restore_failed error=\"%s\"", err.text);
        CHECK(!"a transferred checkpoint cannot be restored");
    }
    g->member_count = core_configuration_decode(m.configuration, g->members);
    CHECK(g->member_count);
    g->conf_index = m.configuration_index;
    buf_clear(&g->conf);
    buf_put_slice(&g->conf, m.configuration);
    g->applied = g->commit = g->snapshot_index = m.index;
    core_snapshot_persisted(g->core, m.index, m.term, m.configuration_index, m.configuration, g->now_ms);
    note(g, 2, "transfer_installed index=%llu", (unsigned long long)m.index);
    say_done(g, installs(g)->in.node, installs(g)->in.id);
    incoming_close(g);
}

void incoming_turn(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    if (in->abandoned || (in->stage <= FETCHING_SEGMENTS && is_pointless(g))) {
        incoming_close(g);
        return;
    }
    if (in->stage <= FETCHING_SEGMENTS && g->now_ms > in->heard_ms + TRANSFER_STALL_MS) {
        in->heard_ms = g->now_ms;
        in->outstanding = 0;
        in->asked = in->manifest.size;
        if (in->sink && transfer_sink_idle(in->sink) && !in->queue_count) transfer_sink_rewind(in->sink);
    }
    if (in->stage == FETCHING_SEGMENTS) {
        write_next(g);
        bool may_finish = transfer_sink_complete(in->sink) && !g->checkpoint_running &&
                          !store_checkpoint_running(g->params.store) && !core_installing(g->core);
        if (may_finish) {
            in->stage = MAKING_DURABLE;
            transfer_sink_finish(in->sink, on_durable_manifest, g);
            return;
        }
    }
    if (in->stage == TELLING_CORE && !in->told) begin_install(g);
    if (in->stage == TELLING_CORE && in->lsn && log_durable(g->params.log) >= in->lsn) {
        finish_install(g);
        return;
    }
    ask(g);
}
