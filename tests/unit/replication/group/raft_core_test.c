/* The repairs of the Raft library's faults, each with the fault let back in: what goes wrong then is what the repair is
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replication/group/raft_core.h"

enum { NODE = 1, PEER = 2, THIRD = 3, MESSAGES_MAX = 64, APPENDS_MAX = 64, LOG_MAX = 256 };

/* One core, what it asked for, and a log that is durable as soon as told. */
struct bench {
    struct group_faults faults;
    struct raft_core *core;
    struct buf conf;
    struct core_message messages[MESSAGES_MAX];
    unsigned message_count;
    struct {
        uint64_t index, term;
        uint8_t type;
    } appends[APPENDS_MAX];
    unsigned append_count;
    uint64_t commit, now_ms, snapshot_asked;
    uint64_t terms[LOG_MAX]; /* of the log before the start */
};

static void on_vote(void *arg, uint64_t term, uint64_t voted_for)
{
    (void)arg;
    (void)term;
    (void)voted_for;
}

static void on_append(void *arg, const struct core_append *a)
{
    struct bench *b = arg;
    assert_true(b->append_count < APPENDS_MAX);
    b->appends[b->append_count].index = a->index;
    b->appends[b->append_count].term = a->term;
    b->appends[b->append_count++].type = a->type;
}

static void on_snapshot(void *arg, uint64_t index, uint64_t term)
{
    struct bench *b = arg;
    (void)term;
    b->snapshot_asked = index;
}

static void on_message(void *arg, const struct core_message *m)
{
    struct bench *b = arg;
    assert_true(b->message_count < MESSAGES_MAX);
    b->messages[b->message_count++] = *m;
}

static void on_commit(void *arg, uint64_t index)
{
    ((struct bench *)arg)->commit = index;
}

static void entry_of(void *arg, uint64_t index, uint64_t *term, uint8_t *type, struct slice *data)
{
    struct bench *b = arg;
    *term = b->terms[index];
    *type = index == 1 ? ENTRY_CHANGE : ENTRY_COMMAND;
    *data = index == 1 ? buf_slice(&b->conf) : slice_of(NULL, 0);
}

static const struct core_out out = {
    .vote = on_vote, .append = on_append, .snapshot = on_snapshot, .message = on_message, .commit = on_commit};

struct history {
    uint64_t term;           /* current */
    uint64_t snapshot_index; /* 0: none */
    uint64_t first_index, last_index;
    uint64_t entry_term;
};

static void start(struct bench *b, struct history h)
{
    static const struct group_member members[] = {{NODE, GROUP_VOTER}, {PEER, GROUP_VOTER}, {THIRD, GROUP_VOTER}};
    core_configuration_encode(members, 3, &b->conf);
    for (uint64_t i = 0; i < LOG_MAX; i++) b->terms[i] = i == 1 ? 1 : h.entry_term;
    b->now_ms = 1000;
    struct core_start s = {.node = NODE,
                           .election_timeout_ms = 500,
                           .heartbeat_ms = 100,
                           .entries_in_flight_max = 64,
                           .seed = 7,
                           .term = h.term,
                           .snapshot_index = h.snapshot_index,
                           .snapshot_term = h.snapshot_index ? h.entry_term : 0,
                           .conf_index = h.snapshot_index ? 1 : 0,
                           .conf = h.snapshot_index ? buf_slice(&b->conf) : slice_of(NULL, 0),
                           .first_index = h.first_index,
                           .last_index = h.last_index,
                           .entry = entry_of,
                           .out = &out,
                           .arg = b,
                           .faults = &b->faults};
    b->core = core_open(&s, b->now_ms);
}

static void end(struct bench *b)
{
    core_close(b->core);
    buf_close(&b->conf);
}

static void receive(struct bench *b, struct core_message m)
{
    b->message_count = 0;
    core_receive(b->core, &m, b->now_ms);
}

static struct core_message *answer(struct bench *b, uint8_t type)
{
    for (unsigned i = 0; i < b->message_count; i++)
        if (b->messages[i].type == type) return &b->messages[i];
    return NULL;
}

