/* A Raft group's replica on this node: the raft core, its machine, and the batch that this turn fills.
 *
 * Thread:   the group's shard.
 * Lifetime: group_open() (blocking: restores the machine from the store's manifest) .. group_close().
 * Inside:   raft_*.c are the only files that include <raft.h>: they check every precondition and hold the repairs R1
 * to R10; batch.c seals the turn's chunks into one entry; apply.c feeds committed entries to the machine; checkpoint.c
 * makes checkpoints, snapshot.c brings them to replicas far behind; message.c is the wire form; election.c the fast
 * path for a leader that is known dead. Sources:  Ongaro's thesis (pre-vote, transfer, membership); libraft 0.22's
 * events and updates. */
#ifndef WARREN_REPLICATION_GROUP_GROUP_H
#define WARREN_REPLICATION_GROUP_GROUP_H

#include "replication/log/log.h"
#include "replication/machine.h"
#include "replication/store/store.h"

struct group;

enum {
    GROUP_MEMBERS_MAX = 9,
    GROUP_ENTRIES_IN_FLIGHT_MAX = 64,     /* uncommitted entries of a leader (R6) */
    GROUP_BYTES_IN_FLIGHT_MAX = 64 << 20, /* and their bytes; one entry may always go */
    GROUP_BATCH_BYTES_MAX = 4 << 20,      /* bytes of one entry; a chunk that is larger goes alone */
    GROUP_MESSAGE_BYTES_MAX = 1 << 20,    /* bytes of entries in one AppendEntries, one entry may always go */
};

enum group_role { GROUP_VOTER = 1, GROUP_STANDBY = 0 };
struct group_member {
    uint8_t node; /* the raft id */
    uint8_t role;
};

/* What kind of bytes group_io.send carries; the receiving side hands them to group_receive() unchanged. */
enum group_message_kind { GROUP_MESSAGE_RAFT = 1, GROUP_MESSAGE_TRANSFER = 2, GROUP_MESSAGE_MEMBERSHIP = 3 };

/* A replica that was dropped and is opened again has forgotten what it had acknowledged. Until it is past the entry
 * that dropped it (a committed one), it neither votes nor stands for election: with its help, and without its memory, a
 * member that missed that entry could be elected. */
struct group_floor {
    uint64_t term, index; /* 0: none */
};

struct group_io {
    void *self;
    /* Sends head + parts as one message to the same group on another node; drops it when that node is not connected.
     * `head` is borrowed, parts' blobs are referenced by the carrier as long as it needs them. Per peer first in, first
     * out. */
    void (*send)(void *self, uint32_t group, uint8_t node, uint8_t kind, struct slice head, const struct part *parts,
                 uint32_t part_count);
    bool (*connected)(void *self, uint8_t node);
    uint64_t (*congestion)(
        void *self, uint8_t node); /* bytes waiting towards that node; above a bound entries are not loaded for it */
    /* This replica became a usable leader of `term` (everything before is applied), or ceased to be one. */
    void (*leading)(void *self, uint32_t group, uint64_t term, bool leads);
    /* Effects were appended to params.effects by an apply; carry them out (and clear) before the next apply. Leader
     * only. */
    void (*effects)(void *self, uint32_t group);
    /* The leader says that the committed configuration has no place for this replica: nobody will miss it. The owner
     * closes the group (later, not from inside of this call) and removes its log and files; it keeps the floor. Called
     * once. */
    void (*dropped)(void *self, uint32_t group, struct group_floor floor);
    /* WARN/INFO lines: one event per line, "room event key=value". */
    void (*note)(void *self, int level, const char *line);
};

/* Planted bugs, for the simulator only; each must be found by a test. All false in the product. */
struct group_faults {
    bool persist_before_durable; /* report entries as persisted when submitted ("confirm before sync") */
    bool send_before_vote_durable;
    bool stale_completion_counts; /* a completion of replaced entries counts for their successors */
    bool repair_off[11];          /* [n]: repair Rn of raft-notes is off */
};

struct group_params {
    uint32_t id;
    uint8_t node;
    struct group_member members[GROUP_MEMBERS_MAX]; /* initial configuration, the same on all of them; used when log and
                                                       store are empty. None: a replica that the leader fills */
    uint32_t member_count;
    struct group_floor floor;
    struct log *log;
    struct store *store;
    struct machine machine;
    struct effects *effects; /* the machine's kind; passed to apply while this replica is a usable leader */
    const struct group_io *io;
    uint32_t election_timeout_ms;  /* 500 */
    uint32_t heartbeat_ms;         /* 100 */
    uint64_t checkpoint_log_bytes; /* log share that triggers a checkpoint */
    uint64_t trailing_bytes;       /* log kept behind a checkpoint, so that a brief absence needs no transfer; 0:
                                      GROUP_TRAILING_BYTES */
    uint32_t trailing_entries;     /* 0: GROUP_TRAILING_ENTRIES */
    uint64_t transfer_rate;        /* bytes per second to a lagging replica; 0: no limit */
    uint64_t seed;
    struct group_faults faults;
};

/* Once per process, before any group is opened: gives the Raft library its heap. */
void group_library_init(void);

