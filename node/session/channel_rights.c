/* What the user may do, asked where RabbitMQ asks. A no of a topology that may be behind is asked
 * again when it is not. */
#include "node/session/channel_internal.h"

static const char *const words[AUTH_PERMISSION_COUNT] = {"configure", "write", "read"};

static struct auth *auth_of(const struct channel *ch)
{
    return ch->session->backend->auth(ch->session->backend->self);
}

static enum auth_word may(struct channel *ch, enum auth_permission permission, const char *kind, struct slice name)
{
    struct session *s = ch->session;
    if (s->trusted) return AUTH_YES;
    if (s->outside_rights) return session_outside_resource(s, permission, kind, name);
    return auth_may(auth_of(ch), buf_slice(&s->user), buf_slice(&s->vhost), permission, name) ? AUTH_YES : AUTH_NO;
}

static void refuse(struct channel *ch, enum auth_permission permission, const char *kind, struct slice name)
{
    const struct session *s = ch->session;
    if (!name.size) name = slice_str("amq.default");
    channel_fail(ch, AMQP_ACCESS_REFUSED, "%s access to %s '%.*s' in vhost '%.*s' refused for user '%.*s'",
                 words[permission], kind, SLICE_ARG(name), SLICE_ARG(s->vhost), SLICE_ARG(s->user));
}

bool channel_may(struct channel *ch, const struct amqp_method *m, enum auth_permission permission, const char *kind,
                 struct slice name)
{
    enum auth_word word = may(ch, permission, kind, name);
    if (word == AUTH_YES) return true;
    if (word == AUTH_UNKNOWN) channel_ask_outside(ch, m);
    else if (!channel_question_refresh_first(ch, m)) refuse(ch, permission, kind, name);
    return false;
}

void channel_may_go_on_reading(struct channel *ch, struct slice queue)
{
    if (may(ch, AUTH_READ, "queue", queue) == AUTH_NO) refuse(ch, AUTH_READ, "queue", queue);
}

static bool is_topic(struct channel *ch, struct slice exchange)
{
    const struct session *s = ch->session;
    const struct exchange *x =
        topology_exchange(s->backend->topology(s->backend->self), buf_slice(&s->vhost), exchange);
    return x && slice_is(x->type, "topic");
}

static enum auth_word topic_allows(struct channel *ch, enum auth_permission permission, struct slice exchange,
                                   struct slice key)
{
    struct session *s = ch->session;
    if (s->trusted || !is_topic(ch, exchange)) return AUTH_YES;
    if (s->outside_rights) return session_outside_topic(s, permission, exchange, key);
    bool yes = auth_may_topic(auth_of(ch), buf_slice(&s->user), buf_slice(&s->vhost), permission, exchange, key);
    return yes ? AUTH_YES : AUTH_NO;
}

static void refuse_topic(struct channel *ch, enum auth_permission permission, struct slice exchange, struct slice key)
{
    const struct session *s = ch->session;
    channel_fail(ch, AMQP_ACCESS_REFUSED,
                 "%s access to topic '%.*s' in exchange '%.*s' in vhost '%.*s' refused for user '%.*s'",
                 words[permission], SLICE_ARG(key), SLICE_ARG(exchange), SLICE_ARG(s->vhost), SLICE_ARG(s->user));
}

bool channel_may_bind_topic(struct channel *ch, const struct amqp_method *m, struct slice exchange, struct slice key)
{
    enum auth_word word = topic_allows(ch, AUTH_READ, exchange, key);
    if (word == AUTH_YES) return true;
    if (word == AUTH_UNKNOWN) channel_ask_outside(ch, m);
    else if (!channel_question_refresh_first(ch, m)) refuse_topic(ch, AUTH_READ, exchange, key);
    return false;
}

bool channel_may_dead_letter(struct channel *ch, const struct amqp_method *m, const char *kind, struct slice name,
                             struct slice arguments, const char *key)
{
    struct slice target;
    return !amqp_table_find_string(arguments, key, &target) ||
           (channel_may(ch, m, AUTH_READ, kind, name) && channel_may(ch, m, AUTH_WRITE, "exchange", target));
}

static enum channel_publish_right topic_right(struct channel *ch, struct slice exchange, struct slice key)
{
    enum auth_word word = topic_allows(ch, AUTH_WRITE, exchange, key);
    if (word == AUTH_UNKNOWN) return PUBLISH_UNKNOWN;
    return word == AUTH_YES ? PUBLISH_ALLOWED : PUBLISH_NOT_TO_TOPIC;
}

/* --- publishing: the last yes is remembered. Asking anew costs some 70 ns, so more than one would not pay. --- */

enum channel_publish_right channel_publish_allowed(struct channel *ch, struct slice exchange, struct slice key)
{
    struct session *s = ch->session;
    struct write_right *known = &ch->write_right;
    enum auth_word word;
    uint64_t version = registry_version(s->backend->topology(s->backend->self));
    bool same = known->version == version && known->until_ms > s->now_ms &&
                slice_equal(slice_of(known->exchange, known->size), exchange);
    if (!same) {
        known->version = 0;
        word = may(ch, AUTH_WRITE, "exchange", exchange);
        if (word != AUTH_YES) return word == AUTH_UNKNOWN ? PUBLISH_UNKNOWN : PUBLISH_NOT_TO_EXCHANGE;
        known->until_ms = s->outside_rights ? s->now_ms + SESSION_OUTSIDE_KEPT_MS : UINT64_MAX;
        known->topics = s->outside_rights && s->settings->topics_outside;
        if (!s->outside_rights)
            known->topics =
                !s->trusted && auth_has_topics(auth_of(ch), buf_slice(&s->user), buf_slice(&s->vhost), exchange);
        known->size = (uint8_t)exchange.size;
        if (exchange.size) memcpy(known->exchange, exchange.data, exchange.size);
        known->version = version;
    }
    return known->topics ? topic_right(ch, exchange, key) : PUBLISH_ALLOWED;
}

enum channel_publish_right channel_publish_copies_allowed(struct channel *ch, struct slice exchange,
                                                          struct slice headers, struct slice *key)
{
    static const char *const names[] = {"CC", "BCC"};
    enum channel_publish_right right = PUBLISH_ALLOWED;
    for (size_t i = 0; ch->write_right.topics && i < 2; i++) {
        struct reader r = reader_of(channel_publish_copies(headers, names[i]));
        struct amqp_value v;
        while (amqp_array_next(&r, &v)) {
            if (v.type != 'S') continue;
            *key = v.bytes;
            right = topic_right(ch, exchange, v.bytes);
            if (right != PUBLISH_ALLOWED) return right;
        }
    }
    return right;
}

void channel_publish_refuse(struct channel *ch, enum channel_publish_right right, struct slice exchange,
                            struct slice key)
{
    if (right == PUBLISH_NOT_TO_TOPIC) refuse_topic(ch, AUTH_WRITE, exchange, key);
    else refuse(ch, AUTH_WRITE, "exchange", exchange);
}

bool channel_may_claim_user(struct channel *ch, struct slice user_id)
{
    const struct session *s = ch->session;
    struct slice user = buf_slice(&s->user);
    if (s->trusted || slice_equal(user_id, user)) return true;
    unsigned tags = s->outside_login ? auth_tag_bits(buf_slice(&s->outside_tags)) : auth_tags(auth_of(ch), user);
    return tags & AUTH_TAG_IMPERSONATOR;
}
