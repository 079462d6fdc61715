/* Membership: one server and one step at a time; and how a replica that has no place any more learns of it.
 *
 *     u8 version (1) | u8 type | le64 term of the sender | GONE: le64 index of a committed entry of that term
 *     ASK    a replica that hears no leader -> the node that is said to lead
 *     GONE   leader -> a node that its committed configuration does not have
 *
 * GONE is believed unless a leader of a newer term was heard: messages of one leader come in order, so one that takes
 * the replica in again comes later; and a newer leader that counts on something here has been heard, or has left an
 * entry. (Our own term proves nothing: a replica that nobody answers may have raised it alone.) */
#include "base/check.h"
#include "base/reader.h"
#include "replication/group/group_internal.h"

enum {
    CHANGE_VERSION = 1,
    CHANGE_ASK_MS = 3000, /* without a leader for so long, a replica asks */
    CHANGE_NEAR_ENTRIES = GROUP_ENTRIES_IN_FLIGHT_MAX,
};
enum change_type { CHANGE_ASK = 1, CHANGE_GONE };

static int find(const struct group_member *members, uint32_t count, uint8_t node)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].node == node) return (int)i;
    return -1;
}

bool group_has_voter(const struct group *g, uint8_t node)
{
    int at = find(g->members, g->member_count, node);
    return at >= 0 && g->members[at].role == GROUP_VOTER;
}

/* --- the leader's side --- */

/* A configuration whose majority is not in touch would not be committed, and nothing could be undone meanwhile. */
static bool has_majority_in_touch(const struct group *g, const struct group_member *members, uint32_t count)
{
    uint32_t voters = 0, here = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t node = members[i].node;
        if (members[i].role != GROUP_VOTER) continue;
        voters++;
        here += node == g->params.node ||
                (g->params.io->connected(g->params.io->self, node) && g->answered >> (node & 63) & 1);
    }
    return here > voters / 2;
}

static bool has_caught_up(const struct group *g, uint8_t node)
{
    uint64_t match = core_match_index(g->core, node);
    return match >= g->conf_index && match + CHANGE_NEAR_ENTRIES >= core_last_index(g->core);
}

/* Order is kept, a newcomer is last: the library wants it so (R7). */
static int next_configuration(const struct group *g, enum group_change change, uint8_t node,
                              struct group_member *members, uint32_t *count)
{
    int at = find(members, *count, node);
    switch (change) {
    case GROUP_CHANGE_ADD:
        if (at >= 0 || *count == GROUP_MEMBERS_MAX || !node || node > 63) return ERR_INVALID;
        members[(*count)++] = (struct group_member){.node = node, .role = GROUP_STANDBY};
        return 0;
    case GROUP_CHANGE_PROMOTE:
        if (at < 0 || members[at].role == GROUP_VOTER) return ERR_INVALID;
        members[at].role = GROUP_VOTER;
        return has_caught_up(g, node) ? 0 : ERR_BUSY;
    case GROUP_CHANGE_REMOVE:
        if (at < 0 || node == g->params.node) return ERR_INVALID;
        memmove(members + at, members + at + 1, (--*count - (uint32_t)at) * sizeof *members);
        return 0;
    }
    return ERR_INVALID;
}

int group_change(struct group *g, enum group_change change, uint8_t node, uint64_t now_ms)
{
    static const char *const names[] = {"add", "promote", "remove"};
    struct group_member members[GROUP_MEMBERS_MAX];
    uint32_t count = g->member_count;
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    if (!g->leading || core_state(g->core) != CORE_LEADER) return ERR_NOT_LEADER;
    if (core_changing(g->core) || core_transferring(g->core)) return ERR_BUSY;
    memcpy(members, g->members, sizeof members);
    int code = next_configuration(g, change, node, members, &count);
    if (code) return code;
    if (!has_majority_in_touch(g, members, count)) return ERR_BUSY;
    struct buf conf = {0};
    core_configuration_encode(members, count, &conf);
    code = core_submit_change(g->core, buf_slice(&conf), g->now_ms);
    buf_close(&conf);
    if (!code) note(g, 2, "member_%s node=%u members=%u", names[change], node, count);
    return code;
}

