/* What load balancers ask, without credentials. */
#include <stdio.h>

#include "node/http/http_internal.h"
#include "router/members.h"

struct health {
    bool ready;
    bool meta_leader;
    uint32_t leaderless; /* a group that has been without a known leader for a while */
    bool stopping, drains;
    bool behind; /* what is known of drains, for one, may be of a time before the node was started */
};

static void look(struct shard *s, void *arg)
{
    struct health *health = arg;
    struct broker *b = shard_broker(s);
    const struct node_settings *settings = shard_settings(s);
    health->stopping |= shard_stopping(s);
    health->drains |= shard_drains(s);
    health->behind |= !broker_topology_is_caught_up(b);
    if (shard_id(s) == 0) health->meta_leader = broker_leader(b, 0) == settings->node;
    for (uint32_t g = 0; g < settings->placement.group_count; g++)
        if (!broker_group_is_led(b, g) && topology_group_is_usual(broker_topology(b), g))
            health->ready = false, health->leaderless = g;
}

static void say(struct answer *a, const char *reason)
{
    a->status = reason ? 503 : 200;
    if (!reason) answer_json(a, json_pack("{s:s}", "status", "ok"));
    else answer_json(a, json_pack("{s:s, s:s}", "status", "failed", "reason", reason));
}

/* Why the node serves nobody; NULL when it does. */
static const char *not_serving(const struct http *h, const struct health *health, char text[128])
{
    if (health->stopping) return "this node is shutting down";
    if (!node_serving_any(h->params.node)) return "this node is being taken into the cluster";
    if (!health->ready) {
        snprintf(text, 128, "group %u has no known leader: this node sees no majority of its members",
                 health->leaderless);
        return text;
    }
    return health->behind ? "this node learns what has changed while it was away" : NULL;
}

/* Why it should get no new clients. */
static const char *not_ready(const struct http *h, const struct health *health, char text[128])
{
    if (health->stopping) return "this node is shutting down";
    if (health->drains) return "this node is draining";
    if (node_suspended_any(h->params.node)) return "its listeners are suspended";
    return not_serving(h, health, text);
}

void api_health_get(struct request *r, struct answer *a)
{
    struct http *h = r->http;
    struct slice check = r->captures[0];
    struct health health = {.ready = true};
    char text[128];
    if (slice_is(check, "live")) {
        say(a, NULL);
        return;
    }
    if (node_stopping_any(h->params.node)) {
        say(a, "this node is shutting down");
        return;
    }
    each_shard(h, look, &health);
    if (slice_is(check, "ready")) say(a, not_ready(h, &health, text));
    else if (slice_is(check, "serving")) say(a, not_serving(h, &health, text));
    else if (slice_is(check, "leader")) say(a, health.meta_leader ? NULL : "another node leads the meta group");
    else answer_not_found(a);
}
