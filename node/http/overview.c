/* /api/overview, /api/nodes, and the sums they share with /metrics. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "config/config.h"
#include "node/http/families.h"
#include "node/http/stats.h"

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

struct gathering {
    struct totals *totals;
    uint64_t cursor;
    uint32_t group;
    bool more;
};

static void add_words(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++) ((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

static void gather_groups(struct totals *t, struct shard *s)
{
    struct broker *b = shard_broker(s);
    for (uint32_t g = 0; g < shard_settings(s)->placement.group_count; g++) {
        struct group *group = broker_group(b, g);
        struct queue_machine *m = broker_queues(b, g);
        struct group_figures group_counts;
        struct queue_machine_figures machine_counts;
        if (!group) continue;
        t->groups_led += broker_leader(b, g) == shard_settings(s)->node;
        group_figures(group, &group_counts);
        add_words(&t->groups, &group_counts, sizeof group_counts);
        if (!m) continue;
        queue_machine_figures(m, &machine_counts);
        if (broker_leader(b, g) != shard_settings(s)->node) machine_counts.timers = machine_counts.postponed = 0;
        add_words(&t->machines, &machine_counts, sizeof machine_counts);
    }
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
    session_stats_add(&t->stats, &figures.closed);
    t->logins_failed += figures.logins_failed;
    t->logins_succeeded += figures.logins_succeeded;
    t->log_bytes += figures.log_bytes;
    t->log_syncs += figures.log_syncs;
    add_words(t->files, figures.files, sizeof t->files);
    add_words(t->waits, figures.waits, sizeof t->waits);
    add_words(&t->stores, &figures.stores, sizeof t->stores);
    t->disk_alarm |= shard_alarms(s, settings->node) & ALARM_DISK;
    t->memory_alarm |= shard_alarms(s, settings->node) & ALARM_MEMORY;
    if (shard_id(s) == 0) {
        t->topology_changes = topology_index(broker_topology(b));
        t->queues = topology_queue_count(broker_topology(b));
        t->exchanges = topology_exchange_count(broker_topology(b));
    }
    gather_groups(t, s);
}

static void gather_connections(struct shard *s, void *arg)
{
    struct gathering *g = arg;
    struct totals *t = g->totals;
    struct shard_connection_info info;
    g->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (g->more = shard_next_connection(s, &g->cursor, &info)); i++) {
        t->channels += info.session.channels;
        session_stats_add(&t->stats, &info.session.stats);
        struct session_channel_info channel;
        for (uint64_t at = 0; session_next_channel(info.handle, &at, &channel);)
            t->publishers += channel.stats.publish != 0;
    }
}

/* Of a group that this node leads. */
static void gather_queues(struct shard *s, void *arg)
{
    struct gathering *g = arg;
    struct queue_machine *m = broker_queues(shard_broker(s), g->group);
    bool leads = m && broker_leader(shard_broker(s), g->group) == shard_settings(s)->node;
    g->more = leads && queue_machine_sum(m, &g->cursor, HTTP_SLICE * 4, &g->totals->queue);
}

void totals_gather(struct http *h, struct totals *t)
{
    const struct node_settings *settings = node_settings(h->params.node);
    struct gathering g = {.totals = t};
    *t = (struct totals){0};
    each_shard(h, gather, t);
    for (uint16_t i = 0; i < settings->shard_count; i++) {
        g.cursor = 0;
        do shard_call_any(node_shard(h->params.node, i), gather_connections, &g);
        while (g.more);
    }
    for (g.group = 1; g.group < settings->placement.group_count; g.group++) {
        g.cursor = 0;
        do shard_call_any(node_shard(h->params.node, (uint16_t)(g.group % settings->shard_count)), gather_queues, &g);
        while (g.more);
    }
    t->queues_led = t->queue.id;
    t->ready = t->queue.ready;
    t->unacked = t->queue.unacked;
    t->consumers = t->queue.consumers;
}

