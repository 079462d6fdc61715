/* /api/cluster: the members, where replicas belong, and what an operator does about them: drain, revive, leave, forget.
 * A node joins by itself (cluster.join). Not RabbitMQ's. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/http/conversation.h"
#include "node/http/http_internal.h"
#include "router/members.h"

enum { FORGET_MOMENTS = 30 /* tenths of a second */ };

static const char *const states[] = {
    [MEMBER_IN] = "member", [MEMBER_DRAINING] = "draining", [MEMBER_LEAVING] = "leaving", [MEMBER_GONE] = "removed"};

/* --- looking --- */

static json_t *member_json(struct shard *s, uint8_t node)
{
    struct topology *t = broker_topology(shard_broker(s));
    const struct member *m = topology_member(t, node);
    int replicas = 0, first = 0;
    for (uint32_t g = 1; g < shard_settings(s)->placement.group_count; g++) {
        const struct placed *p = topology_placed(t, g);
        replicas += p->count && memchr(p->nodes, node, p->count);
        first += p->count && p->nodes[0] == node;
    }
    return json_pack("{s:i, s:o, s:s, s:s, s:s, s:i, s:s, s:b, s:i, s:i}", "id", node, "name",
                     json_slice(slice_str(*m->name ? m->name : shard_node_name(s, node))), "address", m->address,
                     "zone", m->zone, "tags", m->tags, "level", m->level, "state", states[m->state], "running",
                     shard_peer_connected(s, node), "replicas", replicas, "preferred_leader_of", first);
}

static void look_at_members(struct shard *s, void *arg)
{
    json_t *o = arg, *members = json_array();
    struct broker *b = shard_broker(s);
    for (uint8_t node = 1; node < MEMBERS_MAX; node++) {
        uint8_t state = topology_member(broker_topology(b), node)->state;
        if (state != MEMBER_UNKNOWN && state != MEMBER_GONE) json_array_append_new(members, member_json(s, node));
    }
    json_put(o, "members", members);
    json_put(o, "level", json_integer(topology_level(broker_topology(b))));
    json_put(o, "leader", json_integer(broker_leader(b, 0)));
    bool knows = broker_leader(b, 0) == shard_settings(s)->node;
    json_put(o, "settled", knows ? json_boolean(broker_settled(b)) : json_null());
    /* Only the leader of the meta group knows. */
    json_put(o, "moves_open", knows ? json_integer(broker_moves_open(b)) : json_null());
}

void api_members_list(struct request *r, struct answer *a)
{
    json_t *o = json_object();
    shard_call_any(node_shard(r->http->params.node, 0), look_at_members, o);
    answer_json(a, o);
}

static json_t *node_numbers(uint64_t nodes)
{
    json_t *numbers = json_array();
    for (int node = 1; node < MEMBERS_MAX; node++)
        if (nodes >> node & 1) json_array_append_new(numbers, json_integer(node));
    return numbers;
}

/* `wanted` is null but on the leader of the meta group, who alone looks at what queues want. */
static json_t *group_json(struct broker *b, uint32_t g)
{
    const struct placed *p = topology_placed(broker_topology(b), g);
    const struct placement_order *order = topology_order(broker_topology(b), g);
    uint32_t wanted = g ? broker_wanted_replicas(b, g) : 0;
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < p->count; i++) json_array_append_new(nodes, json_integer(p->nodes[i]));
    return json_pack("{s:i, s:i, s:o, s:o, s:b, s:i, s:i, s:o, s:o}", "group", (int)g, "leader",
                     (int)broker_leader(b, g), "placement", nodes, "wanted",
                     wanted ? json_integer(wanted) : json_null(), "spare",
                     topology_class(broker_topology(b), g) != NULL, "ordered", (int)order->count, "ordered_leader",
                     (int)order->leader, "with", node_numbers(order->with), "without", node_numbers(order->without));
}

static void look_at_groups(struct shard *s, void *arg)
{
    struct broker *b = shard_broker(s);
    for (uint32_t g = 0; g < shard_settings(s)->placement.group_count; g++)
        if (topology_group_is_there(broker_topology(b), g)) json_array_append_new(arg, group_json(b, g));
}

void api_groups_list(struct request *r, struct answer *a)
{
    json_t *array = json_array();
    shard_call_any(node_shard(r->http->params.node, 0), look_at_groups, array);
    answer_json(a, array);
}

/* --- changing --- */

struct look {
    uint8_t node;
    bool known, up;
};

static void look_at_one(struct shard *s, void *arg)
{
    struct look *l = arg;
    uint8_t state = topology_member(broker_topology(shard_broker(s)), l->node)->state;
    l->known = state != MEMBER_UNKNOWN && state != MEMBER_GONE;
    l->up = shard_peer_connected(s, l->node);
}

/* The member that the path names; false: answered 404. */
static bool find(struct request *r, struct look *l, struct answer *a)
{
    char text[8] = {0}, *end;
    struct slice given = r->captures[0];
    memcpy(text, given.data, given.size < sizeof text - 1 ? given.size : sizeof text - 1);
    unsigned long id = strtoul(text, &end, 10);
    *l = (struct look){.node = (uint8_t)id};
    if (given.size && !*end && id > 0 && id < MEMBERS_MAX)
        shard_call_any(node_shard(r->http->params.node, 0), look_at_one, l);
    if (!l->known) answer_not_found(a);
    return l->known;
}

static void set_state(struct request *r, uint8_t node, enum member_state state, struct answer *a)
{
    struct topology_command c = member_state_command(node, state);
    struct node_change_result result;
    if (!node_change(r->http->params.node, &c, &result)) answer_done(a, false);
    else if (result.reply_code == 404) answer_not_found(a);
    else if (result.reply_code == 541) answer_error(a, 503, "service_unavailable", result.text);
    else answer_error(a, 412, "precondition_failed", result.text);
}

static void change(struct request *r, enum member_state state, struct answer *a)
{
    struct look l;
    if (find(r, &l, a)) set_state(r, l.node, state, a);
}

void api_member_drain(struct request *r, struct answer *a)
{
    change(r, MEMBER_DRAINING, a);
}

void api_member_revive(struct request *r, struct answer *a)
{
    change(r, MEMBER_IN, a);
}

void api_member_leave(struct request *r, struct answer *a)
{
    change(r, MEMBER_LEAVING, a);
}

/* A node that has just died may have led groups: they elect another leader within moments. */
static uint32_t stuck_groups(struct request *r, uint8_t node)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    uint32_t stuck = node_stuck_groups(r->http->params.node, node);
    for (unsigned i = 0; i < FORGET_MOMENTS && stuck; i++) {
        nanosleep(&moment, NULL);
        stuck = node_stuck_groups(r->http->params.node, node);
    }
    return stuck;
}

/* What is forgotten is not asked to move anything: it must be dead. */
void api_member_forget(struct request *r, struct answer *a)
{
    struct look l;
    char reason[256];
    if (!find(r, &l, a)) return;
    if (l.up) {
        answer_error(a, 409, "conflict", "this node runs: stop it first, or let it leave (POST .../leave)");
        return;
    }
    uint32_t stuck = request_flag(r, "force") ? 0 : stuck_groups(r, l.node);
    snprintf(
        reason, sizeof reason,
        "%u groups of queues with a replica on this node have no majority without it: start it, or another one that "
        "is down; forgetting it (?force=true) may lose them for good",
        stuck);
    if (stuck) answer_error(a, 409, "conflict", reason);
    else set_state(r, l.node, MEMBER_GONE, a);
}
