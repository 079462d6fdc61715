/* /api/health/checks: what depends on who leads the groups. */
#include <stdio.h>

#include "node/http/families.h"
#include "node/http/queue_facts.h"
#include "router/members.h"

struct groups {
    uint32_t leaderless; /* how many */
    uint64_t leaderless_bits[(1024 + 63) / 64];
    bool no_meta_leader, stopping;
};

static void look_at_groups(struct shard *s, void *arg)
{
    struct groups *g = arg;
    const struct node_settings *settings = shard_settings(s);
    g->stopping |= shard_stopping(s);
    for (uint32_t id = shard_id(s); id < settings->placement.group_count; id += settings->shard_count) {
        bool there = topology_group_is_there(broker_topology(shard_broker(s)), id);
        if (!there || broker_leader(shard_broker(s), id)) continue;
        if (!id) g->no_meta_leader = true;
        g->leaderless++;
        g->leaderless_bits[id / 64 & 15] |= UINT64_C(1) << (id & 63);
    }
}

static void look(struct request *r, struct groups *g)
{
    *g = (struct groups){0};
    each_shard(r->http, look_at_groups, g);
}

void api_check_quorum_critical(struct request *r, struct answer *a)
{
    uint32_t critical = node_critical_groups(r->http->params.node);
    char reason[160];
    snprintf(reason, sizeof reason, "There are %u groups that would lose their quorum if the target node is shut down",
             critical);
    if (members_count(r->http) == 1)
        answer_json(a, json_pack("{s:s, s:s}", "status", "ok", "reason", "single node cluster"));
    else if (critical) check_failed_because(a, NULL, reason);
    else check_passed(a);
}

/* There are no mirrors of the old kind: none can be out of step. */
void api_check_mirror_critical(struct request *r, struct answer *a)
{
    if (members_count(r->http) == 1)
        answer_json(a, json_pack("{s:s, s:s}", "status", "ok", "reason", "single node cluster"));
    else check_passed(a);
}

void api_check_vhosts(struct request *r, struct answer *a)
{
    struct groups g;
    look(r, &g);
    if (!g.no_meta_leader) check_passed(a);
    else
        check_failed_because(a, NULL, "Some virtual hosts are down: the meta group has no leader that this node knows");
}

void api_check_in_service(struct request *r, struct answer *a)
{
    struct groups g;
    look(r, &g);
    if (g.stopping || node_stopping_any(r->http->params.node))
        check_failed_because(a, NULL, "the rabbit node is shutting down");
    else check_passed(a);
}

void api_check_ready(struct request *r, struct answer *a)
{
    struct groups g;
    look(r, &g);
    if (g.stopping || node_stopping_any(r->http->params.node))
        check_failed_because(a, NULL, "this node is shutting down");
    else if (g.leaderless) check_failed_because(a, NULL, "there are groups without a leader that this node knows");
    else check_passed(a);
}

void api_check_metadata(struct request *r, struct answer *a)
{
    struct groups g;
    look(r, &g);
    if (!g.no_meta_leader) check_passed(a);
    else check_failed_because(a, NULL, "Metadata store has not yet reported as initialized");
}

void api_check_metadata_with_data(struct request *r, struct answer *a)
{
    struct groups g;
    look(r, &g);
    if (!g.no_meta_leader && vhost_exists(r->http, slice_str("/"))) check_passed(a);
    else check_failed_because(a, NULL, "Metadata store has not yet reported as initialized with data");
}

/* {vhost} or all-vhosts, and a pattern of names. */
void api_check_leaderless_queues(struct request *r, struct answer *a)
{
    bool of_vhost = strstr(r->pattern, "/vhost/{}") != NULL;
    struct slice vhost = of_vhost ? r->captures[0] : (struct slice){0}, pattern = r->captures[of_vhost];
    struct listing listing = {0};
    struct queue_list list;
    if ((of_vhost && !vhost_answer(r, vhost, a)) || !listing_of_pattern(&listing, r, pattern, a)) return;
    json_t *queues = json_array();
    queue_list_open(&list, r->http, vhost, (struct slice){0}, &listing);
    for (size_t i = 0; i < list.count; i++) {
        const struct queue_facts *q = &list.items[i];
        if (q->leader) continue;
        json_t *o = json_object();
        json_put(o, "name", json_slice(queue_name(&list, q)));
        json_put(o, "virtual_host", json_slice(queue_vhost(&list, q)));
        json_put(o, "type", json_string("quorum"));
        json_array_append_new(queues, o);
    }
    if (!json_array_size(queues)) check_passed(a);
    else check_failed_because(a, json_pack("{s:O}", "queues", queues), "There are queues without an elected leader");
    json_decref(queues);
    queue_list_close(&list);
    listing_close(&listing);
}
