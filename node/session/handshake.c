/* Channel 0: from the start to the open connection, and its end. */
#include "node/session/channel_internal.h"

static void tune_ok(struct session *s, const struct amqp_connection_tune *ok);
static bool open_vhost(struct session *s, const struct amqp_connection_open *open);

void session_handshake_send(struct session *s, const struct amqp_method *m)
{
    amqp_method_put(&s->output, 0, m);
    s->counters.sent_frames++;
}

bool session_handshake_method(struct session *s, const struct amqp_method *m)
{
    static const char *const names[] = {"pre_init", "starting", "tuning", "opening", "running", "closing", "closed"};
    if (s->refuse_at_ms && s->phase == PHASE_START) return false;
    switch (amqp_method_number(m)) {
    case AMQP_CONNECTION_START_OK:
        if (s->phase != PHASE_START) break;
        return session_login_start(s, &m->connection_start_ok);
    case AMQP_CONNECTION_SECURE_OK:
        if (s->phase != PHASE_START || !s->challenged) break;
        return session_login_secure(s, m->connection_secure_ok.response);
    case AMQP_CONNECTION_TUNE_OK:
        if (s->phase != PHASE_TUNE) break;
        tune_ok(s, &m->connection_tune);
        return true;
    case AMQP_CONNECTION_OPEN:
        if (s->phase != PHASE_OPEN) break;
        return open_vhost(s, &m->connection_open);
    case AMQP_CONNECTION_CLOSE:
        if (s->phase != PHASE_RUNNING) break;
        session_farewell_begin(s);
        return true;
    case AMQP_CONNECTION_UPDATE_SECRET:
        if (s->phase != PHASE_RUNNING) break;
        return session_login_again(s);
    default:
        break;
    }
    session_fail(s, AMQP_CHANNEL_ERROR, "unexpected method in connection state %s", names[s->phase]);
    return true;
}

void session_handshake_send_start(struct session *s)
{
    static const char *const capabilities[] = {
        "publisher_confirms",           "exchange_exchange_bindings", "basic.nack",
        "consumer_cancel_notify",       "connection.blocked",         "consumer_priorities",
        "authentication_failure_close", "per_consumer_qos",           "direct_reply_to",
    };
    struct buf table = {0};
    size_t at = amqp_table_open_table(&table, "capabilities");
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        amqp_table_put_bool(&table, capabilities[i], true);
    amqp_nested_close(&table, at);
    char cluster_name[REGISTRY_CLUSTER_NAME_SIZE];
    registry_cluster_name(s->backend->topology(s->backend->self), s->settings->cluster_name, cluster_name);
    amqp_table_put_string(&table, "cluster_name", slice_str(cluster_name));
    amqp_table_put_string(&table, "copyright", slice_str("Copyright (c) the Warren authors"));
    amqp_table_put_string(&table, "information", slice_str("Warren, a highly available AMQP 0-9-1 broker"));
    amqp_table_put_string(&table, "platform", slice_str("C"));
    amqp_table_put_string(&table, "product", slice_str(s->settings->product));
    amqp_table_put_string(&table, "version", slice_str(s->settings->version));
    struct buf mechanisms = {0};
    session_mechanisms_put(s, &mechanisms);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START);
    m.connection_start = (struct amqp_connection_start){
        .version_major = 0,
        .version_minor = 9,
        .server_properties = buf_slice(&table),
        .mechanisms = buf_slice(&mechanisms),
        .locales = slice_str("en_US"),
    };
    session_handshake_send(s, &m);
    buf_close(&mechanisms);
    buf_close(&table);
}

/* False: the connection failed. */
static bool negotiate(struct session *s, const char *what, uint32_t least, uint32_t offered, uint32_t asked)
{
    bool low = asked && asked < least, high = offered && (!asked || asked > offered);
    if (!low && !high) return true;
    s->method_id = (uint16_t)AMQP_CONNECTION_TUNE;
    session_fail(s, AMQP_NOT_ALLOWED, "negotiated %s = %u%s is %s than the %s allowed value (%u)", what, asked,
                 asked ? "" : " (no limit)", low ? "lower" : "higher", low ? "minimum" : "maximum",
                 low ? least : offered);
    return false;
}