static void send_word(struct group *g, uint8_t to, uint8_t type)
{
    struct buf b = {0};
    buf_put_u8(&b, CHANGE_VERSION);
    buf_put_u8(&b, type);
    buf_put_le64(&b, core_term(g->core));
    /* Committed, and not before the receiver's removal. */
    if (type == CHANGE_GONE) buf_put_le64(&b, g->conf_index > g->barrier_index ? g->conf_index : g->barrier_index);
    g->params.io->send(g->params.io->self, g->params.id, to, GROUP_MESSAGE_MEMBERSHIP, buf_slice(&b), NULL, 0);
    buf_close(&b);
}

void change_applied(struct group *g, const struct group_member *before, uint32_t before_count)
{
    for (uint32_t i = 0; i < before_count; i++) {
        uint8_t node = before[i].node;
        if (find(g->members, g->member_count, node) >= 0) continue;
        g->commit_told[node & 63] = 0;
        g->answered &= ~(UINT64_C(1) << (node & 63));
        if (g->leading && node != g->params.node) send_word(g, node, CHANGE_GONE);
    }
}

static void asked(struct group *g, uint8_t from)
{
    bool sure = g->leading && core_state(g->core) == CORE_LEADER && !core_changing(g->core);
    if (sure && find(g->members, g->member_count, from) < 0) send_word(g, from, CHANGE_GONE);
}

/* --- the other side --- */

void group_ask_place(struct group *g, uint8_t leader, uint64_t now_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    bool quiet = core_state(g->core) != CORE_LEADER && g->now_ms > g->heard_ms + CHANGE_ASK_MS;
    if (quiet && leader && leader != g->params.node && !g->dropped) send_word(g, leader, CHANGE_ASK);
}

bool change_is_below(uint64_t term, uint64_t index, struct group_floor floor)
{
    return term < floor.term || (term == floor.term && index < floor.index);
}

bool change_below_floor(const struct group *g)
{
    struct group_floor floor = g->params.floor;
    if (!floor.index) return false;
    uint64_t last = core_last_index(g->core), term = log_entry_term(g->params.log, g->params.id, last);
    if (!term && last == g->snapshot_index) { /* nothing but the checkpoint */
        struct store_manifest m;
        store_manifest(g->params.store, &m);
        term = m.term;
    }
    return change_is_below(term, last, floor);
}

static void told_gone(struct group *g, uint8_t from, struct group_floor gone)
{
    uint64_t last = log_entry_term(g->params.log, g->params.id, core_last_index(g->core));
    if (g->dropped || gone.term < g->heard_term || gone.term < last || core_state(g->core) == CORE_LEADER) return;
    note(g, 2, "replica_dropped by=%u term=%llu", from, (unsigned long long)gone.term);
    g->dropped = true;
    /* Whatever an older leader still sends finds a newer term. */
    if (gone.term > core_term(g->core)) log_append_vote(g->params.log, g->params.id, gone.term, 0);
    struct group_floor floor = change_is_below(gone.term, gone.index, g->params.floor) ? g->params.floor : gone;
    g->params.io->dropped(g->params.io->self, g->params.id, floor);
}

void change_receive(struct group *g, uint8_t from, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = reader_u8(&r), type = reader_u8(&r);
    struct group_floor sender = {.term = reader_le64(&r)};
    if (type == CHANGE_GONE) sender.index = reader_le64(&r);
    if (r.failed || reader_left(&r) || version != CHANGE_VERSION) {
        note(g, 1, "membership_unreadable node=%u", from);
        return;
    }
    if (type == CHANGE_ASK) asked(g, from);
    else if (type == CHANGE_GONE) told_gone(g, from, sender);
}

bool group_message_opens(uint8_t kind, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    if (kind != GROUP_MESSAGE_RAFT) return false;
    reader_u8(&r); /* the form's version: group_receive() looks at it again */
    return reader_u8(&r) == CORE_APPEND_ENTRIES && !r.failed;
}
