/* A leader's group whose two peers are played by the test: what it lets out, and which changes of members it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replication/group/group.h"
#include "replication/group/message.h"
#include "tests/sim/disk.h"

enum { NODE = 1, GROUP = 0 };

struct bench {
    struct disk *disk;
    struct executor *jobs;
    struct log *log;
    struct store *store;
    struct group *group;
    struct group_io io;
    struct group_params params;
    uint64_t now_ms, applied;
    uint64_t machine_at_ms;     /* when the machine wants an entry, by the wall clock */
    uint64_t transfer;          /* the last one that was offered */
    uint64_t sent_bytes;        /* of transfers */
    uint64_t asked_term;        /* of the last request for a vote */
    bool asked, asked_pre_vote; /* not answered yet */
    uint8_t asked_version;
};

/* --- the machine counts, the peers hear --- */

static void apply(void *self, const struct entry *e, struct effects *effects)
{
    (void)effects;
    ((struct bench *)self)->applied = e->index;
}

static uint64_t machine_deadline(void *self)
{
    return ((struct bench *)self)->machine_at_ms;
}

static void write_nothing(void *self, struct checkpoint *c)
{
    (void)self, (void)c;
}

static void on_written(void *self, bool durable)
{
    (void)self;
    assert_true(durable);
}

/* OFFER: version, type, transfer; DATA the same, and a range. */
static void on_transfer(struct bench *b, struct slice head, const struct part *parts, uint32_t part_count)
{
    struct reader r = reader_of(slice_of(head.data + 2, head.size - 2));
    b->transfer = reader_varint(&r);
    for (uint32_t i = 0; i < part_count; i++) b->sent_bytes += parts[i].size;
}

static void on_send(void *self, uint32_t group, uint8_t to, uint8_t kind, struct slice head, const struct part *parts,
                    uint32_t part_count)
{
    struct bench *b = self;
    struct buf bytes = {0};
    struct core_message m;
    (void)group, (void)to;
    if (kind == GROUP_MESSAGE_TRANSFER) on_transfer(b, head, parts, part_count);
    if (kind != GROUP_MESSAGE_RAFT) return;
    buf_put_slice(&bytes, head);
    for (uint32_t i = 0; i < part_count; i++) buf_put_slice(&bytes, part_slice(parts[i]));
    struct blob *blob = blob_copy(bytes.data, bytes.size);
    assert_true(message_decode(blob, 0, blob->size, &m));
    if (m.type == CORE_REQUEST_VOTE) {
        b->asked = true;
        b->asked_term = m.term;
        b->asked_pre_vote = m.pre_vote;
        b->asked_version = m.version;
    }
    message_close(&m);
    blob_unref(blob);
    buf_close(&bytes);
}

static bool is_connected(void *self, uint8_t node)
{
    (void)self;
    return node <= 3;
}

static uint64_t no_congestion(void *self, uint8_t node)
{
    (void)self, (void)node;
    return 0;
}

static void on_leading(void *self, uint32_t group, uint64_t term, bool leads)
{
    (void)self, (void)group, (void)term, (void)leads;
}

static void on_effects(void *self, uint32_t group)
{
    (void)self, (void)group;
}

static void on_dropped(void *self, uint32_t group, struct group_floor floor)
{
    (void)self, (void)group, (void)floor;
}

static void on_note(void *self, int level, const char *line)
{
    (void)self, (void)level, (void)line;
}

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    fail_msg("%s", err->text);
}

/* --- the bench --- */

static const struct machine_ops counting = {
    .apply = apply, .checkpoint = write_nothing, .checkpoint_done = on_written, .deadline_ms = machine_deadline};

enum { WALL_CLOCK_MS = 1700000000 /* what it shows at 0 of the other one */ };

static struct group_status status(struct bench *b)
{
    struct group_status s;
    group_status(b->group, &s);
    return s;
}

/* What was appended becomes durable, and time passes. */
static void turn(struct bench *b)
{
    log_flush(b->log);
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    group_durable(b->group, b->now_ms);
    b->now_ms++;
    group_turn(b->group, b->now_ms, WALL_CLOCK_MS + b->now_ms);
}

static void say(struct bench *b, uint8_t from, struct core_message m)
{
    struct buf head = {0};
    message_encode(&m, &head);
    struct blob *blob = blob_copy(head.data, head.size);
    group_receive(b->group, from, GROUP_MESSAGE_RAFT, blob, 0, blob->size, b->now_ms);
    blob_unref(blob);
    buf_close(&head);
}

/* A peer has everything. */
static void acknowledge(struct bench *b, uint8_t from)
{
    say(b, from,
        (struct core_message){
            .type = CORE_APPEND_ENTRIES_RESULT, .term = status(b).term, .last_log_index = status(b).last_index});
    turn(b);
    turn(b);
}