/* The members of this name, summed over all nodes. */
static json_t *sum_of(const json_t *nodes, const char *name)
{
    json_t *total = json_object();
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *value = json_object_get(json_array_get(nodes, i), name), *one = json_object();
        if (value) json_object_set(one, name, value);
        json_sum(total, one);
        json_decref(one);
    }
    json_t *result = json_incref(json_object_get(total, name));
    json_decref(total);
    return result ? result : json_integer(0);
}

/* RabbitMQ shows an empty list if there are none. */
static json_t *tags_json(const struct config_pair *tags)
{
    if (!*tags->name) return json_array();
    json_t *o = json_object();
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *tags[i].name; i++)
        json_put(o, strchr(tags[i].name, '.') + 1, json_string(tags[i].value));
    return o;
}

static void put_identity(json_t *o, struct http *h)
{
    const struct http_params *p = &h->params;
    json_put(o, "management_version", json_string(p->version));
    json_put(o, "rates_mode", json_string(p->management->rates_mode));
    json_put(o, "sample_retention_policies", sampler_spans(h->sampler));
    json_put(o, "exchange_types", exchange_types_json());
    json_put(o, "product_name", json_string(p->product));
    json_put(o, "product_version", json_string(p->version));
    json_put(o, "rabbitmq_version", json_string(p->version));
    json_put(o, "cluster_name", cluster_name_json(h));
    json_put(o, "cluster_tags", tags_json(p->config->cluster_tags));
    json_put(o, "node_tags", tags_json(p->config->node_tags));
    json_put(o, "erlang_version", json_string("none"));
    json_put(o, "erlang_full_version", json_string("none: Warren is written in C"));
    json_put(o, "release_series_support_status", json_string("supported"));
    json_put(o, "statistics_db_event_queue", json_integer(0));
    json_put(o, "node", json_string(node_settings(p->node)->name));
}

static void put_churn(json_t *o, const json_t *nodes)
{
    static const char *const names[] = {"connection_created", "connection_closed", "channel_created", "channel_closed",
                                        "queue_declared",     "queue_created",     "queue_deleted"};
    json_t *churn = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char details[64];
        snprintf(details, sizeof details, "%s_details", names[i]);
        json_put(churn, names[i], sum_of(nodes, names[i]));
        json_t *rate = sum_of(nodes, details);
        if (json_is_object(rate)) json_put(churn, details, rate);
        else json_decref(rate);
    }
    json_put(o, "churn_rates", churn);
}

static void put_objects(json_t *o, struct http *h, const json_t *nodes)
{
    struct totals t;
    totals_gather(h, &t);
    json_t *objects = json_object();
    json_put(objects, "channels", sum_of(nodes, "channels"));
    json_put(objects, "connections", sum_of(nodes, "connections"));
    json_put(objects, "consumers", sum_of(nodes, "consumers"));
    json_put(objects, "exchanges", json_number(t.exchanges));
    json_put(objects, "queues", json_number(t.queues));
    json_put(o, "object_totals", objects);
}

/* The lists of this name that nodes have, as one. */
static json_t *all_of(const json_t *nodes, const char *name)
{
    json_t *all = json_array();
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *own = json_object_get(json_array_get(nodes, i), name);
        if (own) json_array_extend(all, own);
    }
    return all;
}

void api_overview_get(struct request *r, struct answer *a)
{
    json_t *o = json_object(), *nodes = nodes_everywhere(r);
    put_identity(o, r->http);
    put_objects(o, r->http, nodes);
    json_put(o, "disable_stats", json_boolean(!r->view.stats));
    json_put(o, "enable_queue_totals", json_boolean(r->view.totals));
    if (r->view.stats) put_churn(o, nodes);
    if (r->view.stats) json_put(o, "message_stats", sum_of(nodes, "message_stats"));
    if (r->view.stats || r->view.totals) json_put(o, "queue_totals", sum_of(nodes, "queue_totals"));
    json_put(o, "listeners", all_of(nodes, "listeners"));
    json_put(o, "contexts", all_of(nodes, "contexts"));
    answer_json(a, columns_of(o, request_query(r, "columns")));
    json_decref(nodes);
    json_decref(o);
}
