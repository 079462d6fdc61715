/* Tidying up, by the leader of each group: ports of nodes that are gone, queues that the topology has no more, queues
 * that the topology has but whose declarer died before the group heard of it. Each command is safe to repeat. */
#include "node/broker/broker_internal.h"

struct chunk_writer *host_system_writer(struct host *h)
{
    if (chunk_writer_empty(&h->system)) chunk_writer_begin(&h->system, 0, 0, 0);
    return &h->system;
}

static bool is_down(struct broker *b, uint8_t node)
{
    if (node == b->params.node || b->io->connected(b->io->self, node)) return false;
    if (b->dead[node]) return true;
    uint64_t since = b->down_since_ms[node];
    return since && b->now_ms - since >= b->params.node_timeout_ms;
}

/* Out of reach, but not given up yet. */
static void look_at_silent(struct host *h, uint8_t node, uint32_t epoch)
{
    struct broker *b = h->broker;
    uint64_t timeout = b->params.disconnected_timeout_ms;
    struct command_node_silent silent = {.node = node,
                                         .epoch = epoch,
                                         .silent_ms = b->now_ms - b->down_since_ms[node],
                                         .timeout_ms = timeout ? timeout : UINT64_MAX};
    if (queue_machine_loses(h->queues, &silent)) command_node_silent_encode(host_system_writer(h), &silent);
}

static void look_at_node(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max)
{
    struct host *h = arg;
    struct broker *b = h->broker;
    if (node == PORT_NODE_SYSTEM || node >= BROKER_NODES_MAX) return;
    uint32_t alive = node == b->params.node ? b->epoch : b->io->peer_epoch(b->io->self, node);
    if (is_down(b, node)) command_node_down_encode(host_system_writer(h), node, epoch_max);
    else if (alive && epoch_min < alive) /* its new ports may be here already */
        command_node_down_encode(host_system_writer(h), node, alive - 1);
    else if (h->queues && b->down_since_ms[node] && !b->io->connected(b->io->self, node))
        look_at_silent(h, node, epoch_max);
    else if (!alive && !b->down_since_ms[node])
        b->down_since_ms[node] = b->now_ms; /* never seen in this life: its time runs from now */
}

static void look_at_nodes(struct host *h)
{
    if (h->queues) queue_machine_nodes(h->queues, look_at_node, h);
    else meta_machine_nodes(h->meta, look_at_node, h);
}

void reap_node(struct host *h, uint8_t node)
{
    (void)node;
    if (!h->leads) return;
    look_at_nodes(h);
    if (h->meta) lives_tick(h);
}

/* Queues of the machine that the topology has deleted. */
static void delete_gone(struct host *h)
{
    struct topology *t = h->broker->params.topology;
    uint64_t cursor = 0;
    struct queue_stat stat;
    while (queue_machine_next(h->queues, &cursor, &stat)) {
        bool unheard =
            stat.id > topology_last_queue_id(t); /* this copy is behind: not declared yet, rather than deleted */
        if (!unheard && !topology_queue_by_id(t, stat.id)) command_delete_encode(host_system_writer(h), stat.id, 0);
    }
}

/* Histories of exchanges that are gone. A topology that is behind may not have heard of them yet: later, then. */
static void forget_histories(struct host *h)
{
    struct command_history c = {0};
    size_t cursor = 0;
    if (!queue_machine_next_history(h->queues, &cursor, &c.vhost, &c.exchange)) return;
    if (!broker_topology_is_fresh(h->broker)) {
        broker_topology_refresh(h->broker);
        h->reconcile_wanted = true;
        return;
    }
    cursor = 0;
    while (queue_machine_next_history(h->queues, &cursor, &c.vhost, &c.exchange))
        if (!topology_keeps_history(h->broker->params.topology, c.vhost, c.exchange))
            command_history_encode(host_system_writer(h), COMMAND_HISTORY_FORGET, &c);
}

static void configure_missing(struct host *h)
{
    struct topology *t = h->broker->params.topology;
    uint64_t cursor = 0;
    const struct queue_record *record;
    struct queue_stat stat;
    while ((record = topology_next_queue(t, &cursor))) {
        if (record->group != h->id || queue_machine_stat(h->queues, record->id, &stat)) continue;
        struct command_configure configure = {.queue = record->id};
        if (queue_record_settings(t, record, &configure.settings))
            command_configure_encode(host_system_writer(h), &configure);
    }
}

/* Auto-delete and expired queues whose deletion the leader before may not have asked for. */
static void delete_unused(struct host *h)
{
    effects_clear(&h->answers);
    queue_machine_unused(h->queues, &h->answers);
    carry_effects(h, &h->answers);
    effects_clear(&h->answers);
}

void reap_tick(struct host *h)
{
    if (!h->leads) return;
    look_at_nodes(h);
    if (h->meta) lives_tick(h);
    if (h->meta) seed_tick(h);
    if (h->queues) settings_tick(h);
    if (!h->queues || !h->reconcile_wanted || h->broker->now_ms < h->reconcile_at_ms) return;
    h->reconcile_wanted = false;
    delete_gone(h);
    forget_histories(h);
    if (!h->configure_wanted) return;
    h->configure_wanted = false;
    configure_missing(h);
    delete_unused(h);
}
