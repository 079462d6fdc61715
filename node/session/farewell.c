/* The end that the client asked for: its exclusive queues are deleted before close-ok.
 *
 * AMQP says only that they go with the connection; but clients that reconnect declare them again at once, as RabbitMQ
 * lets them. The deletes go through a channel of the backend with the number 0, one after the other; what is not done
 * in time is left to the broker, which deletes the queues of connections that broke in any case. */
#include "node/session/channel_internal.h"

static void delete_next(struct session *s);

void session_farewell_begin(struct session *s)
{
    const struct backend *backend = s->backend;
    uint64_t cursor = 0;
    session_close_channels(s);
    s->phase = PHASE_CLOSING;
    if (!topology_next_owned(backend->topology(backend->self), s->token, &cursor)) {
        session_farewell_end(s);
        return;
    }
    s->close_deadline_ms = s->now_ms + SESSION_FAREWELL_TIMEOUT_MS;
    s->farewell = backend->channel_open(backend->self, 0);
    s->farewell_queue = 0;
    delete_next(s);
}

void session_farewell_end(struct session *s)
{
    struct amqp_method ok = amqp_method_of(AMQP_CONNECTION_CLOSE_OK);
    amqp_method_put(&s->output, 0, &ok);
    s->counters.sent_frames++;
    session_end(s);
}

static void delete_next(struct session *s)
{
    const struct backend *backend = s->backend;
    uint64_t cursor = 0;
    const struct queue_record *q = topology_next_owned(backend->topology(backend->self), s->token, &cursor);
    if (!q || q->id == s->farewell_queue) { /* none is left, or this one would not go */
        session_farewell_end(s);
        return;
    }
    s->farewell_queue = q->id;
    struct topology_command c = {
        .type = TOPOLOGY_QUEUE_DELETE,
        .vhost = q->vhost,
        .name = q->name,
        .connection = s->token,
        .queue_id = q->id,
    };
    backend->change(backend->self, s->farewell, &c, 0);
}

void session_farewell_reply(struct session *s)
{
    if (s->farewell) delete_next(s);
}