static struct entry *entry(uint8_t type, uint64_t index, uint64_t term, struct slice bytes)
{
    struct blob *blob = blob_copy(bytes.data, bytes.size);
    struct entry *e = entry_from_blob(type, index, term, blob, 0, (uint32_t)bytes.size);
    blob_unref(blob);
    return e;
}

/* Elected in `term + 1`, its barrier in the log and durable. */
static void lead(struct bench *b)
{
    while (core_state(b->core) == CORE_FOLLOWER && b->now_ms < 5000) core_timeout(b->core, b->now_ms += 10);
    for (int round = 0; round < 2; round++) { /* the pre-vote, the vote */
        struct core_message *asked = answer(b, CORE_REQUEST_VOTE);
        assert_non_null(asked);
        struct core_message granted = {.type = CORE_REQUEST_VOTE_RESULT,
                                       .peer = PEER,
                                       .version = asked->version,
                                       .term = asked->pre_vote ? core_term(b->core) : asked->term,
                                       .granted = true,
                                       .pre_vote = asked->pre_vote};
        receive(b, granted);
        if (core_state(b->core) == CORE_LEADER) break;
    }
    assert_int_equal(core_state(b->core), CORE_LEADER);
    assert_int_equal(core_submit(b->core, ENTRY_BARRIER, b->now_ms), 0);
    core_persisted(b->core, core_last_index(b->core), b->now_ms);
}

/* --- R1 --- */

static void a_refused_entry_of_an_older_term_acknowledges_nothing(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 9, .first_index = 1, .last_index = 20, .entry_term = 3});
    receive(&b, (struct core_message){
                    .type = CORE_APPEND_ENTRIES, .peer = PEER, .term = 4, .prev_index = 20, .prev_term = 3});
    struct core_message *result = answer(&b, CORE_APPEND_ENTRIES_RESULT);
    assert_non_null(result);
    assert_int_equal(result->term, 9);
    assert_int_equal(result->last_log_index, 0);
    end(&b);
}

/* --- R2 --- */

/* The entries after `prev_index` up to 110 come to a follower whose checkpoint ends at 100. */
static void trimmed_follower(struct bench *b, uint64_t first_index, uint64_t prev_index)
{
    start(b, (struct history){
                 .term = 3, .snapshot_index = 100, .first_index = first_index, .last_index = 100, .entry_term = 3});
    struct entry *entries[60];
    uint32_t count = (uint32_t)(110 - prev_index);
    for (uint64_t i = 0; i < count; i++) entries[i] = entry(ENTRY_COMMAND, prev_index + 1 + i, 3, slice_str("x"));
    receive(b, (struct core_message){.type = CORE_APPEND_ENTRIES,
                                     .peer = PEER,
                                     .term = 3,
                                     .prev_index = prev_index,
                                     .prev_term = 3,
                                     .commit = 100,
                                     .entry_count = count,
                                     .entries = entries});
    for (uint64_t i = 0; i < count; i++) entry_unref(entries[i]);
}

static void a_follower_that_trimmed_further_takes_what_is_new_to_it(void **state)
{
    (void)state;
    struct bench b = {0};
    trimmed_follower(&b, 101, 50);
    assert_int_equal(b.append_count, 10);
    assert_int_equal(b.appends[0].index, 101);
    assert_int_equal(core_last_index(b.core), 110);
    end(&b);

    struct bench edge = {0}; /* the entry just before the log's first */
    trimmed_follower(&edge, 81, 80);
    assert_int_equal(edge.append_count, 10);
    assert_int_equal(core_last_index(edge.core), 110);
    end(&edge);

    struct bench without = {.faults.repair_off[2] = true};
    trimmed_follower(&without, 101, 50);
    assert_int_equal(without.append_count, 0); /* it stays behind for ever */
    end(&without);
}

/* --- R3 --- */

