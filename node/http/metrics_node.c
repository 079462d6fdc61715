/* Figures of the whole node. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "node/http/items.h"
#include "node/http/metrics.h"

bool scrape_identity(struct scrape *s, struct exposition *detailed)
{
    static const char *const endpoints[] = {"aggregated", "per-object", "detailed", "memory-breakdown"};
    struct exposition own = {detailed->out, "rabbitmq_"}, *e = &own;
    struct http *h = s->http;
    struct buf labels = {0};
    json_t *cluster = cluster_name_json(h),
           *id = item_get(
               h, (struct item_name){.kind = REGISTRY_GLOBAL_PARAMETER, .name = slice_str("internal_cluster_id")});
    buf_put_u8(&labels, '{');
    label_put(&labels, "rabbitmq_node", slice_str(node_settings(h->params.node)->name));
    buf_put_u8(&labels, ',');
    label_put(&labels, "rabbitmq_cluster", slice_json(cluster));
    buf_put_u8(&labels, ',');
    label_put(&labels, "rabbitmq_cluster_permanent_id", slice_json(id));
    buf_printf(&labels, ",rabbitmq_endpoint=\"%s\"}", endpoints[s->kind]);
    buf_put_u8(&labels, 0);
    expose_labelled(e, "identity_info", "untyped", "RabbitMQ node & cluster identity info", (const char *)labels.data,
                    1);
    buf_clear(&labels);
    buf_printf(&labels,
               "{rabbitmq_version=\"%s\",prometheus_plugin_version=\"%s\",prometheus_client_version=\"none\","
               "erlang_version=\"none\",product_name=\"%s\",product_version=\"%s\"}",
               h->params.version, h->params.version, h->params.product, h->params.version);
    buf_put_u8(&labels, 0);
    expose_labelled(e, "build_info", "untyped", "RabbitMQ & Erlang/OTP version info", (const char *)labels.data, 1);
    buf_close(&labels);
    json_decref(cluster);
    json_decref(id);
    return false;
}

bool scrape_churn(struct scrape *s, struct exposition *e)
{
    const struct totals *t = &s->totals;
    if (!scrape_has(s, "connection_churn_metrics")) return false;
    expose(e, "connections_opened_total", "counter", "Total number of connections opened", t->connections_opened);
    expose(e, "connections_closed_total", "counter", "Total number of connections closed or terminated",
           t->connections_closed);
    expose(e, "channels_opened_total", "counter", "Total number of channels opened", t->stats.channels_opened);
    expose(e, "channels_closed_total", "counter", "Total number of channels closed", t->stats.channels_closed);
    expose(e, "queues_declared_total", "counter", "Total number of queues declared", t->stats.queues_declared);
    expose(e, "queues_created_total", "counter", "Total number of queues created", t->stats.queues_created);
    expose(e, "queues_deleted_total", "counter", "Total number of queues deleted", t->stats.queues_deleted);
    return false;
}

bool scrape_totals(struct scrape *s, struct exposition *e)
{
    const struct totals *t = &s->totals;
    expose(e, "connections", "gauge", "Connections currently open", t->connections);
    expose(e, "channels", "gauge", "Channels currently open", t->channels);
    expose(e, "consumers", "gauge", "Consumers currently connected", t->consumers);
    expose(e, "queues", "gauge", "Queues led by this node", t->queues_led);
    return false;
}

static void expose_global(struct exposition *e, const char *name, const char *help, bool of_queues, uint64_t value)
{
    char whole[96];
    snprintf(whole, sizeof whole, "global_messages_%s_total", name);
    expose_labelled(e, whole, "counter", help,
                    of_queues ? "{protocol=\"amqp091\",queue_type=\"rabbit_quorum_queue\"}" : "{protocol=\"amqp091\"}",
                    value);
}

/* All queues dead-letter at least once; what has no exchange for it is only counted. */
static void expose_dead_letters(struct exposition *e, const struct queue_machine_figures *f)
{
    static const char *const strategies[] = {"disabled", "at_least_once"};
    static const struct {
        const char *name, *help;
    } reasons[DEAD_LETTER_REASONS] = {
        [DEAD_REJECTED] = {"rejected", "Total number of messages dead-lettered due to basic.reject or basic.nack"},
        [DEAD_EXPIRED] = {"expired", "Total number of messages dead-lettered due to message TTL exceeded"},
        [DEAD_MAXLEN] = {"maxlen",
                         "Total number of messages dead-lettered due to overflow drop-head or reject-publish-dlx"},
        [DEAD_DELIVERY_LIMIT] = {"delivery_limit",
                                 "Total number of messages dead-lettered due to delivery-limit exceeded"},
    };
    char name[80], labels[96];
    for (unsigned reason = 0; reason < DEAD_LETTER_REASONS; reason++) {
        snprintf(name, sizeof name, "global_messages_dead_lettered_%s_total", reasons[reason].name);
        expose_head(e, name, "counter", reasons[reason].help);
        for (unsigned kept = 0; kept < 2; kept++) {
            snprintf(labels, sizeof labels, "{queue_type=\"rabbit_quorum_queue\",dead_letter_strategy=\"%s\"}",
                     strategies[kept]);
            expose_count(e, name, slice_str(labels), f->dead[kept][reason]);
        }
    }
    expose_labelled(e, "global_messages_dead_lettered_confirmed_total", "counter",
                    "Total number of messages dead-lettered and confirmed by target queues",
                    "{queue_type=\"rabbit_quorum_queue\",dead_letter_strategy=\"at_least_once\"}", f->dead_confirmed);
}

