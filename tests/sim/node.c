/* A node without libuv: what node/shard does, with our executors, disk, network and clock. */
#include <stdio.h>

#include "router/members.h"
#include "tests/sim/sim.h"

enum {
    FRAME_MAIL = 1,
    FRAME_GROUP = 2,
    SYNC_MS = 6,
    SLOW_SYNC_MS = 900,
    ASK_EVERY_MS = 500,
    CLOCK_BASE_MS = 1700000000
};

static const char replicas_path[] = "/node/replicas";

bool node_alive(const struct sim_node *n)
{
    return n->running && n->paused_until_ms <= n->w->now_ms;
}

/* --- what the broker and the groups ask of us --- */

static void io_post(void *self, uint16_t shard, struct mail *m)
{
    (void)self;
    (void)shard;
    mail_destroy(m); /* one shard: nobody to post to */
}

static void io_send(void *self, uint8_t to, struct slice head, const struct part *parts, uint32_t part_count)
{
    struct sim_node *n = self;
    if (!n->ghost) net_send(n->w, n->id, to, FRAME_MAIL, head, parts, part_count);
}

static bool io_connected(void *self, uint8_t peer)
{
    struct sim_node *n = self;
    return !n->ghost && net_connected(n->w, n->id, peer);
}

static uint32_t io_peer_epoch(void *self, uint8_t peer)
{
    struct sim_node *n = self;
    return peer && peer <= n->w->node_count ? n->w->nodes[peer]->epoch : 0;
}

static void io_epoch_gone(void *self, uint32_t epoch)
{
    struct sim_node *n = self;
    if (epoch == n->epoch) n->epoch_wanted = epoch + 1;
}

static void io_random_bytes(void *self, void *bytes, size_t size)
{
    struct sim_node *n = self;
    for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)random_u64(&n->w->random);
}

static uint64_t io_clock_ms(void *self)
{
    return CLOCK_BASE_MS + ((struct sim_node *)self)->w->now_ms;
}

static void io_note(void *self, int level, const char *line)
{
    struct sim_node *n = self;
    if (n->ghost) return;
    if (strstr(line, "transfer_installed")) n->w->transfers++;
    trap_note(n->w, n->id, line);
    world_say(n->w, "node %u: [%d] %s", n->id, level, line);
}

static void io_group_send(void *self, uint32_t group, uint8_t to, uint8_t kind, struct slice head,
                          const struct part *parts, uint32_t part_count)
{
    struct sim_node *n = self;
    uint8_t *whole = mem_alloc(head.size + 5);
    memcpy(whole, &group, 4);
    whole[4] = kind;
    memcpy(whole + 5, head.data, head.size);
    if (!n->ghost) net_send(n->w, n->id, to, FRAME_GROUP, slice_of(whole, head.size + 5), parts, part_count);
    mem_free(whole);
}

static uint64_t io_congestion(void *self, uint8_t peer)
{
    struct sim_node *n = self;
    return net_queued(n->w, n->id, peer);
}

static void io_leading(void *self, uint32_t group, uint64_t term, bool leads)
{
    struct sim_node *n = self;
    if (leads) n->w->elections++;
    if (leads && !n->ghost) leaders_check(n->w, n->id, group);
    if (n->broker) broker_leading(n->broker, group, term, leads);
}

static void io_effects(void *self, uint32_t group)
{
    struct sim_node *n = self;
    broker_effects(n->broker, group);
}

static void io_dropped(void *self, uint32_t group, struct group_floor floor)
{
    struct sim_node *n = self;
    n->groups[group].floor = floor;
    n->groups[group].leaving = true;
}

static void on_disk_failed(void *arg, const struct err *err)
{
    struct sim_node *n = arg;
    if (n->ghost) return;
    world_say(n->w, "node %u: disk failed: %s", n->id, err->text);
    n->stop_wanted = true;
}

static void on_durable(void *arg)
{
    struct sim_node *n = arg;
    for (uint32_t g = 0; g < SIM_GROUPS; g++)
        if (n->groups[g].group) group_durable(n->groups[g].group, n->w->now_ms);
}

static void on_topology(void *arg, uint64_t index, struct slice command)
{
    struct sim_node *n = arg;
    broker_topology_applied(n->broker, index, command);
}

