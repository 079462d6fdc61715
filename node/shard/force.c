/* --force-lost-majority: this node goes on alone in groups whose majority is lost for good.
 * Offline, and written down. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "node/shard/force.h"
#include "node/shard/shard_internal.h"

const char force_confirmation[] = "confirmed messages may be lost";

struct force {
    const struct node_settings *settings;
    const char *groups; /* "3,7"; NULL: all that are here */
    uv_loop_t loop;
    struct executor *executor;
    struct buf record; /* what was done, for people */
    unsigned count;
};

static bool is_asked(const struct force *f, uint32_t id)
{
    const char *at = f->groups;
    if (!at) return true;
    while (*at) {
        char *end;
        unsigned long group = strtoul(at, &end, 10);
        if (end != at && group == id) return true;
        at = *end ? end + 1 : end;
    }
    return false;
}

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    fprintf(stderr, "warrend: %s\n", err->text);
    _exit(74);
}

static int force_group(struct force *f, struct log *log, uint32_t id, uint64_t *lsn, struct err *err)
{
    char directory[512];
    struct store *store;
    uint64_t index;
    snprintf(directory, sizeof directory, "%s/groups/%u", f->settings->data_dir, id);
    struct store_params params = {.fs = fs_posix(),
                                  .executor = f->executor,
                                  .read_executor = f->executor,
                                  .directory = directory,
                                  .failed = on_failed};
    int code = store_open(&store, &params, err);
    if (code) return code;
    uint64_t at = group_force_alone(log, store, id, f->settings->node, &index);
    store_close(store);
    if (!index) return 0;
    *lsn = at;
    f->count++;
    buf_printf(&f->record, " %u@%llu", id, (unsigned long long)index);
    return 0;
}

static int force_shard(struct force *f, uint16_t shard, struct err *err)
{
    uint32_t count = f->settings->placement.group_count;
    struct replica *replicas = mem_zalloc(count * sizeof *replicas);
    char directory[512], path[512];
    struct log *log;
    uint64_t lsn = 0;
    snprintf(directory, sizeof directory, "%s/shard-%u/log", f->settings->data_dir, shard);
    snprintf(path, sizeof path, "%s/shard-%u/replicas", f->settings->data_dir, shard);
    int code = replicas_read(fs_posix(), path, replicas, count, err);
    struct log_params params = {.fs = fs_posix(),
                                .executor = f->executor,
                                .directory = directory,
                                .group_count = count,
                                .file_size = f->settings->log_file_size,
                                .cache_size = f->settings->log_cache_size,
                                .failed = on_failed};
    if (!code) code = log_open(&log, &params, err);
    if (code) {
        mem_free(replicas);
        return code;
    }
    for (uint32_t id = 0; id < count && !code; id++)
        if (replica_is_here(&replicas[id]) && is_asked(f, id)) code = force_group(f, log, id, &lsn, err);
    log_flush(log);
    while (!log_idle(log) || log_durable(log) < lsn) uv_run(&f->loop, UV_RUN_ONCE);
    log_close(log);
    mem_free(replicas);
    return code;
}

/* Stays for ever beside the data. */
static int write_audit(const struct force *f, struct err *err)
{
    char path[512], when[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(path, sizeof path, "%s/audit", f->settings->data_dir);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return (int)err_set_errno(err, errno, "open %s", path);
    int written = dprintf(fd, "%s force-lost-majority node=%u uid=%u groups@entry:%.*s\n", when, f->settings->node,
                          (unsigned)getuid(), (int)f->record.size, (const char *)f->record.data);
    int failed = written < 0 || fsync(fd);
    close(fd);
    return failed ? (int)err_set_errno(err, errno, "write %s", path) : 0;
}

int force_lost_majority(struct node_settings *settings, const char *groups, struct err *err)
{
    struct force f = {.settings = settings, .groups = groups};
    int code = identity_check(settings, err);
    if (code) return code;
    uv_loop_init(&f.loop);
    f.executor = executor_uv_open(&f.loop, "force");
    for (uint16_t shard = 0; shard < settings->shard_count && !code; shard++) code = force_shard(&f, shard, err);
    if (!code) code = write_audit(&f, err);
    executor_uv_close(f.executor);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    uv_loop_close(&f.loop);
    if (!code) {
        logger_printf(
            settings->logger, LOG_WARN, -1,
            "force lost_majority node=%u groups=%u done=\"%.*s\" action=\"start this node, then forget the lost "
            "ones; whatever the other replicas had more is lost\"",
            settings->node, f.count, (int)f.record.size, (const char *)f.record.data);
        printf("%u groups go on from this node alone. Start it first; then forget the lost nodes.\n", f.count);
    }
    buf_close(&f.record);
    return code;
}
