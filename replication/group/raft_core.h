/* The Raft library behind a door of our own: events in as plain values, updates out as calls, its known faults
 * repaired.
 *
 * Thread:   the group's shard. Lifetime: core_open() .. core_close(). raft_*.c are the only files that include
 * <raft.h>. The calls of `struct core_out` are made inside the core_* functions, in the order in which they must be
 * carried out; none of them may call back into the core. */
#ifndef WARREN_REPLICATION_GROUP_RAFT_CORE_H
#define WARREN_REPLICATION_GROUP_RAFT_CORE_H

#include "replication/group/group.h"

struct raft_core;

enum core_message_type {
    CORE_APPEND_ENTRIES = 1,
    CORE_APPEND_ENTRIES_RESULT,
    CORE_REQUEST_VOTE,
    CORE_REQUEST_VOTE_RESULT,
    CORE_INSTALL_SNAPSHOT,
    CORE_TIMEOUT_NOW,
};

/* One message in Raft's own words; which fields count follows from the type. */
struct core_message {
    uint8_t type;
    uint8_t version;
    uint8_t peer; /* sender or receiver: the other one */
    uint64_t term;
    uint64_t prev_index, prev_term; /* append entries */
    uint64_t commit;
    uint32_t entry_count;
    struct entry **entries;  /* received: borrowed */
    uint64_t rejected;       /* append entries result */
    uint64_t last_log_index; /* result, request vote, timeout now; install snapshot: of the snapshot */
    uint64_t last_log_term;
    uint64_t candidate;
    uint64_t conf_index; /* install snapshot */
    bool disrupt_leader, pre_vote, granted;
    uint16_t features, capacity;
    struct slice conf; /* install snapshot: encoded configuration */
};

/* An entry that the core wants in the log at `index`. */
struct core_append {
    uint64_t index;
    uint64_t term;
    uint8_t type;
    struct entry *received; /* from the message at hand; NULL: submitted here, or the core's own barrier */
    struct slice data;      /* when received is NULL and the core made it */
};

struct core_out {
    void (*vote)(void *arg, uint64_t term, uint64_t voted_for);
    void (*append)(void *arg, const struct core_append *a);
    void (*snapshot)(void *arg, uint64_t index, uint64_t term);
    void (*message)(void *arg, const struct core_message *m);
    void (*commit)(void *arg, uint64_t index);
    /* Between the parts of a message that has CHANGE entries: apply what is committed, so that the core knows of each
     * configuration before the next one comes. The one call that may call back into the core. */
    void (*settle)(void *arg);
};

enum core_state { CORE_FOLLOWER, CORE_CANDIDATE, CORE_LEADER };

struct core_start {
    uint8_t node;
    uint32_t election_timeout_ms, heartbeat_ms;
    uint32_t entries_in_flight_max;
    uint64_t seed;
    uint64_t term, voted_for;
    uint64_t snapshot_index, snapshot_term; /* 0: none */
    uint64_t conf_index;                    /* of the snapshot's configuration */
    struct slice conf;
    uint64_t first_index, last_index; /* of the log; first > last: empty */
    /* term, type, and for CHANGE entries the bytes, of a log entry */
    void (*entry)(void *arg, uint64_t index, uint64_t *term, uint8_t *type, struct slice *data);
    const struct core_out *out;
    void *arg;
    const struct group_faults *faults;
};

void core_library_init(void);
struct raft_core *core_open(const struct core_start *start, uint64_t now_ms);
void core_close(struct raft_core *c);

void core_receive(struct raft_core *c, const struct core_message *m, uint64_t now_ms);
void core_timeout(struct raft_core *c, uint64_t now_ms); /* if due */
/* One entry; its append comes with received == NULL. ERR_NOT_LEADER: nothing happened. */
int core_submit(struct raft_core *c, uint8_t type, uint64_t now_ms);
/* A new configuration as an entry of its own. ERR_NOT_LEADER; ERR_BUSY: another one is not committed, or a transfer of
 * leadership runs. */
int core_submit_change(struct raft_core *c, struct slice conf, uint64_t now_ms);
void core_persisted(struct raft_core *c, uint64_t index, uint64_t now_ms);
void core_snapshot_persisted(struct raft_core *c, uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf,
                             uint64_t now_ms);
void core_snapshot_taken(struct raft_core *c, uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf,
                         uint32_t trailing, uint64_t now_ms);
void core_configuration(struct raft_core *c, uint64_t index, struct slice conf,
                        uint64_t now_ms); /* a committed CHANGE */
int core_transfer(struct raft_core *c, uint8_t node, uint64_t now_ms);

enum core_state core_state(const struct raft_core *c);
uint64_t core_term(const struct raft_core *c);
uint64_t core_last_index(const struct raft_core *c);
uint64_t core_last_stored(const struct raft_core *c);
uint64_t core_deadline_ms(const struct raft_core *c);
bool core_installing(const struct raft_core *c);
bool core_transferring(const struct raft_core *c);
/* A member that refuses what it had acknowledged in this term: its data is gone. The library can't lower what it
 * believes of a member; another leader starts afresh. Asked once per refusal; 0: none. */
uint8_t core_take_lost_data(struct raft_core *c);
uint8_t core_leader(const struct raft_core *c);                     /* of the current term; 0: unknown (R8) */
uint64_t core_match_index(const struct raft_core *c, uint8_t node); /* leader only; 0 otherwise */
bool core_changing(const struct raft_core *c); /* a configuration is in the log and not known to be committed */

/* The bytes of a configuration, as CHANGE entries and manifests carry them. */
void core_configuration_encode(const struct group_member *members, uint32_t count, struct buf *b);
uint32_t core_configuration_decode(struct slice bytes, struct group_member *members); /* 0: damaged */

#endif
