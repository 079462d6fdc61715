/* Opens what a shard finds on its disk: the log, then each group's store, machine and replica. */
#include "node/shard/shard_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "router/members.h"

static void on_log_failed(void *arg, const struct err *err)
{
    struct shard *s = arg;
    logger_printf(s->settings->logger, LOG_ERROR, s->id,
                  "log write_failed error=\"%s\" action=\"this node stops; the others carry on\"", err->text);
    _exit(74); /* EX_IOERR: what is in memory is worth no more than what is on disk */
}

static void on_durable(void *arg)
{
    struct shard *s = arg;
    uint64_t now = uv_hrtime() / 1000000;
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++)
        if (s->groups[g].group) group_durable(s->groups[g].group, now);
}

static int open_log(struct shard *s, struct err *err)
{
    char directory[512];
    snprintf(directory, sizeof directory, "%s/shard-%u/log", s->settings->data_dir, s->id);
    s->log_executor = executor_uv_open(&s->loop, "log");
    s->store_executor = executor_uv_open(&s->loop, "store");
    s->read_executor = executor_uv_open(&s->loop, "read");
    fs_counted_init(&s->fs, fs_posix());
    struct log_params params = {
        .fs = &s->fs.fs,
        .executor = s->log_executor,
        .directory = directory,
        .group_count = s->settings->placement.group_count,
        .file_size = s->settings->log_file_size,
        .cache_size = s->settings->log_cache_size,
        .free_size = s->settings->log_bytes_max,
        .failed = on_log_failed,
        .arg = s,
    };
    int code = log_open(&s->log, &params, err);
    if (!code) log_on_durable(s->log, on_durable, s);
    return code;
}

int recover_groups(struct shard *s, uint32_t epoch, struct err *err)
{
    const struct placement *placement = &s->settings->placement;
    s->groups = mem_zalloc(placement->group_count * sizeof *s->groups);
    s->topology =
        topology_create_with_spare(placement->group_count - 1 - placement->spare_count, placement->spare_count);
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
        .disconnected_timeout_ms = s->settings->disconnected_timeout_ms,
        .local_users = s->settings->local_users,
        .question_timeout_ms = s->settings->session.publish_timeout_ms,
    };
    /* "All addresses" says nothing to others: they keep the one that they learn. */
    const char *listen = s->settings->cluster_listen ? s->settings->cluster_listen : "";
    bool wildcard = !strncmp(listen, "0.0.0.0:", 8) || !strncmp(listen, "[::]:", 5) || *listen == ':';
    s->membership = (struct membership_params){.name = s->settings->name,
                                               .address = wildcard ? "" : listen,
                                               .zone = s->settings->zone,
                                               .tags = s->settings->tags,
                                               .placement_tag = s->settings->placement_tag,
                                               .data_id = s->settings->data_id,
                                               .level = LEVEL_NOW,
                                               .founding = placement,
                                               .addresses = s->settings->peers};
    params.membership = &s->membership;
    s->broker = broker_create(&params);
    int code = open_log(s, err);
    if (code) return code;
    return replicas_open(s, err);
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
    for (uint32_t id = 0; id < s->settings->placement.group_count; id++) replica_close(s, id);
    log_close(s->log);
    topology_destroy(s->topology);
    mem_free(s->groups);
    mem_free(s->replicas);
}
