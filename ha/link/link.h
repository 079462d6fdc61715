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
 * calls link_turn(), the only place where clients come and go.
 *
 * Thread: its host's. Lifetime: link_init() .. link_close(). */
#ifndef WARREN_HA_LINK_LINK_H
#define WARREN_HA_LINK_LINK_H

#include "ha/client/client.h"
#include "ha/link/relay.h"

enum link_side { LINK_SOURCE, LINK_DEST };
enum { LINK_SIDES = 2, LINK_CHANNEL = 1 /* the one that messages travel on, at both ends */ };
enum link_state { LINK_STARTING, LINK_RUNNING, LINK_FLOW, LINK_WAITING, LINK_FINISHED };

struct link;

struct link_host {
    /* Connects a client to where the URI points, and moves its bytes until link_host.disconnect(). Trouble is told by
     * client_lost(). */
    void (*connect)(void *self, enum link_side side, struct client *client, const struct client_uri *uri);
    /* Writes what the client still has to say if the socket takes it, and forgets the client. */
    void (*disconnect)(void *self, enum link_side side);
};

struct link_type {
    /* The connection is open: declare what is needed, then link_ready(). */
    void (*opened)(struct link *l, enum link_side side);
    /* What the link does not handle itself: answers, deliveries, returns, closed channels. */
    void (*event)(struct link *l, enum link_side side, const struct client_event *e);
    void (*running)(struct link *l); /* both ends are ready: consume */
};

struct link_end {
    struct client *client;         /* NULL: not connected */
    const struct client_uri *uris; /* borrowed; when the connection fails the next one is tried */
    size_t uri_count, uri_at;
    bool ready;
};

struct link {
    const struct link_host *host;
    void *host_self;
    const struct link_type *type;
    const char *name; /* of the connections, borrowed */
    struct link_end ends[LINK_SIDES];
    struct relay relay;
    uint8_t state;    /* enum link_state */
    uint8_t ack_mode; /* enum relay_ack_mode */
    bool failed, stopping;
    uint64_t reconnect_ms; /* LINK_NEVER: fail for good */
    uint64_t now_ms, restart_at_ms, since_ms;
    uint64_t rate; /* messages a second; 0: as fast as they come */
    uint64_t rate_at_ms, rate_left;
    uint64_t starts;
    char reason[512]; /* of the last failure */
};
#define LINK_NEVER UINT64_MAX

void link_init(struct link *l, const struct link_type *type, const struct link_host *host, void *host_self,
               uint64_t now_ms);
void link_close(struct link *l); /* disconnects; nothing is told any more */

void link_turn(struct link *l, uint64_t now_ms);
uint64_t link_deadline_ms(const struct link *l);
void link_restart(struct link *l, const char *why); /* asked by a person: at once */

/* --- for the types --- */
void link_ready(struct link *l, enum link_side side);
void link_fail(struct link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void link_finish(struct link *l, const char *why);
bool link_may_forward(const struct link *l); /* false: messages that arrive now go back when the link closes */
/* Publishes to the destination and keeps book. */
void link_forward(struct link *l, uint64_t delivery_tag, const struct amqp_method *publish, struct slice properties,
                  struct slice body);
void link_drop(struct link *l, uint64_t delivery_tag);
const struct client_uri *link_uri(const struct link *l, enum link_side side); /* the one in use */
const char *link_state_name(const struct link *l);                            /* starting, running, flow, terminated */

#endif