/* True: what is here of a replica is below its floor. It must be opened empty: remove log and files first. */
bool group_below_floor(struct log *log, struct store *store, uint32_t id, struct group_floor floor);
/* Opens the replica. The log must have been opened (its state is taken from it). ERR_CORRUPT and its kin say what and
 * where. */
int group_open(struct group **group, const struct group_params *params, uint64_t now_ms, struct err *err);
void group_close(struct group *g);      /* group_idle() must be true */
bool group_idle(const struct group *g); /* no checkpoint or transfer runs */

/* Adds a chunk to the open batch; takes over the reference when it returns 0.
 *   ERR_NOT_LEADER   this replica is not a usable leader; nothing was kept
 *   ERR_BUSY         the batch is full or too much is in flight; come back next turn */
int group_propose(struct group *g, struct part chunk);

/* A message of this group from another node (bytes borrowed from `blob`, which may be kept by reference). Malformed
 * bytes are noted and dropped. */
void group_receive(struct group *g, uint8_t from, uint8_t kind, struct blob *blob, uint32_t offset, uint32_t size,
                   uint64_t now_ms);

/* One turn: timers that are due, seal and submit the batch (`clock_ms`: wall clock for the entry, made monotonic by the
 * group), send, apply what is committed, checkpoints. Call when anything may have changed; it is cheap when nothing
 * has. */
void group_turn(struct group *g, uint64_t now_ms, uint64_t clock_ms);
/* The log's durable position grew (call for each group of the shard; cheap if nothing of this group was waiting). */
void group_durable(struct group *g, uint64_t now_ms);
uint64_t group_deadline_ms(const struct group *g); /* when group_turn() is wanted next at the latest; monotonic */

/* A node's process is known dead (link closed and connect refused): if it led this group, elect without waiting. */
void group_node_dead(struct group *g, uint8_t node, uint64_t now_ms);
/* Hands leadership over (0: to the best follower). ERR_NOT_LEADER; ERR_BUSY when no follower is connected and caught
 * up. */
int group_transfer(struct group *g, uint8_t node, uint64_t now_ms);
/* Membership, one server and one step at a time; the change is made when group_status() shows it as committed.
 *   ERR_NOT_LEADER
 *   ERR_BUSY      not now: another change or a handover is under way, the new configuration has no majority in touch, a
 *                 standby has not caught up
 *   ERR_INVALID   there is no such member, or it is one already; the leader itself (hand over first); too many */
enum group_change { GROUP_CHANGE_ADD /* as a standby */, GROUP_CHANGE_PROMOTE, GROUP_CHANGE_REMOVE };
int group_change(struct group *g, enum group_change change, uint8_t node, uint64_t now_ms);
/* Asks the node that is known to lead whether this replica is still wanted, if no leader was heard for a while. Cheap;
 * call every second or so. */
void group_ask_place(struct group *g, uint8_t leader, uint64_t now_ms);
/* For a node that has no replica of the group: is this message a leader's, who counts on one? Then open it, empty. */
bool group_message_opens(uint8_t kind, struct slice bytes);
/* Offline, when most members are lost for good: the next entry in the log makes `node` the only member. Returns the
 * position that must become durable, and the entry's index (0: there is nothing of the group here). */
uint64_t group_force_alone(struct log *log, struct store *store, uint32_t id, uint8_t node, uint64_t *index);
/* The log is long because of this group's old entries: a checkpoint that leaves none behind, as soon as one is
 * possible. */
void group_relieve(struct group *g);
int group_checkpoint(struct group *g); /* ERR_BUSY when one runs; 0 also when there is nothing new */

struct group_status {
    bool leads;     /* usable leader */
    uint8_t leader; /* node, 0 unknown */
    uint64_t term, commit_index, applied_index, last_index, durable_index, snapshot_index;
    uint32_t member_count;
    struct group_member members[GROUP_MEMBERS_MAX];
    uint64_t match_index[GROUP_MEMBERS_MAX]; /* leader only */
    uint64_t configuration_index;            /* of `members`, the committed one; 0: none */
    bool changing;                           /* a newer one is on its way */
    bool dropped;                            /* see group_io.dropped */
    bool online[GROUP_MEMBERS_MAX];
};
void group_status(const struct group *g, struct group_status *status);

/* What the replica counted since it was opened, for metrics. Nothing but uint64_t: figures are added up as arrays. */
enum { GROUP_PAUSES = 11 /* up to 10 ms, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, and above */ };
struct group_figures {
    uint64_t commits, commit_ms; /* entries of its own that it applied; from proposed to applied, all together */
    uint64_t commit_latency_us;  /* the average of the latest */
    uint64_t leaderships;        /* how often it became the usable leader */
    /* Of these, those after another leader: how long nobody led, from the last that was heard of the old one on. */
    uint64_t pauses[GROUP_PAUSES], pause_ms;
};
void group_figures(const struct group *g, struct group_figures *figures);
bool group_has_voter(const struct group *g, uint8_t node); /* in the committed configuration */
uint32_t group_id(const struct group *g);
/* The machine's digest at `applied_index` (for comparing replicas). */
uint64_t group_digest(const struct group *g);

#endif