static void become_leader(struct bench *b)
{
    for (int i = 0; i < 5000 && !status(b).leads; i++) {
        turn(b);
        if (b->asked) {
            b->asked = false;
            say(b, 2,
                (struct core_message){.type = CORE_REQUEST_VOTE_RESULT,
                                      .version = b->asked_version,
                                      .term = b->asked_pre_vote ? status(b).term : b->asked_term,
                                      .granted = true,
                                      .pre_vote = b->asked_pre_vote});
        }
        if (status(b).leader == NODE) acknowledge(b, 2);
    }
    assert_true(status(b).leads);
}

static int set_up(void **state)
{
    struct bench *b = mem_zalloc(sizeof *b);
    struct err err;
    b->disk = disk_create();
    b->jobs = jobs_create();
    b->now_ms = 1000;
    b->machine_at_ms = UINT64_MAX;
    b->io = (struct group_io){.self = b,
                              .send = on_send,
                              .connected = is_connected,
                              .congestion = no_congestion,
                              .leading = on_leading,
                              .effects = on_effects,
                              .dropped = on_dropped,
                              .note = on_note};
    struct log_params log = {.fs = disk_fs(b->disk),
                             .executor = b->jobs,
                             .directory = "/log",
                             .group_count = 1,
                             .file_size = 1 << 20,
                             .cache_size = 1 << 20,
                             .failed = on_failed};
    struct store_params store = {
        .fs = disk_fs(b->disk), .executor = b->jobs, .read_executor = b->jobs, .directory = "/g", .failed = on_failed};
    assert_int_equal(log_open(&b->log, &log, &err), 0);
    assert_int_equal(store_open(&b->store, &store, &err), 0);
    b->params = (struct group_params){
        .id = GROUP,
        .node = NODE,
        .members = {{1, GROUP_VOTER}, {2, GROUP_VOTER}, {3, GROUP_VOTER}},
        .member_count = 3,
        .log = b->log,
        .store = b->store,
        .machine = {&counting, b},
        .io = &b->io,
        .election_timeout_ms = 500,
        .heartbeat_ms = 100,
        .checkpoint_log_bytes = 1 << 30,
        .seed = 7,
    };
    *state = b;
    return 0;
}

static void open_and_lead(struct bench *b)
{
    struct err err;
    assert_int_equal(group_open(&b->group, &b->params, b->now_ms, &err), 0);
    become_leader(b);
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    group_close(b->group);
    log_flush(b->log);
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    log_close(b->log);
    store_close(b->store);
    jobs_destroy(b->jobs);
    disk_destroy(b->disk);
    mem_free(b);
    return 0;
}

/* --- R6 --- */

/* Proposes a chunk in each of so many turns while nobody acknowledges; gives how many entries are not committed. */
static uint64_t propose_unheard(struct bench *b, unsigned turns, struct blob *chunk)
{
    for (unsigned i = 0; i < turns; i++) {
        int code = group_propose(b->group, (struct part){blob_ref(chunk), 0, chunk->size});
        if (code) blob_unref(chunk);
        assert_true(code == 0 || code == ERR_BUSY);
        turn(b);
        assert_true(status(b).leads);
    }
    return status(b).last_index - status(b).commit_index;
}

static void few_entries_wait_for_a_majority(void **state)
{
    struct bench *b = *state;
    struct blob *chunk = blob_copy("chunk", 5);
    open_and_lead(b);
    assert_int_equal(propose_unheard(b, 3 * GROUP_ENTRIES_IN_FLIGHT_MAX, chunk), GROUP_ENTRIES_IN_FLIGHT_MAX);
    acknowledge(b, 3); /* then what has gathered goes in one entry */
    assert_int_equal(status(b).last_index - status(b).commit_index, 1);
    acknowledge(b, 3);
    assert_int_equal(status(b).last_index, status(b).commit_index);
    assert_int_equal(b->applied, status(b).commit_index);
    blob_unref(chunk);
}

static void without_the_bound_a_tail_grows_for_ever(void **state)
{
    struct bench *b = *state;
    struct blob *chunk = blob_copy("chunk", 5);
    b->params.faults.repair_off[6] = true;
    open_and_lead(b);
    assert_int_equal(propose_unheard(b, 3 * GROUP_ENTRIES_IN_FLIGHT_MAX, chunk), 3 * GROUP_ENTRIES_IN_FLIGHT_MAX);
    blob_unref(chunk);
}

static void few_bytes_wait_for_a_majority(void **state)
{
    struct bench *b = *state;
    struct blob *chunk = blob_create(8 << 20);
    memset(chunk->data, 0, chunk->size);
    open_and_lead(b);
    assert_int_equal(propose_unheard(b, 12, chunk), GROUP_BYTES_IN_FLIGHT_MAX / (8 << 20) - 1); /* headers count, too */
    blob_unref(chunk);
}

/* --- R7 --- */

