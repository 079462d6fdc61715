/* Before a login is refused by a topology that may be behind: the meta leader is asked for news, through a channel of
 * the backend with the number 0, and the client's frame waits. A cluster that was not set up yet has no users: whoever
 * comes that early waits, too. */
#include "node/session/session_internal.h"

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
    s->has_news = true;
    s->stalled = false; /* the frame is judged again, and for good */
}
