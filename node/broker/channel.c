/* The broker's side of connections and channels: implements node/session/backend.h. */
#include "node/broker/broker_internal.h"
#include "router/members.h"

#include "base/check.h"
#include "node/broker/publish.h"

void connection_touched(struct broker_connection *c)
{
    if (c->touched) c->touched(c->touched_arg);
}

void channel_touched(struct backend_channel *c)
{
    connection_touched(c->connection);
}

struct port *channel_port(struct backend_channel *c, uint32_t group)
{
    CHECK(group > 0 && group < c->connection->broker->params.group_count);
    struct port *p = c->ports[group];
    if (p) return p;
    p = c->ports[group] = port_open(c->connection->broker, group, PORT_OF_CHANNEL);
    p->channel = c;
    if (c->limit) command_limit_encode(port_write(p), c->limit);
    return p;
}

static struct broker *broker_of(void *self)
{
    return ((struct broker_connection *)self)->broker;
}

static struct topology *backend_topology(void *self)
{
    return broker_of(self)->params.topology;
}

bool broker_may_come(const struct broker *b, struct slice user, bool loopback)
{
    const char *const *local = b->params.local_users;
    while (!loopback && local && *local && !slice_is(user, *local)) local++;
    return loopback || !local || !*local;
}

bool broker_login(struct broker *b, struct slice user, struct slice password, bool loopback)
{
    return broker_may_come(b, user, loopback) && auth_password_fits(b->auth, user, password);
}

static bool backend_login(void *self, struct slice user, struct slice password, bool loopback)
{
    return broker_login(broker_of(self), user, password, loopback);
}

static bool backend_may_come(void *self, struct slice user, bool loopback)
{
    return broker_may_come(broker_of(self), user, loopback);
}

static struct auth *backend_auth(void *self)
{
    return broker_of(self)->auth;
}

static uint32_t backend_logged_in(void *self, struct slice address, struct slice user, bool welcome)
{
    struct broker *b = broker_of(self);
    if (!((struct broker_connection *)self)->hidden) {
        b->logins[welcome]++;
        login_sources_note(&b->login_sources, address, user, welcome);
    }
    if (!welcome) return guess_failed(b->guesses, address, b->now_ms);
    guess_right(b->guesses, address);
    return 0;
}

static bool backend_admit(void *self, struct slice user, bool loopback)
{
    struct broker *b = broker_of(self);
    return auth_has_user(b->auth, user) && broker_may_come(b, user, loopback);
}

static uint64_t backend_count(void *self, enum backend_census what, struct slice name)
{
    return census_count(broker_of(self), (uint8_t)what, name);
}

/* What the limits of this node are held against; conversations of this process are not clients. */
static void count_here(struct broker_connection *c, uint8_t what, int difference)
{
    const struct session_settings *settings = c->broker->params.session_settings;
    uint64_t limit = what == BACKEND_CHANNELS_OF_NODE ? settings->node_channel_max : settings->node_connection_max;
    if (limit && !c->hidden) census_add(c->broker, what, slice_str(settings->node_name), difference);
}

static void backend_entered(void *self, struct slice user, struct slice vhost)
{
    struct broker_connection *c = self;
    buf_put_slice(&c->user, user);
    buf_put_slice(&c->vhost, vhost);
    census_add(c->broker, BACKEND_CONNECTIONS_OF_USER, user, 1);
    census_add(c->broker, BACKEND_CONNECTIONS_OF_VHOST, vhost, 1);
    count_here(c, BACKEND_CONNECTIONS_OF_NODE, 1);
}

static void leave(struct broker_connection *c)
{
    if (c->vhost.size) {
        census_add(c->broker, BACKEND_CONNECTIONS_OF_USER, buf_slice(&c->user), -1);
        census_add(c->broker, BACKEND_CONNECTIONS_OF_VHOST, buf_slice(&c->vhost), -1);
        count_here(c, BACKEND_CONNECTIONS_OF_NODE, -1);
    }
    buf_close(&c->user);
    buf_close(&c->vhost);
}

static struct backend_channel *backend_channel_open(void *self, uint16_t number)
{
    struct broker_connection *connection = self;
    struct backend_channel *c = mem_zalloc(sizeof *c);
    c->connection = connection;
    c->number = number;
    c->ports = mem_zalloc(connection->broker->params.group_count * sizeof *c->ports);
    list_init(&c->outside_link);
    list_append(&connection->channels, &c->link);
    if (number && connection->user.size) {
        census_add(connection->broker, BACKEND_CHANNELS_OF_USER, buf_slice(&connection->user), 1);
        count_here(connection, BACKEND_CHANNELS_OF_NODE, 1);
    }
    return c;
}

