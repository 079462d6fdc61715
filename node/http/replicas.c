/* /api/queues/quorum: the replicas of queues, RabbitMQ's paths. Replicas are those of a queue's group, so what is
 * ordered for one queue happens to all of its group; answers say how many those are. Orders are carried out by the
 * leader of the meta group (node/broker/membership.c), one replica at a time, after the answer. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "router/members.h"
#include "router/pattern.h"

/* --- which queue, which node --- */

struct target {
    struct slice vhost, queue, node_name;
    uint8_t node; /* 0: no such member */
    uint32_t group;
    uint32_t replicas, queues; /* of the group */
};

static void look_for_target(struct shard *s, void *arg)
{
    struct target *t = arg;
    struct topology *topology = broker_topology(shard_broker(s));
    const struct queue_record *q = t->queue.data ? topology_queue(topology, t->vhost, t->queue) : NULL;
    if (q) t->group = q->group;
    t->node = t->node_name.size ? topology_member_by_name(topology, t->node_name) : 0;
    t->replicas = topology_placed(topology, t->group)->count;
    t->queues = topology_group_queues(topology, t->group);
}

static void look(struct request *r, struct target *t)
{
    shard_call_any(node_shard(r->http->params.node, 0), look_for_target, t);
}

/* The queue of the path; false: answered. */
static bool find_queue(struct request *r, struct target *t, struct answer *a)
{
    *t = (struct target){.vhost = r->captures[0], .queue = r->captures[1]};
    if (!vhost_answer(r, t->vhost, a)) return false;
    look(r, t);
    if (!t->group) answer_not_found(a);
    return t->group != 0;
}

/* ... and the member that the body names. */
static bool find_both(struct request *r, struct target *t, struct answer *a)
{
    static const char *const needed[] = {"node", NULL};
    if (!find_queue(r, t, a) || !body_requires(r, needed, a)) return false;
    t->node_name = body_text(r, "node", "");
    look(r, t);
    if (!t->node) answer_error(a, 503, "service_unavailable", "node_not_running");
    return t->node != 0;
}

/* --- orders --- */

static bool order(struct request *r, const struct topology_command *c, struct answer *a)
{
    struct node_change_result result;
    if (!node_change(r->http->params.node, c, &result)) return true;
    const char *why = strstr(result.text, " - ");
    answer_error(a, 503, "service_unavailable", why ? why + 3 : result.text);
    return false;
}

static void answer_target(struct request *r, struct target *t, unsigned status, struct answer *a)
{
    look(r, t);
    answer_json(a, json_pack("{s:i, s:i, s:i}", "group", (int)t->group, "queues_of_the_group", (int)t->queues,
                             "members", (int)t->replicas));
    a->status = status;
}

void api_replica_add(struct request *r, struct answer *a)
{
    struct target t;
    if (!find_both(r, &t, a)) return;
    struct topology_command c = members_add_replica_command(t.group, t.node);
    if (order(r, &c, a)) answer_target(r, &t, 200, a);
}

void api_replica_delete(struct request *r, struct answer *a)
{
    struct target t;
    if (!find_both(r, &t, a)) return;
    struct topology_command c = members_remove_replica_command(t.group, t.node);
    if (order(r, &c, a)) answer_target(r, &t, 202, a);
}

/* --- many queues --- */

enum { GROUPS_MAX = 1024 };

struct selection {
    const struct pattern *vhosts, *queues; /* NULL: all */
    const char *strategy;
    uint8_t node;
    bool holds; /* groups that have a replica on the node, else those that have none */
    uint32_t groups[GROUPS_MAX], queue_counts[GROUPS_MAX], count;
};

static bool is_wanted(const struct selection *l, const struct topology *t, uint32_t group)
{
    const struct placed *p = topology_placed(t, group);
    bool holds = p->count && memchr(p->nodes, l->node, p->count);
    return holds == l->holds && (strcmp(l->strategy, "even") != 0 || p->count % 2 == 0);
}

