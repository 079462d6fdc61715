/* The broker of a shard: its life, its turn, the nodes that it hears of. */
#include "node/broker/broker_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "router/members.h"

enum { BROKER_TICK_MS = 250 };

struct broker *broker_create(const struct broker_params *params)
{
    CHECK(params->shard_count > 0 && params->shard_count <= BROKER_SHARDS_MAX && params->shard < params->shard_count);
    struct broker *b = mem_zalloc(sizeof *b);
    b->params = *params;
    b->io = params->io;
    b->epoch = params->epoch;
    b->guesses = guess_create();
    b->auth = auth_create(params->topology, params->open_to_all);
    b->outside = auth_outside_create();
    list_init(&b->outside_waiting);
    b->leaders = mem_zalloc(params->group_count * sizeof *b->leaders);
    b->hosts = mem_zalloc(params->group_count * sizeof *b->hosts);
    b->ports_of_group = mem_zalloc(params->group_count * sizeof *b->ports_of_group);
    for (uint32_t g = 0; g < params->group_count; g++) list_init(&b->ports_of_group[g]);
    census_init(&b->census);
    list_init(&b->dirty_ports);
    list_init(&b->questions);
    list_init(&b->connections);
    membership_open(b);
    return b;
}

void broker_destroy(struct broker *b)
{
    LIST_FOR_SAFE(&b->questions, link)
    question_free(LIST_ITEM(link, struct question, broker_link));
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (b->hosts[g]) host_close(b->hosts[g]);
    for (uint32_t g = 0; g < b->params.group_count; g++) LIST_FOR_SAFE(&b->ports_of_group[g], link)
    port_free(LIST_ITEM(link, struct port, group_link));
    map_u64_close(&b->ports);
    membership_close(b);
    auth_destroy(b->auth);
    auth_outside_destroy(b->outside);
    guess_destroy(b->guesses);
    login_sources_clear(&b->login_sources);
    census_close(&b->census);
    mem_free(b->ports_of_group);
    mem_free(b->hosts);
    mem_free(b->leaders);
    mem_free(b->free_counters);
    mem_free(b);
}

void broker_add_group(struct broker *b, struct group *group, struct store *store, struct queue_machine *queues,
                      struct meta_machine *meta, struct effects *effects)
{
    uint32_t id = group_id(group);
    CHECK(id < b->params.group_count && !b->hosts[id]);
    struct host *h = mem_zalloc(sizeof *h);
    host_init(h, b, id);
    h->group = group;
    h->store = store;
    h->queues = queues;
    h->meta = meta;
    h->effects = effects;
    b->hosts[id] = h;
}

void broker_remove_group(struct broker *b, uint32_t group)
{
    struct host *h = b->hosts[group];
    CHECK(h);
    if (b->leaders[group].node == b->params.node) leaders_set(b, group, 0, b->leaders[group].term);
    host_close(h);
    b->hosts[group] = NULL;
}

void broker_note(struct broker *b, int level, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    b->io->note(b->io->self, level, line);
}

struct port *broker_port(struct broker *b, uint64_t id)
{
    return map_u64_get(&b->ports, id);
}

struct port *broker_meta_port(struct broker *b)
{
    if (!b->meta_port) b->meta_port = port_open(b, 0, PORT_OF_META);
    return b->meta_port;
}

/* --- nodes --- */

/* The cluster gave this node up under its old epoch: what its clients held was given to others. Their connections
 * close, so that no late ack counts; they come back under the new epoch. */
void broker_take_epoch(struct broker *b, uint32_t epoch)
{
    if (epoch <= b->epoch) return;
    b->epoch = epoch;
    b->free_counter_count = 0;
    if (b->meta_port) {
        struct port *old = b->meta_port;
        b->meta_port = NULL;
        LIST_FOR_SAFE(&old->questions, link)
        {
            struct question *q = LIST_ITEM(link, struct question, port_link);
            question_ask_again(q);
        }
        port_free(old);
    }
    LIST_FOR(&b->connections, link)
    {
        struct broker_connection *c = LIST_ITEM(link, struct broker_connection, link);
        session_close(c->session, 320, "CONNECTION_FORCED - this node was cut off from the cluster for too long",
                      b->now_ms);
        if (c->touched) c->touched(c->touched_arg);
    }
}

