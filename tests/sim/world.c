/* The clock and the fates: what breaks, when, and what must hold afterwards. */
#include <stdarg.h>
#include <stdio.h>

#include "router/members.h"
#include "tests/sim/sim.h"

enum {
    CALM_UNTIL_MS = 2500, /* leaders, queues and the first messages are there before anything breaks */
    QUIET_MS = 700        /* everything must stay still for so long before the end is believed */
};

void world_fail(struct world *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!w->failed) vsnprintf(w->why, sizeof w->why, format, arguments);
    va_end(arguments);
    if (!w->failed) world_say(w, "FAILED: %s", w->why);
    w->failed = true;
}

void world_say(struct world *w, const char *format, ...)
{
    if (!w->options.verbose) return;
    va_list arguments;
    va_start(arguments, format);
    printf("%6llu ", (unsigned long long)w->now_ms);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

/* --- fates --- */

static uint8_t some_node(struct world *w)
{
    return (uint8_t)(1 + random_below(&w->random, w->node_count));
}

static void crash(struct world *w, uint8_t node)
{
    node_crash(w->nodes[node]);
    w->nodes[node]->start_at_ms =
        w->now_ms + 50 + random_below(&w->random, random_percent(&w->random, 30) ? 9000 : 1500);
}

static void crash_all(struct world *w)
{
    world_say(w, "power cut");
    for (uint8_t node = 1; node <= w->node_count; node++)
        if (w->nodes[node]->running) crash(w, node);
}

static void pause_node(struct world *w, uint8_t node)
{
    struct sim_node *n = w->nodes[node];
    n->paused_until_ms = w->now_ms + 20 + random_below(&w->random, 1200);
    world_say(w, "node %u hangs until %llu", node, (unsigned long long)n->paused_until_ms);
}

static void slow_disk(struct world *w, uint8_t node)
{
    w->nodes[node]->slow_until_ms = w->now_ms + random_below(&w->random, 4000);
    world_say(w, "the disk of node %u is slow until %llu", node, (unsigned long long)w->nodes[node]->slow_until_ms);
}

static void fail_disk(struct world *w, uint8_t node)
{
    if (!w->nodes[node]->running) return;
    world_say(w, "the disk of node %u fails", node);
    disk_fail_next_sync(w->nodes[node]->disk);
}

static void cut_off(struct world *w, uint8_t node, bool one_way)
{
    world_say(w, "node %u is cut off%s", node, one_way ? ", one way" : "");
    fleeting_cut_off(w, node);
    bool outward = random_percent(&w->random, 50);
    for (uint8_t other = 1; other <= w->node_count; other++)
        if (other != node) net_cut(w, outward ? node : other, outward ? other : node, one_way, true);
}

void world_heal(struct world *w)
{
    world_say(w, "the network heals");
    w->fleeting.cut_off = 0;
    for (uint8_t a = 1; a <= w->node_count; a++)
        for (uint8_t b = (uint8_t)(a + 1); b <= w->node_count; b++) net_cut(w, a, b, false, false);
}

static void fates(struct world *w)
{
    if (w->options.trap && w->now_ms >= CALM_UNTIL_MS) trap_tick(w);
    if (w->now_ms < CALM_UNTIL_MS || w->options.calm || w->options.trap || !random_percent(&w->random, 1) ||
        !random_percent(&w->random, 25))
        return;
    uint8_t a = some_node(w), b = some_node(w);
    switch (random_below(&w->random, 14)) {
    case 0:
    case 1:
    case 2:
        crash(w, a);
        return;
    case 3:
        if (random_percent(&w->random, 50)) crash_all(w);
        else fail_disk(w, a);
        return;
    case 4:
    case 5:
        pause_node(w, a);
        return;
    case 6:
        cut_off(w, a, false);
        return;
    case 7:
        cut_off(w, a, true);
        return;
    case 8:
    case 9:
        world_heal(w);
        return;
    case 10:
        if (a != b) net_break(w, a, b);
        return;
    case 11:
    case 12:
        slow_disk(w, a);
        return;
    default:
        world_say(w, "node %u hands its leaderships over", a);
        for (uint32_t g = 0; node_alive(w->nodes[a]) && g < SIM_GROUPS; g++)
            if (node_group(w->nodes[a], g)) group_transfer(w->nodes[a]->groups[g].group, 0, w->now_ms);
    }
}

uint8_t world_leader_of(const struct world *w, uint32_t group, struct group_status *status)
{
    uint8_t leader = 0;
    for (uint8_t node = 1; node <= w->node_count; node++) {
        struct group_status s;
        if (!node_alive(w->nodes[node]) || !node_group(w->nodes[node], group)) continue;
        group_status(node_group(w->nodes[node], group), &s);
        if (!s.leads || (leader && s.term < status->term)) continue;
        leader = node;
        *status = s;
    }
    return leader;
}

static bool is_member(const struct group_status *s, uint8_t node)
{
    for (uint32_t i = 0; i < s->member_count; i++)
        if (s->members[i].node == node) return true;
    return false;
}

/* Replicas of queue groups come and go at random; the meta group only grows: a node without it serves nobody. */
static void change_members(struct world *w)
{
    if (!w->options.membership || w->now_ms < CALM_UNTIL_MS || random_below(&w->random, 60)) return;
    uint32_t id = (uint32_t)random_below(&w->random, SIM_QUEUE_GROUPS + 1);
    struct group_status s;
    uint8_t leader = world_leader_of(w, id, &s), node = some_node(w);
    if (!leader) return;
    enum group_change change = GROUP_CHANGE_ADD;
    uint32_t voters = 0;
    for (uint32_t i = 0; i < s.member_count; i++) voters += s.members[i].role == GROUP_VOTER;
    if (is_member(&s, node)) change = random_percent(&w->random, 50) ? GROUP_CHANGE_PROMOTE : GROUP_CHANGE_REMOVE;
    if (change == GROUP_CHANGE_REMOVE && (id == 0 || voters < 3)) return;
    /* As in the product: who has no topology leads no queues, for it could not route what a queue sends on. */
    bool outsider = !node_group(w->nodes[node], 0) || !group_has_voter(node_group(w->nodes[node], 0), node);
    if (w->options.features && id != 0 && change != GROUP_CHANGE_REMOVE && outsider) return;
    if (group_change(node_group(w->nodes[leader], id), change, node, w->now_ms)) return;
    world_say(w, "group %u: change %d of node %u", id, change, node);
    w->changes++;
}

static void start_what_is_due(struct world *w)
{
    for (uint8_t node = 1; node <= w->node_count; node++) {
        struct sim_node *n = w->nodes[node];
        if (!n->running && !w->failed && w->now_ms >= n->start_at_ms) node_start(n);
    }
}

/* --- the course of a run --- */

static void tick(struct world *w)
{
    w->now_ms++;
    start_what_is_due(w);
    net_tick(w);
    for (unsigned i = 0; i < w->client_count && !w->failed; i++) client_tick(w->clients[i]);
    for (uint8_t node = 1; node <= w->node_count && !w->failed; node++) node_tick(w->nodes[node]);
    fleeting_tick(w);
}

static bool still(const struct world *w)
{
    if (!controlled_at_rest(w)) return false;
    for (unsigned i = 0; i < w->client_count; i++)
        if (!client_content(w->clients[i])) return false;
    for (uint8_t node = 1; node <= w->node_count; node++) {
        const struct sim_node *n = w->nodes[node];
        if (!node_alive(n)) return false;
        for (uint32_t g = 0; g < SIM_GROUPS; g++) {
            struct group_status status, leads;
            uint64_t cursor = 0;
            struct queue_stat stat;
            if (!topology_group_is_there(n->topology, g)) continue;
            if (!world_leader_of(w, g, &leads)) return false;
            bool here = n->groups[g].group != NULL;
            if (here != is_member(&leads, node)) return false;
            if (!here) continue;
            group_status(n->groups[g].group, &status);
            if (status.applied_index != status.commit_index || status.applied_index != leads.applied_index)
                return false;
            while (g && queue_machine_next(n->groups[g].queues, &cursor, &stat))
                if (stat.ready || stat.unacked || stat.delayed || stat.dead_letters_pending) return false;
        }
    }
    return true;
}

static const char *what_moves(const struct world *w)
{
    static const char *const states[] = {"offline", "starting",  "tuning",    "opening",
                                         "channel", "declaring", "selecting", "running"};
    (void)states;
    for (unsigned i = 0; i < w->client_count; i++)
        if (!client_content(w->clients[i]))
            return i < SIM_PUBLISHERS ? "a publisher waits for confirms" : "a consumer is not at rest";
    for (uint8_t node = 1; node <= w->node_count; node++)
        if (!node_alive(w->nodes[node])) return "a node is down";
    return "queues are not empty, or not the same, on every replica";
}

static void tell_groups(struct world *w)
{
    for (uint8_t node = 1; node <= w->node_count; node++)
        for (uint32_t g = 0; w->nodes[node]->running && g < SIM_GROUPS; g++) {
            struct group_status s;
            if (!w->nodes[node]->groups[g].group) continue;
            group_status(w->nodes[node]->groups[g].group, &s);
            world_say(w,
                      "node %u group %u: leads %d leader %u term %llu commit %llu applied %llu last %llu durable %llu "
                      "snapshot %llu",
                      node, g, s.leads, s.leader, (unsigned long long)s.term, (unsigned long long)s.commit_index,
                      (unsigned long long)s.applied_index, (unsigned long long)s.last_index,
                      (unsigned long long)s.durable_index, (unsigned long long)s.snapshot_index);
        }
}

/* Everything heals; then all that was confirmed must come, and everything must come to rest. */
static void settle(struct world *w)
{
    world_heal(w);
    for (unsigned i = 0; i < w->client_count; i++) client_finish(w->clients[i]);
    uint64_t end = w->now_ms + w->options.settle_ms, still_since = 0;
    while (!w->failed && w->now_ms < end) {
        tick(w);
        if (!still(w)) still_since = 0;
        else if (!still_since) still_since = w->now_ms;
        else if (w->now_ms > still_since + QUIET_MS) break;
    }
    char why[256];
    if (!still_since) tell_groups(w);
    if (!w->failed && !ledger_complete(w->ledger, why, sizeof why)) world_fail(w, "%s", why);
    if (!w->failed && !still_since)
        world_fail(w, "no rest %llu ms after the last fault: %s", (unsigned long long)w->options.settle_ms,
                   what_moves(w));
}

static void compare_at_rest(struct world *w)
{
    for (uint32_t g = 0; g < SIM_GROUPS && !w->failed; g++) {
        struct group_status a, b;
        uint8_t leader = world_leader_of(w, g, &a);
        if (leader) controlled_compare(w, g, &a);
        for (uint8_t node = 1; node <= w->node_count && leader; node++) {
            if (!w->nodes[node]->groups[g].group) continue;
            group_status(w->nodes[node]->groups[g].group, &b);
            if (a.applied_index != b.applied_index)
                world_fail(w, "at rest, group %u: node %u applied %llu, node %u %llu", g, leader,
                           (unsigned long long)a.applied_index, node, (unsigned long long)b.applied_index);
            else if (group_digest(w->nodes[leader]->groups[g].group) != group_digest(w->nodes[node]->groups[g].group))
                world_fail(w, "at rest, group %u: nodes %u and %u differ", g, leader, node);
        }
    }
}

static void setup(struct world *w)
{
    w->random.state = w->options.seed * 0x9e3779b97f4a7c15u + 1;
    w->now_ms = 1000;
    w->node_count = w->options.membership || w->options.replicas ? SIM_NODES_MAX : SIM_NODES;
    w->placement = (struct placement){.node_count = SIM_NODES, .group_count = SIM_GROUPS, .replicas = SIM_NODES};
    for (uint8_t i = 0; i < SIM_NODES; i++) w->placement.nodes[i] = (uint8_t)(i + 1);
    controlled_setup(w);
    w->session = (struct session_settings){.channel_max = 16,
                                           .frame_max = 4096,
                                           .handshake_timeout_ms = 10000,
                                           .message_size_max = 1 << 20,
                                           .publish_timeout_ms = 15000,
                                           .product = "RabbitMQ",
                                           .version = "3.13.0",
                                           .cluster_name = "sim",
                                           .node_name = "sim",
                                           .output_high_water = 64 << 10};
    w->ledger = ledger_create(w);
    w->agreement = agreement_create(w);
    net_open(w);
    kinds_choose(w);
    for (uint8_t node = 1; node <= w->node_count; node++) w->nodes[node] = node_create(w, node);
    for (unsigned i = 0; i < w->client_count; i++) w->clients[i] = client_create(w, i);
}

static void tear_down(struct world *w)
{
    for (unsigned i = 0; i < w->client_count; i++) client_destroy(w->clients[i]);
    for (uint8_t node = 1; node <= w->node_count; node++) node_destroy(w->nodes[node]);
    net_close(w);
    ledger_destroy(w->ledger);
    agreement_destroy(w->agreement);
    leaders_close(&w->leaders);
}

bool world_run(const struct sim_options *options, char *why, size_t why_size)
{
    struct world *w = mem_zalloc(sizeof *w);
    w->options = *options;
    w->options.soon_disconnected = options->seed % 2;
    setup(w);
    uint64_t end = w->now_ms + options->run_ms;
    while (!w->failed && w->now_ms < end) {
        fates(w);
        change_members(w);
        controlled_orders(w);
        policies_change(w);
        tick(w);
    }
    trap_end(w);
    if (!w->failed) settle(w);
    if (!w->failed) compare_at_rest(w);
    fleeting_compare(w);
    if (!w->failed) policies_compare(w);
    bool kept = !w->failed;
    snprintf(why, why_size, "%s", kept ? "" : w->why);
    if (kept)
        snprintf(why, why_size,
                 "%llu messages, %llu confirmed, %u crashes, %u elections, %u transfers, %u changes, %u replicas "
                 "dropped, %llu s",
                 (unsigned long long)ledger_count(w->ledger), (unsigned long long)ledger_confirmed_count(w->ledger),
                 w->crashes, w->elections, w->transfers, w->changes, w->dropped, (unsigned long long)w->now_ms / 1000);
    tear_down(w);
    mem_free(w);
    return kept;
}
