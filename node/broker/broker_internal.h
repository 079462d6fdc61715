/* Inside the broker: what its files share. Not for other rooms. */
#ifndef WARREN_NODE_BROKER_BROKER_INTERNAL_H
#define WARREN_NODE_BROKER_BROKER_INTERNAL_H

#include "base/map.h"
#include "base/mem.h"
#include "node/auth/guess.h"
#include "node/auth/sources.h"
#include "node/broker/broker.h"
#include "node/queue/port_id.h"

struct port;
struct question;

/* ---------------------------------------------------------------- leaders.c */

struct leader {
    uint8_t node; /* 0: unknown */
    uint64_t term;
    uint64_t lost_ms; /* since when; 0: it is known, or never was */
};

/* ---------------------------------------------------------------- host.c: a group of this shard */

struct dead_letter_target;

struct host {
    struct broker *broker;
    uint32_t id;
    struct group *group;
    struct store *store;
    struct queue_machine *queues; /* NULL for the meta group */
    struct meta_machine *meta;
    struct effects *effects; /* filled by the machine's apply */
    struct effects answers;  /* filled by a hello */
    bool leads;
    uint64_t term;
    struct list waiting;         /* struct mail: chunks the group had no room for */
    struct map_u64 backlogs;     /* port -> struct backlog: deliveries whose content is being read (load.c) */
    struct mail **outbox_nodes;  /* per node: effects of this carry, NULL if none */
    struct mail **outbox_shards; /* per sibling shard */
    struct list held;            /* meta group: struct held, replies that wait for the nodes to apply (meta_wait.c) */
    uint64_t applied_by[BROKER_NODES_MAX]; /* meta group: topology index each node has applied */
    bool reconcile_wanted;
    bool configure_wanted;
    uint64_t settings_version; /* policy_version() that queues are looked at with; 0: not yet */
    uint64_t settings_cursor;  /* of that walk; UINT64_MAX: done */
    uint64_t reconcile_at_ms;
    struct chunk_writer system; /* commands of the system (port 0) of this turn */
    /* dead_letter.c */
    uint64_t dead_letter_cursor; /* highest number taken up */
    bool dead_letter_wake;
    struct list dead_letters; /* struct dead_letter, rising numbers */
    size_t dead_letter_count;
    struct port **dead_letter_ports; /* per target group */
};

void host_init(struct host *h, struct broker *b, uint32_t id);
void host_close(struct host *h);
void host_leading(struct host *h, uint64_t term, bool leads);
void host_mail(struct host *h, struct mail *m); /* MAIL_CHUNK or MAIL_HELLO for the group that this node leads; moves */
void host_turn(struct host *h);
bool host_has_work(const struct host *h);
void host_system_flush(struct host *h); /* proposes the system's commands */

/* carry.c: effects to ports, wherever they are */
void carry_effects(struct host *h, struct effects *effects);
void carry_welcome(struct host *h, uint64_t port, struct effects *effects);
void carry_effect(struct host *h, const struct effect *e); /* one, to its port; goes out with carry_flush() */
void carry_flush(struct host *h);

/* load.c: contents that lie in segments. True: the effect was taken (kept until its content is there, in order).
 * False: it may go now; if its content was in the cache, it is filled in (borrowed). */
bool load_defer(struct host *h, struct effect *e);
void load_abandon(struct host *h);

/* meta_wait.c */
bool meta_wait_hold(struct host *h, struct mail *m, uint8_t node); /* true: kept; node 0: for a port of this node */
void meta_wait_applied(struct host *h, uint8_t node, uint64_t index);
void meta_wait_tick(struct host *h);
void meta_wait_abandon(struct host *h);

/* reap.c */
void reap_tick(struct host *h);
void reap_node(struct host *h, uint8_t node);
struct chunk_writer *host_system_writer(struct host *h); /* commands of the system, proposed with the next turn */

/* settings.c */
bool queue_record_settings(const struct topology *t, const struct queue_record *record,
                           struct queue_settings *settings); /* false: arguments that do not parse */
void settings_tick(struct host *h);

/* lives.c, of the meta group */
void lives_tick(struct host *h);

/* seed.c */
void seed_tick(struct host *h);

