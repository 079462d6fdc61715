/* /api/nodes: each node tells its own facts (node_here()); of one that does not answer its name is known. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"
#include "node/net/net.h"

static void put_alarms(struct shard *s, void *arg)
{
    json_t *o = arg;
    uint8_t alarms = shard_alarms(s, shard_settings(s)->node);
    json_put(o, "being_drained", json_boolean(shard_drains(s) || shard_stopping(s)));
    json_put(o, "mem_alarm", json_boolean(alarms & ALARM_MEMORY));
    json_put(o, "disk_free_alarm", json_boolean(alarms & ALARM_DISK));
}

static void put_machine(json_t *o, struct node *node)
{
    const struct node_settings *settings = node_settings(node);
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    uint64_t files = process_open_files(), files_max = process_files_max();
    json_put(o, "fd_total", json_number(files_max));
    json_put(o, "fd_used", json_number(files));
    json_put(o, "mem_used", json_number(process_resident_bytes()));
    json_put(o, "mem_limit", json_number(node_limit_any(node, NODE_LIMIT_MEMORY)));
    json_put(o, "mem_calculation_strategy", json_string("rss"));
    json_put(o, "disk_free", json_number(disk_free_bytes(settings->data_dir)));
    json_put(o, "disk_free_limit", json_number(node_limit_any(node, NODE_LIMIT_DISK)));
    json_put(o, "processors", json_integer(settings->shard_count));
    json_put(o, "context_switches", json_number((uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw));
    json_put(o, "run_queue", json_integer(0));
    json_put(o, "gc_num", json_integer(0));
    json_put(o, "gc_bytes_reclaimed", json_integer(0));
}

/* What RabbitMQ's storage counts; Warren's has other figures (log_bytes, segment_bytes, /metrics). */
static void put_without_counterpart(json_t *o)
{
    static const char *const names[] = {"io_seek_count", "io_seek_avg_time", "mnesia_ram_tx_count",
                                        "queue_index_read_count", "queue_index_write_count"};
    static const char *const gauges[] = {"gc_num", "gc_bytes_reclaimed"};
    char details[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(details, sizeof details, "%s_details", names[i]);
        json_put(o, names[i], json_integer(0));
        json_put(o, details, rate_json(0));
    }
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        snprintf(details, sizeof details, "%s_details", gauges[i]);
        json_put(o, details, rate_json(0));
    }
}

/* Milliseconds of one operation. */
static json_t *average_ms(uint64_t ns, uint64_t count)
{
    return json_real(count ? (double)ns / 1e6 / (double)count : 0);
}

static void put_storage(json_t *o, const struct totals *t)
{
    const uint64_t *files = t->files;
    json_put(o, "io_read_count", json_number(files[FS_READS]));
    json_put(o, "io_read_bytes", json_number(files[FS_READ_BYTES]));
    json_put(o, "io_read_avg_time", average_ms(files[FS_READ_NS], files[FS_READS]));
    json_put(o, "io_write_count", json_number(files[FS_WRITES]));
    json_put(o, "io_write_bytes", json_number(files[FS_WRITE_BYTES]));
    json_put(o, "io_write_avg_time", average_ms(files[FS_WRITE_NS], files[FS_WRITES]));
    json_put(o, "io_sync_count", json_number(files[FS_SYNCS]));
    json_put(o, "io_sync_avg_time", average_ms(files[FS_SYNC_NS], files[FS_SYNCS]));
    json_put(o, "io_reopen_count", json_number(files[FS_OPENS]));
    json_put(o, "msg_store_read_count", json_number(t->queue.counts.read));
    json_put(o, "msg_store_write_count", json_number(t->queue.counts.written));
    json_put(o, "mnesia_disk_tx_count", json_number(t->topology_changes));
    json_put(o, "queue_memory", json_number(t->queue.held_bytes - t->queue.memory_bytes)); /* of queues led here */
    json_put(o, "content_memory", json_number(t->queue.memory_bytes));
}

static void put_totals(json_t *o, const struct totals *t)
{
    json_put(o, "sockets_used", json_number(t->connections));
    json_put(o, "sockets_total", json_number(process_files_max()));
    json_put(o, "proc_used", json_number(t->connections + t->channels));
    json_put(o, "proc_total", json_number(process_files_max()));
    json_put(o, "log_bytes", json_number(t->log_bytes));
    json_put(o, "segment_bytes", json_number(t->stores.disk_bytes));
    json_put(o, "groups_led", json_number(t->groups_led));
    json_put(o, "connections", json_number(t->connections));
    json_put(o, "channels", json_number(t->channels));
    json_put(o, "consumers", json_number(t->consumers));
}

