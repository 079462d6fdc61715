/* Inside ha/federation: an exchange link and the steps of setting it up. */
#ifndef WARREN_HA_FEDERATION_EXCHANGE_LINK_INTERNAL_H
#define WARREN_HA_FEDERATION_EXCHANGE_LINK_INTERNAL_H

#include "base/map.h"
#include "ha/federation/exchange_link.h"

/* The upstream's end, in this order. Each step begins when the answers of the one before are there. */
enum exchange_link_step {
    STEP_LOOK,              /* are X and the two internal exchanges there? */
    STEP_DECLARE,           /* X if it is missing, the queue, the new internal exchange */
    STEP_WAIT_FOR_BINDINGS, /* of the downstream exchange, from whoever owns this link */
    STEP_BIND,              /* all bindings, pipelined; the old internal exchange goes last */
    STEP_DONE,
};

enum {
    CHANNEL_COMMANDS = 2,
    CHANNEL_LOOK = 3, /* and the two behind it: what is missing closes its channel */
    CHANNEL_BIND =
        8, /* the first of those that carry bindings: a broker works channel by channel, each with a commit */
    BIND_CHANNELS = 256,     /* while all of them are made; as many as there are bindings */
    BIND_CHANNELS_KEPT = 16, /* for those that come and go later */
};
enum exchange_link_token {
    TOKEN_NONE,
    TOKEN_CONFIRM,
    TOKEN_FOUND, /* + 0: X, + 1: suffix A, + 2: suffix B */
    TOKEN_FOUND_A,
    TOKEN_FOUND_B,
    TOKEN_INTERNAL,
    TOKEN_DECLARED,
    TOKEN_BARRIER,
    TOKEN_BOUND,
    TOKEN_PROBED,
};

/* A binding of the downstream exchange: `text` is the length of the key (one byte), the key, the arguments. */
struct mirrored {
    bool wanted;      /* it is there downstream */
    bool bound;       /* it was asked for at the upstream, for the current internal exchange */
    uint16_t channel; /* that asked for it: the unbind must not overtake the bind */
    size_t size;
    uint8_t text[];
};

struct exchange_link {
    struct bridge bridge; /* first: the type's functions get it */
    struct federated federated;
    struct client_uri local;
    char *connection_name;
    uint8_t step;               /* enum exchange_link_step */
    bool there[3];              /* X, internal A, internal B */
    unsigned looks;             /* still unanswered */
    unsigned barriers;          /* the same, behind the bindings of each channel */
    uint16_t bind_channels;     /* that are open */
    uint16_t bind_channels_max; /* 0: bindings go over CHANNEL_COMMANDS */
    uint16_t next_bind_channel;
    bool fanout; /* the upstream does not know x-federation-upstream */
    bool again;  /* both suffixes were there: swap once more to be rid of stale bindings */
    char suffix; /* of the internal exchange in use */
    bool bindings_told;
    struct map_str bindings; /* struct mirrored by its text */
    struct buf queue, internal, properties, uri;
};

/* What both kinds of links have in common: from the upstream to this cluster's own broker. `local` is filled. */
void federation_prepare(struct bridge *b, struct federated *f, struct client_uri *local);
struct slice exchange_link_upstream_cluster(const struct exchange_link *l);

/* exchange_link_setup.c */
void exchange_link_setup_begin(struct exchange_link *l);
void exchange_link_setup_event(struct bridge *b, enum bridge_side side, const struct client_event *e);
void exchange_link_probe(struct exchange_link *l);

/* exchange_link_bindings.c */
void exchange_link_count_bind_channels(
    struct exchange_link *l); /* how many there may be; they are opened as they are needed */
void exchange_link_close_bind_channels(struct exchange_link *l);
void exchange_link_setup_bindings(struct exchange_link *l);
void exchange_link_mirror(struct exchange_link *l); /* binds and unbinds what changed */

static inline struct client *exchange_link_upstream(const struct exchange_link *l)
{
    return l->bridge.ends[BRIDGE_SOURCE].client;
}

static inline void exchange_link_send(struct exchange_link *l, uint16_t channel, const struct amqp_method *m,
                                      enum exchange_link_token token)
{
    client_send(exchange_link_upstream(l), channel, m, token);
}

/* exchange_link.c */
void exchange_link_deliver(struct exchange_link *l, const struct client_event *e);
void exchange_link_refused(struct exchange_link *l, const struct client_event *e); /* by the upstream */

#endif