/* dead_letter.c */
void dead_letter_start(struct host *h);
void dead_letter_stop(struct host *h);
void dead_letter_turn(struct host *h);
bool dead_letter_has_work(const struct host *h); /* some to take up, or one that all its targets have */
/* One target group has it, or (not ok) refuses it. */
void dead_letter_confirmed(struct host *h, uint32_t group, uint64_t number, bool ok);

/* ---------------------------------------------------------------- port.c: this shard's ends of conversations */

enum port_state {
    PORT_UNSYNCED,   /* no leader known, or HELLO not sent yet */
    PORT_HELLO_SENT, /* waiting for WELCOME */
    PORT_SYNCED,     /* chunks go straight to the leader */
};
enum port_kind { PORT_OF_CHANNEL, PORT_OF_META, PORT_OF_DEAD_LETTERS };

struct sent_chunk {
    struct blob *blob;
    uint64_t last; /* number of its last command */
};
struct port_tag {
    uint64_t number;
    uint64_t tag;
};

struct port {
    struct broker *broker;
    uint64_t id;
    uint32_t group;
    uint8_t kind;
    uint8_t state;
    bool closing; /* COMMAND_CLOSE is its last command, or will be */
    bool close_written;
    bool writer_open;
    struct backend_channel *channel; /* PORT_OF_CHANNEL, NULL once closing */
    struct host *host;               /* PORT_OF_DEAD_LETTERS */
    uint64_t last_number;            /* of the last command written */
    uint64_t applied;
    uint64_t in_hand;  /* dseq of the last delivery taken */
    uint64_t retold;   /* up to here a gap is no loss, but what was settled meanwhile ... */
    uint64_t settled;  /* ... and behind it nothing comes up to here */
    uint64_t received; /* of it, what the client's socket has room for */
    uint64_t received_told;
    uint64_t in_hand_bytes, received_bytes, received_bytes_told; /* of the contents of these */
    struct chunk_writer writer;
    struct sent_chunk *sent; /* ring of chunks that are not wholly applied */
    size_t sent_head, sent_count, sent_capacity;
    uint64_t sent_bytes;
    struct port_tag *tags; /* ring of publishes that wait for a confirm */
    size_t tag_head, tag_count, tag_capacity;
    uint64_t *refused;
    size_t refused_count, refused_capacity;
    struct list questions;  /* struct question, rising numbers */
    struct list group_link; /* broker.ports_of_group */
    struct list dirty_link; /* broker.dirty_ports */
};

struct port *port_open(struct broker *b, uint32_t group, uint8_t kind);
bool port_was_refused(const struct port *p, uint64_t number); /* by the group, as far as it is remembered */
struct port *port_open_as(struct broker *b, uint64_t id, uint32_t group, uint8_t kind);
/* COMMAND_CLOSE, after what is under way, if the group knows the port; frees when that is applied. */
void port_close(struct port *p);
void port_free(struct port *p);
/* The writer to append one command to; counts it and marks the port dirty. Its number is port->last_number
 * afterwards. */
struct chunk_writer *port_write(struct port *p);
struct chunk_writer *port_write_numbered(struct port *p, uint64_t number); /* SPARSE ports */
void port_written(struct port *p); /* after the append: posts a chunk that got big */
void port_tag(struct port *p, uint64_t tag);
void port_flush(struct port *p);
void port_hello_soon(struct port *p); /* its leader is another one, or something was lost */
void port_effect(struct port *p, const struct effect *e);
void port_welcomed(struct port *p);

/* port_deliver.c */
void port_deliver(struct port *p, const struct effect *e);
void port_settled(struct port *p, const struct effect *e);
void port_shown(struct port *p);   /* what is in hand is received: the client's socket has room, and nothing is held */
void port_receipt(struct port *p); /* `received` grew: tell if it is time */

/* ---------------------------------------------------------------- channel.c, question.c */

struct broker_connection {
    struct broker *broker;
    struct backend backend;
    struct session *session;
    void (*touched)(void *arg);
    void *touched_arg;
    uint64_t token;
    uint64_t unanswered_bytes;
    struct buf user, vhost; /* once it is in */
    bool hidden;
    bool behind;    /* a port has deliveries in hand that are not received */
    bool has_owned; /* it has declared an exclusive queue */
    struct list channels;
    struct list link; /* broker.connections */
};