bool scrape_globals(struct scrape *scrape, struct exposition *e)
{
    const struct totals *t = &scrape->totals;
    const struct session_stats *s = &t->stats;
    const char *protocol = "{protocol=\"amqp091\"}";
    expose_global(e, "received", "Total number of messages received from publishers", false, s->publish);
    expose_global(e, "received_confirm", "Total number of messages received from publishers expecting confirmations",
                  false, s->publish_to_confirm);
    expose_global(e, "confirmed", "Total number of messages confirmed to publishers", false, s->confirm);
    expose_global(e, "routed", "Total number of messages routed to queues or streams", false, s->routed);
    expose_global(e, "unroutable_dropped",
                  "Total number of messages published as non-mandatory into an exchange and "
                  "dropped as unroutable",
                  false, s->drop_unroutable);
    expose_global(e, "unroutable_returned",
                  "Total number of messages published as mandatory into an exchange and "
                  "returned to the publisher as unroutable",
                  false, s->return_unroutable);
    expose_global(e, "delivered", "Total number of messages delivered to consumers", true,
                  s->deliver + s->deliver_no_ack + s->get + s->get_no_ack);
    expose_global(e, "delivered_consume_auto_ack",
                  "Total number of messages delivered to consumers using basic.consume "
                  "with automatic acknowledgment",
                  true, s->deliver_no_ack);
    expose_global(e, "delivered_consume_manual_ack",
                  "Total number of messages delivered to consumers using "
                  "basic.consume with manual acknowledgment",
                  true, s->deliver);
    expose_global(e, "delivered_get_auto_ack",
                  "Total number of messages delivered to consumers using basic.get with "
                  "automatic acknowledgment",
                  true, s->get_no_ack);
    expose_global(e, "delivered_get_manual_ack",
                  "Total number of messages delivered to consumers using basic.get with "
                  "manual acknowledgment",
                  true, s->get);
    expose_global(e, "get_empty", "Total number of times basic.get operations fetched no message", true, s->get_empty);
    expose_global(e, "redelivered", "Total number of messages redelivered to consumers", true, s->redeliver);
    expose_global(e, "acknowledged", "Total number of message acknowledgements received from consumers", true, s->ack);
    expose_labelled(e, "global_publishers", "gauge", "Publishers currently connected", protocol, t->publishers);
    expose_labelled(e, "global_consumers", "gauge", "Consumers currently connected", protocol, t->consumers);
    expose_dead_letters(e, &t->machines);
    return false;
}

bool scrape_sizes(struct scrape *scrape, struct exposition *e)
{
    const struct session_stats *s = &scrape->totals.stats;
    static const char *const tops[SESSION_SIZES] = {"100.0", "1000.0", "10000.0", "100000.0", "1e+06",
                                                    "1e+07", "5e+07",  "1e+08",   "+Inf"};
    char labels[64];
    uint64_t sum = 0;
    expose_head(e, "message_size_bytes", "histogram", "Size of messages received from publishers");
    for (unsigned i = 0; i < SESSION_SIZES; i++) {
        sum += s->sizes[i];
        snprintf(labels, sizeof labels, "{protocol=\"amqp091\",le=\"%s\"}", tops[i]);
        expose_count(e, "message_size_bytes_bucket", slice_str(labels), sum);
    }
    expose_count(e, "message_size_bytes_count", slice_str("{protocol=\"amqp091\"}"), sum);
    expose_count(e, "message_size_bytes_sum", slice_str("{protocol=\"amqp091\"}"), s->body_bytes);
    return false;
}

