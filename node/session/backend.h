/* What a session asks of the broker behind it, and nothing more: the channel never learns where a queue is.
 *
 * Thread: the session's shard. The functions marked "answered" return at once; the answer comes later, once, through
 * session_reply() with the same channel (possibly from inside the call). At most one question is open per channel.
 * All other functions are carried out in order and have no answer but the events named. Slices are borrowed for
 * the call. */
#ifndef WARREN_NODE_SESSION_BACKEND_H
#define WARREN_NODE_SESSION_BACKEND_H

#include "node/amqp/marks.h"
#include "node/auth/outside.h"
#include "node/queue/command.h"
#include "router/route.h"
#include "router/topology.h"

/* The broker's side of a channel: holds its ports. */
struct backend_channel;

enum {
    BACKEND_OUTCOME_ACK = SETTLE_ACK,
    BACKEND_OUTCOME_REJECT = SETTLE_REJECT,
    BACKEND_OUTCOME_REQUEUE = SETTLE_REQUEUE
};

/* A message on its way to queues. */
struct publish {
    struct slice vhost;
    struct content content;
    uint8_t flags; /* ENQUEUE_PERSISTENT */
    uint8_t priority;
    uint64_t ttl_ms;                /* UINT64_MAX: none */
    const struct amqp_marks *marks; /* NULL: none */
};

/* What is counted over the whole cluster, as far as this shard has heard; of a node, by its name, only if it has such a
 * limit. */
enum backend_census {
    BACKEND_CONNECTIONS_OF_VHOST,
    BACKEND_CONNECTIONS_OF_USER,
    BACKEND_CHANNELS_OF_USER,
    BACKEND_CONNECTIONS_OF_NODE,
    BACKEND_CHANNELS_OF_NODE,
};

struct backend {
    void *self;

    /* This shard's copy; read directly for routes, passive declares and cached answers. */
    struct topology *(*topology)(void *self);
    /* `loopback` says whether the peer's address is a loopback address. */
    bool (*login)(void *self, struct slice user, struct slice password, bool loopback);
    /* The same for a user whose certificate was verified: it must exist, and may come from there. */
    bool (*admit)(void *self, struct slice user, bool loopback);
    /* May it come from there, whoever vouches for it? */
    bool (*may_come)(void *self, struct slice user, bool loopback);
    /* What an HTTP server has said to a question of node/auth/outside.h, if it was asked lately. `tags` may be NULL. */
    enum auth_word (*outside)(void *self, struct slice question, struct slice *tags);
    /* Answered when outside() knows. */
    void (*ask)(void *self, struct backend_channel *c, struct slice question);
    /* How a login of this user from this address went; returns for how long (ms) a no shall wait. */
    uint32_t (*logged_in)(void *self, struct slice address, struct slice user, bool welcome);
    /* This shard's; who may do what. */
    struct auth *(*auth)(void *self);
    uint64_t (*count)(void *self, enum backend_census what, struct slice name);
    void (*entered)(void *self, struct slice user, struct slice vhost); /* the connection is open, and counts */

    /* --- channels --- */
    struct backend_channel *(*channel_open)(void *self, uint16_t channel);
    /* Closes all its ports: consumers detach, what is unacked is requeued. Forgets open questions. */
    void (*channel_close)(void *self, struct backend_channel *c);

    /* --- publishing --- */
    /* Hands the message to the queues and stores of `route` (there is one). Returns how many session_confirm() calls
     * will come for `tag`, one per group. The content is copied. */
    unsigned (*publish)(void *self, struct backend_channel *c, const struct route *route, const struct publish *message,
                        uint64_t tag);

    /* --- settling: dseqs of one group, both ends included --- */
    void (*settle)(void *self, struct backend_channel *c, uint32_t group, uint64_t first, uint64_t last,
                   uint8_t outcome);
    /* basic.qos global: over all consumers of the channel; told to every group the channel talks to, now and later. */
    void (*limit)(void *self, struct backend_channel *c, uint32_t prefetch);

    /* --- answered --- */
    void (*attach)(void *self, struct backend_channel *c, uint32_t group, const struct command_attach *attach);
    void (*detach)(void *self, struct backend_channel *c, uint32_t group, uint32_t consumer);
    void (*get)(void *self, struct backend_channel *c, uint32_t group, uint64_t queue,
                bool no_ack); /* session_deliver with consumer 0, then the reply */
    void (*purge)(void *self, struct backend_channel *c, uint32_t group, uint64_t queue);
    void (*stat)(void *self, struct backend_channel *c, uint32_t group, uint64_t queue);
    /* A change of the topology: committed, and applied on every reachable node. QUEUE_DECLARE also makes the queue in
     * its group (reply: a = ready, b = consumers); QUEUE_DELETE empties it there first (flags DELETE_IF_*; reply:
     * a = messages lost). */
    void (*change)(void *self, struct backend_channel *c, const struct topology_command *command, uint8_t delete_flags);
    /* Answered when this shard's topology is as new as the meta leader's was when asked. Before a client is told
     * "not found". */
    void (*refresh)(void *self, struct backend_channel *c);
    /* True while refresh would teach nothing: the meta leader is in touch, and was asked once since. Lets an
     * unroutable message be judged at once. */
    bool (*topology_is_fresh)(void *self);
    /* As far as this shard knows, this node leads the group. */
    bool (*leads)(void *self, uint32_t group);
    /* The same of any node. NULL: all groups are led. */
    bool (*led)(void *self, uint32_t group);

    /* A token unique for ever for this connection (owner of exclusive queues) and random bytes for generated names. */
    uint64_t (*connection_token)(void *self);
    void (*random_bytes)(void *self, void *bytes, size_t size);
};

/* The answer to a question. reply_code 0: yes. Else AMQP's code; `text` is the whole reply text if the broker knows
 * it (else empty: the session composes RabbitMQ's). `code` is enum reply_code of node/queue/effect.h. */
struct backend_reply {
    uint16_t reply_code;
    uint8_t code;
    uint64_t a, b;
    uint64_t queue_id;
    uint32_t group;
    bool created;
    struct slice text;
};

#endif
