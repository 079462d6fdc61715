/* What load balancers ask, without credentials. */
#include <stdio.h>

#include "node/http/http_internal.h"
#include "router/members.h"

struct health {
    bool ready;
    bool meta_leader;
    uint32_t leaderless; /* a group without a known leader */
    bool stopping, drains;
};

static void look(struct shard *s, void *arg)
{
    struct health *health = arg;
    struct broker *b = shard_broker(s);
    const struct node_settings *settings = shard_settings(s);
    health->stopping |= shard_stopping(s);
    health->drains |= shard_drains(s);
    if (shard_id(s) == 0) health->meta_leader = broker_leader(b, 0) == settings->node;
    for (uint32_t g = 0; g < settings->placement.group_count; g++)
        if (!broker_leader(b, g) && topology_group_is_usual(broker_topology(b), g)) health->ready = false, health->leaderless = g;
}

static void say(struct answer *a, bool ok, const char *reason)
{
    a->status = ok ? 200 : 503;
    if (ok) answer_json(a, json_pack("{s:s}", "status", "ok"));
    else answer_json(a, json_pack("{s:s, s:s}", "status", "failed", "reason", reason));
}

void api_health_get(struct request *r, struct answer *a)
{
    struct http *h = r->http;
    struct slice check = r->captures[0];
    struct health health = {.ready = true};
    if (slice_is(check, "live")) {
        say(a, true, "");
        return;
    }
    if (node_stopping_any(h->params.node)) {
        say(a, false, "this node is shutting down");
        return;
    }
    each_shard(h, look, &health);
    bool suspended = node_suspended_any(h->params.node);
    char reason[128];
    snprintf(reason, sizeof reason, "group %u has no known leader: this node sees no majority of its members",
             health.leaderless);
    if (slice_is(check, "ready"))
        say(a, health.ready && !health.stopping && !health.drains && !suspended && node_serving_any(h->params.node),
            health.stopping                     ? "this node is shutting down"
            : health.drains                     ? "this node is draining"
            : suspended                         ? "its listeners are suspended"
            : !node_serving_any(h->params.node) ? "this node is being taken into the cluster"
                                                : reason);
    else if (slice_is(check, "serving"))
        say(a, health.ready && !health.stopping && node_serving_any(h->params.node),
            health.stopping                     ? "this node is shutting down"
            : !node_serving_any(h->params.node) ? "this node is being taken into the cluster"
                                                : reason);
    else if (slice_is(check, "leader")) say(a, health.meta_leader, "another node leads the meta group");
    else answer_not_found(a);
}
