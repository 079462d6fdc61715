/* A broker that is only a topology, behind a session: declares and bindings are carried out there and answered at once.
 *
 * Thread:   the caller's. Lifetime: rehearsal_stage_open() .. rehearsal_stage_close(). No vhost at first. */
#ifndef WARREN_NODE_HTTP_REHEARSAL_BACKEND_H
#define WARREN_NODE_HTTP_REHEARSAL_BACKEND_H

#include "node/http/conversation.h"
#include "node/session/session.h"

struct rehearsal_stage {
    struct topology *topology;
    struct auth *auth;
    struct session_settings settings;
    struct backend backend;
    struct session *session; /* NULL: none */
    struct buf vhost;        /* that it is in */
    uint64_t random;
};

void rehearsal_stage_open(struct rehearsal_stage *s, const struct session_settings *settings);
void rehearsal_stage_close(struct rehearsal_stage *s);
bool rehearsal_stage_apply(struct rehearsal_stage *s, const struct topology_command *c, struct refusal *why);
bool rehearsal_stage_tell(struct rehearsal_stage *s, struct slice vhost, const struct amqp_method *m,
                          struct refusal *why);

#endif
