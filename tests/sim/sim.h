/* A whole cluster in one thread: shipped machine, group, log, store, broker and session code; time, disk and network
 * are ours.
 *
 * Everything that happens follows from the seed: the same seed repeats a run exactly. world.c is the clock and the
 * fates, node.c a node without libuv, net.c the links, client.c AMQP clients, ledger.c what was promised and what came,
 * agreement.c the replicas' word, leaders.c whom they take for their leader, traps.c what chance hardly ever brings
 * about, controlled.c the controller of membership at work. Thread: one. Lifetime: world_run() makes and destroys
 * everything. */
#ifndef WARREN_TESTS_SIM_SIM_H
#define WARREN_TESTS_SIM_SIM_H

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "node/broker/broker.h"
#include "replication/cluster/placement.h"
#include "replication/cluster/replicas.h"
#include "tests/sim/disk.h"

enum {
    SIM_NODES = 3,     /* that the cluster begins with */
    SIM_NODES_MAX = 5, /* with those that may come in */
    SIM_QUEUE_GROUPS = 3,
    SIM_SPARE_GROUPS = 2, /* begin with --replicas only */
    SIM_GROUPS = SIM_QUEUE_GROUPS + 1 + SIM_SPARE_GROUPS,
    SIM_QUEUES_MAX = 10,
    SIM_PUBLISHERS = 3,
    SIM_CONSUMERS_MAX = 12,
    SIM_CLIENTS_MAX = SIM_PUBLISHERS + SIM_CONSUMERS_MAX,
    SIM_PRIORITIES = 3,
    SIM_POLICIES_MAX = 200,
    SIM_LINK_SILENCE_MS = 1000, /* a link that carries nothing for so long is given up */
};

struct world;

/* What may be broken on purpose. */
struct sim_bugs {
    bool confirm_before_sync, skip_sync, drop_acks, stale_completion, send_before_vote;
    unsigned repair_off;   /* 1..10; 0: none */
    unsigned ignored_kind; /* what this kind of queue asks for is not heard; 0: none */
};

/* Courses of events that lead to where a fault of the Raft library waits: traps.c. */
enum sim_trap { TRAP_NONE, TRAP_LOST_ANSWERS, TRAP_OLD_DISK, TRAP_OLD_TERM };

struct sim_options {
    uint64_t seed;
    uint64_t run_ms;    /* of faults; then everything heals */
    uint64_t settle_ms; /* patience afterwards */
    bool calm;          /* no faults at all */
    bool membership;    /* replicas come and go, too */
    bool replicas;      /* ... as the product's controller wants it: controlled.c */
    bool features;      /* queues of all kinds, and policies that change */
    enum sim_trap trap; /* instead of faults by chance */
    bool verbose;
    bool soon_disconnected; /* by world_run(): every second seed */
    struct sim_bugs bugs;
};

/* --- net.c --- */
struct packet {
    struct list link;
    uint64_t due_ms;
    uint8_t type;
    struct blob *blob;
};
struct net_pair {
    uint8_t a, b;
    bool up;
    bool cut[2]; /* [0]: a to b */
    uint64_t silent_since_ms[2];
    uint64_t retry_ms;       /* when the link may come up again */
    uint64_t last_due_ms[2]; /* first in, first out */
    struct list packets[2];
};
void net_open(struct world *w);
void net_close(struct world *w);
void net_send(struct world *w, uint8_t from, uint8_t to, uint8_t type, struct slice head, const struct part *parts,
              uint32_t part_count);
bool net_connected(struct world *w, uint8_t a, uint8_t b);
uint64_t net_queued(struct world *w, uint8_t from, uint8_t to);
void net_tick(struct world *w);
void net_node_died(struct world *w, uint8_t node);
void net_cut(struct world *w, uint8_t a, uint8_t b, bool one_way, bool cut);
void net_break(struct world *w, uint8_t a, uint8_t b); /* a connection is lost with what was on its way */

