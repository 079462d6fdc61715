/* Figures of the connections and channels of this node. Lines are put on the shards' threads, a few at a time. */
#include <stdio.h>

#include "node/http/metrics.h"

enum { SLICE = 64 /* connections, or channels, that one call on a shard shows */ };

struct client_figure {
    struct figure figure;
    enum source { OF_CONNECTION, OF_CHANNEL, OF_EXCHANGE, OF_QUEUE, OF_ROUTED, OF_NOTHING } source;
    size_t place;    /* in the source's struct, of a uint64_t */
    uint8_t clients; /* place in struct session_stats + 1: the sum, with what is closed; 0: the sum of what is there */
};
#define CLIENTS(field) (offsetof(struct session_stats, field) / sizeof(uint64_t) + 1)
#define EXCHANGE(field, all) OF_EXCHANGE, offsetof(struct session_exchange_counts, field), CLIENTS(all)
#define QUEUE(field) OF_QUEUE, offsetof(struct session_queue_counts, field), CLIENTS(field)

struct connection_values {
    uint64_t bytes_in, bytes_out, frames_in, frames_out, channels;
};
struct channel_values {
    uint64_t consumers, unacked, unconfirmed, uncommitted, acks_uncommitted, prefetch, global_prefetch;
};

static const struct client_figure connection_figures[] = {
    {{"connection_coarse_metrics", "connection_incoming_bytes_total", "counter",
      "Total number of bytes received on a connection"},
     OF_CONNECTION,
     offsetof(struct connection_values, bytes_in)},
    {{"connection_coarse_metrics", "connection_outgoing_bytes_total", "counter",
      "Total number of bytes sent on a connection"},
     OF_CONNECTION,
     offsetof(struct connection_values, bytes_out)},
    {{"connection_coarse_metrics", "connection_process_reductions_total", "counter",
      "Always 0: connections are no processes"},
     OF_NOTHING},
    {{"connection_metrics", "connection_incoming_packets_total", "counter",
      "Total number of packets received on a connection"},
     OF_CONNECTION,
     offsetof(struct connection_values, frames_in)},
    {{"connection_metrics", "connection_outgoing_packets_total", "counter",
      "Total number of packets sent on a connection"},
     OF_CONNECTION,
     offsetof(struct connection_values, frames_out)},
    {{"connection_metrics", "connection_pending_packets", "gauge",
      "Always 0: what is not written yet is a stream of bytes"},
     OF_NOTHING},
    {{"connection_metrics", "connection_channels", "gauge", "Channels on a connection"},
     OF_CONNECTION,
     offsetof(struct connection_values, channels)},
};
enum { CONNECTION_FIGURES = sizeof connection_figures / sizeof connection_figures[0] };