/* Entries that a member does not have yet, of the groups that this node leads; by node id. */
static void add_lag(struct shard *s, void *arg)
{
    uint64_t *lag = arg;
    const struct node_settings *settings = shard_settings(s);
    for (uint32_t g = 0; g < settings->placement.group_count; g++) {
        struct group *group = broker_group(shard_broker(s), g);
        struct group_status status;
        if (!group) continue;
        group_status(group, &status);
        for (uint32_t i = 0; status.leads && i < status.member_count; i++)
            if (status.match_index[i] < status.last_index && status.members[i].node != settings->node)
                lag[status.members[i].node % NODE_IDS] += status.last_index - status.match_index[i];
    }
}

static void put_lag(json_t *o, struct http *h)
{
    uint64_t lag[NODE_IDS] = {0};
    struct members members;
    json_t *by_name = json_object();
    each_shard(h, add_lag, lag);
    members_open(h, &members);
    for (unsigned id = 0; id < NODE_IDS; id++)
        if (members.names[id]) json_put(by_name, members.names[id], json_number(lag[id]));
    members_close(&members);
    json_put(o, "follower_lag", by_name);
}

static void put_stats(json_t *o, struct http *h, const struct totals *t, const struct view *v)
{
    static const enum stat_kind churn[] = {STAT_CONNECTION_CREATED, STAT_CONNECTION_CLOSED, STAT_CHANNEL_CREATED,
                                           STAT_CHANNEL_CLOSED,     STAT_QUEUE_DECLARED,    STAT_QUEUE_CREATED,
                                           STAT_QUEUE_DELETED};
    struct stats stats = {0};
    stats_of_session(&stats, &t->stats);
    stats.values[STAT_CONNECTION_CREATED] = t->connections_opened;
    stats.values[STAT_CONNECTION_CLOSED] = t->connections_closed;
    for (size_t i = 0; i < sizeof churn / sizeof churn[0]; i++) json_put_stat(o, churn[i], &stats);
    sampler_details(h->sampler, "node", v, RANGE_NODE_STATS, o);
    json_t *messages = message_stats_json(&stats), *queues = json_object();
    sampler_details(h->sampler, "node", v, RANGE_MSG_RATES, messages);
    json_put(o, "message_stats", messages);
    stats.values[STAT_READY] = t->ready;
    stats.values[STAT_UNACKED] = t->unacked;
    stats.values[STAT_MESSAGES] = t->ready + t->unacked;
    json_put_stat(queues, STAT_MESSAGES, &stats);
    json_put_stat(queues, STAT_READY, &stats);
    json_put_stat(queues, STAT_UNACKED, &stats);
    sampler_details(h->sampler, "node", v, RANGE_LENGTHS, queues);
    json_put(o, "queue_totals", queues);
}

json_t *node_here(struct http *h, const struct view *v)
{
    const struct node_settings *settings = node_settings(h->params.node);
    struct totals totals;
    totals_gather(h, &totals);
    json_t *o = json_object();
    json_put(o, "name", json_string(settings->name));
    json_put(o, "id", json_integer(settings->node));
    json_put(o, "type", json_string("disc"));
    json_put(o, "running", json_true());
    json_put(o, "os_pid", json_sprintf("%d", (int)getpid()));
    json_put(o, "uptime", json_number((uint64_t)time(NULL) * 1000 - node_started_ms(h->params.node)));
    put_machine(o, h->params.node);
    put_totals(o, &totals);
    put_storage(o, &totals);
    put_lag(o, h);
    put_without_counterpart(o);
    put_stats(o, h, &totals, v);
    attempts_put(o, h, &totals);
    shard_call_any(node_shard(h->params.node, 0), put_alarms, o);
    json_put(o, "rates_mode", json_string(h->params.management->rates_mode));
    json_put(o, "net_ticktime", json_integer(settings->node_timeout_ms / 1000));
    json_put(o, "partitions", json_array());
    json_put(o, "cluster_links", json_array());
    about_put(o, h);
    return o;
}