static void select_groups(struct shard *s, void *arg)
{
    struct selection *l = arg;
    const struct topology *t = broker_topology(shard_broker(s));
    const struct queue_record *q;
    for (uint64_t cursor = 0; (q = topology_next_queue(t, &cursor));) {
        if (l->vhosts && !pattern_matches(l->vhosts, q->vhost)) continue;
        if ((l->queues && !pattern_matches(l->queues, q->name)) || !is_wanted(l, t, q->group)) continue;
        uint32_t at = 0;
        while (at < l->count && l->groups[at] != q->group) at++;
        if (at == GROUPS_MAX) continue;
        if (at == l->count) l->groups[l->count++] = q->group;
        l->queue_counts[at]++;
    }
}

/* One order per group; a group that cannot follow does not hold the others up. */
static void order_all(struct request *r, struct selection *l, unsigned status, struct answer *a)
{
    json_t *array = json_array();
    shard_call_any(node_shard(r->http->params.node, 0), select_groups, l);
    for (uint32_t i = 0; i < l->count; i++) {
        struct node_change_result result;
        struct topology_command c = l->holds ? members_remove_replica_command(l->groups[i], l->node)
                                             : members_add_replica_command(l->groups[i], l->node);
        bool ok = !node_change(r->http->params.node, &c, &result);
        json_array_append_new(array, json_pack("{s:i, s:i, s:s}", "group", (int)l->groups[i], "queues",
                                               (int)l->queue_counts[i], "result", ok ? "ok" : result.text));
    }
    answer_json(a, array);
    a->status = status;
}

/* The member that the path names; false: answered. */
static bool find_node(struct request *r, uint8_t *node, struct answer *a)
{
    struct target t = {.node_name = r->captures[0]};
    look(r, &t);
    *node = t.node;
    if (!t.node) answer_not_found(a);
    return t.node != 0;
}

static bool pattern_of(struct request *r, const char *name, struct pattern **p, struct answer *a)
{
    struct err err;
    *p = pattern_create(body_text(r, name, ""), &err);
    if (!*p) answer_bad(a, "%s: %s", name, err.text);
    return *p != NULL;
}

void api_replicas_grow(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"vhost_pattern", "queue_pattern", "strategy", NULL};
    struct selection *l = mem_zalloc(sizeof *l);
    struct pattern *vhosts = NULL, *queues = NULL;
    char strategy[8];
    if (find_node(r, &l->node, a) && body_requires(r, needed, a)) {
        struct slice given = body_text(r, "strategy", "");
        snprintf(strategy, sizeof strategy, "%.*s", (int)given.size, (const char *)given.data);
        l->strategy = strategy;
        if (strcmp(strategy, "all") != 0 && strcmp(strategy, "even") != 0) answer_bad(a, "strategy is all or even");
        else if (pattern_of(r, "vhost_pattern", &vhosts, a) && pattern_of(r, "queue_pattern", &queues, a)) {
            l->vhosts = vhosts;
            l->queues = queues;
            order_all(r, l, 200, a);
        }
    }
    pattern_destroy(vhosts);
    pattern_destroy(queues);
    mem_free(l);
}

void api_replicas_shrink(struct request *r, struct answer *a)
{
    struct selection *l = mem_zalloc(sizeof *l);
    l->strategy = "all";
    l->holds = true;
    if (find_node(r, &l->node, a)) order_all(r, l, 202, a);
    mem_free(l);
}

/* --- leaders --- */

enum { LEADER_LOOKS = 100, LEADER_LOOK_MS = 100 /* ten seconds, and then it may still come */ };

struct leader_look {
    uint32_t group;
    uint8_t node;
};

static void look_at_leader(struct shard *s, void *arg)
{
    struct leader_look *l = arg;
    l->node = broker_leader(shard_broker(s), l->group);
}

void api_queue_leader(struct request *r, struct answer *a)
{
    struct target t;
    if (!find_both(r, &t, a)) return;
    struct topology_command c = members_lead_command(t.group, t.node);
    if (!order(r, &c, a)) return;
    struct leader_look l = {.group = t.group};
    for (int i = 0; i < LEADER_LOOKS && l.node != t.node; i++) {
        if (i) nanosleep(&(struct timespec){.tv_nsec = LEADER_LOOK_MS * 1000000L}, NULL);
        shard_call_any(node_shard(r->http->params.node, 0), look_at_leader, &l);
    }
    answer_target(r, &t, l.node == t.node ? 200 : 202, a);
}

