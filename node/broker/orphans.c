/* Consumers of queues that were deleted while nobody led their group: no leader tells them, so every shard does that for
 * its own connections. A leader that comes back deletes such queues and tells it once more, which changes nothing. */
#include "node/broker/broker_internal.h"
#include "router/members.h"

static bool nobody_leads_some(const struct broker *b)
{
    for (uint32_t group = 1; group < b->params.group_count; group++)
        if (!b->leaders[group].node && topology_group_is_there(b->params.topology, group)) return true;
    return false;
}

static bool is_orphan(void *arg, uint32_t group, uint64_t queue)
{
    const struct broker *b = arg;
    const struct topology *t = b->params.topology;
    if (b->leaders[group].node || topology_queue_by_id(t, queue)) return false;
    return queue <= topology_last_queue_id(t); /* else this copy has not heard of it yet */
}

/* A queue without a leader that is still in the topology may come back: its consumers wait. */
void orphans_tick(struct broker *b)
{
    if (!b->orphans_wanted) return;
    b->orphans_wanted = false;
    if (!nobody_leads_some(b)) return;
    LIST_FOR(&b->connections, link)
    {
        struct broker_connection *c = LIST_ITEM(link, struct broker_connection, link);
        if (!c->session) continue;
        session_cancel_consumers(c->session, is_orphan, b);
        connection_touched(c);
    }
}
