/* What a replica counts for metrics. Nothing here decides anything. */
#include "replication/group/group_internal.h"

static const uint64_t pause_tops_ms[GROUP_PAUSES - 1] = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

static uint64_t *proposed_at(struct group *g, uint64_t index)
{
    return &g->proposed_ms[index % GROUP_ENTRIES_IN_FLIGHT_MAX];
}

void figures_proposed(struct group *g)
{
    *proposed_at(g, core_last_index(g->core)) = g->now_ms;
}

void figures_applied(struct group *g, uint64_t index)
{
    uint64_t took_ms = g->now_ms - *proposed_at(g, index);
    struct group_figures *f = &g->figures;
    f->commits++;
    f->commit_ms += took_ms;
    f->commit_latency_us = f->commits == 1 ? took_ms * 1000 : (f->commit_latency_us * 15 + took_ms * 1000) / 16;
}

/* The first leader that a replica knows of ends no pause: the cluster was down, or this node. */
void figures_leading(struct group *g)
{
    unsigned bucket = 0;
    g->figures.leaderships++;
    if (!g->heard_term) return;
    uint64_t pause_ms = g->now_ms - g->heard_ms;
    while (bucket < GROUP_PAUSES - 1 && pause_ms > pause_tops_ms[bucket]) bucket++;
    g->figures.pauses[bucket]++;
    g->figures.pause_ms += pause_ms;
}

void group_figures(const struct group *g, struct group_figures *figures)
{
    *figures = g->figures;
}