void broker_node_up(struct broker *b, uint8_t node, uint32_t epoch)
{
    (void)epoch;
    if (node >= BROKER_NODES_MAX) return;
    b->down_since_ms[node] = 0;
    b->dead[node] = false;
    b->ever_up[node] = true;
    leaders_announce(b, node);
    b->census.news = true;
    if (b->params.shard == 0) b->topology_told = 0;
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (b->hosts[g]) reap_node(b->hosts[g], node);
}

void broker_node_down(struct broker *b, uint8_t node, bool dead)
{
    if (node >= BROKER_NODES_MAX) return;
    if (!b->down_since_ms[node]) b->down_since_ms[node] = b->now_ms ? b->now_ms : 1;
    b->dead[node] |= dead;
    census_node_down(b, node);
    for (uint32_t g = 0; g < b->params.group_count; g++) {
        bool mine = shard_of_group(b, g) == b->params.shard;
        if (mine && b->leaders[g].node == node) leaders_set(b, g, 0, b->leaders[g].term);
        if (b->hosts[g]) reap_node(b->hosts[g], node);
    }
    if (b->hosts[0]) {
        b->hosts[0]->applied_by[node] = 0;
        meta_wait_tick(b->hosts[0]);
    }
}

/* --- the turn --- */

static void tick(struct broker *b)
{
    b->tick_at_ms = b->now_ms + BROKER_TICK_MS;
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (b->hosts[g]) reap_tick(b->hosts[g]);
    if (b->hosts[0]) meta_wait_tick(b->hosts[0]);
    questions_tick(b);
    orphans_tick(b);
    if (b->params.shard == 0) topology_spread_done(b, 0, topology_index(b->params.topology));
    membership_tick(b);
}

void broker_turn(struct broker *b, uint64_t now_ms)
{
    b->now_ms = now_ms;
    if (now_ms >= b->tick_at_ms) tick(b);
    census_turn(b);
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (b->hosts[g]) host_turn(b->hosts[g]);
    while (!list_empty(&b->dirty_ports)) port_flush(LIST_ITEM(b->dirty_ports.next, struct port, dirty_link));
}

bool broker_has_work(const struct broker *b)
{
    if (!list_empty(&b->dirty_ports)) return true;
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (b->hosts[g] && host_has_work(b->hosts[g])) return true;
    return false;
}

uint64_t broker_deadline_ms(const struct broker *b)
{
    return b->tick_at_ms;
}

/* --- listings --- */

uint8_t broker_leader(const struct broker *b, uint32_t group)
{
    return group < b->params.group_count ? b->leaders[group].node : 0;
}

bool broker_group_is_led(const struct broker *b, uint32_t group)
{
    const struct leader *l = &b->leaders[group];
    return l->node || (l->lost_ms && b->now_ms < l->lost_ms + BROKER_ELECTION_MS);
}

uint64_t broker_login_count(const struct broker *b, bool succeeded)
{
    return b->logins[succeeded];
}

struct login_sources *broker_login_sources(struct broker *b)
{
    return &b->login_sources;
}

bool broker_ready(const struct broker *b)
{
    for (uint32_t g = 0; g < b->params.group_count; g++)
        if (!b->leaders[g].node && topology_group_is_usual(b->params.topology, g)) return false;
    if (b->membership && !topology_members_seeded(b->params.topology)) return false;
    return !b->io->seed || registry_is_seeded(b->params.topology);
}

struct auth *broker_auth(struct broker *b)
{
    return b->auth;
}

struct topology *broker_topology(struct broker *b)
{
    return b->params.topology;
}

struct queue_machine *broker_queues(struct broker *b, uint32_t group)
{
    return group < b->params.group_count && b->hosts[group] ? b->hosts[group]->queues : NULL;
}

struct group *broker_group(struct broker *b, uint32_t group)
{
    return group < b->params.group_count && b->hosts[group] ? b->hosts[group]->group : NULL;
}