static void a_newcomer_is_last_and_no_voter(void **state)
{
    struct bench *b = *state;
    open_and_lead(b);
    acknowledge(b, 2);
    acknowledge(b, 3);
    assert_int_equal(group_change(b->group, GROUP_CHANGE_ADD, 2, b->now_ms), ERR_INVALID);
    assert_int_equal(group_change(b->group, GROUP_CHANGE_REMOVE, NODE, b->now_ms), ERR_INVALID);
    assert_int_equal(group_change(b->group, GROUP_CHANGE_ADD, 9, b->now_ms), 0);
    assert_int_equal(group_change(b->group, GROUP_CHANGE_ADD, 8, b->now_ms), ERR_BUSY); /* one at a time */
    turn(b);
    acknowledge(b, 2);
    struct group_status s = status(b);
    static const struct group_member now[] = {{1, GROUP_VOTER}, {2, GROUP_VOTER}, {3, GROUP_VOTER}, {9, GROUP_STANDBY}};
    assert_int_equal(s.member_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s.members[i].node, now[i].node);
        assert_int_equal(s.members[i].role, now[i].role);
    }
    assert_int_equal(group_change(b->group, GROUP_CHANGE_PROMOTE, 9, b->now_ms), ERR_BUSY); /* it has nothing yet */
    assert_int_equal(group_change(b->group, GROUP_CHANGE_REMOVE, 2, b->now_ms), 0);
    turn(b);
    acknowledge(b, 3);
    s = status(b);
    assert_int_equal(s.member_count, 3);
    assert_int_equal(s.members[1].node, 3); /* the order of the others is kept */
    assert_int_equal(s.members[2].node, 9);
}

/* --- time --- */

/* All is committed, and the next heartbeat is further away than `ms`. */
static void wait_for_quiet(struct bench *b, uint64_t ms)
{
    acknowledge(b, 2);
    acknowledge(b, 3);
    for (int i = 0; i < 1000 && group_deadline_ms(b->group) <= b->now_ms + ms; i++) turn(b);
    assert_true(group_deadline_ms(b->group) > b->now_ms + ms);
}

static void a_group_wants_its_turn_when_its_machine_is_due(void **state)
{
    struct bench *b = *state;
    open_and_lead(b);
    wait_for_quiet(b, 20);
    b->machine_at_ms = WALL_CLOCK_MS + b->now_ms + 7;
    assert_int_equal(group_deadline_ms(b->group), b->now_ms + 7);
    uint64_t index = status(b).last_index;
    for (int i = 0; i < 6; i++) turn(b);
    assert_int_equal(status(b).last_index, index);
    turn(b);
    assert_int_equal(status(b).last_index, index + 1);
    assert_true(group_deadline_ms(b->group) > b->now_ms + 1); /* that entry is on its way: no other one */
}

/* A follower asks for pieces of a checkpoint. */
static void ask_for(struct bench *b, uint8_t from, uint32_t offset, uint32_t size)
{
    enum { VERSION = 1, READ = 2 };
    struct buf head = {0};
    buf_put_u8(&head, VERSION);
    buf_put_u8(&head, READ);
    buf_put_varint(&head, b->transfer);
    buf_put_varint(&head, 0); /* of the manifest */
    buf_put_varint(&head, offset);
    buf_put_varint(&head, size);
    struct blob *blob = blob_copy(head.data, head.size);
    group_receive(b->group, from, GROUP_MESSAGE_TRANSFER, blob, 0, blob->size, b->now_ms);
    blob_unref(blob);
    buf_close(&head);
}

static void a_group_wants_its_turn_when_a_slow_transfer_may_go_on(void **state)
{
    struct bench *b = *state;
    struct blob *chunk = blob_copy("chunk", 5);
    b->params.transfer_rate = 1000;
    b->params.trailing_entries = b->params.trailing_bytes = 1;
    open_and_lead(b);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(group_propose(b->group, (struct part){blob_ref(chunk), 0, chunk->size}), 0);
        turn(b);
        acknowledge(b, 2);
    }
    assert_int_equal(group_checkpoint(b->group), 0);
    turn(b);
    for (int i = 0; i < 2000 && !b->transfer; i++) { /* the third has nothing */
        say(b, 3, (struct core_message){.type = CORE_APPEND_ENTRIES_RESULT, .term = status(b).term, .rejected = 1});
        turn(b);
    }
    assert_true(b->transfer);
    for (int i = 0; i < 1000 && group_deadline_ms(b->group) <= b->now_ms + 20; i++) turn(b);
    for (uint32_t i = 0; i < 3; i++) ask_for(b, 3, 7 * i, 7);
    assert_int_equal(group_deadline_ms(b->group), b->now_ms + 7);
    for (int i = 0; i < 6; i++) turn(b);
    assert_int_equal(b->sent_bytes, 7);
    for (int i = 0; i < 2; i++) turn(b);
    assert_int_equal(b->sent_bytes, 14);
    assert_true(group_deadline_ms(b->group) <= b->now_ms + 6);
    blob_unref(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_entries_wait_for_a_majority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_the_bound_a_tail_grows_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_bytes_wait_for_a_majority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newcomer_is_last_and_no_voter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_wants_its_turn_when_its_machine_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_wants_its_turn_when_a_slow_transfer_may_go_on, set_up, tear_down),
    };
    group_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