struct backend_channel {
    struct broker_connection *connection;
    uint16_t number;
    uint32_t limit;      /* basic.qos global */
    struct port **ports; /* per group, NULL until used */
    struct question *question;
    uint64_t outside_id; /* of what was asked of an HTTP server last (outside.c) */
    struct list outside_link;
    struct list link;
};

enum auth_word backend_outside(void *self, struct slice question, struct slice *tags);
void backend_ask(void *self, struct backend_channel *c, struct slice question);

struct port *channel_port(struct backend_channel *c, uint32_t group);
void connection_touched(struct broker_connection *c);
void channel_touched(struct backend_channel *c);

enum question_kind {
    QUESTION_ATTACH,
    QUESTION_DETACH,
    QUESTION_GET,
    QUESTION_PURGE,
    QUESTION_STAT,
    QUESTION_CONFIGURE, /* second half of a queue declare */
    QUESTION_DELETE,    /* first half of a queue delete */
    QUESTION_CHANGE,    /* at the meta group */
    QUESTION_REFRESH,
    QUESTION_HISTORY,      /* second half of a binding to an exchange that keeps its last messages */
    QUESTION_HOUSEKEEPING, /* a change nobody waits for */
};

struct question {
    struct broker *broker;
    uint8_t kind;
    struct backend_channel *channel; /* NULL: nobody waits any more */
    struct port *port;
    uint64_t number;
    uint32_t era; /* of the topology when it was asked */
    uint64_t deadline_ms;
    struct list port_link;   /* port.questions */
    struct list broker_link; /* broker.questions, by deadline */
    struct buf command;      /* topology command, to ask again */
    /* what is known so far of a change in two halves */
    uint8_t change_type;
    bool created;
    uint64_t queue_id;
    uint32_t group;
    uint64_t deleted_messages;
    bool deletes_anyway;                                           /* a delete without if-unused and if-empty */
    bool own_port;                                                 /* opened for it alone: no channel asked */
    bool of_broker;                                                /* broker.refreshing is about this one */
    void (*done)(void *arg, const struct broker_changed *changed); /* broker_change() */
    void *done_arg;
};

void question_ask(struct backend_channel *c, struct port *p, uint8_t kind);
struct question *question_new(struct broker *b, struct backend_channel *c, uint8_t kind);
void question_on(struct question *q, struct port *p); /* it is answered by the port's last command */
void question_replied(struct question *q, const struct effect *e);
void question_forget(struct question *q); /* the channel is gone */
void question_free(struct question *q);
void question_change(struct broker *b, struct backend_channel *c, const struct topology_command *command,
                     uint8_t delete_flags);
void question_housekeeping(struct broker *b, const struct topology_command *command);
void question_ask_again(struct question *q);
/* This shard's copy of the topology is as new as the meta leader's was when the era began. */
bool broker_topology_is_fresh(struct broker *b);
void broker_topology_refresh(struct broker *b); /* asks, once at a time; whoever waits looks again */
void questions_tick(struct broker *b);
void backend_fill(struct backend *backend, struct broker_connection *c);

/* ---------------------------------------------------------------- census.c */

struct census {
    struct map_str own;  /* struct tally */
    struct list reports; /* struct report, of other shards */
    bool news;           /* a count that a limit names has changed */
    uint64_t repeat_at_ms;
};

void census_init(struct census *c);
void census_close(struct census *c);
void census_add(struct broker *b, uint8_t what, struct slice name, int difference); /* enum backend_census */
uint64_t census_count(struct broker *b, uint8_t what, struct slice name);
void census_turn(struct broker *b);
void census_heard(struct broker *b, struct mail *m, bool from_sibling);
void census_node_down(struct broker *b, uint8_t node);

/* ---------------------------------------------------------------- broker.c */

