/* How requests look at shards. */
#include "base/mem.h"
#include "node/http/http_internal.h"
#include "router/members.h"

void each_shard(struct http *h, void (*call)(struct shard *s, void *arg), void *arg)
{
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++)
        shard_call_any(node_shard(h->params.node, i), call, arg);
}

struct vhost_question {
    struct slice vhost;
    bool exists;
};

static void look_for_vhost(struct shard *s, void *arg)
{
    struct vhost_question *q = arg;
    q->exists = topology_has_vhost(broker_topology(shard_broker(s)), q->vhost);
}

bool vhost_exists(struct http *h, struct slice vhost)
{
    struct vhost_question q = {.vhost = vhost};
    shard_call_any(node_shard(h->params.node, 0), look_for_vhost, &q);
    return q.exists;
}

const char *member_name(struct shard *s, uint8_t node)
{
    const struct member *m = topology_member(broker_topology(shard_broker(s)), node);
    const char *met = shard_node_name(s, node);
    return *m->name && !strcmp(met, "unknown") ? m->name : met;
}

static void look_at_members(struct shard *s, void *arg)
{
    struct members *m = arg;
    uint8_t nodes[NODE_IDS];
    uint32_t count = shard_members(s, nodes);
    for (uint32_t i = 0; i < count; i++) {
        m->names[nodes[i] & (NODE_IDS - 1)] = mem_strdup(member_name(s, nodes[i]));
        m->up[nodes[i] & (NODE_IDS - 1)] = shard_peer_connected(s, nodes[i]);
    }
}

static void count_members(struct shard *s, void *arg)
{
    uint8_t nodes[NODE_IDS];
    *(uint32_t *)arg = shard_members(s, nodes);
}

uint32_t members_count(struct http *h)
{
    uint32_t count = 0;
    shard_call_any(node_shard(h->params.node, 0), count_members, &count);
    return count;
}

void members_open(struct http *h, struct members *m)
{
    *m = (struct members){0};
    shard_call_any(node_shard(h->params.node, 0), look_at_members, m);
}

void members_close(struct members *m)
{
    for (unsigned i = 0; i < NODE_IDS; i++) mem_free(m->names[i]);
}
