/* Users and rights that an HTTP server knows (auth_backends http). What is not known yet is asked, and the client's
 * frame waits: a login through a channel of the backend with the number 0, a method or publish as
 * for fresh topology. */
#include "node/auth/outside.h"

#include "node/session/channel_internal.h"

static enum auth_word look(struct session *s, struct slice *tags)
{
    return s->backend->outside(s->backend->self, buf_slice(&s->ask), tags);
}

bool session_ask_outside(struct session *s)
{
    const struct backend *backend = s->backend;
    if (s->asker) return true;
    s->asks_outside = true;
    s->asker = backend->channel_open(backend->self, 0);
    backend->ask(backend->self, s->asker, buf_slice(&s->ask));
    return true;
}

enum auth_word session_outside_login(struct session *s, struct slice user, const struct slice *password)
{
    struct slice tags;
    if (!s->backend->may_come(s->backend->self, user, s->peer_is_loopback)) return AUTH_NO;
    auth_ask_user(&s->ask, user, password);
    enum auth_word word = look(s, &tags);
    if (word != AUTH_YES) return word;
    buf_clear(&s->outside_tags);
    buf_put_slice(&s->outside_tags, tags);
    return word;
}

enum auth_word session_outside_vhost(struct session *s, struct slice vhost)
{
    auth_ask_vhost(&s->ask, buf_slice(&s->user), buf_slice(&s->outside_tags), vhost, session_peer_address(s));
    return look(s, NULL);
}

enum auth_word session_outside_resource(struct session *s, enum auth_permission permission, const char *kind,
                                        struct slice name)
{
    auth_ask_resource(&s->ask, buf_slice(&s->user), buf_slice(&s->outside_tags), buf_slice(&s->vhost), kind, name,
                      permission);
    return look(s, NULL);
}

enum auth_word session_outside_topic(struct session *s, enum auth_permission permission, struct slice exchange,
                                     struct slice key)
{
    if (!s->settings->topics_outside) return AUTH_YES;
    auth_ask_topic(&s->ask, buf_slice(&s->user), buf_slice(&s->outside_tags), buf_slice(&s->vhost), exchange,
                   permission, key);
    return look(s, NULL);
}

void channel_ask_outside(struct channel *ch, const struct amqp_method *m)
{
    struct session *s = ch->session;
    channel_question_open(ch, QUESTION_OUTSIDE, slice_of(NULL, 0), false);
    buf_clear(&ch->question.held);
    if (m) amqp_method_encode(&ch->question.held, m);
    s->backend->ask(s->backend->self, ch->backend, buf_slice(&s->ask));
}
