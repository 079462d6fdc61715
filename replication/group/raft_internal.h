/* Inside the Raft core: what the files that include <raft.h> share. Not for other files.
 *
 * raft_core.c is its life, events and what can be asked; raft_receive.c what other members say; raft_update.c what the
 * library wants done; raft_members.c configurations; raft_memory.c the heap and the entries of a step. */
#ifndef WARREN_REPLICATION_GROUP_RAFT_INTERNAL_H
#define WARREN_REPLICATION_GROUP_RAFT_INTERNAL_H

#include <raft.h>

#include "replication/group/raft_core.h"

struct raft_core {
    struct raft raft;
    const struct core_out *out;
    void *arg;
    const struct group_faults *faults;
    uint64_t now_ms;
    uint8_t leader; /* R8: who sent the last accepted AppendEntries */
    uint64_t leader_term;
    uint64_t leader_heard_ms;
    struct raft_entry *entries; /* of the step at hand */
    struct entry **received;    /* their sources, or NULL */
    size_t entry_count, entry_capacity;
    bool stale_sender; /* R1: the message at hand has an older term */
    uint8_t lost_data; /* a member that refused what it had acknowledged */
};

/* raft_memory.c: the entries of the next step. `source`: the received one that it comes from, or NULL. */
void core_begin_entries(struct raft_core *c);
void core_add_entry(struct raft_core *c, uint64_t term, uint8_t type, struct slice data, struct entry *source);

/* raft_members.c */
enum { CORE_ADDRESS_SIZE = 8 };
void core_address_of(uint8_t node, char *text, size_t size); /* the library wants names that differ; we route by id */
bool core_decode_configuration(struct slice bytes, struct raft_configuration *conf);

/* raft_update.c: gives the library an event and carries out what follows. The library's code; the second one ends the
 * process when that is not 0. */
int core_step(struct raft_core *c, struct raft_event *event, uint64_t now_ms);
void core_must_step(struct raft_core *c, struct raft_event *event, uint64_t now_ms, const char *what);
void core_fatal(const char *what, struct raft_core *c, int code) __attribute__((noreturn));

#endif
