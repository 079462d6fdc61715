/* Inside the shard: what its files share. Not for other rooms. */
#ifndef WARREN_NODE_SHARD_SHARD_INTERNAL_H
#define WARREN_NODE_SHARD_SHARD_INTERNAL_H

#include <pthread.h>
#include <uv.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/ring.h"
#include "node/net/net.h"
#include "node/shard/node.h"
#include "node/shard/shard.h"
#include "replication/cluster/replicas.h"
#include "replication/link/link.h"
#include "replication/sys/fs_counted.h"

enum {
    LINK_FRAME_MAIL = MAIL_FRAME,
    LINK_FRAME_GROUP = MAIL_FRAME + 1,
    LINK_FRAME_ALARM = MAIL_FRAME + 2,    /* u8 enum alarm */
    LINK_FRAME_QUESTION = MAIL_FRAME + 3, /* docs/formats/mail.md */
    LINK_FRAME_ANSWER = MAIL_FRAME + 4,
}; /* GROUP: le32 group, u8 kind, bytes */

enum {
    MAIL_SHARD_CLIENT = 64 /* a: descriptor, b: listener */,
    MAIL_SHARD_LINK /* a: descriptor, part: hello */,
    MAIL_SHARD_ALARM /* a: node, b: enum alarm */
};

/* A group replica of this shard and what belongs to it. */
struct shard_group {
    struct group *group;
    struct store *store;
    struct queue_machine *queues;
    struct meta_machine *meta;
    struct effects effects;
    bool leaving; /* the leader has dropped it: closed when nothing is under way */
    struct group_floor floor;
    uint64_t forget_lsn; /* not opened again before this is durable */
};

struct call {
    void (*run)(struct shard *s, void *arg);
    void *arg;
    struct call *next;
    bool done;
};

enum shard_phase { SHARD_RUNNING, SHARD_HANDING_OVER, SHARD_CLOSING_CLIENTS, SHARD_CLOSING, SHARD_CLOSED };

struct shard {
    struct node *node;
    const struct node_settings *settings;
    uint16_t id;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_check_t check;
    uv_timer_t timer;
    uv_idle_t idle;
    bool in_turn;

    struct topology *topology;
    struct broker *broker;
    struct broker_io broker_io;
    struct membership_params membership;
    struct group_io group_io;
    struct log *log;
    struct fs_counted fs; /* of log and stores */
    struct executor *log_executor, *store_executor, *read_executor;
    struct replica *replicas;   /* by group id, as on the disk */
    struct shard_group *groups; /* by group id; .group NULL when not here */
    uint64_t founded_index;     /* topology_index() when spare groups were last looked at */
    struct links *links;
    struct random random;
    uint64_t now_ms; /* monotonic */

    struct ring **rings_in; /* from each sibling */
    struct list *overflow;  /* towards each sibling: mail that did not fit */
    bool *posted;           /* siblings to wake at the end of this turn */
    size_t overflow_count;

    pthread_mutex_t calls_lock;
    pthread_cond_t calls_done;
    struct call *calls; /* guarded by calls_lock */
    struct outside_answers *outside_answers;

    struct list connections;
    struct list dirty;                     /* connections with something to do at the end of the turn */
    struct list congested;                 /* connections that are not read at present */
    size_t connection_count, sockets_open; /* the latter: with those that are not listed */
    uint64_t connections_opened, connections_closed, connection_serial;
    struct session_stats closed_stats; /* of connections that are gone */
    struct map_str closed_exchanges;   /* struct closed_exchange by vhost and name */
    size_t closed_pairs;               /* that they have with queues */
    uint64_t waits[SHARD_WAITS];
    uint64_t second_at_ms, connections_at_ms, log_shrink_at_ms;

    enum shard_phase phase;
    uint64_t phase_until_ms;
    atomic_bool stop_wanted;
    atomic_uint busy_permille; /* busy.c */
    uint64_t busy_at_ns, busy_used_ns;
    bool links_closed;
    uint8_t alarms[64];       /* by node */
    const char *alarm_reason; /* NULL: no alarm anywhere */
    uint32_t epoch_wanted;    /* 0: none */
    struct question_events questions;
    uint64_t lead_check_at_ms;
    uint64_t peer_up_since_ms[64]; /* 0: down */
    uint64_t join_again_ms[64];    /* by node that asks to be a member; shard 0 */
    char *peer_names[64];          /* as told by each peer's hello; NULL: never met */
};

/* turn.c */
void turn_setup(struct shard *s);
void turn_soon(struct shard *s); /* another turn before the loop sleeps */

/* carrier.c */
void carrier_setup(struct shard *s);
void carrier_post(struct shard *s, uint16_t to, struct mail *m);
void carrier_take(struct shard *s);                         /* mail from siblings */
void carrier_wake(struct shard *s);                         /* siblings that got some */
void carrier_note(void *self, int level, const char *line); /* a line of the log, said by a broker, a group or a link */

/* carrier_links.c */
int carrier_open_links(struct shard *s, uint32_t epoch, struct err *err);

/* connection.c */
void connection_open(struct shard *s, int fd, unsigned listener);
void connections_turn(struct shard *s); /* sessions' turn end */
void connections_write(struct shard *s);
void connections_look(struct shard *s); /* heartbeats and deadlines */
void connections_close_all(struct shard *s, const char *why);

void connections_block(struct shard *s, const char *reason); /* NULL: publishers go on */

/* connection_tls.c */
void connection_secure(struct shard *s, struct session *session, const struct tls *tls);

/* busy.c */
void busy_second(struct shard *s);

/* alarm.c */
void alarm_second(struct shard *s);
void alarm_set(struct shard *s, uint8_t node, uint8_t bits); /* told by another node or a sibling */
void alarm_node_up(struct shard *s, uint8_t node);
void alarm_node_down(struct shard *s, uint8_t node);

/* exchanges.c: what connections published that are gone */
void exchanges_keep(struct shard *s, const struct session *session, struct slice vhost);
void exchanges_close(struct shard *s);

/* question.c */
void question_frame(struct shard *s, uint8_t node, uint8_t type, struct slice bytes);
void question_node_down(struct shard *s, uint8_t node);

/* replica.c */
int replicas_open(struct shard *s, struct err *err);
void replica_open(struct shard *s, uint32_t group); /* empty; the leader fills it */
void replica_close(struct shard *s, uint32_t group);
void replica_dropped(struct shard *s, uint32_t group, struct group_floor floor);
void replicas_found(struct shard *s); /* spare groups that begin here */
void replicas_turn(struct shard *s);
/* The meta machine changed the topology (`shard`: this one). Ends the process when the cluster works at a level that
 * this program does not know. */
void replicas_topology_applied(void *shard, uint64_t index, struct slice command);
void replicas_ask(struct shard *s); /* once a second: those that hear no leader */

/* membership.c */
void membership_second(struct shard *s);

/* identity.c */
int identity_check(struct node_settings *s, struct err *err); /* reads data_id, or makes it at the first start */
int identity_retire(const struct node_settings *s, struct err *err);
/* Each life of the node has a number of its own, higher than all before; ports carry it. ERR_CORRUPT: nobody knows the
 * last one any more. After identity_check(). */
int identity_take_epoch(const struct node_settings *s, uint32_t *epoch, struct err *err);
int identity_write_epoch(const struct node_settings *s, uint32_t epoch, struct err *err);

/* recover.c */
int recover_groups(struct shard *s, uint32_t epoch, struct err *err);
void recover_close(struct shard *s);
bool recover_idle(struct shard *s);

#endif
