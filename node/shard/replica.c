/* The replicas of a shard: opened at the start, opened empty when a leader counts on one, closed and removed when the
 * leader says that it counts on one no more. What is here is written down first (replication/cluster/replicas.h). */
#include "node/shard/shard_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "router/members.h"

static void on_store_failed(void *arg, const struct err *err)
{
    struct shard *s = arg;
    logger_printf(s->settings->logger, LOG_ERROR, s->id,
                  "store read_failed error=\"%s\" action=\"this node stops; the others carry on; see docs/operate.md, "
                  "damaged files\"",
                  err->text);
    _exit(74);
}

/* An older program was put back just when the cluster went on: it would not understand what may come from now on. */
static void stop_if_outdated(struct shard *s)
{
    uint16_t level = topology_level(s->topology);
    if (level <= LEVEL_NOW) return;
    logger_printf(s->settings->logger, LOG_ERROR, s->id,
                  "node outdated level=%u knows=%d action=\"this node stops; install the newer program again\"", level,
                  LEVEL_NOW);
    _exit(78); /* EX_CONFIG: another start would end the same way */
}

void replicas_topology_applied(void *arg, uint64_t index, struct slice command)
{
    struct shard *s = arg;
    stop_if_outdated(s);
    broker_topology_applied(s->broker, index, command);
}

static void replicas_path(const struct shard *s, char *path, size_t size)
{
    snprintf(path, size, "%s/shard-%u/replicas", s->settings->data_dir, s->id);
}

static void group_directory(const struct shard *s, uint32_t id, char *path, size_t size)
{
    snprintf(path, size, "%s/groups/%u", s->settings->data_dir, id);
}

static int write_replicas(struct shard *s, struct err *err)
{
    char path[512];
    replicas_path(s, path, sizeof path);
    return replicas_write(fs_posix(), path, s->replicas, s->settings->placement.group_count, err);
}

/* The first start founds what placement gives this node. */
static int read_replicas(struct shard *s, struct err *err)
{
    const struct placement *placement = &s->settings->placement;
    char path[512];
    replicas_path(s, path, sizeof path);
    int code = replicas_read(fs_posix(), path, s->replicas, placement->group_count, err);
    if (code != ERR_NOT_FOUND) return code;
    for (uint32_t id = 0; id < placement->group_count; id++)
        if (id % s->settings->shard_count == s->id && placement_holds(placement, id, s->settings->node))
            s->replicas[id].kind = REPLICA_FOUNDER;
    return write_replicas(s, err);
}

static int forget_rests(struct shard *s, uint32_t id, struct err *err)
{
    char directory[512];
    struct log_group_state state;
    log_group_state(s->log, id, &state);
    if (state.last_index || state.snapshot_index) s->groups[id].forget_lsn = log_forget_group(s->log, id);
    group_directory(s, id, directory, sizeof directory);
    return replica_remove_files(fs_posix(), directory, err);
}

static void open_machine(struct shard *s, uint32_t id)
{
    struct shard_group *g = &s->groups[id];
    effects_init(&g->effects);
    if (id) g->queues = queue_machine_create(id, g->store);
    else g->meta = meta_machine_create(s->topology, replicas_topology_applied, s);
}

static int open_group(struct shard *s, uint32_t id, struct err *err)
{
    struct shard_group *g = &s->groups[id];
    open_machine(s, id);
    struct group_params params = {
        .id = id,
        .node = s->settings->node,
        .floor = s->replicas[id].floor,
        .log = s->log,
        .store = g->store,
        .machine = id ? queue_machine_as_machine(g->queues) : meta_machine_as_machine(g->meta),
        .effects = &g->effects,
        .io = &s->group_io,
        .election_timeout_ms = s->settings->election_timeout_ms,
        .heartbeat_ms = s->settings->heartbeat_ms,
        .checkpoint_log_bytes = s->settings->checkpoint_log_bytes,
        .transfer_rate = s->settings->transfer_rate,
    };
    if (s->replicas[id].kind == REPLICA_FOUNDER)
        params.member_count = s->replicas[id].founders ? replica_founders(&s->replicas[id], params.members)
                                                       : placement_members(&s->settings->placement, id, params.members);
    s->broker_io.random_bytes(s, &params.seed, sizeof params.seed);
    int code = group_open(&g->group, &params, uv_hrtime() / 1000000, err);
    if (!code) broker_add_group(s->broker, g->group, g->store, g->queues, g->meta, &g->effects);
    return code;
}

static int open_store(struct shard *s, uint32_t id, struct err *err)
{
    char directory[512];
    group_directory(s, id, directory, sizeof directory);
    struct store_params store = {.fs = &s->fs.fs,
                                 .executor = s->store_executor,
                                 .read_executor = s->read_executor,
                                 .directory = directory,
                                 .failed = on_store_failed,
                                 .arg = s};
    return store_open(&s->groups[id].store, &store, err);
}

