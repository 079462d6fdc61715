/* Figures of Raft groups: RabbitMQ's, of which there are older and newer names, and our own. */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/metrics.h"

struct one_group {
    struct group_status status;
    struct group_figures counts;
    struct store_figures store;
    bool here;
    uint64_t queues; /* where it is led */
};

struct raft_figure {
    struct figure figure;
    enum { OF_STATUS, OF_LATENCY, OF_SEGMENTS } source;
    size_t place; /* in struct group_status */
    enum { SUM, AVERAGE, HIGHEST } together;
};
#define STATUS(field) OF_STATUS, offsetof(struct group_status, field)

static const struct raft_figure figures[] = {
    {{"ra_metrics", "raft_term_total", "counter", "Current Raft term number"}, STATUS(term), SUM},
    {{"ra_metrics", "raft_log_snapshot_index", "gauge", "Raft log snapshot index"}, STATUS(snapshot_index), SUM},
    {{"ra_metrics", "raft_log_last_applied_index", "gauge", "Raft log last applied index"}, STATUS(applied_index), SUM},
    {{"ra_metrics", "raft_log_commit_index", "gauge", "Raft log commit index"}, STATUS(commit_index), SUM},
    {{"ra_metrics", "raft_log_last_written_index", "gauge", "Raft log last written index"}, STATUS(durable_index), SUM},
    {{"ra_metrics", "raft_entry_commit_latency_seconds", "gauge", "Time taken for a log entry to be committed"},
     OF_LATENCY,
     0,
     AVERAGE},
    {{"ra_metrics", "raft_term", "gauge", "Current Raft term"}, STATUS(term), SUM},
    {{"ra_metrics", "raft_snapshot_index", "gauge", "Index of the latest checkpoint"}, STATUS(snapshot_index), SUM},
    {{"ra_metrics", "raft_last_applied", "gauge", "Index of the last entry that was applied"},
     STATUS(applied_index),
     SUM},
    {{"ra_metrics", "raft_commit_index", "gauge", "Index of the last entry that is committed"},
     STATUS(commit_index),
     SUM},
    {{"ra_metrics", "raft_last_written_index", "gauge", "Index of the last entry that is on disk"},
     STATUS(durable_index),
     SUM},
    {{"ra_metrics", "raft_commit_latency_seconds", "gauge", "Time taken for a log entry to be committed"},
     OF_LATENCY,
     0,
     AVERAGE},
    {{"ra_metrics", "raft_num_segments", "gauge", "Segment files"}, OF_SEGMENTS, 0, SUM},
    {{"ra_metrics", "raft_max_num_segments", "gauge", "Segment files of the group that has most"},
     OF_SEGMENTS,
     0,
     HIGHEST},
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static double value_of(const struct raft_figure *f, const struct one_group *g)
{
    if (f->source == OF_LATENCY) return (double)g->counts.commit_latency_us / 1e6;
    if (f->source == OF_SEGMENTS) return (double)g->store.segments;
    return (double)*(const uint64_t *)(const void *)((const char *)&g->status + f->place);
}

/* --- what the shards know --- */

struct groups {
    uint32_t count;
    struct one_group *items; /* by id */
};

static void look(struct shard *s, void *arg)
{
    struct groups *g = arg;
    for (uint32_t id = shard_id(s); id < g->count; id += shard_settings(s)->shard_count) {
        struct one_group *one = &g->items[id];
        struct group *group = broker_group(shard_broker(s), id);
        struct queue_machine *m = broker_queues(shard_broker(s), id);
        if (!group) continue;
        one->here = true;
        group_status(group, &one->status);
        group_figures(group, &one->counts);
        shard_store_figures(s, id, &one->store);
        if (m && one->status.leads) one->queues = queue_machine_count(m);
    }
}

static struct groups groups_of(struct scrape *s)
{
    struct groups g = {.count = node_settings(s->http->params.node)->placement.group_count};
    g.items = mem_zalloc(g.count * sizeof *g.items);
    each_shard(s->http, look, &g);
    return g;
}

/* --- RabbitMQ's --- */

static void put_together(struct exposition *e, const struct raft_figure *f, const struct groups *g)
{
    double sum = 0, highest = 0;
    unsigned count = 0;
    for (uint32_t id = 0; id < g->count; id++) {
        const struct one_group *one = &g->items[id];
        if (!one->here || (f->together == AVERAGE && !one->counts.commits)) continue;
        double value = value_of(f, one);
        sum += value;
        count++;
        if (value > highest) highest = value;
    }
    if (f->together == AVERAGE && count) sum /= count;
    expose_value(e, f->figure.name, (struct slice){0}, f->together == HIGHEST ? highest : sum);
}

static void put_each(struct exposition *e, const struct raft_figure *f, const struct groups *g)
{
    char labels[48];
    for (uint32_t id = 0; id < g->count; id++) {
        if (!g->items[id].here) continue;
        snprintf(labels, sizeof labels, "{vhost=\"\",queue=\"group %u\"}", id);
        expose_value(e, f->figure.name, slice_str(labels), value_of(f, &g->items[id]));
    }
}

bool scrape_raft(struct scrape *s, struct exposition *e)
{
    if (!scrape_has(s, "ra_metrics")) return false;
    struct groups g = groups_of(s);
    for (s->at.figure = 0; scrape_figure(s, e, figures, sizeof figures[0], FIGURES); s->at.figure++) {
        const struct raft_figure *f = &figures[s->at.figure];
        s->at.begun = false;
        if (s->kind == SCRAPE_SUMS || f->together == HIGHEST) put_together(e, f, &g);
        else put_each(e, f, &g);
    }
    mem_free(g.items);
    return false;
}

/* --- our own --- */

/* Entries that a member does not have yet, of the groups led here. */
static void put_lag(struct exposition *e, struct scrape *s, const struct groups *g)
{
    uint64_t lag[NODE_IDS] = {0};
    struct members members;
    struct buf labels = {0};
    for (uint32_t id = 0; id < g->count; id++) {
        const struct group_status *status = &g->items[id].status;
        for (uint32_t i = 0; status->leads && i < status->member_count; i++)
            if (status->match_index[i] < status->last_index)
                lag[status->members[i].node % NODE_IDS] += status->last_index - status->match_index[i];
    }
    members_open(s->http, &members);
    expose_head(e, "replica_lag_entries", "gauge", "Entries of groups led here that a member does not have yet");
    for (unsigned id = 0; id < NODE_IDS; id++) {
        if (!members.names[id] || id == node_settings(s->http->params.node)->node) continue;
        buf_clear(&labels);
        buf_put_u8(&labels, '{');
        label_put(&labels, "node", slice_str(members.names[id]));
        buf_put_u8(&labels, '}');
        expose_count(e, "replica_lag_entries", buf_slice(&labels), lag[id]);
    }
    buf_close(&labels);
    members_close(&members);
}

static void put_waits(struct exposition *e, const struct totals *t)
{
    static const char *const causes[SHARD_WAITS] = {[WAIT_UNANSWERED] = "{cause=\"unanswered_publishes\"}",
                                                    [WAIT_SHARDS] = "{cause=\"busy_shard\"}",
                                                    [WAIT_READER] = "{cause=\"slow_reader\"}"};
    expose_head(e, "waits_total", "counter", "How often a connection was made to wait, by what is to blame");
    for (unsigned i = 0; i < SHARD_WAITS; i++) expose_count(e, "waits_total", slice_str(causes[i]), t->waits[i]);
}

static void put_busy(struct exposition *e, struct scrape *s)
{
    char labels[32];
    expose_head(e, "shard_busy_ratio", "gauge", "Share of the last seconds that a shard's thread was at work");
    for (uint16_t i = 0; i < node_settings(s->http->params.node)->shard_count; i++) {
        snprintf(labels, sizeof labels, "{shard=\"%u\"}", i);
        expose_value(e, "shard_busy_ratio", slice_str(labels),
                     shard_busy_any(node_shard(s->http->params.node, i)) / 1000.0);
    }
}

static void put_pauses(struct exposition *e, const struct group_figures *f)
{
    static const char *const tops[GROUP_PAUSES] = {"0.01", "0.025", "0.05", "0.1",  "0.25", "0.5",
                                                   "1.0",  "2.5",   "5.0",  "10.0", "+Inf"};
    char labels[32];
    uint64_t count = 0;
    expose_head(e, "leaderless_seconds", "histogram",
                "How long groups had no leader, before this node led them: since the old one was last heard");
    for (unsigned i = 0; i < GROUP_PAUSES; i++) {
        count += f->pauses[i];
        snprintf(labels, sizeof labels, "{le=\"%s\"}", tops[i]);
        expose_count(e, "leaderless_seconds_bucket", slice_str(labels), count);
    }
    expose_count(e, "leaderless_seconds_count", (struct slice){0}, count);
    expose_value(e, "leaderless_seconds_sum", (struct slice){0}, (double)f->pause_ms / 1000);
}

static void put_groups(struct exposition *e, struct scrape *s, const struct groups *g)
{
    char labels[32];
    if (s->kind == SCRAPE_SUMS) return;
    expose_head(e, "group_queues", "gauge", "Queues of each group led here");
    for (uint32_t id = 1; id < g->count; id++) {
        if (!g->items[id].status.leads) continue;
        snprintf(labels, sizeof labels, "{group=\"%u\"}", id);
        expose_count(e, "group_queues", slice_str(labels), g->items[id].queues);
    }
}

bool scrape_own(struct scrape *s, struct exposition *outer)
{
    struct exposition own = {outer->out, "warren_"}, *e = &own;
    const struct totals *t = &s->totals;
    struct groups g = groups_of(s);
    expose(e, "groups_led", "gauge", "Raft groups this node leads", t->groups_led);
    expose(e, "queues_led", "gauge", "Queues of these groups", t->queues_led);
    expose(e, "leaderships_total", "counter", "How often this node became the leader of a group",
           t->groups.leaderships);
    expose(e, "commits_total", "counter", "Entries that this node proposed and applied", t->groups.commits);
    expose_seconds(e, "commit_seconds_total", "counter", "From proposed to applied, all of them together",
                   (double)t->groups.commit_ms / 1000);
    put_pauses(e, &t->groups);
    put_lag(e, s, &g);
    put_groups(e, s, &g);
    put_busy(e, s);
    put_waits(e, t);
    expose(e, "log_bytes", "gauge", "Bytes of write-ahead log files in use", t->log_bytes);
    expose(e, "segment_bytes", "gauge", "Bytes of segment files", t->stores.disk_bytes);
    expose(e, "segment_live_bytes", "gauge", "Of these, contents that are still wanted", t->stores.live_bytes);
    expose(e, "segment_dead_bytes", "gauge", "The rest: a checkpoint gives it back",
           t->stores.disk_bytes -
               (t->stores.live_bytes < t->stores.disk_bytes ? t->stores.live_bytes : t->stores.disk_bytes));
    expose(e, "checkpoints_total", "counter", "Checkpoints that became durable", t->stores.checkpoints);
    expose(e, "messages_delayed", "gauge", "Messages that came back and wait for their next try", t->queue.delayed);
    expose(e, "messages_postponed", "gauge", "Messages that x-delayed-message exchanges keep back",
           t->machines.postponed);
    expose(e, "messages_deduplicated_total", "counter", "Messages that deduplicating queues and exchanges dropped",
           t->machines.repeats);
    expose(e, "dead_letters_pending", "gauge", "Dead letters that their targets do not have yet",
           t->queue.dead_letters_pending);
    expose(e, "timers_pending", "gauge", "Times that queues wait for: expiry, retries, timeouts", t->machines.timers);
    mem_free(g.items);
    return false;
}