static void expose_coarse(struct exposition *e, struct http *h, const struct totals *t)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    expose(e, "process_open_fds", "gauge", "Open file descriptors", process_open_files());
    expose(e, "process_open_tcp_sockets", "gauge", "Open TCP sockets", t->connections);
    expose(e, "process_resident_memory_bytes", "gauge", "Memory used in bytes", process_resident_bytes());
    expose(e, "disk_space_available_bytes", "gauge", "Disk space available in bytes",
           disk_free_bytes(node_settings(h->params.node)->data_dir));
    expose(e, "erlang_processes_used", "gauge", "Connections and channels: a process each in Erlang",
           t->connections + t->channels);
    expose(e, "erlang_gc_runs_total", "counter", "Always 0: nothing is collected", 0);
    expose(e, "erlang_gc_reclaimed_bytes_total", "counter", "Always 0: nothing is collected", 0);
    expose(e, "erlang_scheduler_context_switches_total", "counter", "Total number of context switches of the process",
           (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw);
}

static void expose_limits(struct exposition *e, struct http *h)
{
    const struct node_settings *settings = node_settings(h->params.node);
    uint64_t up_ms = (uint64_t)time(NULL) * 1000 - node_started_ms(h->params.node);
    expose(e, "process_max_fds", "gauge", "Open file descriptors limit", process_files_max());
    expose(e, "process_max_tcp_sockets", "gauge", "Open TCP sockets limit", process_files_max());
    expose(e, "resident_memory_limit_bytes", "gauge", "Memory high watermark in bytes",
           node_limit_any(h->params.node, NODE_LIMIT_MEMORY));
    expose(e, "disk_space_available_limit_bytes", "gauge", "Free disk space low watermark in bytes",
           node_limit_any(h->params.node, NODE_LIMIT_DISK));
    expose(e, "erlang_processes_limit", "gauge", "What bounds connections and channels: file descriptors",
           process_files_max());
    expose(e, "erlang_scheduler_run_queue", "gauge", "Always 0: shards do not queue up", 0);
    expose(e, "erlang_net_ticktime_seconds", "gauge", "A node silent for so long is given up",
           settings->node_timeout_ms / 1000);
    expose(e, "erlang_uptime_seconds", "gauge", "Node uptime", up_ms / 1000);
}

static void expose_alarms(struct exposition *e, const struct totals *t)
{
    expose(e, "alarms_free_disk_space_watermark", "gauge", "is 1 if free disk space watermark alarm is in effect",
           t->disk_alarm);
    expose(e, "alarms_memory_used_watermark", "gauge", "is 1 if VM memory watermark alarm is in effect",
           t->memory_alarm);
    expose(e, "alarms_file_descriptor_limit", "gauge", "is 1 if file descriptor limit alarm is in effect",
           process_open_files() >= process_files_max());
}

bool scrape_node(struct scrape *s, struct exposition *e)
{
    if (scrape_has(s, "node_coarse_metrics")) expose_coarse(e, s->http, &s->totals);
    if (scrape_has(s, "node_metrics")) expose_limits(e, s->http);
    if (s->kind == SCRAPE_DETAILED) return false;
    expose_alarms(e, &s->totals);
    struct exposition process = {e->out, "process_"};
    expose(&process, "start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds",
           node_started_ms(s->http->params.node) / 1000);
    return false;
}

