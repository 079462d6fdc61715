/* Links: first in, first out; delayed; cut in one direction or both; broken with all that was on its way. */
#include "tests/sim/sim.h"

enum { DELAY_MS = 3, RETRY_MS = 150 };

static struct net_pair *pair_of(struct world *w, uint8_t a, uint8_t b)
{
    for (unsigned i = 0; i < w->pair_count; i++)
        if ((w->pairs[i].a == a && w->pairs[i].b == b) || (w->pairs[i].a == b && w->pairs[i].b == a))
            return &w->pairs[i];
    return NULL;
}

static int direction(const struct net_pair *p, uint8_t from)
{
    return p->a == from ? 0 : 1;
}

void net_open(struct world *w)
{
    for (uint8_t a = 1; a <= w->node_count; a++)
        for (uint8_t b = (uint8_t)(a + 1); b <= w->node_count; b++) {
            struct net_pair *p = &w->pairs[w->pair_count++];
            p->a = a;
            p->b = b;
            list_init(&p->packets[0]);
            list_init(&p->packets[1]);
        }
}

static void drop_packets(struct net_pair *p)
{
    for (int d = 0; d < 2; d++) {
        while (!list_empty(&p->packets[d])) {
            struct packet *packet = LIST_ITEM(p->packets[d].next, struct packet, link);
            list_remove(&packet->link);
            blob_unref(packet->blob);
            mem_free(packet);
        }
        p->last_due_ms[d] = 0;
        p->silent_since_ms[d] = 0;
    }
}

void net_close(struct world *w)
{
    for (unsigned i = 0; i < w->pair_count; i++) drop_packets(&w->pairs[i]);
}

bool net_connected(struct world *w, uint8_t a, uint8_t b)
{
    const struct net_pair *p = pair_of(w, a, b);
    return p && p->up;
}

uint64_t net_queued(struct world *w, uint8_t from, uint8_t to)
{
    struct net_pair *p = pair_of(w, from, to);
    uint64_t bytes = 0;
    if (!p) return 0;
    LIST_FOR(&p->packets[direction(p, from)], link) bytes += LIST_ITEM(link, struct packet, link)->blob->size;
    return bytes;
}

void net_send(struct world *w, uint8_t from, uint8_t to, uint8_t type, struct slice head, const struct part *parts,
              uint32_t part_count)
{
    struct net_pair *p = pair_of(w, from, to);
    if (!p || !p->up) return;
    size_t size = head.size;
    for (uint32_t i = 0; i < part_count; i++) size += parts[i].size;
    struct packet *packet = mem_zalloc(sizeof *packet);
    packet->type = type;
    packet->blob = blob_create(size);
    memcpy(packet->blob->data, head.data, head.size);
    size_t at = head.size;
    for (uint32_t i = 0; i < part_count; i++) {
        struct slice bytes = part_slice(parts[i]);
        memcpy(packet->blob->data + at, bytes.data, bytes.size);
        at += bytes.size;
    }
    int d = direction(p, from);
    packet->due_ms = w->now_ms + random_below(&w->random, DELAY_MS);
    if (packet->due_ms < p->last_due_ms[d]) packet->due_ms = p->last_due_ms[d];
    p->last_due_ms[d] = packet->due_ms;
    list_append(&p->packets[d], &packet->link);
}

static void take_down(struct world *w, struct net_pair *p, uint8_t dead)
{
    if (!p->up) return;
    p->up = false;
    p->retry_ms = w->now_ms + RETRY_MS + random_below(&w->random, RETRY_MS);
    drop_packets(p);
    if (p->a != dead) node_down(w->nodes[p->a], p->b, p->b == dead);
    if (p->b != dead) node_down(w->nodes[p->b], p->a, p->a == dead);
}

void net_node_died(struct world *w, uint8_t node)
{
    for (unsigned i = 0; i < w->pair_count; i++) {
        struct net_pair *p = &w->pairs[i];
        if (p->a != node && p->b != node) continue;
        bool known = !p->cut[0] && !p->cut[1]; /* connect refused cannot be seen through a partition */
        if (known) take_down(w, p, node);
        else if (p->up) {
            drop_packets(p);
            p->up = false;
            p->retry_ms = w->now_ms + SIM_LINK_SILENCE_MS;
            node_down(w->nodes[p->a == node ? p->b : p->a], node, false);
        }
    }
}

void net_break(struct world *w, uint8_t a, uint8_t b)
{
    struct net_pair *p = pair_of(w, a, b);
    if (p) take_down(w, p, 0);
}

void net_cut(struct world *w, uint8_t a, uint8_t b, bool one_way, bool cut)
{
    struct net_pair *p = pair_of(w, a, b);
    int d = direction(p, a);
    p->cut[d] = cut;
    if (!one_way) p->cut[1 - d] = cut;
    for (int i = 0; i < 2; i++) p->silent_since_ms[i] = p->cut[i] ? w->now_ms : 0;
}

static void deliver(struct world *w, struct net_pair *p, int d)
{
    uint8_t from = d == 0 ? p->a : p->b, to = d == 0 ? p->b : p->a;
    if (p->cut[d] || !node_alive(w->nodes[to])) return;
    while (p->up && !list_empty(&p->packets[d])) {
        struct packet *packet = LIST_ITEM(p->packets[d].next, struct packet, link);
        if (packet->due_ms > w->now_ms) return;
        list_remove(&packet->link);
        node_frame(w->nodes[to], from, packet->type, packet->blob);
        blob_unref(packet->blob);
        mem_free(packet);
    }
}

static bool silent(const struct world *w, const struct net_pair *p, int d)
{
    return p->cut[d] && p->silent_since_ms[d] && w->now_ms > p->silent_since_ms[d] + SIM_LINK_SILENCE_MS;
}

static void try_up(struct world *w, struct net_pair *p)
{
    struct sim_node *a = w->nodes[p->a], *b = w->nodes[p->b];
    if (w->now_ms < p->retry_ms || p->cut[0] || p->cut[1] || !node_alive(a) || !node_alive(b)) return;
    p->up = true;
    bool a_first = random_percent(&w->random, 50);
    node_up(a_first ? a : b, a_first ? p->b : p->a);
    if (p->up) node_up(a_first ? b : a, a_first ? p->a : p->b);
}

void net_tick(struct world *w)
{
    for (unsigned i = 0; i < w->pair_count; i++) {
        struct net_pair *p = &w->pairs[i];
        if (p->up && (silent(w, p, 0) || silent(w, p, 1))) take_down(w, p, 0);
        if (!p->up) try_up(w, p);
        for (int d = 0; d < 2 && p->up; d++) deliver(w, p, d);
    }
}