static uint64_t match_after_stale_rejection(struct bench *b)
{
    start(b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    lead(b);
    uint64_t last = core_last_index(b->core), term = core_term(b->core);
    receive(b, (struct core_message){
                   .type = CORE_APPEND_ENTRIES_RESULT, .peer = PEER, .term = term, .last_log_index = last});
    assert_int_equal(core_match_index(b->core, PEER), last);
    receive(b, (struct core_message){.type = CORE_APPEND_ENTRIES_RESULT,
                                     .peer = PEER,
                                     .term = term,
                                     .rejected = last - 2,
                                     .last_log_index = last});
    return core_match_index(b->core, PEER);
}

static void a_late_rejection_of_what_is_known_to_match_is_dropped(void **state)
{
    (void)state;
    struct bench b = {0};
    uint64_t match = match_after_stale_rejection(&b);
    assert_int_equal(match, core_last_index(b.core));
    assert_int_equal(b.message_count, 0); /* and nothing is sent again for it */
    assert_int_equal(core_take_lost_data(b.core), 0);
    end(&b);
}

static void a_member_that_lost_what_it_acknowledged_is_named(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    lead(&b);
    uint64_t last = core_last_index(b.core), term = core_term(b.core);
    receive(&b, (struct core_message){
                    .type = CORE_APPEND_ENTRIES_RESULT, .peer = PEER, .term = term, .last_log_index = last});
    receive(&b,
            (struct core_message){
                .type = CORE_APPEND_ENTRIES_RESULT, .peer = PEER, .term = term, .rejected = last, .last_log_index = 1});
    assert_int_equal(core_take_lost_data(b.core), PEER);
    assert_int_equal(core_take_lost_data(b.core), 0); /* once */
    end(&b);
}

/* --- R4 --- */

static void a_change_amid_other_entries_is_handled_alone(void **state)
{
    (void)state;
    static const struct group_member two[] = {{NODE, GROUP_VOTER}, {PEER, GROUP_VOTER}};
    struct bench b = {0};
    struct buf conf = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    core_configuration_encode(two, 2, &conf);
    struct entry *entries[3] = {entry(ENTRY_COMMAND, 11, 3, slice_str("x")),
                                entry(ENTRY_CHANGE, 12, 3, buf_slice(&conf)),
                                entry(ENTRY_COMMAND, 13, 3, slice_str("y"))};
    receive(&b, (struct core_message){.type = CORE_APPEND_ENTRIES,
                                      .peer = PEER,
                                      .term = 3,
                                      .prev_index = 10,
                                      .prev_term = 3,
                                      .commit = 10,
                                      .entry_count = 3,
                                      .entries = entries});
    assert_int_equal(b.append_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(b.appends[i].index, 11 + i);
        assert_int_equal(b.appends[i].type, entries[i]->type);
        entry_unref(entries[i]);
    }
    assert_int_equal(core_last_index(b.core), 13);
    buf_close(&conf);
    end(&b);
}

/* --- R5 --- */

static uint64_t term_in_pre_vote_refusal(struct bench *b)
{
    start(b, (struct history){.term = 7, .first_index = 1, .last_index = 20, .entry_term = 3});
    receive(b, (struct core_message){.type = CORE_REQUEST_VOTE,
                                     .version = 2,
                                     .peer = PEER,
                                     .term = 5,
                                     .candidate = PEER,
                                     .last_log_index = 30,
                                     .last_log_term = 4,
                                     .pre_vote = true});
    struct core_message *result = answer(b, CORE_REQUEST_VOTE_RESULT);
    assert_non_null(result);
    assert_false(result->granted);
    return result->term;
}

static void a_refused_pre_vote_tells_our_term(void **state)
{
    (void)state;
    struct bench b = {0}, without = {.faults.repair_off[5] = true};
    assert_true(term_in_pre_vote_refusal(&b) >= 7);
    end(&b);
    assert_true(term_in_pre_vote_refusal(&without) < 7); /* a node with the only electable log never learns the term */
    end(&without);
}

/* --- R8 --- */

/* After THIRD's request for votes of a newer term, which a transfer of leadership allows. */
static uint8_t leader_after_a_newer_term(struct bench *b)
{
    start(b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    assert_int_equal(core_leader(b->core), 0);
    receive(b,
            (struct core_message){
                .type = CORE_APPEND_ENTRIES, .peer = PEER, .term = 3, .prev_index = 10, .prev_term = 3, .commit = 10});
    assert_int_equal(core_leader(b->core), PEER);
    receive(b, (struct core_message){
                   .type = CORE_APPEND_ENTRIES, .peer = THIRD, .term = 2, .prev_index = 10, .prev_term = 3});
    assert_int_equal(core_leader(b->core), PEER); /* an older one does not count */
    receive(b, (struct core_message){.type = CORE_REQUEST_VOTE,
                                     .version = 2,
                                     .peer = THIRD,
                                     .term = 5,
                                     .candidate = THIRD,
                                     .last_log_index = 10,
                                     .last_log_term = 3,
                                     .disrupt_leader = true});
    assert_int_equal(core_term(b->core), 5);
    return core_leader(b->core);
}

static void the_leader_of_a_term_is_known_in_that_term_only(void **state)
{
    (void)state;
    struct bench b = {0}, without = {.faults.repair_off[8] = true};
    assert_int_equal(leader_after_a_newer_term(&b), 0);
    end(&b);
    assert_int_equal(leader_after_a_newer_term(&without), PEER); /* it never led this term */
    end(&without);
}

/* The transfer may have begun terms ago. */
static void who_sent_a_checkpoint_is_not_taken_for_the_leader(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 7, .first_index = 1, .last_index = 10, .entry_term = 3});
    receive(&b, (struct core_message){.type = CORE_INSTALL_SNAPSHOT,
                                      .peer = PEER,
                                      .term = 7,
                                      .last_log_index = 50,
                                      .last_log_term = 4,
                                      .conf_index = 1,
                                      .conf = buf_slice(&b.conf)});
    assert_int_equal(b.snapshot_asked, 50);
    assert_int_equal(core_leader(b.core), 0);
    end(&b);
}

