/* Figures of single queues, connections, channels and groups. */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/metrics.h"
#include "node/http/queue_facts.h"

/* --- queues that this node leads: so nodes add up to the cluster --- */

static const struct queue_figure {
    const char *family, *name, *type, *help;
    size_t offset; /* in struct queue_stat */
    size_t more;   /* another that is added; SIZE_MAX: none */
} queue_figures[] = {
#define STAT(field) offsetof(struct queue_stat, field)
    {"queue_coarse_metrics", "queue_messages_ready", "gauge", "Messages ready to be delivered to consumers",
     STAT(ready), SIZE_MAX},
    {"queue_coarse_metrics", "queue_messages_unacked", "gauge",
     "Messages delivered to consumers but not yet acknowledged", STAT(unacked), SIZE_MAX},
    {"queue_coarse_metrics", "queue_messages", "gauge", "Sum of ready and unacknowledged messages", STAT(ready),
     STAT(unacked)},
    {"queue_consumer_count", "queue_consumers", "gauge", "Consumers on a queue", STAT(consumers), SIZE_MAX},
    {"queue_metrics", "queue_messages_ready_bytes", "gauge", "Size in bytes of ready messages", STAT(ready_bytes),
     SIZE_MAX},
    {"queue_metrics", "queue_messages_unacked_bytes", "gauge", "Size in bytes of all unacknowledged messages",
     STAT(unacked_bytes), SIZE_MAX},
    {"queue_metrics", "queue_messages_bytes", "gauge", "Size in bytes of ready and unacknowledged messages",
     STAT(ready_bytes), STAT(unacked_bytes)},
    {"queue_metrics", "queue_messages_persistent", "gauge", "Persistent messages", STAT(ready), STAT(unacked)},
    {"queue_metrics", "queue_messages_persistent_bytes", "gauge", "Size in bytes of persistent messages",
     STAT(ready_bytes), STAT(unacked_bytes)},
    {"queue_metrics", "queue_messages_published_total", "counter", "Total number of messages published to queues",
     STAT(counts.enqueued), SIZE_MAX},
    {"queue_delivery_metrics", "queue_messages_delivered_ack_total", "counter",
     "Total number of messages delivered from a queue to consumers in manual acknowledgment mode",
     STAT(counts.delivered), SIZE_MAX},
    {"queue_delivery_metrics", "queue_messages_redelivered_total", "counter",
     "Total number of messages redelivered from a queue to consumers", STAT(counts.redelivered), SIZE_MAX},
    {"queue_delivery_metrics", "queue_messages_acked_total", "counter",
     "Total number of messages acknowledged by consumers on a queue", STAT(counts.acked), SIZE_MAX},
#undef STAT
};

static bool among(struct slice list, struct slice one)
{
    if (!list.data) return true;
    for (size_t at = 0; at <= list.size;) {
        size_t end = at;
        while (end < list.size && list.data[end] != ',') end++;
        if (slice_equal(slice_of(list.data + at, end - at), one)) return true;
        at = end + 1;
    }
    return false;
}

static uint64_t figure(const struct queue_stat *s, size_t offset)
{
    return offset == SIZE_MAX ? 0 : *(const uint64_t *)(const void *)((const char *)s + offset);
}

void expose_queues(struct exposition *e, struct http *h, const struct selection *s)
{
    struct queue_list list = {0};
    struct buf labels = {0};
    bool any = false;
    for (size_t f = 0; f < sizeof queue_figures / sizeof queue_figures[0]; f++)
        any |= selection_has(s, queue_figures[f].family);
    if (!any) return;
    queue_list_open(&list, h, (struct slice){0}, (struct slice){0}, NULL);
    for (size_t f = 0; f < sizeof queue_figures / sizeof queue_figures[0]; f++) {
        const struct queue_figure *q = &queue_figures[f];
        if (!selection_has(s, q->family)) continue;
        expose_head(e, q->name, q->type, q->help);
        for (size_t i = 0; i < list.count; i++) {
            const struct queue_facts *facts = &list.items[i];
            struct slice vhost = queue_vhost(&list, facts), name = queue_name(&list, facts);
            if (facts->leader != node_settings(h->params.node)->node || !among(s->vhosts, vhost) ||
                (s->queue.data && !slice_equal(s->queue, name)))
                continue;
            buf_clear(&labels);
            buf_put_u8(&labels, '{');
            label_put(&labels, "vhost", vhost);
            buf_put_u8(&labels, ',');
            label_put(&labels, "queue", name);
            buf_put(&labels, "}", 2);
            expose_value(e, q->name, (const char *)labels.data,
                         (double)(figure(&facts->stat, q->offset) + figure(&facts->stat, q->more)));
        }
    }
    buf_close(&labels);
    queue_list_close(&list);
}

