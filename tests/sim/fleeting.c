/* An exchange that is not durable: there as long as a process is, gone when all have ended. */
#include "tests/sim/sim.h"

enum { DECLARE_MS = 2000 /* while everything is calm */ };

static void declared(void *arg, const struct broker_changed *changed)
{
    struct world *w = arg;
    if (changed->reply_code || !changed->created) return;
    w->fleeting.there = true;
    for (uint8_t node = 1; node <= w->node_count; node++) w->fleeting.steady[node] = w->nodes[node]->running;
    world_say(w, "the fleeting exchange is there");
}

void fleeting_tick(struct world *w)
{
    struct fleeting *f = &w->fleeting;
    if (!f->asked && w->now_ms >= DECLARE_MS && node_alive(w->nodes[1])) {
        struct topology_command c = {.type = TOPOLOGY_EXCHANGE_DECLARE,
                                     .vhost = slice_str("/"),
                                     .name = slice_str("fleeting"),
                                     .kind = slice_str("direct")};
        f->asked = true;
        broker_change(w->nodes[1]->broker, &c, declared, w);
    }
    bool any = false;
    for (uint8_t node = 1; node <= w->node_count; node++) any |= w->nodes[node]->running;
    if (f->there && !any) f->ended = true;
}

void fleeting_unsteady(struct world *w, uint8_t node)
{
    w->fleeting.steady[node] = false;
}

/* The others still see each other, unless one of them was cut off before. */
void fleeting_cut_off(struct world *w, uint8_t node)
{
    struct fleeting *f = &w->fleeting;
    for (uint8_t other = 1; other <= w->node_count; other++)
        if (other == node || (f->cut_off && f->cut_off != node)) f->steady[other] = false;
    f->cut_off = node;
}

void fleeting_compare(struct world *w)
{
    const struct fleeting *f = &w->fleeting;
    bool kept = false;
    if (!f->there || w->failed) return;
    for (uint8_t node = 1; node <= w->node_count; node++) kept |= f->steady[node];
    for (uint8_t node = 1; node <= w->node_count && !w->failed; node++) {
        bool here = topology_exchange(w->nodes[node]->topology, slice_str("/"), slice_str("fleeting"));
        if (kept && !here) world_fail(w, "node %u: what is transient went although a node ran all the time", node);
        if (f->ended && here) world_fail(w, "node %u: what is transient survived a time without any process", node);
    }
    world_say(w, "the fleeting exchange: %s", kept ? "a node ran all the time" : f->ended ? "all were down" : "-");
}
