/* Inside the group: what its files share. */
#ifndef WARREN_REPLICATION_GROUP_GROUP_INTERNAL_H
#define WARREN_REPLICATION_GROUP_GROUP_INTERNAL_H

#include "base/mem.h"
#include "replication/group/message.h"
#include "replication/group/raft_core.h"

enum {
    GROUP_CONGESTION_MAX = 32 << 20, /* bytes waiting on a link above which entries are not loaded for it */
    GROUP_TRAILING_BYTES = 8 << 20,  /* log kept behind a checkpoint, so that a brief absence needs no transfer */
    GROUP_TRAILING_ENTRIES = 1024,
    GROUP_DEAD_BYTES_MIN = 8 << 20, /* dead bytes in segments worth a checkpoint of their own */
    GROUP_DEAD_CHECK_MS = 2000,
    GROUP_CHECKPOINT_AGAIN_MS = 2000, /* pause after a checkpoint that failed */
    GROUP_SEAL_BYTES = 128 << 10,     /* a batch of so much does not wait for the write before it */
};

/* A write that the log has not made durable yet. */
struct write {
    uint64_t first, last; /* indexes; first > last: nothing is left of it */
    uint64_t lsn;
};

/* A message that must not leave before a vote is durable. */
struct held_message {
    uint64_t lsn;
    uint8_t to;
    struct buf head;
};

/* The fast way to a new leader when the old one's process is known dead. */
struct takeover {
    bool wanted;
    uint8_t leader;
    uint64_t term;
    uint64_t at_ms;
    unsigned tries;
};

struct group {
    struct group_params params;
    struct raft_core *core;
    uint64_t now_ms;
    uint64_t clock_ms;               /* of the last entry: never goes back */
    uint64_t turn_ms, turn_clock_ms; /* both clocks at the last turn */

    /* submit: what the core's append of our own entry is made of */
    struct part batch[ENTRY_PART_COUNT_MAX];
    uint32_t batch_count;
    uint64_t batch_bytes;
    bool submitting;
    uint64_t in_flight_bytes; /* of entries not committed */

    struct write *writes; /* ring */
    size_t write_head, write_count, write_capacity;
    struct held_message *held;
    size_t held_count, held_capacity;
    uint64_t hold_lsn; /* messages wait while this is not durable */

    uint64_t commit, applied;
    uint64_t commit_told[64];     /* per node: the commit index that it has been told of */
    uint64_t checkpoint_again_ms; /* after a failure: not before */
    bool leading;                 /* told to the owner */
    bool was_leader;
    uint8_t lost_data;                 /* a member that came back empty in this term; 0: none */
    uint64_t lead_term, barrier_index; /* index of our barrier in this term; 0: not submitted */
    uint64_t answered;       /* bit per node: has taken entries or a heartbeat of this term, in its present life */
    uint64_t sent_at_ms[64]; /* last AppendEntries per node */
    uint8_t hint_leader;     /* for status */

    struct group_member members[GROUP_MEMBERS_MAX]; /* committed configuration */
    uint32_t member_count;
    uint64_t conf_index;
    struct buf conf;
    uint64_t heard_ms, heard_term; /* the last leader: when, and its term */
    bool dropped;

    struct takeover takeover;
    struct group_figures figures;
    uint64_t proposed_ms[GROUP_ENTRIES_IN_FLIGHT_MAX]; /* by index: when our own entries were */

    bool checkpoint_running, relieving;
    uint64_t checkpoint_index, checkpoint_term;
    uint64_t snapshot_index;
    uint64_t dead_check_at_ms;
    struct installs *installs; /* snapshot_internal.h */
};

void note(struct group *g, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

extern const struct core_out group_core_out; /* group.c: what the core wants done; arg: the group */

/* send.c */
void send_core_message(struct group *g, const struct core_message *m);
void send_held(struct group *g);
void push_commit(struct group *g);

/* apply.c */
void apply_committed(struct group *g);

/* figures.c */
void figures_proposed(struct group *g);                /* the newest entry is ours */
void figures_applied(struct group *g, uint64_t index); /* one of ours is */
void figures_leading(struct group *g);

/* change.c */
void change_applied(struct group *g, const struct group_member *before, uint32_t before_count);
bool change_is_below(uint64_t term, uint64_t index, struct group_floor floor);
bool change_below_floor(const struct group *g); /* see struct group_floor */
void change_receive(struct group *g, uint8_t from, struct slice bytes);

/* batch.c */
void batch_seal(struct group *g, uint64_t clock_ms);
uint64_t batch_deadline_ms(const struct group *g); /* when the machine's time is to be sealed; UINT64_MAX: not now */
void batch_drop(struct group *g);
void writes_push(struct group *g, uint64_t first, uint64_t last, uint64_t lsn);
void writes_durable(struct group *g);
void writes_clear(struct group *g);

/* election.c */
void election_turn(struct group *g);

/* checkpoint.c */
void checkpoint_policy(struct group *g);

/* snapshot.c */
void snapshot_offer(struct group *g, uint8_t node);
void snapshot_receive(struct group *g, uint8_t from, struct slice bytes);
void snapshot_turn(struct group *g);
void snapshot_close(struct group *g);
bool snapshot_idle(const struct group *g);
void snapshot_logged(struct group *g,
                     uint64_t lsn); /* the log has the record "replaced by a snapshot" at this position */
uint64_t snapshot_deadline_ms(const struct group *g); /* UINT64_MAX: nothing to do by time */
bool snapshot_installing(
    const struct group *g); /* the new checkpoint is durable or becoming so: entries are refused until it is applied */

#endif