struct placed_look {
    uint32_t group;
    uint64_t nodes;
    uint8_t leader;
};

static void look_at_placed(struct shard *s, void *arg)
{
    struct placed_look *l = arg;
    const struct placed *p = topology_placed(broker_topology(shard_broker(s)), l->group);
    for (uint32_t i = 0; i < p->count; i++) l->nodes |= UINT64_C(1) << (p->nodes[i] & 63);
    l->leader = topology_order(broker_topology(shard_broker(s)), l->group)->leader;
}

static bool has_ordered_leader(struct request *r, uint32_t group)
{
    struct placed_look l = {.group = group};
    shard_call_any(node_shard(r->http->params.node, 0), look_at_placed, &l);
    return l.leader != 0;
}

/* Orders of operators about leaders are forgotten: groups go back to where placement has spread them. */
void api_rebalance(struct request *r, struct answer *a)
{
    uint32_t count = node_settings(r->http->params.node)->placement.group_count;
    for (uint32_t group = 1; group < count; group++) {
        struct topology_command c = members_lead_command(group, 0);
        if (has_ordered_leader(r, group) && !order(r, &c, a)) return;
    }
    answer_done(a, false);
}

/* --- status --- */

struct status_look {
    uint32_t group;
    bool here;
    struct group_status status;
};

static void look_at_status(struct shard *s, void *arg)
{
    struct status_look *l = arg;
    struct group *group = broker_group(shard_broker(s), l->group);
    l->here = group != NULL;
    if (group) group_status(group, &l->status);
}

static const char *role_of(const struct group_status *s, uint8_t node)
{
    for (uint32_t i = 0; i < s->member_count; i++)
        if (s->members[i].node == node) return s->members[i].role == GROUP_VOTER ? "voter" : "promotable";
    return "unknown"; /* its configuration does not name it: it will be dropped */
}

json_t *replica_here(struct http *h, uint32_t group)
{
    const struct node_settings *settings = node_settings(h->params.node);
    struct status_look l = {.group = group};
    if (group >= settings->placement.group_count) return NULL;
    shard_call_any(node_shard(h->params.node, (uint16_t)(group % settings->shard_count)), look_at_status, &l);
    if (!l.here) return json_array();
    const struct group_status *s = &l.status;
    return json_pack("[{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:i}]", "Node Name", settings->name, "Raft State",
                     s->leads ? "leader" : "follower", "Membership", role_of(s, settings->node), "Last Log Index",
                     (json_int_t)s->last_index, "Last Written", (json_int_t)s->durable_index, "Last Applied",
                     (json_int_t)s->applied_index, "Commit Index", (json_int_t)s->commit_index, "Snapshot Index",
                     (json_int_t)s->snapshot_index, "Term", (json_int_t)s->term, "Machine Version", 1);
}

/* Members that did not answer, as RabbitMQ shows them. */
static void add_silent(json_t *rows, const struct members *m, uint64_t placed)
{
    for (unsigned node = 1; node < NODE_IDS; node++) {
        bool told = !(placed >> node & 1) || !m->names[node];
        for (size_t i = 0; i < json_array_size(rows) && !told; i++)
            told = slice_is(slice_json(json_object_get(json_array_get(rows, i), "Node Name")), m->names[node]);
        if (!told)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "Node Name", m->names[node], "Raft State",
                                                  "noproc", "Membership", "voter"));
    }
}

void api_queue_status(struct request *r, struct answer *a)
{
    struct target t;
    if (!find_queue(r, &t, a)) return;
    char question[32];
    struct members members;
    struct placed_look l = {.group = t.group};
    snprintf(question, sizeof question, "replica\n%u", t.group);
    json_t *rows = peers_list(r->http->peers, replica_here(r->http, t.group), question);
    shard_call_any(node_shard(r->http->params.node, 0), look_at_placed, &l);
    members_open(r->http, &members);
    add_silent(rows, &members, l.nodes);
    members_close(&members);
    answer_json(a, rows);
}