/* --- R9 --- */

/* A standby by its own word; PEER's configuration counts on it. */
static bool standby_votes(struct bench *b)
{
    static const struct group_member members[] = {{NODE, GROUP_STANDBY}, {PEER, GROUP_VOTER}, {THIRD, GROUP_VOTER}};
    start(b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    struct buf conf = {0};
    core_configuration_encode(members, 3, &conf);
    struct entry *change = entry(ENTRY_CHANGE, 11, 3, buf_slice(&conf));
    receive(b, (struct core_message){.type = CORE_APPEND_ENTRIES,
                                     .peer = PEER,
                                     .term = 3,
                                     .prev_index = 10,
                                     .prev_term = 3,
                                     .commit = 10,
                                     .entry_count = 1,
                                     .entries = &change});
    entry_unref(change);
    buf_close(&conf);
    b->now_ms += 5000; /* its leader is silent */
    receive(b, (struct core_message){.type = CORE_REQUEST_VOTE,
                                     .version = 2,
                                     .peer = THIRD,
                                     .term = 4,
                                     .candidate = THIRD,
                                     .last_log_index = 12,
                                     .last_log_term = 3});
    struct core_message *result = answer(b, CORE_REQUEST_VOTE_RESULT);
    assert_non_null(result);
    return result->granted;
}

static void who_knows_itself_as_no_voter_votes_for_who_counts_on_it(void **state)
{
    (void)state;
    struct bench b = {0}, without = {.faults.repair_off[9] = true};
    assert_true(standby_votes(&b));
    end(&b);
    assert_false(standby_votes(&without)); /* and nobody can lead */
    end(&without);
}

/* --- R10 --- */

static void a_late_vote_changes_nothing(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    lead(&b);
    uint64_t term = core_term(b.core);
    receive(&b, (struct core_message){.type = CORE_REQUEST_VOTE_RESULT,
                                      .peer = THIRD,
                                      .version = 2,
                                      .term = term + 1,
                                      .granted = true,
                                      .pre_vote = true});
    assert_int_equal(core_term(b.core), term);
    assert_int_equal(core_state(b.core), CORE_LEADER);
    end(&b);
}

/* --- what is not a repair but a contract --- */

static void one_change_at_a_time(void **state)
{
    (void)state;
    static const struct group_member more[] = {
        {NODE, GROUP_VOTER}, {PEER, GROUP_VOTER}, {THIRD, GROUP_VOTER}, {4, GROUP_STANDBY}};
    struct bench b = {0};
    struct buf conf = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    core_configuration_encode(more, 4, &conf);
    assert_int_equal(core_submit_change(b.core, buf_slice(&conf), b.now_ms), ERR_NOT_LEADER);
    lead(&b);
    receive(&b, (struct core_message){.type = CORE_APPEND_ENTRIES_RESULT,
                                      .peer = PEER,
                                      .term = core_term(b.core),
                                      .last_log_index = core_last_index(b.core)});
    assert_int_equal(core_submit_change(b.core, buf_slice(&conf), b.now_ms), 0);
    assert_int_equal(b.appends[b.append_count - 1].type, ENTRY_CHANGE);
    assert_true(core_changing(b.core));
    assert_int_equal(core_submit_change(b.core, buf_slice(&conf), b.now_ms), ERR_BUSY);
    core_configuration(b.core, core_last_index(b.core), buf_slice(&conf), b.now_ms); /* it is committed */
    assert_false(core_changing(b.core));
    buf_close(&conf);
    end(&b);
}

static void own_entries_come_with_their_index_and_commit_with_a_majority(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    lead(&b);
    uint64_t last = core_last_index(b.core);
    assert_int_equal(core_submit(b.core, ENTRY_COMMAND, b.now_ms), 0);
    assert_int_equal(b.appends[b.append_count - 1].index, last + 1);
    receive(&b, (struct core_message){.type = CORE_APPEND_ENTRIES_RESULT,
                                      .peer = PEER,
                                      .term = core_term(b.core),
                                      .last_log_index = last + 1});
    assert_true(b.commit < last + 1); /* one of three: ours is not durable */
    core_persisted(b.core, last + 1, b.now_ms);
    assert_int_equal(b.commit, last + 1);
    end(&b);
}

static void a_follower_submits_nothing(void **state)
{
    (void)state;
    struct bench b = {0};
    start(&b, (struct history){.term = 3, .first_index = 1, .last_index = 10, .entry_term = 3});
    assert_int_equal(core_submit(b.core, ENTRY_COMMAND, b.now_ms), ERR_NOT_LEADER);
    assert_int_equal(b.append_count, 0);
    end(&b);
}

static void a_configuration_survives_its_bytes(void **state)
{
    (void)state;
    static const struct group_member given[] = {{1, GROUP_VOTER}, {7, GROUP_STANDBY}, {63, GROUP_VOTER}};
    struct group_member found[GROUP_MEMBERS_MAX];
    struct buf b = {0};
    core_configuration_encode(given, 3, &b);
    assert_int_equal(core_configuration_decode(buf_slice(&b), found), 3);
    assert_memory_equal(found, given, sizeof given);
    assert_int_equal(core_configuration_decode(slice_of(b.data, 3), found), 0);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_entry_of_an_older_term_acknowledges_nothing),
        cmocka_unit_test(a_follower_that_trimmed_further_takes_what_is_new_to_it),
        cmocka_unit_test(a_late_rejection_of_what_is_known_to_match_is_dropped),
        cmocka_unit_test(a_member_that_lost_what_it_acknowledged_is_named),
        cmocka_unit_test(a_change_amid_other_entries_is_handled_alone),
        cmocka_unit_test(a_refused_pre_vote_tells_our_term),
        cmocka_unit_test(who_knows_itself_as_no_voter_votes_for_who_counts_on_it),
        cmocka_unit_test(a_late_vote_changes_nothing),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(the_leader_of_a_term_is_known_in_that_term_only),
        cmocka_unit_test(who_sent_a_checkpoint_is_not_taken_for_the_leader),
        cmocka_unit_test(own_entries_come_with_their_index_and_commit_with_a_majority),
        cmocka_unit_test(a_follower_submits_nothing),
        cmocka_unit_test(a_configuration_survives_its_bytes),
    };
    group_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