/* --- the machine under watch --- */

static void tell_applied(const struct sim_group *g, const struct entry *e)
{
    uint64_t cursor = 0;
    struct queue_stat stat;
    if (!g->node->w->options.verbose || !g->queues) return;
    while (queue_machine_next(g->queues, &cursor, &stat))
        world_say(g->node->w, "node %u applied %u/%llu: queue %llu has %llu ready, %llu unacked, %llu delayed",
                  g->node->id, g->id, (unsigned long long)e->index, (unsigned long long)stat.id,
                  (unsigned long long)stat.ready, (unsigned long long)stat.unacked, (unsigned long long)stat.delayed);
}

static void watched_apply(void *self, const struct entry *e, struct effects *effects)
{
    struct sim_group *g = self;
    g->inner.ops->apply(g->inner.self, e, effects);
    struct err err;
    tell_applied(g, e);
    if (!g->inner.ops->check(g->inner.self, &err))
        world_fail(g->node->w, "node %u group %u after entry %llu: %s", g->node->id, g->id,
                   (unsigned long long)e->index, err.text);
    agreement_applied(g->node->w->agreement, g->node->id, g->id, e, g->inner.ops->digest(g->inner.self));
}

static void watched_checkpoint(void *self, struct checkpoint *c)
{
    struct sim_group *g = self;
    g->inner.ops->checkpoint(g->inner.self, c);
}

static void watched_checkpoint_done(void *self, bool durable)
{
    struct sim_group *g = self;
    g->inner.ops->checkpoint_done(g->inner.self, durable);
}

static int watched_restore(void *self, struct slice manifest, struct err *err)
{
    struct sim_group *g = self;
    int code = g->inner.ops->restore(g->inner.self, manifest, err);
    struct err wrong;
    if (!code && !g->inner.ops->check(g->inner.self, &wrong))
        world_fail(g->node->w, "node %u group %u after a restore: %s", g->node->id, g->id, wrong.text);
    return code;
}

static uint64_t watched_digest(void *self)
{
    struct sim_group *g = self;
    return g->inner.ops->digest(g->inner.self);
}

static bool watched_check(void *self, struct err *err)
{
    struct sim_group *g = self;
    return g->inner.ops->check(g->inner.self, err);
}

static uint64_t watched_deadline(void *self)
{
    struct sim_group *g = self;
    return g->inner.ops->deadline_ms(g->inner.self);
}

static const struct machine_ops watched = {.apply = watched_apply,
                                           .checkpoint = watched_checkpoint,
                                           .checkpoint_done = watched_checkpoint_done,
                                           .restore = watched_restore,
                                           .digest = watched_digest,
                                           .check = watched_check,
                                           .deadline_ms = watched_deadline};

/* --- life --- */

static bool write_replicas(struct sim_node *n)
{
    struct err err;
    if (!replicas_write(disk_fs(n->disk), replicas_path, n->replicas, SIM_GROUPS, &err)) return true;
    on_disk_failed(n, &err);
    return false;
}

static void group_directory(uint32_t id, char *directory, size_t size)
{
    snprintf(directory, size, "/groups/%u", id);
}

static void forget_rests(struct sim_node *n, uint32_t id)
{
    char directory[32];
    struct err err;
    struct log_group_state state;
    log_group_state(n->log, id, &state);
    if (state.last_index || state.snapshot_index) n->groups[id].forget_lsn = log_forget_group(n->log, id);
    group_directory(id, directory, sizeof directory);
    if (replica_remove_files(disk_fs(n->disk), directory, &err)) on_disk_failed(n, &err);
}

