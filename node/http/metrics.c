/* /metrics and its relatives: what kind is asked for, and figures of the whole node. */
#include "node/http/metrics.h"
#include "node/http/items.h"

#include <stdio.h>
#include <time.h>

/* --- the format --- */

void expose_head(struct exposition *e, const char *name, const char *type, const char *help)
{
    buf_printf(e->out, "# TYPE %s%s %s\n# HELP %s%s %s\n", e->prefix, name, type, e->prefix, name, help);
}

void expose_value(struct exposition *e, const char *name, const char *labels, double value)
{
    if (value == (double)(int64_t)value) buf_printf(e->out, "%s%s%s %lld\n", e->prefix, name, labels, (long long)value);
    else buf_printf(e->out, "%s%s%s %.6f\n", e->prefix, name, labels, value);
}

void expose_labelled(struct exposition *e, const char *name, const char *type, const char *help, const char *labels,
                     uint64_t value)
{
    expose_head(e, name, type, help);
    expose_value(e, name, labels, (double)value);
}

void expose(struct exposition *e, const char *name, const char *type, const char *help, uint64_t value)
{
    expose_labelled(e, name, type, help, "", value);
}

void label_put(struct buf *b, const char *name, struct slice value)
{
    buf_printf(b, "%s=\"", name);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '\n') buf_put(b, "\\n", 2);
        else {
            if (c == '"' || c == '\\') buf_put_u8(b, '\\');
            buf_put_u8(b, c);
        }
    }
    buf_put_u8(b, '"');
}

bool selection_has(const struct selection *s, const char *family)
{
    size_t size = strlen(family);
    if (!s->families) return true;
    for (const char *at = s->families; *at;) {
        size_t given = strcspn(at, ",");
        if (given == size && !memcmp(at, family, size)) return true;
        at += given + (at[given] == ',');
    }
    return false;
}

/* --- the node --- */

static void expose_identity(struct exposition *e, struct http *h, const char *endpoint)
{
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
    buf_printf(&labels, ",rabbitmq_endpoint=\"%s\"}", endpoint);
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
}

static void expose_churn(struct exposition *e, const struct totals *t)
{
    expose(e, "connections_opened_total", "counter", "Total number of connections opened", t->connections_opened);
    expose(e, "connections_closed_total", "counter", "Total number of connections closed or terminated",
           t->connections_closed);
    expose(e, "channels_opened_total", "counter", "Total number of channels opened", t->stats.channels_opened);
    expose(e, "channels_closed_total", "counter", "Total number of channels closed", t->stats.channels_closed);
    expose(e, "queues_declared_total", "counter", "Total number of queues declared", t->stats.queues_declared);
    expose(e, "queues_created_total", "counter", "Total number of queues created", t->stats.queues_created);
    expose(e, "queues_deleted_total", "counter", "Total number of queues deleted", t->stats.queues_deleted);
}

static void expose_gauges(struct exposition *e, const struct totals *t)
{
    expose(e, "connections", "gauge", "Connections currently open", t->connections);
    expose(e, "channels", "gauge", "Channels currently open", t->channels);
    expose(e, "consumers", "gauge", "Consumers currently connected", t->consumers);
    expose(e, "queues", "gauge", "Queues led by this node", t->queues_led);
    expose(e, "queue_messages_ready", "gauge", "Messages ready to be delivered to consumers", t->ready);
    expose(e, "queue_messages_unacked", "gauge", "Messages delivered to consumers but not yet acknowledged",
           t->unacked);
    expose(e, "queue_messages", "gauge", "Sum of ready and unacknowledged messages", t->ready + t->unacked);
    expose(e, "queue_messages_ready_bytes", "gauge", "Size in bytes of ready messages", t->ready_bytes);
    expose(e, "queue_messages_unacked_bytes", "gauge", "Size in bytes of all unacknowledged messages",
           t->unacked_bytes);
    expose(e, "queue_messages_bytes", "gauge", "Size in bytes of ready and unacknowledged messages",
           t->ready_bytes + t->unacked_bytes);
    expose(e, "queue_consumers", "gauge", "Consumers on a queue", t->consumers);
    expose(e, "queue_messages_published_total", "counter", "Total number of messages published to queues",
           t->stats.routed);
}