/* --- node.c --- */
struct sim_group {
    struct group *group;
    struct store *store;
    struct queue_machine *queues;
    struct meta_machine *meta;
    struct effects effects;
    struct machine inner;
    struct group_floor floor;
    bool leaving;        /* the leader said so: it is closed when nothing is under way */
    uint64_t forget_lsn; /* not opened again before this is durable */
    struct sim_node *node;
    uint32_t id;
};
struct sim_node {
    struct world *w;
    uint8_t id;
    bool running;
    bool ghost; /* crashed: what it still does has no effect */
    bool stop_wanted;
    struct replica replicas[SIM_GROUPS]; /* as on the disk */
    uint32_t epoch, epoch_wanted;
    uint64_t paused_until_ms, slow_until_ms, start_at_ms, started_ms;
    struct disk *disk;
    struct executor *executors[3];
    uint64_t job_due_ms[3];
    struct log *log;
    struct topology *topology;
    struct broker *broker;
    uint8_t data_id[16];
    struct membership_params membership;
    uint64_t founded_index; /* topology_index() when spare groups were last looked at */
    struct sim_group groups[SIM_GROUPS];
    struct broker_io broker_io;
    struct group_io group_io;
};
struct sim_node *node_create(struct world *w, uint8_t id);
void node_destroy(struct sim_node *n);
void node_start(struct sim_node *n);
void node_crash(struct sim_node *n); /* kill -9 and the loss of all that was not synced */
void node_tick(struct sim_node *n);
struct group *node_group(const struct sim_node *n, uint32_t group); /* NULL: no replica here */
bool node_alive(const struct sim_node *n);                          /* runs and is not paused */
void node_up(struct sim_node *n, uint8_t peer);
void node_down(struct sim_node *n, uint8_t peer, bool dead);
void node_frame(struct sim_node *n, uint8_t from, uint8_t type, struct blob *blob);

/* --- kinds.c: what is special about a queue, and what its clients do about it --- */
enum sim_kind {
    KIND_PLAIN,
    KIND_DEDUP,    /* publishers repeat under a key: one copy */
    KIND_DELAYED,  /* not before its time */
    KIND_PRIORITY, /* the higher first; in order within one */
    KIND_SINGLE,   /* one consumer at a time; who was replaced never comes back */
    KIND_REJECTED, /* what is rejected comes to the queue of KIND_DEAD, once */
    KIND_DEAD,
    KIND_RETRY,   /* what is given back does not come again at once */
    KIND_TIMEOUT, /* who holds a message for too long loses it */
    KIND_COUNT,
};
enum {
    KIND_RETRY_MIN_MS = 200,
    KIND_TIMEOUT_MS = 1000,
    KIND_SLACK_MS = 1500, /* a write may be slow: in a calm cluster everything that is due has happened after this */
};
#define KIND_DELAYED_EXCHANGE "late"
void kinds_choose(struct world *w);
int kind_of_word(const char *word); /* as in --bug ignore-WORD; -1: there is none */
unsigned kind_queue_of(const struct world *w, uint64_t id);
unsigned kind_priority_of(const struct world *w, unsigned queue, uint64_t id);
uint64_t kind_delay_ms(const struct world *w, unsigned queue, uint64_t id);
bool kind_rejects(const struct world *w, unsigned queue, uint64_t id);
void kind_put_arguments(const struct world *w, unsigned queue, struct buf *table);
/* Exchange, routing key and properties (appended) of a publish. `name` lives as long as the method. */
struct amqp_method;
void kind_publish(const struct world *w, unsigned queue, uint64_t id, const char *name, struct amqp_method *m,
                  struct buf *properties);
struct sim_policy {
    struct world *w;
    unsigned number;
    uint64_t sent_ms, answered_ms;
};
/* Sets a policy now and then; at rest every node has the last one that was answered for. */
void policies_change(struct world *w);
void policies_compare(struct world *w);

/* --- controlled.c --- */
void controlled_setup(struct world *w);
void controlled_params(struct sim_node *n, struct broker_params *params);
uint32_t controlled_replicas_wanted(const struct world *w, unsigned queue); /* 0: the usual number */
void controlled_orders(struct world *w);
bool controlled_at_rest(const struct world *w);
void controlled_compare(struct world *w, uint32_t group, const struct group_status *leads);

/* --- client.c --- */
struct client;
struct client *client_create(struct world *w, unsigned number);
void client_destroy(struct client *c);
void client_tick(struct client *c);
void client_node_gone(struct client *c, uint8_t node); /* its connection breaks */
bool client_content(const struct client *c);           /* nothing is open or unconfirmed */
void client_finish(struct client *c);                  /* publishes nothing new from here */

