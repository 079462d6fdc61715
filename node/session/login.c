/* Who the client is: mechanisms, their responses, and what the registry says to them. */
#include "node/session/channel_internal.h"

static const char challenge_mechanism[] = "RABBIT-CR-DEMO";

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

void session_login_refuse(struct session *s)
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
        session_handshake_send(s, &m);
    }
    if (slice_is(mechanism, "EXTERNAL") && *s->tls->no_user && size < (int)sizeof text)
        snprintf(text + size, sizeof text - (size_t)size, " (%s)", s->tls->no_user); /* for the log */
    session_close_silently(s, text);
}

/* Whose certificate it is, was told when the session was made. */
static enum auth_word login_external(struct session *s, const struct session_login_way *way, struct slice *user)
{
    *user = s->tls->user;
    if (!user->size) return AUTH_NO;
    if (way->outside_login) return session_outside_login(s, *user, NULL);
    return s->backend->admit(s->backend->self, *user, s->peer_is_loopback) ? AUTH_YES : AUTH_NO;
}

/* The response of a mechanism that this node knows; a challenge takes only the name here. False:
 * the connection failed. */
static bool read_response(struct session *s, const struct amqp_connection_start_ok *ok, struct slice *user,
                          struct slice *password)
{
    if (!s->trusted && !session_mechanism_is_offered(s, ok->mechanism)) {
        session_fail(s, AMQP_COMMAND_INVALID, "unknown authentication mechanism '%.*s'", SLICE_ARG(ok->mechanism));
        return false;
    }
    bool plain = slice_is(ok->mechanism, "PLAIN");
    if (slice_is(ok->mechanism, "EXTERNAL")) return true;
    if (slice_is(ok->mechanism, challenge_mechanism)) {
        *user = ok->response;
        return true;
    }
    if (plain ? read_plain(ok->response, user, password) : read_amqplain(ok->response, user, password)) return true;
    session_fail(s, AMQP_SYNTAX_ERROR, "invalid response for the authentication mechanism %.*s",
                 SLICE_ARG(ok->mechanism));
    return false;
}

static enum auth_word try_way(struct session *s, const struct session_login_way *way, struct slice mechanism,
                              struct slice *user, struct slice password)
{
    if (slice_is(mechanism, "EXTERNAL")) return login_external(s, way, user);
    if (way->outside_login) return session_outside_login(s, *user, &password);
    return s->backend->login(s->backend->self, *user, password, s->peer_is_loopback) ? AUTH_YES : AUTH_NO;
}

/* The first way that says yes counts. One that does not know yet is asked, before the next ones are. */
static enum auth_word logs_in(struct session *s, struct slice mechanism, struct slice *user, struct slice password)
{
    static const struct session_login_way registry;
    const struct session_login_way *ways = s->settings->way_count ? s->settings->ways : &registry;
    size_t count = s->settings->way_count ? s->settings->way_count : 1;
    if (s->trusted && !slice_is(mechanism, "EXTERNAL")) return AUTH_YES;
    for (size_t i = 0; i < count; i++) {
        enum auth_word word = try_way(s, &ways[i], mechanism, user, password);
        if (word == AUTH_NO) continue;
        s->outside_login = word == AUTH_YES && ways[i].outside_login;
        s->outside_rights = word == AUTH_YES && ways[i].outside_rights;
        return word;
    }
    return AUTH_NO;
}

struct slice session_peer_address(const struct session *s)
{
    const char *end = strstr(s->peer, " -> ");
    size_t size = end ? (size_t)(end - s->peer) : strlen(s->peer);
    while (size && s->peer[size - 1] != ':') size--;
    return slice_of(s->peer, size ? size - 1 : 0);
}

static void send_challenge(struct session *s, struct slice user)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_SECURE);
    m.connection_secure.challenge = slice_str("Please tell me your password");
    buf_clear(&s->user);
    buf_put_slice(&s->user, user);
    s->challenged = true;
    session_handshake_send(s, &m);
}