static void tune_ok(struct session *s, const struct amqp_connection_tune *ok)
{
    if (!negotiate(s, "frame_max", AMQP_FRAME_MIN, s->settings->frame_max, ok->frame_max)) return;
    if (!negotiate(s, "channel_max", 1, s->settings->channel_max, ok->channel_max)) return;
    s->frame_max = ok->frame_max;
    s->channel_max = ok->channel_max ? ok->channel_max : UINT16_MAX;
    s->heartbeat_s = ok->heartbeat;
    s->phase = PHASE_OPEN;
}

/* False: the connection failed. */
static bool is_within_limits(struct session *s, struct slice vhost)
{
    const struct backend *backend = s->backend;
    struct auth *auth = backend->auth(backend->self);
    struct slice user = buf_slice(&s->user);
    int64_t of_vhost = auth_vhost_limit(auth, vhost, "max-connections");
    int64_t of_user = auth_user_limit(auth, user, "max-connections");
    uint64_t of_node = s->settings->node_connection_max;
    if (of_node &&
        backend->count(backend->self, BACKEND_CONNECTIONS_OF_NODE, slice_str(s->settings->node_name)) >= of_node)
        session_fail(s, AMQP_NOT_ALLOWED, "connection refused: node connection limit (%llu) is reached",
                     (unsigned long long)of_node);
    else if (of_vhost >= 0 && backend->count(backend->self, BACKEND_CONNECTIONS_OF_VHOST, vhost) >= (uint64_t)of_vhost)
        session_fail(s, AMQP_NOT_ALLOWED,
                     "access to vhost '%.*s' refused for user '%.*s': connection limit (%lld) is reached",
                     SLICE_ARG(vhost), SLICE_ARG(user), (long long)of_vhost);
    else if (of_user >= 0 && backend->count(backend->self, BACKEND_CONNECTIONS_OF_USER, user) >= (uint64_t)of_user)
        session_fail(s, AMQP_NOT_ALLOWED, "connection refused for user '%.*s': user connection limit (%lld) is reached",
                     SLICE_ARG(user), (long long)of_user);
    else return true;
    return false;
}

static enum auth_word may_enter(struct session *s, struct slice vhost)
{
    if (s->trusted) return AUTH_YES;
    if (s->outside_rights) return session_outside_vhost(s, vhost);
    return auth_may_enter(s->backend->auth(s->backend->self), buf_slice(&s->user), vhost) ? AUTH_YES : AUTH_NO;
}

static bool open_vhost(struct session *s, const struct amqp_connection_open *open)
{
    const struct backend *backend = s->backend;
    struct slice vhost = open->virtual_host, user = buf_slice(&s->user);
    bool exists = topology_has_vhost(backend->topology(backend->self), vhost);
    enum auth_word word = may_enter(s, vhost);
    if (exists && word == AUTH_UNKNOWN) return !session_ask_outside(s);
    bool enters = exists && word == AUTH_YES;
    if (!enters && session_wait_for_news(s)) return false;
    if (!exists) {
        session_fail(s, AMQP_NOT_ALLOWED, "vhost %.*s not found", SLICE_ARG(vhost));
        return true;
    }
    if (!enters) {
        session_fail(s, AMQP_NOT_ALLOWED, "access to vhost '%.*s' refused for user '%.*s'", SLICE_ARG(vhost),
                     SLICE_ARG(user));
        return true;
    }
    if (!s->trusted && !is_within_limits(s, vhost)) return true;
    buf_put_slice(&s->vhost, vhost);
    backend->entered(backend->self, user, vhost);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_OPEN_OK);
    session_handshake_send(s, &m);
    s->phase = PHASE_RUNNING;
    session_look_at_tracing(s);
    return true;
}