#define CHANNEL(field) OF_CHANNEL, offsetof(struct channel_values, field)
static const struct client_figure channel_figures[] = {
    {{"channel_metrics", "channel_consumers", "gauge", "Consumers on a channel"}, CHANNEL(consumers)},
    {{"channel_metrics", "channel_messages_unacked", "gauge", "Delivered but not yet acknowledged messages"},
     CHANNEL(unacked)},
    {{"channel_metrics", "channel_messages_unconfirmed", "gauge", "Published but not yet confirmed messages"},
     CHANNEL(unconfirmed)},
    {{"channel_metrics", "channel_messages_uncommitted", "gauge",
      "Messages received in a transaction but not yet committed"},
     CHANNEL(uncommitted)},
    {{"channel_metrics", "channel_acks_uncommitted", "gauge",
      "Message acknowledgements in a transaction not yet committed"},
     CHANNEL(acks_uncommitted)},
    {{"channel_metrics", "consumer_prefetch", "gauge", "Limit of unacknowledged messages for each consumer"},
     CHANNEL(prefetch)},
    {{"channel_metrics", "channel_prefetch", "gauge",
      "Total limit of unacknowledged messages for all consumers on a channel"},
     CHANNEL(global_prefetch)},
    {{"channel_exchange_metrics", "channel_messages_published_total", "counter",
      "Total number of messages published into an exchange on a channel"},
     EXCHANGE(in, publish)},
    {{"channel_exchange_metrics", "channel_messages_confirmed_total", "counter",
      "Total number of messages published into an exchange and confirmed on the channel"},
     EXCHANGE(confirmed, confirm)},
    {{"channel_exchange_metrics", "channel_messages_unroutable_returned_total", "counter",
      "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable"},
     EXCHANGE(returned, return_unroutable)},
    {{"channel_exchange_metrics", "channel_messages_unroutable_dropped_total", "counter",
      "Total number of messages published as non-mandatory into an exchange and dropped as unroutable"},
     EXCHANGE(dropped, drop_unroutable)},
    {{"channel_process_metrics", "channel_process_reductions_total", "counter", "Always 0: channels are no processes"},
     OF_NOTHING},
    {{"channel_queue_metrics", "channel_get_ack_total", "counter",
      "Total number of messages fetched with basic.get in manual acknowledgement mode"},
     QUEUE(get)},
    {{"channel_queue_metrics", "channel_get_total", "counter",
      "Total number of messages fetched with basic.get in automatic acknowledgement mode"},
     QUEUE(get_no_ack)},
    {{"channel_queue_metrics", "channel_get_empty_total", "counter",
      "Total number of times basic.get operations fetched no message"},
     QUEUE(get_empty)},
    {{"channel_queue_metrics", "channel_messages_delivered_ack_total", "counter",
      "Total number of messages delivered to consumers in manual acknowledgement mode"},
     QUEUE(deliver)},
    {{"channel_queue_metrics", "channel_messages_delivered_total", "counter",
      "Total number of messages delivered to consumers in automatic acknowledgement mode"},
     QUEUE(deliver_no_ack)},
    {{"channel_queue_metrics", "channel_messages_redelivered_total", "counter",
      "Total number of messages redelivered to consumers"},
     QUEUE(redeliver)},
    {{"channel_queue_metrics", "channel_messages_acked_total", "counter",
      "Total number of messages acknowledged by consumers"},
     QUEUE(ack)},
    {{"channel_queue_exchange_metrics", "queue_messages_published_total", "counter",
      "Total number of messages published into a queue through an exchange on a channel"},
     OF_ROUTED},
};
enum { CHANNEL_FIGURES = sizeof channel_figures / sizeof channel_figures[0] };

/* --- one slice --- */

struct slice_of_clients {
    struct scrape *scrape;
    struct exposition *e;
    const struct client_figure *figure;
    struct shard *shard;
    struct buf labels;
    bool more;
};

static uint64_t value_in(const struct client_figure *f, const void *values)
{
    return f->source == OF_NOTHING ? 0 : *(const uint64_t *)(const void *)((const char *)values + f->place);
}

/* The labels hold the connection or channel already, without the last brace; `size` of them stay. */
static void put(struct slice_of_clients *l, size_t size, uint64_t value)
{
    if (l->scrape->kind == SCRAPE_SUMS) {
        l->scrape->at.sum += value;
    } else {
        buf_put_u8(&l->labels, '}');
        expose_count(l->e, l->figure->figure.name, buf_slice(&l->labels), value);
    }
    l->labels.size = size;
}

static void more_label(struct slice_of_clients *l, const char *name, struct slice value)
{
    buf_put_u8(&l->labels, ',');
    label_put(&l->labels, name, value);
}

static const struct queue_record *queue_of(const struct slice_of_clients *l, uint64_t id)
{
    return topology_queue_by_id(broker_topology(shard_broker(l->shard)), id);
}

static void put_routed(struct slice_of_clients *l, struct slice vhost, const struct session_exchange_info *x)
{
    size_t size = l->labels.size;
    for (size_t i = 0; i < x->routed_count; i++) {
        const struct queue_record *q = queue_of(l, x->routed[i].queue);
        if (!q) continue;
        more_label(l, "queue_vhost", q->vhost);
        more_label(l, "queue", q->name);
        more_label(l, "exchange_vhost", vhost);
        more_label(l, "exchange", x->name);
        put(l, size, x->routed[i].count);
    }
}

