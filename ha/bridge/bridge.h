/* A link: two connections, one to take messages from and one to give them to, kept up for ever. Shovels and federation
 * links are made of it.
 *
 *     STARTING --both ends ready--> RUNNING <--> FLOW (the destination takes no more at present)
 *        ^  |                          |
 *        |  +---------- fail ----------+
 *        |                v
 *        +--- delay --- WAITING          any --> FINISHED (there is nothing more to do)
 *
 * Sans I/O: the host makes connections and moves bytes between them and the clients. After every input, tick or wish it
 * calls bridge_turn(), the only place where clients come and go.
 *
 * Thread: its host's. Lifetime: bridge_init() .. bridge_close(). */
#ifndef WARREN_HA_BRIDGE_BRIDGE_H
#define WARREN_HA_BRIDGE_BRIDGE_H

#include "ha/bridge/lag.h"
#include "ha/bridge/relay.h"
#include "ha/client/client.h"

enum bridge_side { BRIDGE_SOURCE, BRIDGE_DEST };
enum { BRIDGE_SETUP_MS = 300000 /* from connecting until it runs; longer than that it is tried anew */ };
enum {
    BRIDGE_SIDES = 2,
    BRIDGE_CHANNEL = 1,      /* the one that messages travel on, at both ends */
    BRIDGE_LOOK_CHANNEL = 7, /* for looks at the source's queue: RabbitMQ's consume-ok may come after a later answer */
};
enum bridge_state { BRIDGE_STARTING, BRIDGE_RUNNING, BRIDGE_FLOW, BRIDGE_WAITING, BRIDGE_FINISHED };

struct bridge;

struct bridge_host {
    /* Connects a client to where the URI points, and moves its bytes until bridge_host.disconnect(). Trouble is told by
     * client_lost(). */
    void (*connect)(void *self, enum bridge_side side, struct client *client, const struct client_uri *uri);
    /* Takes the client over: it has said connection.close, which stands behind what it had to say before; the host lets
     * it come to its end, and destroys it. */
    void (*disconnect)(void *self, enum bridge_side side);
};

struct bridge_type {
    /* The connection is open: declare what is needed, then bridge_ready(). */
    void (*opened)(struct bridge *l, enum bridge_side side);
    /* What the link does not handle itself: answers, deliveries, returns, closed channels. */
    void (*event)(struct bridge *l, enum bridge_side side, const struct client_event *e);
    /* May be NULL. A connection is lost, or was closed by its server: a look at the reason before the bridge fails. */
    void (*closed)(struct bridge *b, enum bridge_side side, const struct client_event *e);
    void (*running)(struct bridge *l); /* both ends are ready: consume */
};

struct bridge_end {
    struct client *client;         /* NULL: not connected */
    const struct client_uri *uris; /* borrowed; when the connection fails the next one is tried */
    size_t uri_count, uri_at;
    bool ready;
};

struct bridge {
    const struct bridge_host *host;
    void *host_self;
    const struct bridge_type *type;
    const char *name; /* of the connections, borrowed */
    struct bridge_end ends[BRIDGE_SIDES];
    struct relay relay;
    uint8_t state;    /* enum bridge_state */
    uint8_t ack_mode; /* enum relay_ack_mode */
    bool failed;
    uint64_t reconnect_ms; /* BRIDGE_NEVER: fail for good */
    uint64_t now_ms, restart_at_ms, since_ms;
    uint64_t rate; /* messages a second; 0: as fast as they come */
    uint64_t rate_at_ms, rate_left;
    uint64_t starts;
    uint64_t wake_ms; /* when the type wants a turn; UINT64_MAX: whenever */
    struct lag lag;
    struct slice
        look_queue; /* of the source, looked at every LAG_LOOK_MS; empty: by nobody, or by the type. Borrowed */
    uint64_t look_at_ms, waiting, passed; /* in the queue at the last look; by the relay until the last turn */
    char reason[512];                     /* of the last failure */
};
#define BRIDGE_NEVER UINT64_MAX

void bridge_init(struct bridge *l, const struct bridge_type *type, const struct bridge_host *host, void *host_self,
                 uint64_t now_ms);
void bridge_close(struct bridge *l); /* disconnects; nothing is told any more */

void bridge_turn(struct bridge *l, uint64_t now_ms);
uint64_t bridge_deadline_ms(const struct bridge *l);
void bridge_restart(struct bridge *l, const char *why); /* asked by a person: at once */

/* --- for the types --- */
void bridge_ready(struct bridge *l, enum bridge_side side);
void bridge_fail(struct bridge *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bridge_finish(struct bridge *l, const char *why);
bool bridge_may_forward(const struct bridge *l); /* false: messages that arrive now go back when the link closes */
/* So many messages wait at the source, besides those on the way. */
void bridge_looked(struct bridge *l, uint64_t waiting);
/* Publishes to the destination and keeps book. */
void bridge_forward(struct bridge *l, uint64_t delivery_tag, const struct amqp_method *publish, struct slice properties,
                    struct slice body);
void bridge_drop(struct bridge *l, uint64_t delivery_tag);
const struct client_uri *bridge_uri(const struct bridge *l, enum bridge_side side); /* the one in use */
uint64_t bridge_lag_ms(const struct bridge *l, uint64_t now_ms); /* see lag.h; 0 when it has finished */
uint64_t bridge_lag_messages(const struct bridge *l);            /* waiting and on the way, as of the last look */
const char *bridge_state_name(const struct bridge *l);           /* starting, running, flow, terminated */

#endif