/* Of log and segments. Nothing seeks: reads and writes say where. */
bool scrape_io(struct scrape *s, struct exposition *e)
{
    const struct totals *t = &s->totals;
    const uint64_t *files = t->files;
    if (!scrape_has(s, "node_persister_metrics")) return false;
    expose(e, "io_read_ops_total", "counter", "Total number of I/O read operations", files[FS_READS]);
    expose(e, "io_read_bytes_total", "counter", "Total number of I/O bytes read", files[FS_READ_BYTES]);
    expose(e, "io_write_ops_total", "counter", "Total number of I/O write operations", files[FS_WRITES]);
    expose(e, "io_write_bytes_total", "counter", "Total number of I/O bytes written", files[FS_WRITE_BYTES]);
    expose(e, "io_sync_ops_total", "counter", "Total number of I/O sync operations", files[FS_SYNCS]);
    expose(e, "io_seek_ops_total", "counter", "Always 0: reads and writes say where", 0);
    expose(e, "io_reopen_ops_total", "counter", "Total number of times files have been opened", files[FS_OPENS]);
    expose(e, "schema_db_ram_tx_total", "counter", "Always 0: all of the topology is on disk", 0);
    expose(e, "schema_db_disk_tx_total", "counter", "Entries of the group that keeps the topology",
           t->topology_changes);
    expose(e, "msg_store_read_total", "counter", "Contents that were asked of segments", t->stores.reads);
    expose(e, "msg_store_write_total", "counter", "Contents that were given to segments", t->stores.writes);
    expose(e, "queue_index_read_ops_total", "counter", "Indexes of pages that were read", t->stores.index_reads);
    expose(e, "queue_index_write_ops_total", "counter", "Indexes of pages that were written", t->stores.index_writes);
    expose_seconds(e, "io_read_time_seconds_total", "counter", "Total I/O read time", (double)files[FS_READ_NS] / 1e9);
    expose_seconds(e, "io_write_time_seconds_total", "counter", "Total I/O write time",
                   (double)files[FS_WRITE_NS] / 1e9);
    expose_seconds(e, "io_sync_time_seconds_total", "counter", "Total I/O sync time", (double)files[FS_SYNC_NS] / 1e9);
    expose_seconds(e, "io_seek_time_seconds_total", "counter", "Always 0: reads and writes say where", 0);
    return false;
}

/* Together they would be what auth_attempts_total has. */
static void expose_sources(struct exposition *e, struct http *h)
{
    static const struct {
        const char *name, *help, *member;
    } figures[] = {
        {"auth_attempts_detailed_total", "Total number of authentication attempts with source info", "auth_attempts"},
        {"auth_attempts_detailed_succeeded_total",
         "Total number of successful authentication attempts with source info", "auth_attempts_succeeded"},
        {"auth_attempts_detailed_failed_total", "Total number of failed authentication attempts with source info",
         "auth_attempts_failed"},
    };
    json_t *sources = attempts_sources(h);
    struct buf labels = {0};
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        expose_head(e, figures[f].name, "counter", figures[f].help);
        for (size_t i = 0; i < json_array_size(sources); i++) {
            const json_t *one = json_array_get(sources, i);
            buf_clear(&labels);
            buf_put_u8(&labels, '{');
            label_put(&labels, "remote_address", slice_json(json_object_get(one, "remote_address")));
            buf_put_u8(&labels, ',');
            label_put(&labels, "username", slice_json(json_object_get(one, "username")));
            buf_put_u8(&labels, ',');
            label_put(&labels, "protocol", slice_json(json_object_get(one, "protocol")));
            buf_put_u8(&labels, '}');
            expose_count(e, figures[f].name, buf_slice(&labels),
                         (uint64_t)json_integer_value(json_object_get(one, figures[f].member)));
        }
    }
    buf_close(&labels);
    json_decref(sources);
}

bool scrape_logins(struct scrape *s, struct exposition *e)
{
    const struct totals *t = &s->totals;
    struct http *h = s->http;
    if (s->kind != SCRAPE_SUMS && scrape_has(s, "auth_attempt_detailed_metrics")) expose_sources(e, h);
    if (!scrape_has(s, "auth_attempt_metrics")) return false;
    uint64_t failed = t->logins_failed + atomic_load(&h->logins_failed);
    uint64_t succeeded = t->logins_succeeded + atomic_load(&h->logins_succeeded);
    expose(e, "auth_attempts_total", "counter", "Total number of authorization attempts", failed + succeeded);
    expose(e, "auth_attempts_succeeded_total", "counter", "Total number of successful authentication attempts",
           succeeded);
    expose(e, "auth_attempts_failed_total", "counter", "Total number of failed authentication attempts", failed);
    return false;
}

/* What is known apart: contents in memory, and queues without them. The rest is one figure. */
bool scrape_memory(struct scrape *s, struct exposition *e)
{
    const struct queue_stat *q = &s->totals.queue;
    uint64_t resident = process_resident_bytes(), queues = q->held_bytes - q->memory_bytes;
    uint64_t known = queues + q->memory_bytes;
    expose(e, "memory_quorum_queue_erlang_process_bytes", "gauge", "Queues that this node leads, without contents",
           queues);
    expose(e, "memory_binary_heap_bytes", "gauge", "Contents of messages of these queues", q->memory_bytes);
    expose(e, "memory_other_system_bytes", "gauge", "The rest of the process, in bytes",
           resident > known ? resident - known : 0);
    expose(e, "memory_rss_bytes", "gauge", "Resident memory of the process", resident);
    return false;
}