static bool start_group(struct sim_node *n, uint32_t id, struct err *err)
{
    struct sim_group *g = &n->groups[id];
    const struct sim_bugs *bugs = &n->w->options.bugs;
    char directory[32];
    snprintf(directory, sizeof directory, "/groups/%u", id);
    *g = (struct sim_group){.node = n, .id = id, .forget_lsn = g->forget_lsn};
    struct store_params store = {.fs = disk_fs(n->disk),
                                 .executor = n->executors[1],
                                 .read_executor = n->executors[2],
                                 .directory = directory,
                                 .failed = on_disk_failed,
                                 .arg = n};
    if (store_open(&g->store, &store, err)) return false;
    if (group_below_floor(n->log, g->store, id, n->replicas[id].floor)) { /* a leader fills it anew */
        store_close(g->store);
        n->replicas[id].kind = REPLICA_DROPPED;
        if (!write_replicas(n)) return true;
        forget_rests(n, id);
        return true;
    }
    effects_init(&g->effects);
    if (id) g->queues = queue_machine_create(id, g->store);
    else g->meta = meta_machine_create(n->topology, on_topology, n);
    g->inner = id ? queue_machine_as_machine(g->queues) : meta_machine_as_machine(g->meta);
    struct group_params params = {
        .id = id,
        .node = n->id,
        .log = n->log,
        .store = g->store,
        .machine = {&watched, g},
        .effects = &g->effects,
        .io = &n->group_io,
        .election_timeout_ms = 500,
        .heartbeat_ms = 100,
        .checkpoint_log_bytes = n->w->options.trap == TRAP_LOST_ANSWERS ? 2 << 10 : 24 << 10,
        .trailing_bytes = 4 << 10,
        .trailing_entries = 8,
        .seed = random_u64(&n->w->random),
        .faults = {.persist_before_durable = bugs->confirm_before_sync,
                   .stale_completion_counts = bugs->stale_completion,
                   .send_before_vote_durable = bugs->send_before_vote},
    };
    if (bugs->repair_off) params.faults.repair_off[bugs->repair_off] = true;
    params.floor = n->replicas[id].floor;
    if (n->replicas[id].kind == REPLICA_FOUNDER)
        params.member_count = n->replicas[id].founders ? replica_founders(&n->replicas[id], params.members)
                                                       : placement_members(&n->w->placement, id, params.members);
    if (group_open(&g->group, &params, n->w->now_ms, err)) return false;
    broker_add_group(n->broker, g->group, g->store, g->queues, g->meta, &g->effects);
    return true;
}

static void fill_io(struct sim_node *n)
{
    n->broker_io = (struct broker_io){.self = n,
                                      .post = io_post,
                                      .send = io_send,
                                      .connected = io_connected,
                                      .peer_epoch = io_peer_epoch,
                                      .epoch_gone = io_epoch_gone,
                                      .random_bytes = io_random_bytes,
                                      .clock_ms = io_clock_ms,
                                      .note = io_note};
    n->group_io = (struct group_io){.self = n,
                                    .send = io_group_send,
                                    .connected = io_connected,
                                    .congestion = io_congestion,
                                    .leading = io_leading,
                                    .effects = io_effects,
                                    .dropped = io_dropped,
                                    .note = io_note};
}

struct group *node_group(const struct sim_node *n, uint32_t group)
{
    return n->running && !n->groups[group].leaving ? n->groups[group].group : NULL;
}

/* --- replicas that come and go --- */

/* What the disk says; the first start founds what placement gives it. */
static bool read_replicas(struct sim_node *n, struct err *err)
{
    int code = replicas_read(disk_fs(n->disk), replicas_path, n->replicas, SIM_GROUPS, err);
    if (code != ERR_NOT_FOUND) return code == 0;
    for (uint32_t g = 0; g < SIM_GROUPS; g++)
        n->replicas[g].kind = placement_holds(&n->w->placement, g, n->id) ? REPLICA_FOUNDER : REPLICA_NONE;
    return write_replicas(n);
}

static void open_replica(struct sim_node *n, uint32_t id, uint64_t founders)
{
    char directory[32];
    struct err err;
    if (log_durable(n->log) < n->groups[id].forget_lsn) return;
    group_directory(id, directory, sizeof directory);
    if (replica_remove_files(disk_fs(n->disk), directory, &err)) return;
    n->replicas[id].kind = founders ? REPLICA_FOUNDER : REPLICA_JOINED;
    n->replicas[id].founders = founders;
    if (!write_replicas(n)) return;
    world_say(n->w, "node %u opens a replica of group %u", n->id, id);
    if (!start_group(n, id, &err)) world_fail(n->w, "node %u: group %u does not open: %s", n->id, id, err.text);
}