static void finish(struct session *s, bool welcome)
{
    uint32_t delay_ms = s->backend->logged_in(s->backend->self, session_peer_address(s), buf_slice(&s->user), welcome);
    if (!welcome) {
        buf_clear(&s->user);
        s->refuse_at_ms = s->now_ms + delay_ms;
        if (!delay_ms) session_login_refuse(s);
        return;
    }
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE);
    m.connection_tune = (struct amqp_connection_tune){
        .channel_max = s->settings->channel_max,
        .frame_max = s->settings->frame_max,
        .heartbeat = s->settings->heartbeat_s,
    };
    session_handshake_send(s, &m);
    s->phase = PHASE_TUNE;
}

bool session_login_start(struct session *s, const struct amqp_connection_start_ok *ok)
{
    struct slice user = {0}, password = {0};
    bool known = !s->challenged && read_response(s, ok, &user, &password);
    bool challenge = known && slice_is(ok->mechanism, challenge_mechanism);
    enum auth_word word = known && !challenge ? logs_in(s, ok->mechanism, &user, password) : AUTH_NO;
    bool welcome = word == AUTH_YES;
    if (word == AUTH_UNKNOWN) return !session_ask_outside(s);
    if (known && !challenge && !welcome && session_wait_for_news(s)) return false;
    if (s->challenged) {
        session_fail(s, AMQP_CHANNEL_ERROR, "unexpected method in connection state securing");
        return true;
    }
    read_client(s, ok->client_properties);
    buf_put_slice(&s->mechanism, ok->mechanism);
    if (challenge) {
        send_challenge(s, user);
    } else if (known) {
        buf_put_slice(&s->user, user);
        finish(s, welcome);
    }
    return true;
}

bool session_login_secure(struct session *s, struct slice response)
{
    static const char prefix[] = "My password is ";
    size_t size = sizeof prefix - 1;
    if (!session_name_begins(response, prefix)) {
        session_fail(s, AMQP_SYNTAX_ERROR, "invalid response for the authentication mechanism %s", challenge_mechanism);
        return true;
    }
    struct slice user = buf_slice(&s->user), password = slice_of(response.data + size, response.size - size);
    enum auth_word word = logs_in(s, buf_slice(&s->mechanism), &user, password);
    if (word == AUTH_UNKNOWN) return !session_ask_outside(s);
    if (word == AUTH_NO && session_wait_for_news(s)) return false;
    finish(s, word == AUTH_YES);
    return true;
}

/* --- update-secret --- */

/* The consumers that the user may not have any more take their channels along. */
static void look_at_consumers(struct channel *ch)
{
    const struct session *s = ch->session;
    struct topology *t = s->backend->topology(s->backend->self);
    size_t at = 0;
    uint64_t id;
    struct consumer *c;
    while (ch->state == CHANNEL_OPEN && (c = map_u64_next(&ch->consumers, &at, &id))) {
        const struct queue_record *q = topology_queue_by_id(t, c->queue);
        if (q && c->id != ch->reply_consumer) channel_may_go_on_reading(ch, q->name);
    }
}

bool session_login_again(struct session *s)
{
    const struct backend *backend = s->backend;
    bool no = s->outside_rights
                  ? session_outside_vhost(s, buf_slice(&s->vhost)) == AUTH_NO
                  : !auth_may_enter(backend->auth(backend->self), buf_slice(&s->user), buf_slice(&s->vhost));
    if (!s->trusted && no) {
        session_fail(s, AMQP_NOT_ALLOWED, "New secret was refused by one of the backends");
        return true;
    }
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i] && s->channels[i]->state == CHANNEL_OPEN) look_at_consumers(s->channels[i]);
    struct amqp_method ok = amqp_method_of(AMQP_CONNECTION_UPDATE_SECRET_OK);
    session_handshake_send(s, &ok);
    return true;
}
