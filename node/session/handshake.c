/* Channel 0: from the start to the open connection, and its end. */
#include "node/session/session_internal.h"

static bool start_ok(struct session *s, const struct amqp_connection_start_ok *ok);
static void tune_ok(struct session *s, const struct amqp_connection_tune *ok);
static bool open_vhost(struct session *s, const struct amqp_connection_open *open);

static void send(struct session *s, const struct amqp_method *m)
{
    amqp_method_put(&s->output, 0, m);
    s->counters.sent_frames++;
}

bool session_handshake_method(struct session *s, const struct amqp_method *m)
{
    static const char *const names[] = {"pre_init", "starting", "tuning", "opening", "running", "closing", "closed"};
    struct amqp_method answer;
    if (s->refuse_at_ms && s->phase == PHASE_START) return false;
    switch (amqp_method_number(m)) {
    case AMQP_CONNECTION_START_OK:
        if (s->phase != PHASE_START) break;
        return start_ok(s, &m->connection_start_ok);
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
    case AMQP_CONNECTION_UPDATE_SECRET: /* users are checked when they log in: a new secret changes nothing they may do
                                         */
        if (s->phase != PHASE_RUNNING) break;
        answer = amqp_method_of(AMQP_CONNECTION_UPDATE_SECRET_OK);
        send(s, &answer);
        return true;
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
    amqp_table_put_string(&table, "cluster_name", slice_str(s->settings->cluster_name));
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
    send(s, &m);
    buf_close(&mechanisms);
    buf_close(&table);
}

/* authorization id NUL authentication id NUL password (RFC 4616); RabbitMQ takes the last two. */
static bool read_plain(struct slice response, struct slice *user, struct slice *password)
{
    struct slice rest = response;
    for (unsigned part = 0; part < 2; part++) {
        const uint8_t *zero = rest.size ? memchr(rest.data, 0, rest.size) : NULL;
        if (!zero) return false;
        size_t size = (size_t)(zero - rest.data);
        if (part) *user = slice_of(rest.data, size);
        rest = slice_of(zero + 1, rest.size - size - 1);
    }
    *password = rest;
    return !rest.size || !memchr(rest.data, 0, rest.size);
}

/* A field table without its length. */
static bool read_amqplain(struct slice response, struct slice *user, struct slice *password)
{
    return amqp_table_validate(response) == 0 && amqp_table_find_string(response, "LOGIN", user) &&
           amqp_table_find_string(response, "PASSWORD", password);
}

static void read_client(struct session *s, struct slice properties)
{
    struct amqp_value capabilities;
    struct slice name;
    buf_put_slice(&s->client_properties, properties);
    if (amqp_table_find_string(properties, "connection_name", &name)) buf_put_slice(&s->connection_name, name);
    if (!amqp_table_find(properties, "capabilities", &capabilities) || capabilities.type != 'F') return;
    amqp_table_find_bool(capabilities.bytes, "consumer_cancel_notify", &s->cancel_notify);
    amqp_table_find_bool(capabilities.bytes, "authentication_failure_close", &s->failure_close);
    amqp_table_find_bool(capabilities.bytes, "connection.blocked", &s->hears_blocked);
}

void session_handshake_refuse(struct session *s)
{
    struct slice mechanism = buf_slice(&s->mechanism);
    char text[SESSION_TEXT_SIZE];
    int size = snprintf(
        text, sizeof text,
        "ACCESS_REFUSED - Login was refused using authentication mechanism %.*s. For details see the broker logfile.",
        SLICE_ARG(mechanism));
    if (s->failure_close) {
        struct amqp_method m = amqp_method_of(AMQP_CONNECTION_CLOSE);
        m.close = (struct amqp_close){AMQP_ACCESS_REFUSED, slice_str(text), 0, 0};
        send(s, &m);
    }
    if (slice_is(mechanism, "EXTERNAL") && *s->tls->no_user && size < (int)sizeof text)
        snprintf(text + size, sizeof text - (size_t)size, " (%s)", s->tls->no_user); /* for the log */
    session_close_silently(s, text);
}

/* Whose certificate it is, was told when the session was made. */
static bool login_external(struct session *s, struct slice *user)
{
    *user = s->tls->user;
    return user->size && s->backend->admit(s->backend->self, *user, s->peer_is_loopback);
}

/* The response of a mechanism that this node knows. False: the connection failed. */
static bool read_response(struct session *s, const struct amqp_connection_start_ok *ok, struct slice *user,
                          struct slice *password)
{
    if (!s->trusted && !session_mechanism_is_offered(s, ok->mechanism)) {
        session_fail(s, AMQP_COMMAND_INVALID, "unknown authentication mechanism '%.*s'", SLICE_ARG(ok->mechanism));
        return false;
    }
    bool plain = slice_is(ok->mechanism, "PLAIN");
    if (slice_is(ok->mechanism, "EXTERNAL")) return true;
    if (plain ? read_plain(ok->response, user, password) : read_amqplain(ok->response, user, password)) return true;
    session_fail(s, AMQP_SYNTAX_ERROR, "invalid response for the authentication mechanism %.*s",
                 SLICE_ARG(ok->mechanism));
    return false;
}

static bool logs_in(struct session *s, struct slice mechanism, struct slice *user, struct slice password)
{
    if (slice_is(mechanism, "EXTERNAL")) return login_external(s, user);
    return s->trusted || s->backend->login(s->backend->self, *user, password, s->peer_is_loopback);
}

/* The host of "host:port -> ...". */
static struct slice peer_address(const struct session *s)
{
    const char *end = strstr(s->peer, " -> ");
    size_t size = end ? (size_t)(end - s->peer) : strlen(s->peer);
    while (size && s->peer[size - 1] != ':') size--;
    return slice_of(s->peer, size ? size - 1 : 0);
}

static bool start_ok(struct session *s, const struct amqp_connection_start_ok *ok)
{
    struct slice user = {0}, password = {0};
    bool known = read_response(s, ok, &user, &password);
    bool welcome = known && logs_in(s, ok->mechanism, &user, password);
    if (known && !welcome && session_wait_for_news(s)) return false;
    read_client(s, ok->client_properties);
    buf_put_slice(&s->mechanism, ok->mechanism);
    if (!known) return true;
    uint32_t delay_ms = s->backend->logged_in(s->backend->self, peer_address(s), welcome);
    if (!welcome) {
        s->refuse_at_ms = s->now_ms + delay_ms;
        if (!delay_ms) session_handshake_refuse(s);
        return true;
    }
    buf_put_slice(&s->user, user);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE);
    m.connection_tune = (struct amqp_connection_tune){
        .channel_max = s->settings->channel_max,
        .frame_max = s->settings->frame_max,
        .heartbeat = s->settings->heartbeat_s,
    };
    send(s, &m);
    s->phase = PHASE_TUNE;
    return true;
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
    if (of_vhost >= 0 && backend->count(backend->self, BACKEND_CONNECTIONS_OF_VHOST, vhost) >= (uint64_t)of_vhost)
        session_fail(s, AMQP_NOT_ALLOWED,
                     "access to vhost '%.*s' refused for user '%.*s': connection limit (%lld) is reached",
                     SLICE_ARG(vhost), SLICE_ARG(user), (long long)of_vhost);
    else if (of_user >= 0 && backend->count(backend->self, BACKEND_CONNECTIONS_OF_USER, user) >= (uint64_t)of_user)
        session_fail(s, AMQP_NOT_ALLOWED, "connection refused for user '%.*s': user connection limit (%lld) is reached",
                     SLICE_ARG(user), (long long)of_user);
    else return true;
    return false;
}

static bool open_vhost(struct session *s, const struct amqp_connection_open *open)
{
    const struct backend *backend = s->backend;
    struct slice vhost = open->virtual_host, user = buf_slice(&s->user);
    bool exists = topology_has_vhost(backend->topology(backend->self), vhost);
    bool enters = exists && (s->trusted || auth_may_enter(backend->auth(backend->self), user, vhost));
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
    send(s, &m);
    s->phase = PHASE_RUNNING;
    return true;
}