/* As replicas_found() of node/shard/replica.c. */
static void found_spare(struct sim_node *n)
{
    if (n->founded_index == topology_index(n->topology)) return;
    n->founded_index = topology_index(n->topology);
    for (uint32_t id = SIM_QUEUE_GROUPS + 1; id < SIM_GROUPS; id++) {
        uint64_t founders = topology_founders(n->topology, id);
        if ((founders >> n->id & 1) && n->replicas[id].kind == REPLICA_NONE) open_replica(n, id, founders);
    }
}

static void close_group(struct sim_group *g)
{
    group_close(g->group);
    if (g->queues) queue_machine_destroy(g->queues);
    if (g->meta) meta_machine_destroy(g->meta);
    effects_close(&g->effects);
    store_close(g->store);
    g->group = NULL;
    g->leaving = false;
}

static void close_leaving(struct sim_node *n)
{
    for (uint32_t id = 0; id < SIM_GROUPS; id++) {
        struct sim_group *g = &n->groups[id];
        if (!g->leaving || !group_idle(g->group) || !store_idle(g->store)) continue;
        n->replicas[id] = (struct replica){REPLICA_DROPPED, g->floor, 0};
        if (!write_replicas(n)) return;
        world_say(n->w, "node %u drops its replica of group %u", n->id, id);
        n->w->dropped++;
        broker_remove_group(n->broker, id);
        close_group(g);
        forget_rests(n, id);
    }
}

struct sim_node *node_create(struct world *w, uint8_t id)
{
    struct sim_node *n = mem_zalloc(sizeof *n);
    n->w = w;
    n->id = id;
    n->disk = disk_create();
    fill_io(n);
    return n;
}

void node_start(struct sim_node *n)
{
    struct err err;
    n->epoch++;
    n->epoch_wanted = 0;
    n->stop_wanted = false;
    n->started_ms = n->w->now_ms;
    for (int i = 0; i < 3; i++) n->executors[i] = jobs_create();
    struct log_params log = {.fs = disk_fs(n->disk),
                             .executor = n->executors[0],
                             .directory = "/log",
                             .group_count = SIM_GROUPS,
                             .file_size = 96 << 10,
                             .cache_size = 16 << 10,
                             .failed = on_disk_failed,
                             .arg = n,
                             .skip_sync = n->w->options.bugs.skip_sync};
    n->topology = topology_create_with_spare(SIM_QUEUE_GROUPS, SIM_SPARE_GROUPS);
    n->founded_index = 0;
    struct broker_params params = {.node = n->id,
                                   .epoch = n->epoch,
                                   .shard_count = 1,
                                   .group_count = SIM_GROUPS,
                                   .topology = n->topology,
                                   .io = &n->broker_io,
                                   .session_settings = &n->w->session,
                                   .node_timeout_ms = 8000,
                                   .disconnected_timeout_ms = n->w->options.soon_disconnected ? 1500 : 0,
                                   .question_timeout_ms = n->w->session.publish_timeout_ms,
                                   .open_to_all = true,
                                   .drop_acks = n->w->options.bugs.drop_acks};
    controlled_params(n, &params);
    n->broker = broker_create(&params);
    bool fine = log_open(&n->log, &log, &err) == 0;
    if (fine) log_on_durable(n->log, on_durable, n);
    if (fine) fine = read_replicas(n, &err);
    memset(n->groups, 0, sizeof n->groups);
    for (uint32_t g = 0; fine && g < SIM_GROUPS; g++) {
        if (replica_is_here(&n->replicas[g])) fine = start_group(n, g, &err);
        else forget_rests(n, g);
    }
    if (!fine) {
        world_fail(n->w, "node %u does not start: %s", n->id, err.text);
        return;
    }
    n->running = true;
    world_say(n->w, "node %u started, epoch %u", n->id, n->epoch);
}

/* The ghost's work is carried out in the void, so that everything can be closed in order. */
static void drain_executors(struct sim_node *n)
{
    bool more = true;
    while (more) {
        more = false;
        for (int i = 0; i < 3; i++)
            while (jobs_pending(n->executors[i])) {
                jobs_step(n->executors[i]);
                more = true;
            }
    }
}

static void tear_down(struct sim_node *n)
{
    drain_executors(n);
    broker_destroy(n->broker);
    for (uint32_t id = 0; id < SIM_GROUPS; id++)
        if (n->groups[id].group) close_group(&n->groups[id]);
    log_close(n->log);
    topology_destroy(n->topology);
    for (int i = 0; i < 3; i++) jobs_destroy(n->executors[i]);
    n->broker = NULL;
}

