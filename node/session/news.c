/* News of the registry, and who waits for them.
 *
 * Before a login is refused by a topology that may be behind: the meta leader is asked for news, through a channel of
 * the backend with the number 0, and the client's frame waits. A cluster that was not set up yet has no users: whoever
 * comes that early waits, too. */
#include "node/session/channel_internal.h"

bool session_wait_for_news(struct session *s)
{
    const struct backend *backend = s->backend;
    bool set_up = auth_is_open(backend->auth(backend->self)) || registry_is_seeded(backend->topology(backend->self));
    if (s->asker) return true;
    if (s->has_news && set_up) return false;
    if (!s->has_news && set_up && backend->topology_is_fresh(backend->self)) return false;
    s->asker = backend->channel_open(backend->self, 0);
    backend->refresh(backend->self, s->asker);
    return s->asker || session_wait_for_news(s); /* a backend may answer within the call */
}

void session_news(struct session *s)
{
    s->backend->channel_close(s->backend->self, s->asker);
    s->asker = NULL;
    if (!s->asks_outside) s->has_news = true;
    s->asks_outside = false;
    s->stalled = false; /* the frame is judged again, and for good */
}

void session_registry_changed(struct session *s, uint64_t now_ms)
{
    const struct backend *backend = s->backend;
    char text[SESSION_TEXT_SIZE];
    if (s->phase != PHASE_RUNNING) return; /* who is not in yet is asked at the door */
    session_look_at_tracing(s);
    bool home = topology_has_vhost(backend->topology(backend->self), buf_slice(&s->vhost));
    bool known = s->trusted || s->outside_login || auth_has_user(backend->auth(backend->self), buf_slice(&s->user));
    if (home && known) return;
    if (known) snprintf(text, sizeof text, "vhost '%.*s' is deleted", SLICE_ARG(s->vhost));
    else snprintf(text, sizeof text, "user '%.*s' is deleted", SLICE_ARG(s->user));
    session_close(s, AMQP_CONNECTION_FORCED, text, now_ms);
}