/* --- connections and channels, from their JSON --- */

struct figure {
    const char *family, *name, *type, *help;
    const char *member, *nested; /* nested NULL: the member itself */
};

static void expose_all(struct exposition *e, const json_t *items, const char *label, const struct figure *figures,
                       size_t count, const struct selection *s)
{
    struct buf labels = {0};
    for (size_t f = 0; f < count; f++) {
        if (!selection_has(s, figures[f].family)) continue;
        expose_head(e, figures[f].name, figures[f].type, figures[f].help);
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *item = json_array_get(items, i), *value = json_object_get(item, figures[f].member);
            if (figures[f].nested) value = json_object_get(value, figures[f].nested);
            buf_clear(&labels);
            buf_put_u8(&labels, '{');
            label_put(&labels, label, slice_json(json_object_get(item, "name")));
            buf_put(&labels, "}", 2);
            expose_value(e, figures[f].name, (const char *)labels.data, json_number_value(value));
        }
    }
    buf_close(&labels);
}

static bool wants_any(const struct figure *figures, size_t count, const struct selection *s)
{
    for (size_t f = 0; f < count; f++)
        if (selection_has(s, figures[f].family)) return true;
    return false;
}

void expose_connections(struct exposition *e, struct http *h, const struct selection *s)
{
    static const struct figure figures[] = {
        {"connection_coarse_metrics", "connection_incoming_bytes_total", "counter",
         "Total number of bytes received on a connection", "recv_oct", NULL},
        {"connection_coarse_metrics", "connection_outgoing_bytes_total", "counter",
         "Total number of bytes sent on a connection", "send_oct", NULL},
        {"connection_metrics", "connection_incoming_packets_total", "counter",
         "Total number of packets received on a connection", "recv_cnt", NULL},
        {"connection_metrics", "connection_outgoing_packets_total", "counter",
         "Total number of packets sent on a connection", "send_cnt", NULL},
        {"connection_metrics", "connection_pending_packets", "gauge",
         "Number of packets waiting to be sent on a connection", "send_pend", NULL},
        {"connection_metrics", "connection_channels", "gauge", "Channels on a connection", "channels", NULL},
    };
    size_t count = sizeof figures / sizeof figures[0];
    if (!wants_any(figures, count, s)) return;
    struct view none = {0};
    json_t *items = connections_here(h, &none);
    expose_all(e, items, "connection", figures, count, s);
    json_decref(items);
}

void expose_channels(struct exposition *e, struct http *h, const struct selection *s)
{
    static const struct figure figures[] = {
        {"channel_metrics", "channel_consumers", "gauge", "Consumers on a channel", "consumer_count", NULL},
        {"channel_metrics", "channel_messages_unacked", "gauge", "Delivered but not yet acknowledged messages",
         "messages_unacknowledged", NULL},
        {"channel_metrics", "channel_messages_unconfirmed", "gauge", "Published but not yet confirmed messages",
         "messages_unconfirmed", NULL},
        {"channel_metrics", "channel_messages_uncommitted", "gauge",
         "Messages received in a transaction but not yet committed", "messages_uncommitted", NULL},
        {"channel_metrics", "channel_acks_uncommitted", "gauge",
         "Message acknowledgements in a transaction not yet committed", "acks_uncommitted", NULL},
        {"channel_metrics", "consumer_prefetch", "gauge", "Limit of unacknowledged messages for each consumer",
         "prefetch_count", NULL},
        {"channel_metrics", "channel_prefetch", "gauge",
         "Total limit of unacknowledged messages for all consumers on a channel", "global_prefetch_count", NULL},
        {"channel_exchange_metrics", "channel_messages_published_total", "counter",
         "Total number of messages published into an exchange on a channel", "message_stats", "publish"},
        {"channel_exchange_metrics", "channel_messages_confirmed_total", "counter",
         "Total number of messages published into an exchange and confirmed on the channel", "message_stats",
         "confirm"},
        {"channel_exchange_metrics", "channel_messages_unroutable_returned_total", "counter",
         "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
         "message_stats", "return_unroutable"},
        {"channel_exchange_metrics", "channel_messages_unroutable_dropped_total", "counter",
         "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
         "message_stats", "drop_unroutable"},
        {"channel_queue_metrics", "channel_get_ack_total", "counter",
         "Total number of messages fetched with basic.get in manual acknowledgement mode", "message_stats", "get"},
        {"channel_queue_metrics", "channel_get_total", "counter",
         "Total number of messages fetched with basic.get in automatic acknowledgement mode", "message_stats",
         "get_no_ack"},
        {"channel_queue_metrics", "channel_get_empty_total", "counter",
         "Total number of times basic.get operations fetched no message", "message_stats", "get_empty"},
        {"channel_queue_metrics", "channel_messages_delivered_ack_total", "counter",
         "Total number of messages delivered to consumers in manual acknowledgement mode", "message_stats", "deliver"},
        {"channel_queue_metrics", "channel_messages_delivered_total", "counter",
         "Total number of messages delivered to consumers in automatic acknowledgement mode", "message_stats",
         "deliver_no_ack"},
        {"channel_queue_metrics", "channel_messages_redelivered_total", "counter",
         "Total number of messages redelivered to consumers", "message_stats", "redeliver"},
        {"channel_queue_metrics", "channel_messages_acked_total", "counter",
         "Total number of messages acknowledged by consumers", "message_stats", "ack"},
    };
    size_t count = sizeof figures / sizeof figures[0];
    if (!wants_any(figures, count, s)) return;
    struct view none = {0};
    json_t *items = channels_here(h, &none);
    expose_all(e, items, "channel", figures, count, s);
    json_decref(items);
}