void node_crash(struct sim_node *n)
{
    if (!n->running) return;
    world_say(n->w, "node %u crashes", n->id);
    n->w->crashes++;
    fleeting_unsteady(n->w, n->id);
    n->ghost = true;
    struct disk *after = disk_after_crash(n->disk, random_u64(&n->w->random));
    n->running = false;
    for (unsigned i = 0; i < n->w->client_count; i++)
        if (n->w->clients[i]) client_node_gone(n->w->clients[i], n->id);
    tear_down(n);
    disk_destroy(n->disk);
    n->disk = after;
    n->ghost = false;
    net_node_died(n->w, n->id);
}

void node_destroy(struct sim_node *n)
{
    if (n->running) {
        n->ghost = true;
        tear_down(n);
    }
    disk_destroy(n->disk);
    mem_free(n);
}

/* --- events --- */

void node_up(struct sim_node *n, uint8_t peer)
{
    broker_node_up(n->broker, peer, n->w->nodes[peer]->epoch);
}

void node_down(struct sim_node *n, uint8_t peer, bool dead)
{
    if (!n->running) return;
    broker_node_down(n->broker, peer, dead);
    for (uint32_t g = 0; dead && g < SIM_GROUPS; g++)
        if (n->groups[g].group) group_node_dead(n->groups[g].group, peer, n->w->now_ms);
}

void node_frame(struct sim_node *n, uint8_t from, uint8_t type, struct blob *blob)
{
    if (type == FRAME_MAIL) {
        broker_frame(n->broker, from, blob, 0, blob->size);
        return;
    }
    uint32_t group;
    memcpy(&group, blob->data, 4);
    if (!n->groups[group].group && group_message_opens(blob->data[4], slice_of(blob->data + 5, blob->size - 5)))
        open_replica(n, group, 0);
    if (!n->groups[group].group) return;
    group_receive(n->groups[group].group, from, blob->data[4], blob, 5, blob->size - 5, n->w->now_ms);
    leaders_check(n->w, n->id, group);
}

static void ask_places(struct sim_node *n)
{
    if (n->w->now_ms % ASK_EVERY_MS) return;
    for (uint32_t g = 0; g < SIM_GROUPS; g++)
        if (n->groups[g].group) group_ask_place(n->groups[g].group, broker_leader(n->broker, g), n->w->now_ms);
}

static void run_jobs(struct sim_node *n)
{
    for (int i = 0; i < 3; i++) {
        if (!jobs_pending(n->executors[i])) {
            n->job_due_ms[i] = 0;
            continue;
        }
        bool slow = n->slow_until_ms > n->w->now_ms || random_percent(&n->w->random, 1);
        if (!n->job_due_ms[i])
            n->job_due_ms[i] = n->w->now_ms + random_below(&n->w->random, slow ? SLOW_SYNC_MS : SYNC_MS);
        if (n->job_due_ms[i] > n->w->now_ms) continue;
        n->job_due_ms[i] = 0;
        jobs_step(n->executors[i]);
    }
}

static void new_epoch(struct sim_node *n)
{
    if (!n->epoch_wanted || n->epoch_wanted <= n->epoch) return;
    n->epoch = n->epoch_wanted;
    struct mail *m = mail_create(MAIL_EPOCH);
    m->a = n->epoch;
    m->node = n->id;
    broker_mail(n->broker, m);
}

void node_tick(struct sim_node *n)
{
    if (!node_alive(n)) return;
    run_jobs(n);
    if (n->stop_wanted) {
        node_crash(n);
        n->start_at_ms = n->w->now_ms + 500;
        return;
    }
    new_epoch(n);
    for (int round = 0; round < 4; round++) {
        broker_turn(n->broker, n->w->now_ms);
        for (uint32_t g = 0; g < SIM_GROUPS; g++)
            if (n->groups[g].group) group_turn(n->groups[g].group, n->w->now_ms, io_clock_ms(n));
        if (!broker_has_work(n->broker)) break;
    }
    ask_places(n);
    found_spare(n);
    close_leaving(n);
    log_flush(n->log);
}