static void backend_channel_close(void *self, struct backend_channel *c)
{
    struct broker *b = broker_of(self);
    if (c->question) question_forget(c->question);
    for (uint32_t group = 1; group < b->params.group_count; group++)
        if (c->ports[group]) port_close(c->ports[group]);
    list_remove(&c->link);
    list_remove(&c->outside_link);
    if (c->number && c->connection->user.size) {
        census_add(b, BACKEND_CHANNELS_OF_USER, buf_slice(&c->connection->user), -1);
        count_here(c->connection, BACKEND_CHANNELS_OF_NODE, -1);
    }
    mem_free(c->ports);
    mem_free(c);
}

struct publishing {
    struct backend_channel *channel;
    uint64_t tag;
};

static void publish_share(void *arg, const struct publish *m, const struct publish_share *share)
{
    struct publishing *publishing = arg;
    struct port *p = channel_port(publishing->channel, share->group);
    command_enqueue_marked_encode(port_write(p), 0, m->flags, m->priority, m->ttl_ms, share->queues, share->queue_count,
                                  share->marks, &m->content);
    if (publishing->tag) port_tag(p, publishing->tag);
    port_written(p);
}

static unsigned backend_publish(void *self, struct backend_channel *c, const struct route *route,
                                const struct publish *m, uint64_t tag)
{
    (void)self;
    struct publishing publishing = {c, tag};
    return publish_shares(route, m, publish_share, &publishing);
}

static void backend_settle(void *self, struct backend_channel *c, uint32_t group, uint64_t first, uint64_t last,
                           uint8_t outcome)
{
    if (broker_of(self)->params.drop_acks && first % 7 == 0) return;
    struct port *p = channel_port(c, group);
    command_settle_encode(port_write(p), outcome, first, last);
    port_written(p);
}

static void backend_limit(void *self, struct backend_channel *c, uint32_t prefetch)
{
    struct broker *b = broker_of(self);
    c->limit = prefetch;
    struct session *s = c->connection->session;
    bool free = session_wants_deliveries(s) && !session_is_holding(s, c->number);
    for (uint32_t group = 1; group < b->params.group_count; group++) {
        struct port *p = c->ports[group];
        if (!p) continue;
        if (free) port_shown(p); /* what waited may all have been shown just now */
        command_limit_encode(port_write(p), prefetch);
    }
}

static void backend_attach(void *self, struct backend_channel *c, uint32_t group, const struct command_attach *attach)
{
    (void)self;
    struct port *p = channel_port(c, group);
    command_attach_encode(port_write(p), attach);
    question_ask(c, p, QUESTION_ATTACH);
}

static void backend_detach(void *self, struct backend_channel *c, uint32_t group, uint32_t consumer)
{
    (void)self;
    struct port *p = channel_port(c, group);
    command_detach_encode(port_write(p), consumer);
    question_ask(c, p, QUESTION_DETACH);
}

static void ask_queue(struct backend_channel *c, uint32_t group, uint64_t queue, uint8_t command, uint8_t kind)
{
    struct port *p = channel_port(c, group);
    command_queue_encode(port_write(p), command, queue);
    question_ask(c, p, kind);
    c->question->queue_id = queue;
    c->question->group = group;
}

static void backend_get(void *self, struct backend_channel *c, uint32_t group, uint64_t queue, bool no_ack)
{
    (void)self;
    struct port *p = channel_port(c, group);
    command_get_encode(port_write(p), queue, no_ack);
    question_ask(c, p, QUESTION_GET);
    c->question->queue_id = queue;
    c->question->group = group;
}

static void backend_purge(void *self, struct backend_channel *c, uint32_t group, uint64_t queue)
{
    (void)self;
    ask_queue(c, group, queue, COMMAND_PURGE, QUESTION_PURGE);
}

static void backend_stat(void *self, struct backend_channel *c, uint32_t group, uint64_t queue)
{
    (void)self;
    ask_queue(c, group, queue, COMMAND_STAT, QUESTION_STAT);
}

static void backend_change(void *self, struct backend_channel *c, const struct topology_command *command,
                           uint8_t delete_flags)
{
    c->connection->has_owned |= command->type == TOPOLOGY_QUEUE_DECLARE && command->exclusive;
    question_change(broker_of(self), c, command, delete_flags);
}

static void backend_refresh(void *self, struct backend_channel *c)
{
    struct port *p = broker_meta_port(broker_of(self));
    command_empty_encode(port_write(p), COMMAND_NOTHING);
    question_ask(c, p, QUESTION_REFRESH);
}

static bool backend_topology_is_fresh(void *self)
{
    return broker_topology_is_fresh(broker_of(self));
}