static void put_channel(struct slice_of_clients *l, const struct shard_connection_info *c,
                        const struct session_channel_info *i)
{
    char name[160];
    size_t at = 0, size;
    struct session_exchange_info x;
    struct session_queue_counts counts;
    snprintf(name, sizeof name, "%s (%u)", c->session.peer, i->number);
    buf_clear(&l->labels);
    buf_put_u8(&l->labels, '{');
    label_put(&l->labels, "channel", slice_str(name));
    size = l->labels.size;
    if (l->figure->source == OF_CHANNEL || l->figure->source == OF_NOTHING) {
        struct channel_values values = {i->consumers,        i->unacked,  i->unconfirmed,    i->uncommitted,
                                        i->acks_uncommitted, i->prefetch, i->global_prefetch};
        put(l, size, value_in(l->figure, &values));
    }
    while (l->figure->source == OF_EXCHANGE && session_next_channel_exchange(c->handle, i->number, &at, &x)) {
        more_label(l, "vhost", c->session.vhost);
        more_label(l, "exchange", x.name);
        put(l, size, value_in(l->figure, &x.counts));
    }
    while (l->figure->source == OF_ROUTED && session_next_channel_exchange(c->handle, i->number, &at, &x))
        put_routed(l, c->session.vhost, &x);
    while (l->figure->source == OF_QUEUE && session_next_channel_queue(c->handle, i->number, &at, &counts)) {
        const struct queue_record *q = queue_of(l, counts.queue);
        if (!q) continue;
        more_label(l, "vhost", q->vhost);
        more_label(l, "queue", q->name);
        put(l, size, value_in(l->figure, &counts));
    }
}

static void look_at_channels(struct shard *s, void *arg)
{
    struct slice_of_clients *l = arg;
    struct scrape_at *at = &l->scrape->at;
    struct shard_connection_info c;
    struct session_channel_info channel;
    l->shard = s;
    l->more = true;
    for (unsigned made = 0; made < SLICE;) {
        uint64_t before = at->cursor;
        if (!(l->more = shard_next_connection(s, &at->cursor, &c))) return;
        for (; made < SLICE && session_next_channel(c.handle, &at->channel, &channel); made++)
            put_channel(l, &c, &channel);
        if (made == SLICE) at->cursor = before; /* the same connection again, from this channel on */
        else at->channel = 0;
    }
}

static void look_at_connections(struct shard *s, void *arg)
{
    struct slice_of_clients *l = arg;
    struct shard_connection_info c;
    l->more = true;
    for (unsigned i = 0; i < SLICE && (l->more = shard_next_connection(s, &l->scrape->at.cursor, &c)); i++) {
        struct connection_values values = {c.bytes_in, c.bytes_out, c.session.received_frames, c.session.sent_frames,
                                           c.session.channels};
        buf_clear(&l->labels);
        buf_put_u8(&l->labels, '{');
        label_put(&l->labels, "connection", slice_str(c.session.peer));
        put(l, 0, value_in(l->figure, &values));
    }
}

/* --- the walk --- */

/* A slice of the figure at hand; false: that was all of it. */
static bool put_slice(struct scrape *s, struct exposition *e, const struct client_figure *f)
{
    struct slice_of_clients l = {.scrape = s, .e = e, .figure = f};
    shard_call_any(node_shard(s->http->params.node, s->at.shard),
                   f->source == OF_CONNECTION || !strncmp(f->figure.name, "connection", 10) ? look_at_connections
                                                                                            : look_at_channels,
                   &l);
    buf_close(&l.labels);
    if (l.more) return true;
    s->at.cursor = s->at.channel = 0;
    return ++s->at.shard < node_settings(s->http->params.node)->shard_count;
}

static bool scrape_clients(struct scrape *s, struct exposition *e, const struct client_figure *figures, size_t count)
{
    const uint64_t *clients = (const uint64_t *)&s->totals.stats;
    /* Its name is taken by queues, but where families are chosen. */
    while (s->kind != SCRAPE_DETAILED && s->at.figure < count && figures[s->at.figure].source == OF_ROUTED)
        s->at.figure++;
    if (!scrape_figure(s, e, figures, sizeof figures[0], count)) return false;
    const struct client_figure *f = &figures[s->at.figure];
    bool sum_known = s->kind == SCRAPE_SUMS && f->clients;
    if (!sum_known && put_slice(s, e, f)) return true;
    if (s->kind == SCRAPE_SUMS)
        expose_count(e, f->figure.name, (struct slice){0}, sum_known ? clients[f->clients - 1] : s->at.sum);
    s->at = (struct scrape_at){.figure = s->at.figure + 1};
    return true;
}

bool scrape_connections(struct scrape *s, struct exposition *e)
{
    return scrape_clients(s, e, connection_figures, CONNECTION_FIGURES);
}

bool scrape_channels(struct scrape *s, struct exposition *e)
{
    return scrape_clients(s, e, channel_figures, CHANNEL_FIGURES);
}