struct broker {
    struct broker_params params;
    uint64_t logins[2]; /* refused, taken */
    struct login_sources login_sources;
    struct auth_outside *outside;
    struct list outside_waiting; /* channels */
    uint64_t outside_last;
    const struct broker_io *io;
    uint64_t now_ms;
    uint32_t epoch;
    uint32_t port_counter;
    uint32_t *free_counters;
    size_t free_counter_count, free_counter_capacity;
    uint64_t token_counter;
    struct leader *leaders; /* per group */
    struct host **hosts;    /* per group, NULL when not on this shard */
    struct map_u64 ports;
    struct list *ports_of_group; /* per group */
    struct list dirty_ports;
    struct list questions;
    struct list connections;
    struct port *meta_port;
    struct auth *auth;
    struct guesses *guesses;
    struct census census;
    uint64_t registry_seen;                   /* registry_version() that connections were looked at with */
    bool seeding;                             /* what a new cluster starts with is on its way */
    bool orphans_wanted;                      /* queues went, or a leader did: orphans_tick() */
    uint64_t down_since_ms[BROKER_NODES_MAX]; /* 0: up or never seen */
    bool dead[BROKER_NODES_MAX];
    bool ever_up[BROKER_NODES_MAX];
    uint64_t tick_at_ms;
    uint64_t topology_done[BROKER_NODES_MAX]; /* shard 0: index each sibling shard has applied */
    uint64_t topology_told;                   /* shard 0: index told to the meta leader */
    uint8_t topology_told_to;
    /* Changes wait for the nodes that are in touch with the meta leader. What changed before this node was (it
     * starts, its link breaks, the leader changes: a new era) is known after one question of the era was answered. */
    struct membership *membership;
    uint32_t topology_era, topology_fresh_era;
    bool refreshing; /* broker_topology_refresh() has asked */
};

static inline uint16_t shard_of_group(const struct broker *b, uint32_t group)
{
    return (uint16_t)(group % b->params.shard_count);
}

struct port *broker_port(struct broker *b, uint64_t id);
struct port *broker_meta_port(struct broker *b);
void broker_take_epoch(struct broker *b, uint32_t epoch); /* a later one: connections of the one before close */
void broker_note(struct broker *b, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline uint16_t port_shard(uint64_t id)
{
    return (uint16_t)(port_id_counter(id) & (BROKER_SHARDS_MAX - 1));
}

/* ---------------------------------------------------------------- broker_mail.c */

/* Towards the leader of the mail's group, from any shard; moves. Dropped when no leader is known. */
void broker_post_to_group(struct broker *b, struct mail *m);
void broker_port_mail(struct broker *b,
                      struct mail *m); /* MAIL_EFFECTS or MAIL_WELCOME for ports of this shard; moves */
void broker_send_mail(struct broker *b, uint8_t node, struct mail *m); /* on the link; frees the mail */

/* leaders.c */
void leaders_set(struct broker *b, uint32_t group, uint8_t node, uint64_t term);
void leaders_announce(struct broker *b, uint8_t node); /* tells a node which groups this one leads */
void leaders_heard(struct broker *b, struct mail *m);

/* founding.c: true: something was proposed; by the leader of the meta group, now and then. */
bool founding_write_down(struct broker *b, const struct membership_params *p);

/* wanted.c */
struct placed;
struct wanted *wanted_open(uint32_t group_count);
void wanted_close(struct wanted *w);
void wanted_forget(struct wanted *w);                   /* what was found may be old when it counts again */
void wanted_look(struct wanted *w, struct topology *t); /* often; takes a slice of the queues */
/* The next group whose placement should change, and to what; `usual`: replicas of a group of which no more is
 * wanted. */
bool wanted_next_change(struct broker *b, struct wanted *w, uint32_t usual, uint32_t *group, struct placed *to);
bool wanted_is_current(const struct wanted *w, const struct topology *t); /* every queue was looked at as it is now */
uint32_t wanted_replicas(const struct wanted *w, uint32_t group);         /* 0: not known yet */

/* membership.c */
void membership_open(struct broker *b);
void membership_close(struct broker *b);
void membership_tick(struct broker *b);
void membership_mail(struct broker *b, struct mail *m, bool from_sibling);

/* orphans.c */
void orphans_tick(struct broker *b);

/* topology_spread.c */
void topology_spread_done(struct broker *b, uint16_t shard, uint64_t index);
void topology_spread_mail(struct broker *b, struct mail *m);

#endif
