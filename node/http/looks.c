/* One look at everything that is counted on this node: shards are asked in slices. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/map.h"
#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/stats.h"

/* On its way over a shard. */
struct walk {
    struct looks *looks;
    uint64_t cursor;
    uint32_t group;
    bool more;
    struct stats node;
    struct map_str vhosts; /* name -> struct look, that a vhost's queues are added up in */
};

static struct look *add(struct looks *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct look *add(struct looks *l, const char *format, ...)
{
    char key[1024]; /* the longest: two names of an exchange, and a queue */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key, sizeof key, format, arguments);
    va_end(arguments);
    if (l->count == l->capacity) l->items = mem_grow(l->items, &l->capacity, l->count + 1, sizeof *l->items);
    struct look *look = &l->items[l->count++];
    *look = (struct look){.key = mem_strdup(key)};
    return look;
}

static void look_at_channels(struct looks *l, const struct shard_connection_info *c)
{
    struct session_channel_info channel;
    for (uint64_t cursor = 0; session_next_channel(c->handle, &cursor, &channel);) {
        struct look *look = add(l, "channel %s (%u)", c->session.peer, channel.number);
        stats_of_session(&look->stats, &channel.stats);
    }
}

static void look_at_connections(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_connection_info c;
    w->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (w->more = shard_next_connection(s, &w->cursor, &c)); i++) {
        struct look *look = add(w->looks, "connection %s", c.session.peer);
        look->stats.values[STAT_RECV_OCT] = c.bytes_in;
        look->stats.values[STAT_SEND_OCT] = c.bytes_out;
        stats_of_session(&w->node, &c.session.stats);
        w->node.values[STAT_SOCKETS_USED]++;
        w->node.values[STAT_PROC_USED] += 1 + c.session.channels;
        look_at_channels(w->looks, &c);
    }
}

static void look_at_closed(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_figures figures;
    shard_figures(s, &figures);
    stats_of_session(&w->node, &figures.closed);
    w->node.values[STAT_CONNECTION_CREATED] += figures.connections_opened;
    w->node.values[STAT_CONNECTION_CLOSED] += figures.connections_closed;
    w->node.values[STAT_IO_READS] += figures.files[FS_READS];
    w->node.values[STAT_IO_READ_BYTES] += figures.files[FS_READ_BYTES];
    w->node.values[STAT_IO_WRITES] += figures.files[FS_WRITES];
    w->node.values[STAT_IO_WRITE_BYTES] += figures.files[FS_WRITE_BYTES];
    w->node.values[STAT_IO_SYNCS] += figures.files[FS_SYNCS];
}

static struct look *look_of_vhost(struct walk *w, struct slice vhost)
{
    struct look *look = map_str_get(&w->vhosts, vhost);
    if (look) return look;
    struct buf key = {0};
    buf_printf(&key, "vhost %.*s", (int)vhost.size, (const char *)vhost.data);
    look = mem_zalloc(sizeof *look);
    look->key = mem_strndup((const char *)key.data, key.size);
    map_str_set(&w->vhosts, slice_str(look->key + strlen("vhost ")), look);
    buf_close(&key);
    return look;
}

static void look_at_queue(struct walk *w, struct shard *s, const struct queue_stat *q)
{
    const struct queue_record *record = topology_queue_by_id(broker_topology(shard_broker(s)), q->id);
    if (broker_leader(shard_broker(s), w->group) == shard_settings(s)->node) {
        w->node.values[STAT_READY] += q->ready;
        w->node.values[STAT_UNACKED] += q->unacked;
        w->node.values[STAT_MESSAGES] += q->ready + q->unacked;
    }
    if (record) stats_of_queue(&look_of_vhost(w, record->vhost)->stats, q);
    struct look *look = add(w->looks, "queue %llu", (unsigned long long)q->id);
    stats_of_queue(&look->stats, q);
}

/* A queue that is empty and always was has no figures. */
static bool has_figures(const struct queue_stat *q)
{
    return q->ready || q->unacked || q->counts.enqueued || q->counts.delivered || q->counts.acked;
}

static void look_at_queues(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct queue_machine *m = broker_queues(shard_broker(s), w->group);
    struct queue_stat q;
    w->more = m != NULL;
    for (unsigned i = 0; i < HTTP_SLICE && w->more && (w->more = queue_machine_next(m, &w->cursor, &q)); i++)
        if (has_figures(&q)) look_at_queue(w, s, &q);
}

static void look_at_exchanges(struct http *h, struct looks *l)
{
    json_t *sums = exchange_counts_here(h), *names, *counts;
    const char *vhost, *name;
    json_object_foreach(sums, vhost, names)
    {
        json_object_foreach(names, name, counts)
        {
            struct look *look = add(l, "exchange %s/%s", vhost, name);
            look->stats.values[STAT_PUBLISH_IN] = (uint64_t)json_integer_value(json_array_get(counts, 0));
            look->stats.values[STAT_PUBLISH_OUT] = (uint64_t)json_integer_value(json_array_get(counts, 1));
        }
    }
    json_decref(sums);
}

static void look_at_flows(struct http *h, struct looks *l)
{
    json_t *rows = flow_counts_here(h), *row;
    const char *key;
    json_object_foreach(rows, key, row)
    {
        const json_t *counts = json_object_get(row, "stats");
        struct look *look = add(l, "%s", key);
        for (unsigned k = 0; k < STAT_MESSAGE_KINDS; k++)
            look->stats.values[k] = (uint64_t)json_integer_value(json_object_get(counts, stat_names[k]));
    }
    json_decref(rows);
}

static void look_at_process(struct stats *node, const struct node_settings *settings)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    node->values[STAT_MEM_USED] = process_resident_bytes();
    node->values[STAT_FD_USED] = process_open_files();
    node->values[STAT_DISK_FREE] = disk_free_bytes(settings->data_dir);
    node->values[STAT_CONTEXT_SWITCHES] = (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
}

static void look_at_shards(struct http *h, struct walk *w)
{
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        struct shard *shard = node_shard(h->params.node, i);
        w->cursor = 0;
        do shard_call_any(shard, look_at_connections, w);
        while (w->more);
        shard_call_any(shard, look_at_closed, w);
    }
}

static void look_at_groups(struct http *h, struct walk *w)
{
    const struct node_settings *settings = node_settings(h->params.node);
    for (w->group = 1; w->group < settings->placement.group_count; w->group++) {
        struct shard *shard = node_shard(h->params.node, (uint16_t)(w->group % settings->shard_count));
        w->cursor = 0;
        do shard_call_any(shard, look_at_queues, w);
        while (w->more);
    }
}

static void move_vhosts(struct walk *w)
{
    struct look *look;
    struct slice name;
    for (size_t at = 0; (look = map_str_next(&w->vhosts, &at, &name));) {
        struct looks *l = w->looks;
        if (l->count == l->capacity) l->items = mem_grow(l->items, &l->capacity, l->count + 1, sizeof *l->items);
        l->items[l->count++] = *look;
        mem_free(look);
    }
    map_str_close(&w->vhosts);
}

void looks_take(struct looks *l, struct http *h)
{
    struct walk w = {.looks = l};
    look_at_shards(h, &w);
    look_at_groups(h, &w);
    look_at_exchanges(h, l);
    look_at_flows(h, l);
    look_at_process(&w.node, node_settings(h->params.node));
    move_vhosts(&w);
    add(l, "node")->stats = w.node;
}

void looks_free(struct looks *l)
{
    for (size_t i = 0; i < l->count; i++) mem_free(l->items[i].key);
    mem_free(l->items);
}