static void expose_global(struct exposition *e, const char *name, const char *help, bool of_queues, uint64_t value)
{
    char whole[96];
    snprintf(whole, sizeof whole, "global_messages_%s_total", name);
    expose_labelled(e, whole, "counter", help,
                    of_queues ? "{protocol=\"amqp091\",queue_type=\"rabbit_quorum_queue\"}" : "{protocol=\"amqp091\"}",
                    value);
}

static void expose_globals(struct exposition *e, const struct totals *t)
{
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
}

static void expose_sizes(struct exposition *e, const struct session_stats *s)
{
    static const char *const tops[SESSION_SIZES] = {"100.0", "1000.0", "10000.0", "100000.0", "1e+06",
                                                    "1e+07", "5e+07",  "1e+08",   "+Inf"};
    char labels[64];
    uint64_t sum = 0;
    expose_head(e, "message_size_bytes", "histogram", "Size of messages received from publishers");
    for (unsigned i = 0; i < SESSION_SIZES; i++) {
        sum += s->sizes[i];
        snprintf(labels, sizeof labels, "{protocol=\"amqp091\",le=\"%s\"}", tops[i]);
        expose_value(e, "message_size_bytes_bucket", labels, (double)sum);
    }
    expose_value(e, "message_size_bytes_count", "{protocol=\"amqp091\"}", (double)sum);
    expose_value(e, "message_size_bytes_sum", "{protocol=\"amqp091\"}", (double)s->body_bytes);
}

static void expose_node(struct exposition *e, struct http *h, const struct totals *t)
{
    const struct node_settings *settings = node_settings(h->params.node);
    uint64_t up_ms = (uint64_t)time(NULL) * 1000 - node_started_ms(h->params.node);
    expose(e, "erlang_uptime_seconds", "gauge", "Node uptime", up_ms / 1000);
    expose(e, "process_resident_memory_bytes", "gauge", "Memory used in bytes", process_resident_bytes());
    expose(e, "resident_memory_limit_bytes", "gauge", "Memory high watermark in bytes",
           node_limit_any(h->params.node, NODE_LIMIT_MEMORY));
    expose(e, "process_open_fds", "gauge", "Open file descriptors", process_open_files());
    expose(e, "process_max_fds", "gauge", "Open file descriptors limit", process_files_max());
    expose(e, "process_open_tcp_sockets", "gauge", "Open TCP sockets", t->connections);
    expose(e, "process_max_tcp_sockets", "gauge", "Open TCP sockets limit", process_files_max());
    expose(e, "disk_space_available_bytes", "gauge", "Disk space available in bytes",
           disk_free_bytes(settings->data_dir));
    expose(e, "disk_space_available_limit_bytes", "gauge", "Free disk space low watermark in bytes",
           node_limit_any(h->params.node, NODE_LIMIT_DISK));
    expose(e, "io_sync_ops_total", "counter", "Total number of I/O sync operations", t->log_syncs);
    expose(e, "alarms_free_disk_space_watermark", "gauge", "is 1 if free disk space watermark alarm is in effect",
           t->disk_alarm);
    expose(e, "alarms_memory_used_watermark", "gauge", "is 1 if VM memory watermark alarm is in effect",
           t->memory_alarm);
    expose(e, "alarms_file_descriptor_limit", "gauge", "is 1 if file descriptor limit alarm is in effect",
           process_open_files() >= process_files_max());
}

static void expose_logins(struct exposition *e, struct http *h, const struct totals *t)
{
    uint64_t failed = t->logins_failed + atomic_load(&h->logins_failed);
    uint64_t succeeded = t->logins_succeeded + atomic_load(&h->logins_succeeded);
    expose(e, "auth_attempts_total", "counter", "Total number of authorization attempts", failed + succeeded);
    expose(e, "auth_attempts_succeeded_total", "counter", "Total number of successful authentication attempts",
           succeeded);
    expose(e, "auth_attempts_failed_total", "counter", "Total number of failed authentication attempts", failed);
}

