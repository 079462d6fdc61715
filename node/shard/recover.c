/* Opens what a shard finds on its disk: the log, then each group's store, machine and replica. */
#include "node/shard/shard_internal.h"

#include <stdio.h>
#include <unistd.h>

static void on_log_failed(void *arg, const struct err *err)
{
    struct shard *s = arg;
    logger_printf(s->settings->logger, LOG_ERROR, s->id,
                  "log write_failed error=\"%s\" action=\"this node stops; the others carry on\"", err->text);
    _exit(74); /* EX_IOERR: what is in memory is worth no more than what is on disk */
}

static void on_store_failed(void *arg, const struct err *err)
{
    struct shard *s = arg;
    logger_printf(s->settings->logger, LOG_ERROR, s->id,
                  "store read_failed error=\"%s\" action=\"this node stops; the others carry on; see docs/operate.md, "
                  "damaged files\"",
                  err->text);
    _exit(74);
}

static void on_durable(void *arg)
{
    struct shard *s = arg;
    uint64_t now = uv_hrtime() / 1000000;
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++)
        if (s->groups[g].group) group_durable(s->groups[g].group, now);
}

static void on_topology(void *arg, uint64_t index, struct slice command)
{
    struct shard *s = arg;
    broker_topology_applied(s->broker, index, command);
}

static int open_log(struct shard *s, struct err *err)
{
    char directory[512];
    snprintf(directory, sizeof directory, "%s/shard-%u/log", s->settings->data_dir, s->id);
    s->log_executor = executor_uv_open(&s->loop, "log");
    s->store_executor = executor_uv_open(&s->loop, "store");
    s->read_executor = executor_uv_open(&s->loop, "read");
    struct log_params params = {
        .fs = fs_posix(),
        .executor = s->log_executor,
        .directory = directory,
        .group_count = s->settings->placement.group_count,
        .file_size = s->settings->log_file_size,
        .cache_size = s->settings->log_cache_size,
        .failed = on_log_failed,
        .arg = s,
    };
    int code = log_open(&s->log, &params, err);
    if (!code) log_on_durable(s->log, on_durable, s);
    return code;
}

static void open_machine(struct shard *s, uint32_t id)
{
    struct shard_group *g = &s->groups[id];
    effects_init(&g->effects);
    if (id) g->queues = queue_machine_create(id, g->store);
    else g->meta = meta_machine_create(s->topology, on_topology, s);
}

static int open_group(struct shard *s, uint32_t id, struct err *err)
{
    struct shard_group *g = &s->groups[id];
    char directory[512];
    snprintf(directory, sizeof directory, "%s/groups/%u", s->settings->data_dir, id);
    struct store_params store = {.fs = fs_posix(),
                                 .executor = s->store_executor,
                                 .read_executor = s->read_executor,
                                 .directory = directory,
                                 .failed = on_store_failed,
                                 .arg = s};
    int code = store_open(&g->store, &store, err);
    if (code) return code;
    open_machine(s, id);
    struct group_params params = {
        .id = id,
        .node = s->settings->node,
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
    params.member_count = placement_members(&s->settings->placement, id, params.members);
    s->broker_io.random_bytes(s, &params.seed, sizeof params.seed);
    code = group_open(&g->group, &params, uv_hrtime() / 1000000, err);
    if (!code) broker_add_group(s->broker, g->group, g->store, g->queues, g->meta, &g->effects);
    return code;
}

int recover_groups(struct shard *s, uint32_t epoch, struct err *err)
{
    const struct placement *placement = &s->settings->placement;
    s->groups = mem_zalloc(placement->group_count * sizeof *s->groups);
    s->topology = topology_create(placement->group_count - 1);
    struct broker_params params = {
        .node = s->settings->node,
        .epoch = epoch,
        .shard = s->id,
        .shard_count = s->settings->shard_count,
        .group_count = placement->group_count,
        .topology = s->topology,
        .io = &s->broker_io,
        .session_settings = &s->settings->session,
        .node_timeout_ms = s->settings->node_timeout_ms,
        .guest_is_local = s->settings->guest_is_local,
        .question_timeout_ms = s->settings->session.publish_timeout_ms,
    };
    s->broker = broker_create(&params);
    int code = open_log(s, err);
    if (code) return code;
    for (uint32_t id = 0; id < placement->group_count; id++) {
        if (id % s->settings->shard_count != s->id || !placement_holds(placement, id, s->settings->node)) continue;
        code = open_group(s, id, err);
        if (code) return (int)err_wrap(err, "open group %u", id);
    }
    return 0;
}

bool recover_idle(struct shard *s)
{
    for (uint32_t id = 0; id < s->settings->placement.group_count; id++)
        if (s->groups[id].group && (!group_idle(s->groups[id].group) || !store_idle(s->groups[id].store))) return false;
    return log_idle(s->log);
}

void recover_close(struct shard *s)
{
    broker_destroy(s->broker);
    for (uint32_t id = 0; id < s->settings->placement.group_count; id++) {
        struct shard_group *g = &s->groups[id];
        if (!g->group) continue;
        group_close(g->group);
        if (g->queues) queue_machine_destroy(g->queues);
        if (g->meta) meta_machine_destroy(g->meta);
        effects_close(&g->effects);
        store_close(g->store);
    }
    log_close(s->log);
    topology_destroy(s->topology);
    mem_free(s->groups);
}