static bool backend_leads(void *self, uint32_t group)
{
    struct broker *b = broker_of(self);
    return broker_leader(b, group) == b->params.node;
}

/* One that nobody has led yet is just beginning, unless all its places were given up. */
static bool backend_led(void *self, uint32_t group)
{
    struct broker *b = broker_of(self);
    if (b->leaders[group].node) return true;
    const struct placed *p = topology_placed(b->params.topology, group);
    bool kept = !p->count;
    for (uint32_t i = 0; i < p->count; i++)
        kept |= topology_member(b->params.topology, p->nodes[i])->state != MEMBER_GONE;
    return !b->leaders[group].term && kept;
}

static uint64_t backend_connection_token(void *self)
{
    return ((struct broker_connection *)self)->token;
}

static void backend_random_bytes(void *self, void *bytes, size_t size)
{
    struct broker *b = broker_of(self);
    b->io->random_bytes(b->io->self, bytes, size);
}

void backend_fill(struct backend *backend, struct broker_connection *c)
{
    *backend = (struct backend){
        .self = c,
        .topology = backend_topology,
        .login = backend_login,
        .admit = backend_admit,
        .may_come = backend_may_come,
        .outside = backend_outside,
        .ask = backend_ask,
        .logged_in = backend_logged_in,
        .auth = backend_auth,
        .count = backend_count,
        .entered = backend_entered,
        .channel_open = backend_channel_open,
        .channel_close = backend_channel_close,
        .publish = backend_publish,
        .settle = backend_settle,
        .limit = backend_limit,
        .attach = backend_attach,
        .detach = backend_detach,
        .get = backend_get,
        .purge = backend_purge,
        .stat = backend_stat,
        .change = backend_change,
        .refresh = backend_refresh,
        .topology_is_fresh = backend_topology_is_fresh,
        .leads = backend_leads,
        .led = backend_led,
        .connection_token = backend_connection_token,
        .random_bytes = backend_random_bytes,
    };
}

/* --- connections --- */

struct broker_connection *broker_connection_open(struct broker *b)
{
    struct broker_connection *c = mem_zalloc(sizeof *c);
    c->broker = b;
    c->token = port_id(b->params.node, b->epoch, (uint32_t)(++b->token_counter << 6 | b->params.shard));
    list_init(&c->channels);
    list_append(&b->connections, &c->link);
    backend_fill(&c->backend, c);
    return c;
}

uint64_t broker_channel_port(const struct broker_connection *c, uint16_t number, uint32_t group)
{
    LIST_FOR(&c->channels, link)
    {
        const struct backend_channel *channel = LIST_ITEM(link, struct backend_channel, link);
        if (channel->number != number || group >= c->broker->params.group_count) continue;
        return channel->ports[group] ? channel->ports[group]->id : 0;
    }
    return 0;
}

void broker_connection_hide(struct broker_connection *c)
{
    c->hidden = true;
}

const struct backend *broker_connection_backend(struct broker_connection *c)
{
    return &c->backend;
}

void broker_connection_attach(struct broker_connection *c, struct session *session, void (*touched)(void *arg),
                              void *arg)
{
    c->session = session;
    c->touched = touched;
    c->touched_arg = arg;
}

/* Its exclusive queues go with it: first from the topology; the groups' leaders see to the rest (reap.c). Which they are
 * is known to the topology alone, after what is still under way: a declare may have lost its client. */
static void delete_owned_queues(struct broker_connection *c)
{
    struct topology_command command = {.type = TOPOLOGY_OWNERS_GONE, .connection = c->token};
    if (c->has_owned) question_housekeeping(c->broker, &command);
}

void broker_connection_close(struct broker_connection *c)
{
    CHECK(list_empty(&c->channels));
    delete_owned_queues(c);
    leave(c);
    list_remove(&c->link);
    mem_free(c);
}

bool broker_connection_congested(const struct broker_connection *c)
{
    return c->unanswered_bytes > BROKER_CONNECTION_BYTES_MAX;
}

bool broker_connection_behind(const struct broker_connection *c)
{
    return c->behind;
}

void broker_connection_drained(struct broker_connection *c)
{
    c->behind = false;
    LIST_FOR(&c->channels, link)
    {
        struct backend_channel *channel = LIST_ITEM(link, struct backend_channel, link);
        if (session_is_holding(c->session, channel->number)) {
            c->behind = true;
            continue;
        }
        for (uint32_t group = 1; group < c->broker->params.group_count; group++) {
            struct port *p = channel->ports[group];
            if (!p || p->received == p->in_hand) continue;
            port_shown(p);
            port_receipt(p);
        }
    }
}