static void expose_own(struct buf *out, struct http *h, const struct totals *t)
{
    struct exposition own = {out, "warren_"};
    expose(&own, "groups_led", "gauge", "Raft groups this node leads", t->groups_led);
    expose(&own, "log_bytes", "gauge", "Bytes of write-ahead log files in use", t->log_bytes);
    expose(&own, "segment_bytes", "gauge", "Bytes of segment files", t->store_bytes);
    expose(&own, "messages_delayed", "gauge", "Messages that came back and wait for their next try", t->delayed);
    expose(&own, "messages_postponed", "gauge", "Messages that x-delayed-message exchanges keep back", t->postponed);
    struct exposition process = {out, "process_"};
    expose(&process, "start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds",
           node_started_ms(h->params.node) / 1000);
}

/* --- paths --- */

static struct exposition begin(struct answer *a, const char *prefix)
{
    a->content_type = "text/plain; version=0.0.4";
    return (struct exposition){&a->body, prefix};
}

static void expose_totals(struct exposition *e, struct http *h)
{
    struct totals t;
    totals_gather(h, &t);
    expose_gauges(e, &t);
    expose_churn(e, &t);
    expose_globals(e, &t);
    expose_sizes(e, &t.stats);
    expose_node(e, h, &t);
    expose_logins(e, h, &t);
    expose_own(e->out, h, &t);
}

void api_metrics_get(struct request *r, struct answer *a)
{
    struct exposition e = begin(a, "rabbitmq_");
    struct selection all = {0};
    expose_identity(&e, r->http, "aggregated");
    expose_totals(&e, r->http);
    expose_groups(&e, r->http, &all, false);
    expose_links(&e, r->http);
}

void api_metrics_per_object(struct request *r, struct answer *a)
{
    struct exposition e = begin(a, "rabbitmq_");
    struct selection all = {0};
    struct totals t;
    totals_gather(r->http, &t);
    expose_identity(&e, r->http, "per-object");
    expose_churn(&e, &t);
    expose_globals(&e, &t);
    expose_sizes(&e, &t.stats);
    expose_node(&e, r->http, &t);
    expose_logins(&e, r->http, &t);
    expose_own(e.out, r->http, &t);
    expose_queues(&e, r->http, &all);
    expose_connections(&e, r->http, &all);
    expose_channels(&e, r->http, &all);
    expose_groups(&e, r->http, &all, true);
    expose_links(&e, r->http);
}

/* Only what ?family names; without one, nothing but who we are. */
void api_metrics_detailed(struct request *r, struct answer *a)
{
    struct exposition e = begin(a, "rabbitmq_"), detailed = {&a->body, "rabbitmq_detailed_"},
                      cluster = {&a->body, "rabbitmq_cluster_"};
    char families[512];
    struct selection s = {.families = families};
    const char *vhost = request_query(r, "vhost"), *queue = request_query(r, "queue");
    request_query_all(r, "family", families, sizeof families);
    if (vhost) s.vhosts = slice_str(vhost);
    if (queue) s.queue = slice_str(queue);
    struct totals t;
    totals_gather(r->http, &t);
    expose_identity(&e, r->http, "detailed");
    if (selection_has(&s, "connection_churn_metrics")) expose_churn(&detailed, &t);
    if (selection_has(&s, "node_coarse_metrics") || selection_has(&s, "node_metrics"))
        expose_node(&detailed, r->http, &t);
    if (selection_has(&s, "auth_attempt_metrics")) expose_logins(&detailed, r->http, &t);
    expose_queues(&detailed, r->http, &s);
    expose_connections(&detailed, r->http, &s);
    expose_channels(&detailed, r->http, &s);
    if (selection_has(&s, "ra_metrics")) expose_groups(&detailed, r->http, &s, true);
    expose_cluster(&cluster, r->http, &s);
}

void api_metrics_memory(struct request *r, struct answer *a)
{
    struct exposition e = begin(a, "rabbitmq_");
    expose_identity(&e, r->http, "memory-breakdown");
    expose(&e, "memory_rss_bytes", "gauge", "Resident memory of the process", process_resident_bytes());
}
