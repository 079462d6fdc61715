/* The leader of the meta group tells the topology which processes run (router/lives.h): itself and whom it has a link
 * with. A link is enough: whoever answered on it lived at the same time as this process. */
#include "router/lives.h"
#include "node/broker/broker_internal.h"

bool broker_topology_is_caught_up(const struct broker *b)
{
    return topology_life(b->params.topology, b->params.node, b->epoch) != LIFE_UNKNOWN;
}

static uint32_t epoch_of(const struct broker *b, uint8_t node)
{
    if (node == b->params.node) return b->epoch;
    return b->io->connected(b->io->self, node) ? b->io->peer_epoch(b->io->self, node) : 0;
}

static void propose(struct host *h, uint8_t node, uint32_t epoch)
{
    struct topology_command c = life_seen_command(node, epoch);
    struct buf bytes = {0};
    topology_command_encode(&bytes, &c);
    command_topology_encode(host_system_writer(h), buf_slice(&bytes));
    buf_close(&bytes);
}

void lives_tick(struct host *h)
{
    struct broker *b = h->broker;
    uint8_t carrier = 0;
    bool newcomers = false;
    if (!h->leads) return;
    for (unsigned node = 1; node < BROKER_NODES_MAX; node++) {
        uint32_t epoch = epoch_of(b, (uint8_t)node);
        enum life_state state = topology_life(b->params.topology, (uint8_t)node, epoch);
        if (!epoch || state == LIFE_PAST) continue;
        if (state == LIFE_UNKNOWN) propose(h, (uint8_t)node, epoch);
        if (state == LIFE_CARRIER) carrier = (uint8_t)node;
        else newcomers = true;
    }
    if (carrier && newcomers) propose(h, carrier, epoch_of(b, carrier));
}
