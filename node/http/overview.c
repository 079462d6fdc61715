/* /api/overview, /api/nodes, and the sums they share with /metrics. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "node/http/http_internal.h"

uint64_t process_resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2) resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_open_files(void)
{
    uint64_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d) return 0;
    while (readdir(d)) count++;
    closedir(d);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder's own */
}

uint64_t process_files_max(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : (uint64_t)limit.rlim_cur;
}

uint64_t disk_free_bytes(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void gather(struct shard *s, void *arg)
{
    struct totals *t = arg;
    struct broker *b = shard_broker(s);
    const struct node_settings *settings = shard_settings(s);
    struct shard_figures figures;
    shard_figures(s, &figures);
    t->connections += shard_connection_count(s);
    t->connections_opened += figures.connections_opened;
    t->connections_closed += figures.connections_closed;
    t->log_bytes += figures.log_bytes;
    t->log_syncs += figures.log_syncs;
    t->store_bytes += figures.store_bytes;
    t->disk_alarm |= shard_alarms(s, settings->node) & ALARM_DISK;
    t->memory_alarm |= shard_alarms(s, settings->node) & ALARM_MEMORY;
    struct shard_connection_info info;
    for (uint64_t cursor = 0; shard_next_connection(s, &cursor, &info);) {
        t->channels += info.session.channels;
        t->published += info.session.published;
        t->confirmed += info.session.confirmed;
        t->delivered += info.session.delivered;
        t->acked += info.session.acked;
        t->returned += info.session.returned;
        t->got += info.session.got;
    }
    if (shard_id(s) == 0) {
        t->queues = topology_queue_count(broker_topology(b));
        t->exchanges = topology_exchange_count(broker_topology(b));
    }
    for (uint32_t g = 0; g < settings->placement.group_count; g++) {
        if (g % settings->shard_count == shard_id(s) && broker_leader(b, g) == settings->node) t->groups_led++;
        struct queue_machine *m = broker_queues(b, g);
        struct queue_stat stat;
        for (uint64_t cursor = 0; m && queue_machine_next(m, &cursor, &stat);) {
            t->ready += stat.ready;
            t->unacked += stat.unacked;
            t->consumers += stat.consumers;
        }
    }
}

void totals_gather(struct http *h, struct totals *t)
{
    *t = (struct totals){0};
    each_shard(h, gather, t);
}

void api_overview_get(struct request *r, struct answer *a)
{
    struct http *h = r->http;
    struct totals t;
    totals_gather(h, &t);
    const struct node_settings *settings = node_settings(h->params.node);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "management_version", h->params.version,
                          "rabbitmq_version", h->params.version, "product_name", h->params.product, "product_version",
                          h->params.version, "cluster_name", h->params.cluster_name, "node", settings->name,
                          "erlang_version", "", "rates_mode", "none");
    json_object_set_new(o, "object_totals",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "channels", (json_int_t)t.channels, "connections",
                                  (json_int_t)t.connections, "consumers", (json_int_t)t.consumers, "exchanges",
                                  (json_int_t)t.exchanges, "queues", (json_int_t)t.queues));
    json_object_set_new(o, "queue_totals",
                        json_pack("{s:I, s:I, s:I}", "messages", (json_int_t)(t.ready + t.unacked), "messages_ready",
                                  (json_int_t)t.ready, "messages_unacknowledged", (json_int_t)t.unacked));
    json_object_set_new(o, "message_stats",
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "publish", (json_int_t)t.published, "confirm",
                                  (json_int_t)t.confirmed, "deliver_get", (json_int_t)(t.delivered + t.got), "deliver",
                                  (json_int_t)t.delivered, "ack", (json_int_t)t.acked, "return_unroutable",
                                  (json_int_t)t.returned));
    json_object_set_new(o, "churn_rates",
                        json_pack("{s:I, s:I}", "connection_created", (json_int_t)t.connections_opened,
                                  "connection_closed", (json_int_t)t.connections_closed));
    answer_json(a, o);
}