/* What was dropped, came back and is not past its floor is worth nothing: a leader fills it anew. */
static int open_at_start(struct shard *s, uint32_t id, struct err *err)
{
    int code = open_store(s, id, err);
    if (code || !group_below_floor(s->log, s->groups[id].store, id, s->replicas[id].floor))
        return code ? code : open_group(s, id, err);
    store_close(s->groups[id].store);
    s->groups[id].store = NULL;
    s->replicas[id].kind = REPLICA_DROPPED;
    code = write_replicas(s, err);
    return code ? code : forget_rests(s, id, err);
}

int replicas_open(struct shard *s, struct err *err)
{
    uint32_t count = s->settings->placement.group_count;
    s->replicas = mem_zalloc(count * sizeof *s->replicas);
    int code = read_replicas(s, err);
    for (uint32_t id = 0; id < count && !code; id++) {
        if (id % s->settings->shard_count != s->id) continue;
        code = replica_is_here(&s->replicas[id]) ? open_at_start(s, id, err) : forget_rests(s, id, err);
        if (code) err_wrap(err, "open group %u", id);
    }
    return code;
}

static void stop_for(struct shard *s, const char *what, const struct err *err)
{
    logger_printf(s->settings->logger, LOG_ERROR, s->id, "replica %s error=\"%s\" action=\"this node stops\"", what,
                  err->text);
    _exit(74);
}

static void open_new(struct shard *s, uint32_t id, enum replica_kind kind)
{
    struct err err;
    s->replicas[id].kind = (uint8_t)kind;
    int code = forget_rests(s, id, &err);
    if (!code) code = write_replicas(s, &err);
    if (!code) code = open_store(s, id, &err);
    if (!code) code = open_group(s, id, &err);
    if (code) stop_for(s, "not_opened", &err);
    logger_printf(s->settings->logger, LOG_INFO, s->id, "replica opened group=%u founder=%s", id,
                  kind == REPLICA_FOUNDER ? "yes" : "no");
}

void replica_open(struct shard *s, uint32_t id)
{
    if (s->phase != SHARD_RUNNING || log_durable(s->log) < s->groups[id].forget_lsn) return; /* it asks again */
    s->replicas[id].founders = 0;
    open_new(s, id, REPLICA_JOINED);
}

/* A spare group begins on the nodes that the topology names, on each when it hears of it, however late. Who has held a
 * replica before is no founder any more: it would begin again without what it has forgotten. */
void replicas_found(struct shard *s)
{
    const struct placement *p = &s->settings->placement;
    if (s->phase != SHARD_RUNNING || s->founded_index == topology_index(s->topology)) return;
    s->founded_index = topology_index(s->topology);
    for (uint32_t id = p->group_count - p->spare_count; id < p->group_count; id++) {
        uint64_t founders = topology_founders(s->topology, id);
        if (id % s->settings->shard_count != s->id || s->replicas[id].kind != REPLICA_NONE) continue;
        if (!(founders >> s->settings->node & 1)) continue;
        s->replicas[id].founders = founders;
        open_new(s, id, REPLICA_FOUNDER);
    }
}

void replica_close(struct shard *s, uint32_t id)
{
    struct shard_group *g = &s->groups[id];
    if (!g->group) return;
    group_close(g->group);
    if (g->queues) queue_machine_destroy(g->queues);
    if (g->meta) meta_machine_destroy(g->meta);
    effects_close(&g->effects);
    store_close(g->store);
    *g = (struct shard_group){.forget_lsn = g->forget_lsn};
}

void replica_dropped(struct shard *s, uint32_t id, struct group_floor floor)
{
    s->groups[id].leaving = true;
    s->groups[id].floor = floor;
    turn_soon(s);
}

/* A reader or a checkpoint may still be at work in a replica that was dropped. */
void replicas_turn(struct shard *s)
{
    struct err err;
    for (uint32_t id = 0; id < s->settings->placement.group_count; id++) {
        struct shard_group *g = &s->groups[id];
        if (!g->leaving || !group_idle(g->group) || !store_idle(g->store)) continue;
        s->replicas[id] = (struct replica){REPLICA_DROPPED, g->floor, 0};
        int code = write_replicas(s, &err);
        if (!code) {
            broker_remove_group(s->broker, id);
            replica_close(s, id);
            code = forget_rests(s, id, &err);
        }
        if (code) stop_for(s, "not_removed", &err);
        logger_printf(s->settings->logger, LOG_INFO, s->id, "replica removed group=%u", id);
    }
}

void replicas_ask(struct shard *s)
{
    for (uint32_t id = 0; id < s->settings->placement.group_count; id++)
        if (s->groups[id].group && !s->groups[id].leaving)
            group_ask_place(s->groups[id].group, broker_leader(s->broker, id), s->now_ms);
}
