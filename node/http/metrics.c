/* /metrics: Prometheus' text format 0.0.4 with RabbitMQ's names for the basics. */
#include "node/http/http_internal.h"

static void metric(struct answer *a, const char *name, const char *type, const char *help, uint64_t value)
{
    buf_printf(&a->body, "# TYPE %s %s\n# HELP %s %s\n%s %llu\n", name, type, name, help, name,
               (unsigned long long)value);
}

void api_metrics_get(struct request *r, struct answer *a)
{
    struct http *h = r->http;
    struct totals t;
    totals_gather(h, &t);
    const struct node_settings *settings = node_settings(h->params.node);
    a->content_type = "text/plain; version=0.0.4";
    buf_printf(
        &a->body,
        "# TYPE rabbitmq_identity_info untyped\n# HELP rabbitmq_identity_info RabbitMQ node & cluster identity info\n"
        "rabbitmq_identity_info{rabbitmq_node=\"%s\",rabbitmq_cluster=\"%s\",rabbitmq_endpoint=\"aggregated\"} 1\n",
        settings->name, h->params.cluster_name);
    buf_printf(&a->body,
               "# TYPE rabbitmq_build_info untyped\n# HELP rabbitmq_build_info RabbitMQ & Erlang/OTP version info\n"
               "rabbitmq_build_info{rabbitmq_version=\"%s\",product_name=\"%s\",product_version=\"%s\"} 1\n",
               h->params.version, h->params.product, h->params.version);
    metric(a, "rabbitmq_connections", "gauge", "Connections currently open", t.connections);
    metric(a, "rabbitmq_channels", "gauge", "Channels currently open", t.channels);
    metric(a, "rabbitmq_consumers", "gauge", "Consumers currently connected", t.consumers);
    metric(a, "rabbitmq_queues", "gauge", "Queues available", t.queues);
    metric(a, "rabbitmq_queue_messages_ready", "gauge", "Messages ready to be delivered to consumers", t.ready);
    metric(a, "rabbitmq_queue_messages_unacked", "gauge", "Messages delivered to consumers but not yet acknowledged",
           t.unacked);
    metric(a, "rabbitmq_queue_messages", "gauge", "Sum of ready and unacknowledged messages", t.ready + t.unacked);
    metric(a, "rabbitmq_connections_opened_total", "counter", "Total number of connections opened",
           t.connections_opened);
    metric(a, "rabbitmq_connections_closed_total", "counter", "Total number of connections closed or terminated",
           t.connections_closed);
    metric(a, "rabbitmq_process_resident_memory_bytes", "gauge", "Memory used in bytes", process_resident_bytes());
    metric(a, "rabbitmq_process_open_fds", "gauge", "Open file descriptors", process_open_files());
    metric(a, "rabbitmq_process_max_fds", "gauge", "Open file descriptors limit", process_files_max());
    metric(a, "rabbitmq_disk_space_available_bytes", "gauge", "Disk space available in bytes",
           disk_free_bytes(settings->data_dir));
    metric(a, "rabbitmq_alarms_free_disk_space_watermark", "gauge",
           "is 1 if free disk space watermark alarm is in effect", t.disk_alarm);
    metric(a, "rabbitmq_alarms_memory_used_watermark", "gauge", "is 1 if VM memory watermark alarm is in effect",
           t.memory_alarm);
    metric(a, "rabbitmq_io_sync_ops_total", "counter", "Total number of I/O sync operations", t.log_syncs);
    metric(a, "warren_groups_led", "gauge", "Raft groups this node leads", t.groups_led);
    metric(a, "warren_log_bytes", "gauge", "Bytes of write-ahead log files in use", t.log_bytes);
    metric(a, "warren_segment_bytes", "gauge", "Bytes of segment files", t.store_bytes);
}