/* --- ledger.c --- */
struct ledger;
struct ledger *ledger_create(struct world *w);
void ledger_destroy(struct ledger *l);
uint64_t ledger_publish(struct ledger *l, unsigned queue, unsigned publisher);
void ledger_republish(struct ledger *l, uint64_t id);
void ledger_confirmed(struct ledger *l, uint64_t id);
void ledger_nacked(struct ledger *l, uint64_t id);
/* A message came to a consumer. `channel`: a number for the consumer's channel, never used again. */
void ledger_delivered(struct ledger *l, uint64_t id, unsigned queue, uint64_t channel, bool redelivered);
enum release { RELEASE_LOST /* the channel broke */, RELEASE_ACKED, RELEASE_REQUEUED, RELEASE_REJECTED };
void ledger_released(struct ledger *l, uint64_t id, unsigned queue, enum release how);
/* The broker answered something that was asked after the ack or the rejection. */
void ledger_settled(struct ledger *l, uint64_t id, unsigned queue);
bool ledger_complete(struct ledger *l, char *why, size_t size); /* every confirmed message came */
uint64_t ledger_count(const struct ledger *l);
uint64_t ledger_confirmed_count(const struct ledger *l);

/* --- agreement.c --- */
struct agreement;
struct agreement *agreement_create(struct world *w);
void agreement_destroy(struct agreement *a);
/* A replica applied an entry: the same bytes and the same state at this index everywhere, always. */
void agreement_applied(struct agreement *a, uint8_t node, uint32_t group, const struct entry *e, uint64_t digest);

/* --- leaders.c --- */
struct leaders {
    uint8_t *named[SIM_GROUPS]; /* by term; 0: nobody yet */
    size_t capacity[SIM_GROUPS];
};
void leaders_close(struct leaders *l);
/* A replica did something: whom it names leader of a term, all name. */
void leaders_check(struct world *w, uint8_t node, uint32_t group);

/* --- traps.c --- */
struct trap {
    unsigned step;
    uint64_t at_ms; /* when the next step may come, or this one has failed */
    uint32_t group;
    uint8_t node, other, third;
    uint64_t term;
    struct disk *image;
    unsigned sprung; /* how often it came to the end */
};
int trap_of_word(const char *word); /* as in --trap WORD; 0: there is none */
const char *trap_word(enum sim_trap trap);
void trap_tick(struct world *w);
void trap_note(struct world *w, uint8_t node, const char *line);
void trap_end(struct world *w); /* who is down starts */

/* --- fleeting.c --- */
struct fleeting {
    bool asked, there;
    bool ended;                     /* no process ran at some time since */
    bool steady[SIM_NODES_MAX + 1]; /* has run ever since, and the others were never out of its reach */
    uint8_t cut_off;
};
void fleeting_tick(struct world *w);
void fleeting_unsteady(struct world *w, uint8_t node);
void fleeting_cut_off(struct world *w, uint8_t node);
void fleeting_compare(struct world *w); /* at rest */

/* --- world.c --- */
struct world {
    struct sim_options options;
    struct random random;
    uint64_t now_ms;
    struct sim_node *nodes[SIM_NODES_MAX + 1];
    uint8_t node_count;
    struct net_pair pairs[SIM_NODES_MAX * (SIM_NODES_MAX - 1) / 2];
    unsigned pair_count;
    struct client *clients[SIM_CLIENTS_MAX];
    unsigned client_count;
    uint8_t kinds[SIM_QUEUES_MAX]; /* enum sim_kind, by queue */
    unsigned queue_count;
    uint8_t consumer_queue[SIM_CONSUMERS_MAX];
    struct sim_policy policies[SIM_POLICIES_MAX];
    unsigned policy_count;
    struct ledger *ledger;
    struct agreement *agreement;
    struct placement placement;
    struct session_settings session;
    struct fleeting fleeting;
    struct leaders leaders;
    struct trap trap;
    bool failed;
    char why[512];
    unsigned crashes, transfers, elections, changes, dropped;
};

/* The node that leads a group, as it believes itself; 0: none. Of two, the one with the newer term. */
uint8_t world_leader_of(const struct world *w, uint32_t group, struct group_status *status);
void world_heal(struct world *w);
/* True: all promises were kept; else w->why says which was not. */
bool world_run(const struct sim_options *options, char *why, size_t why_size);
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