/* --- Raft groups --- */

struct groups {
    struct group_status status[1024];
    bool here[1024];
};

static void look(struct shard *s, void *arg)
{
    struct groups *g = arg;
    for (uint32_t id = 0; id < shard_settings(s)->placement.group_count && id < 1024; id++) {
        struct group *group = broker_group(shard_broker(s), id);
        if (!group) continue;
        group_status(group, &g->status[id]);
        g->here[id] = true;
    }
}

void expose_groups(struct exposition *e, struct http *h, const struct selection *s, bool each)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } figures[] = {
        {"raft_term_total", "counter", "Current Raft term number", offsetof(struct group_status, term)},
        {"raft_log_commit_index", "gauge", "Raft log commit index", offsetof(struct group_status, commit_index)},
        {"raft_log_last_applied_index", "gauge", "Raft log last applied index",
         offsetof(struct group_status, applied_index)},
        {"raft_log_last_written_index", "gauge", "Raft log last written index",
         offsetof(struct group_status, durable_index)},
        {"raft_log_snapshot_index", "gauge", "Raft log snapshot index", offsetof(struct group_status, snapshot_index)},
    };
    (void)s;
    struct groups *g = mem_zalloc(sizeof *g);
    each_shard(h, look, g);
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        uint64_t sum = 0;
        expose_head(e, figures[f].name, figures[f].type, figures[f].help);
        for (unsigned id = 0; id < 1024; id++) {
            if (!g->here[id]) continue;
            uint64_t value = *(const uint64_t *)(const void *)((const char *)&g->status[id] + figures[f].offset);
            char labels[48];
            sum += value;
            snprintf(labels, sizeof labels, "{vhost=\"\",queue=\"group %u\"}", id);
            if (each) expose_value(e, figures[f].name, labels, (double)value);
        }
        if (!each) expose_value(e, figures[f].name, "", (double)sum);
    }
    mem_free(g);
}

/* --- the cluster --- */

struct walk {
    struct exposition *e;
    const struct selection *selection;
    uint64_t cursor;
    bool more;
};

static void names_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct exchange *x = NULL;
    struct topology *t = broker_topology(shard_broker(s));
    for (unsigned i = 0; i < HTTP_SLICE && (x = topology_next_exchange(t, &w->cursor)); i++) {
        if (!among(w->selection->vhosts, x->vhost)) continue;
        struct buf labels = {0};
        buf_put_u8(&labels, '{');
        label_put(&labels, "vhost", x->vhost);
        buf_put_u8(&labels, ',');
        label_put(&labels, "exchange", x->name);
        buf_put_u8(&labels, ',');
        label_put(&labels, "type", x->type);
        buf_put(&labels, "}", 2);
        expose_value(w->e, "exchange_name", (const char *)labels.data, 1);
        buf_close(&labels);
    }
    w->more = x != NULL;
}

void expose_cluster(struct exposition *e, struct http *h, const struct selection *s)
{
    if (selection_has(s, "exchange_names")) {
        struct walk w = {.e = e, .selection = s};
        expose_head(e, "exchange_name", "gauge", "Enumerates exchanges without any additional info");
        do shard_call_any(node_shard(h->params.node, 0), names_slice, &w);
        while (w.more);
    }
}