/* Members that gave no answer, by what shard 0 knows of them. */
static void add_absent(struct shard *s, void *arg)
{
    json_t *array = arg;
    uint8_t nodes[NODE_IDS];
    uint32_t count = shard_members(s, nodes);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t node = nodes[i];
        bool there = false;
        for (size_t k = 0; k < json_array_size(array) && !there; k++)
            there = json_integer_value(json_object_get(json_array_get(array, k), "id")) == node;
        if (there) continue;
        json_t *o = json_object();
        json_put(o, "name", json_string(member_name(s, node)));
        json_put(o, "id", json_integer(node));
        json_put(o, "type", json_string("disc"));
        json_put(o, "running", json_boolean(shard_peer_connected(s, node)));
        json_put(o, "mem_alarm", json_boolean(shard_alarms(s, node) & ALARM_MEMORY));
        json_put(o, "disk_free_alarm", json_boolean(shard_alarms(s, node) & ALARM_DISK));
        json_put(o, "partitions", json_array());
        json_put(o, "cluster_links", json_array());
        json_array_append_new(array, o);
    }
}

json_t *nodes_everywhere(struct request *r)
{
    json_t *array = peers_ask_view(r, "node");
    for (size_t i = json_array_size(array); i-- > 0;)
        if (!json_is_object(json_array_get(array, i))) json_array_remove(array, i);
    json_array_insert_new(array, 0, node_here(r->http, &r->view));
    shard_call_any(node_shard(r->http->params.node, 0), add_absent, array);
    return array;
}

void api_nodes_list(struct request *r, struct answer *a)
{
    struct listing listing;
    if (!listing_open(&listing, r, a)) return;
    json_t *nodes = nodes_everywhere(r);
    listing_answer(&listing, nodes, json_array_size(nodes), "name", a);
}

static json_t *find(struct request *r, json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *node = json_array_get(nodes, i);
        if (slice_equal(slice_json(json_object_get(node, "name")), r->captures[0])) return node;
    }
    return NULL;
}

void api_node_get(struct request *r, struct answer *a)
{
    json_t *nodes = nodes_everywhere(r), *found = find(r, nodes);
    if (found) answer_json(a, columns_of(found, request_query(r, "columns")));
    else answer_not_found(a);
    json_decref(nodes);
}

/* RabbitMQ's names of what memory is for; what this node does not know apart is other_system. */
static json_t *memory_json(const json_t *node)
{
    static const char *const none[] = {"connection_readers",
                                       "connection_writers",
                                       "connection_channels",
                                       "connection_other",
                                       "queue_procs",
                                       "queue_slave_procs",
                                       "stream_queue_procs",
                                       "plugins",
                                       "metrics",
                                       "mgmt_db",
                                       "mnesia",
                                       "quorum_ets",
                                       "other_ets",
                                       "code",
                                       "atom",
                                       "msg_index",
                                       "other_proc",
                                       "allocated_unused",
                                       "reserved_unallocated"};
    json_int_t used = json_integer_value(json_object_get(node, "mem_used")),
               queues = json_integer_value(json_object_get(node, "queue_memory")),
               contents = json_integer_value(json_object_get(node, "content_memory")), rest = used - queues - contents;
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) json_put(o, none[i], json_integer(0));
    json_put(o, "quorum_queue_procs", json_integer(queues));
    json_put(o, "binary", json_integer(contents));
    json_put(o, "other_system", json_integer(rest > 0 ? rest : 0));
    return o;
}

static void answer_memory(struct request *r, bool relative, struct answer *a)
{
    json_t *nodes = nodes_everywhere(r), *found = find(r, nodes), *part;
    const char *name;
    if (!found) {
        answer_not_found(a);
        json_decref(nodes);
        return;
    }
    json_t *memory = memory_json(found);
    json_int_t used = json_integer_value(json_object_get(found, "mem_used"));
    if (relative) {
        json_object_foreach(memory, name, part)
            json_integer_set(part, used ? json_integer_value(part) * 100 / used : 0);
        json_put(memory, "total", json_integer(100));
    } else {
        json_put(memory, "strategy", json_string("rss"));
        json_put(memory, "total",
                 json_pack("{s:I, s:I, s:I}", "rss", used, "allocated", used, "erlang", (json_int_t)0));
    }
    answer_json(a, json_pack("{s:o}", "memory", memory));
    json_decref(nodes);
}

void api_node_memory(struct request *r, struct answer *a)
{
    answer_memory(r, false, a);
}

void api_node_memory_relative(struct request *r, struct answer *a)
{
    answer_memory(r, true, a);
}
