/* Figures of queues that this node leads: so nodes add up to the cluster. */
#include "base/mem.h"
#include "node/http/metrics.h"
#include "node/http/queue_facts.h"

enum { SLICE = HTTP_SLICE, VALUES_MAX = 2 };

/* Values are sums of fields of struct queue_stat, less one. */
struct queue_figure {
    struct figure figure;
    uint8_t plus[VALUES_MAX + 1], minus; /* places in struct queue_stat; 0: none */
    uint8_t special;
    uint8_t clients; /* the sum is what clients of this node did: place in struct session_stats + 1; 0: it is not */
};
enum { SPECIAL_NONE, SPECIAL_CAPACITY, SPECIAL_TIMESTAMP, SPECIAL_ZERO };

#define AT(field) (offsetof(struct queue_stat, field) / sizeof(uint64_t))
#define COUNT(field) AT(counts.field)
#define CLIENTS(field) (offsetof(struct session_stats, field) / sizeof(uint64_t) + 1)

static const struct queue_figure figures[] = {
    {{"queue_coarse_metrics", "queue_messages_ready", "gauge", "Messages ready to be delivered to consumers"},
     {AT(ready)}},
    {{"queue_coarse_metrics", "queue_messages_unacked", "gauge",
      "Messages delivered to consumers but not yet acknowledged"},
     {AT(unacked)}},
    {{"queue_coarse_metrics", "queue_messages", "gauge", "Sum of ready and unacknowledged messages"},
     {AT(ready), AT(unacked)}},
    {{"queue_coarse_metrics", "queue_process_reductions_total", "counter", "Always 0: queues are no processes"},
     .special = SPECIAL_ZERO},
    {{"queue_metrics,queue_consumer_count", "queue_consumers", "gauge", "Consumers on a queue"}, {AT(consumers)}},
    {{"queue_metrics", "queue_consumer_capacity", "gauge", "Consumer capacity"}, .special = SPECIAL_CAPACITY},
    {{"queue_metrics", "queue_consumer_utilisation", "gauge", "Same as consumer capacity"},
     .special = SPECIAL_CAPACITY},
    {{"queue_metrics", "queue_process_memory_bytes", "gauge", "Memory in bytes that the queue keeps"},
     {AT(held_bytes)}},
    {{"queue_metrics", "queue_messages_ram", "gauge", "Ready and unacknowledged messages stored in memory"},
     {AT(memory)}},
    {{"queue_metrics", "queue_messages_ram_bytes", "gauge",
      "Size of ready and unacknowledged messages stored in memory"},
     {AT(memory_bytes)}},
    {{"queue_metrics", "queue_messages_ready_ram", "gauge", "Ready messages stored in memory"}, {AT(memory_ready)}},
    {{"queue_metrics", "queue_messages_unacked_ram", "gauge", "Unacknowledged messages stored in memory"},
     {AT(memory)},
     AT(memory_ready)},
    {{"queue_metrics", "queue_messages_persistent", "gauge", "Persistent messages: all are"}, {AT(ready), AT(unacked)}},
    {{"queue_metrics", "queue_messages_persistent_bytes", "gauge", "Size in bytes of persistent messages"},
     {AT(ready_bytes), AT(unacked_bytes)}},
    {{"queue_metrics", "queue_messages_bytes", "gauge", "Size in bytes of ready and unacknowledged messages"},
     {AT(ready_bytes), AT(unacked_bytes)}},
    {{"queue_metrics", "queue_messages_ready_bytes", "gauge", "Size in bytes of ready messages"}, {AT(ready_bytes)}},
    {{"queue_metrics", "queue_messages_unacked_bytes", "gauge", "Size in bytes of all unacknowledged messages"},
     {AT(unacked_bytes)}},
    {{"queue_metrics", "queue_messages_paged_out", "gauge", "Messages paged out to disk"},
     {AT(ready), AT(unacked), AT(delayed)},
     AT(memory)},
    {{"queue_metrics", "queue_messages_paged_out_bytes", "gauge", "Size in bytes of messages paged out to disk"},
     {AT(ready_bytes), AT(unacked_bytes), AT(delayed_bytes)},
     AT(memory_bytes)},
    {{"queue_metrics", "queue_head_message_timestamp", "gauge", "Timestamp of the first message in the queue, if any"},
     .special = SPECIAL_TIMESTAMP},
    {{"queue_metrics", "queue_disk_reads_total", "counter", "Total number of times queue read messages from disk"},
     {COUNT(read)}},
    {{"queue_metrics", "queue_disk_writes_total", "counter", "Total number of times queue wrote messages to disk"},
     {COUNT(written)}},
    {{"per-object", "queue_messages_published_total", "counter", "Total number of messages published to queues"},
     {COUNT(enqueued)},
     .clients = CLIENTS(routed)},
    {{"queue_delivery_metrics", "queue_get_ack_total", "counter",
      "Total number of messages fetched from a queue with basic.get in manual acknowledgement mode"},
     {COUNT(got)},
     COUNT(got_no_ack),
     .clients = CLIENTS(get)},
    {{"queue_delivery_metrics", "queue_get_total", "counter",
      "Total number of messages fetched from a queue with basic.get in automatic acknowledgement mode"},
     {COUNT(got_no_ack)},
     .clients = CLIENTS(get_no_ack)},
    {{"queue_delivery_metrics", "queue_get_empty_total", "counter",
      "Total number of times basic.get operations fetched no message on a queue"},
     {COUNT(get_empty)},
     .clients = CLIENTS(get_empty)},
    {{"queue_delivery_metrics", "queue_messages_delivered_ack_total", "counter",
      "Total number of messages delivered from a queue to consumers in manual acknowledgement mode"},
     {COUNT(delivered)},
     COUNT(delivered_no_ack),
     .clients = CLIENTS(deliver)},
    {{"queue_delivery_metrics", "queue_messages_delivered_total", "counter",
      "Total number of messages delivered from a queue to consumers in automatic acknowledgement mode"},
     {COUNT(delivered_no_ack)},
     .clients = CLIENTS(deliver_no_ack)},
    {{"queue_delivery_metrics", "queue_messages_redelivered_total", "counter",
      "Total number of messages redelivered from a queue to consumers"},
     {COUNT(redelivered)},
     .clients = CLIENTS(redeliver)},
    {{"queue_delivery_metrics", "queue_messages_acked_total", "counter",
      "Total number of messages acknowledged by consumers on a queue"},
     {COUNT(acked)},
     .clients = CLIENTS(ack)},
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static double value_of(const struct queue_figure *f, const struct queue_stat *stat)
{
    const uint64_t *fields = (const uint64_t *)stat;
    uint64_t sum = 0;
    if (f->special == SPECIAL_CAPACITY) return (double)stat->capacity_permille / 1000;
    for (unsigned i = 0; i <= VALUES_MAX; i++)
        if (f->plus[i]) sum += fields[f->plus[i]];
    /* Consumers' deliveries are what gets did not take. */
    if (f->plus[0] == COUNT(delivered)) sum -= stat->counts.got;
    return (double)(sum - (f->minus ? fields[f->minus] : 0));
}

/* A slice of the queues of a group, on their way from its shard. */
struct row {
    struct queue_stat stat;
    uint64_t timestamp; /* of the head; 0: unknown */
    size_t vhost, name, end;
};
struct rows {
    const struct queue_figure *figure;
    uint32_t group;
    uint64_t cursor;
    bool more;
    unsigned count;
    struct row rows[SLICE];
    struct buf texts;
};

static void look(struct shard *s, void *arg)
{
    struct rows *r = arg;
    struct broker *b = shard_broker(s);
    struct queue_machine *m = broker_queues(b, r->group);
    r->more = m && broker_leader(b, r->group) == shard_settings(s)->node;
    for (unsigned i = 0; i < SLICE && r->more; i++) {
        struct row *row = &r->rows[r->count];
        const struct queue_record *q;
        r->more = queue_machine_next(m, &r->cursor, &row->stat);
        if (!r->more || !(q = topology_queue_by_id(broker_topology(b), row->stat.id))) continue;
        row->timestamp = r->figure->special == SPECIAL_TIMESTAMP ? queue_head_timestamp(m, q->id) : 0;
        row->vhost = r->texts.size;
        buf_put_slice(&r->texts, q->vhost);
        row->name = r->texts.size;
        buf_put_slice(&r->texts, q->name);
        row->end = r->texts.size;
        r->count++;
    }
}

static void put_row(struct scrape *s, struct exposition *e, const struct rows *r, const struct row *row,
                    struct buf *labels)
{
    const struct queue_figure *f = r->figure;
    struct slice vhost = slice_of(r->texts.data + row->vhost, row->name - row->vhost);
    struct slice name = slice_of(r->texts.data + row->name, row->end - row->name);
    if (!scrape_has_queue(s, vhost, name)) return;
    if (f->special == SPECIAL_TIMESTAMP && !row->timestamp) return;
    buf_clear(labels);
    buf_put_u8(labels, '{');
    label_put(labels, "vhost", vhost);
    buf_put_u8(labels, ',');
    label_put(labels, "queue", name);
    buf_put_u8(labels, '}');
    expose_value(e, f->figure.name, buf_slice(labels),
                 f->special == SPECIAL_TIMESTAMP ? (double)row->timestamp : value_of(f, &row->stat));
}

/* The next slice of the figure at hand; false: that was the last. */
static bool put_slice(struct scrape *s, struct exposition *e, const struct queue_figure *f)
{
    const struct node_settings *settings = node_settings(s->http->params.node);
    struct buf labels = {0};
    if (!s->at.group) s->at.group = 1;
    if (s->at.group >= settings->placement.group_count) return false;
    struct rows *r = mem_zalloc(sizeof *r);
    r->figure = f;
    r->group = s->at.group;
    r->cursor = s->at.cursor;
    shard_call_any(node_shard(s->http->params.node, (uint16_t)(r->group % settings->shard_count)), look, r);
    for (unsigned i = 0; i < r->count; i++) put_row(s, e, r, &r->rows[i], &labels);
    s->at.cursor = r->more ? r->cursor : 0;
    if (!r->more) s->at.group++;
    buf_close(&r->texts);
    buf_close(&labels);
    mem_free(r);
    return true;
}

static void put_sum(struct scrape *s, struct exposition *e, const struct queue_figure *f)
{
    const uint64_t *clients = (const uint64_t *)&s->totals.stats;
    if (f->special == SPECIAL_TIMESTAMP) return; /* of one queue, or of none */
    if (f->clients) expose_count(e, f->figure.name, (struct slice){0}, clients[f->clients - 1]);
    else expose_value(e, f->figure.name, (struct slice){0}, value_of(f, &s->totals.queue));
}

bool scrape_queues(struct scrape *s, struct exposition *e)
{
    if (!scrape_figure(s, e, figures, sizeof figures[0], FIGURES)) return false;
    const struct queue_figure *f = &figures[s->at.figure];
    bool more = s->kind != SCRAPE_SUMS && put_slice(s, e, f);
    if (s->kind == SCRAPE_SUMS) put_sum(s, e, f);
    if (!more) s->at = (struct scrape_at){.figure = s->at.figure + 1};
    return true;
}
