/* The port table: each command once and in order, whatever was resent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/queue/port_id.h"
#include "node/queue/port_table.h"

enum { NODE = 3, EPOCH = 5, APPLIED_MAX = 64 };

/* A machine that notes what it was given. */
struct notes {
    struct port_table table;
    struct effects effects;
    struct chunk_writer writer;
    struct {
        uint64_t port, number;
        uint8_t type;
    } applied[APPLIED_MAX];
    unsigned applied_count, received_count, destroyed, created;
    uint64_t destroyed_ids[APPLIED_MAX];
};

static struct port_base *create(void *machine)
{
    struct notes *n = machine;
    n->created++;
    return mem_zalloc(sizeof(struct port_base));
}

static void destroy(void *machine, struct port_base *port, struct effects *effects)
{
    struct notes *n = machine;
    (void)effects;
    n->destroyed_ids[n->destroyed++] = port->id;
    mem_free(port);
}

static void apply(void *machine, struct port_base *port, const struct command *command, struct part chunk,
                  struct effects *effects)
{
    struct notes *n = machine;
    (void)chunk;
    assert_true(n->applied_count < APPLIED_MAX);
    n->applied[n->applied_count].port = port ? port->id : 0;
    n->applied[n->applied_count].number = command->number;
    n->applied[n->applied_count++].type = command->type;
    if (port && command->type == COMMAND_CLOSE) port_table_remove(&n->table, port, effects);
    if (port && command->type == COMMAND_STAT)
        port_table_reply(port, command->number, REPLY_OK, 11, 22, slice_str("text"), effects);
    if (port && command->type == COMMAND_PURGE) port_table_refuse(port, command->number, effects);
}

static void received(void *machine, struct port_base *port, struct effects *effects)
{
    struct notes *n = machine;
    (void)port;
    (void)effects;
    n->received_count++;
}

static const struct port_table_ops ops = {.create = create, .destroy = destroy, .apply = apply, .received = received};

static int set_up(void **state)
{
    struct notes *n = mem_zalloc(sizeof *n);
    port_table_init(&n->table, &ops, n);
    *state = n;
    return 0;
}

static int tear_down(void **state)
{
    struct notes *n = *state;
    port_table_close(&n->table);
    effects_close(&n->effects);
    chunk_writer_close(&n->writer);
    mem_free(n);
    return 0;
}

static uint64_t port_number(uint32_t counter)
{
    return port_id(NODE, EPOCH, counter);
}

static void send_writer(struct notes *n, uint64_t in_hand)
{
    struct blob *b = chunk_writer_finish(&n->writer, in_hand);
    effects_clear(&n->effects);
    n->applied_count = 0;
    port_table_apply(&n->table, (struct part){b, 0, b->size}, &n->effects);
    blob_unref(b);
}

/* A chunk of `count` commands of one type behind `previous`; what came of it is in `effects` and `applied`. */
static void send_type(struct notes *n, uint64_t port, uint64_t previous, unsigned count, uint8_t type)
{
    chunk_writer_begin(&n->writer, port, previous, 0);
    for (unsigned i = 0; i < count; i++) {
        if (type == COMMAND_STAT || type == COMMAND_PURGE) command_queue_encode(&n->writer, type, 1);
        else command_empty_encode(&n->writer, type);
    }
    send_writer(n, 0);
}

static void send(struct notes *n, uint64_t port, uint64_t previous, unsigned count)
{
    send_type(n, port, previous, count, COMMAND_RECEIPT);
}

static void last_effect_is(const struct notes *n, uint8_t type, uint64_t port, uint64_t number)
{
    assert_true(n->effects.count > 0);
    const struct effect *e = &n->effects.items[n->effects.count - 1];
    assert_int_equal(e->type, type);
    assert_int_equal(e->port, port);
    assert_int_equal(e->number, number);
}

static void a_first_chunk_makes_its_port_known(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    assert_int_equal(n->created, 1);
    assert_int_equal(n->applied_count, 3);
    assert_int_equal(n->applied[2].number, 3);
    assert_int_equal(n->effects.count, 1);
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 3);
}

static void a_chunk_that_comes_twice_is_applied_once(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    send(n, port_number(1), 0, 3);
    assert_int_equal(n->applied_count, 0);
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 3);
}

static void of_a_chunk_that_overlaps_only_the_new_part_is_applied(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    send(n, port_number(1), 1, 4);
    assert_int_equal(n->applied_count, 2);
    assert_int_equal(n->applied[0].number, 4);
    assert_int_equal(n->applied[1].number, 5);
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 5);
}

static void a_gap_is_answered_with_the_number_to_go_on_from(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    send(n, port_number(1), 4, 2);
    assert_int_equal(n->applied_count, 0);
    assert_int_equal(n->effects.count, 1);
    last_effect_is(n, EFFECT_RESYNC, port_number(1), 3);
    assert_int_equal(port_table_find(&n->table, port_number(1))->applied, 3);
}

static void an_unknown_port_that_was_not_new_is_gone(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 7, 2);
    assert_int_equal(n->created, 0);
    assert_int_equal(n->effects.count, 1);
    last_effect_is(n, EFFECT_GONE, port_number(1), 0);
}

static void ports_do_not_disturb_each_other(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    send(n, port_number(2), 0, 1);
    last_effect_is(n, EFFECT_APPLIED, port_number(2), 1);
    send(n, port_number(1), 3, 1);
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 4);
}

static void a_closed_port_says_applied_and_is_unknown_afterwards(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 3);
    chunk_writer_begin(&n->writer, port_number(1), 3, 0);
    command_empty_encode(&n->writer, COMMAND_CLOSE);
    command_empty_encode(&n->writer, COMMAND_RECEIPT); /* nothing comes after a close */
    send_writer(n, 0);
    assert_int_equal(n->applied_count, 1);
    assert_int_equal(n->destroyed, 1);
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 4);
    assert_null(port_table_find(&n->table, port_number(1)));
    send_type(n, port_number(1), 3, 1, COMMAND_CLOSE);
    last_effect_is(n, EFFECT_GONE, port_number(1), 0);
}

static void received_only_grows_and_is_told_when_it_does(void **state)
{
    struct notes *n = *state;
    static const struct {
        uint64_t in_hand, then;
        unsigned told;
    } steps[] = {{0, 0, 0}, {7, 7, 1}, {3, 7, 1}, {9, 9, 2}};
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        chunk_writer_begin(&n->writer, port_number(1), i, 0);
        command_empty_encode(&n->writer, COMMAND_RECEIPT);
        send_writer(n, steps[i].in_hand);
        assert_int_equal(port_table_find(&n->table, port_number(1))->received, steps[i].then);
        assert_int_equal(n->received_count, steps[i].told);
    }
}

static void a_chunk_that_is_refused_does_not_move_received(void **state)
{
    struct notes *n = *state;
    send(n, port_number(1), 0, 1);
    chunk_writer_begin(&n->writer, port_number(1), 5, 0);
    send_writer(n, 100);
    last_effect_is(n, EFFECT_RESYNC, port_number(1), 1);
    assert_int_equal(port_table_find(&n->table, port_number(1))->received, 0);
}

static void the_ports_of_a_node_that_is_down_go_and_stay_away(void **state)
{
    struct notes *n = *state;
    uint64_t old = port_id(NODE, EPOCH, 1), later = port_id(NODE, EPOCH + 1, 1), other = port_id(NODE + 1, EPOCH, 1);
    send(n, old, 0, 1);
    send(n, later, 0, 1);
    send(n, other, 0, 1);
    port_table_node_down(&n->table, NODE, EPOCH, NULL);
    assert_int_equal(n->destroyed, 1);
    assert_int_equal(n->destroyed_ids[0], old);
    send(n, old, 1, 1);
    last_effect_is(n, EFFECT_GONE, old, 0);
    send(n, port_id(NODE, EPOCH, 2), 0, 1); /* not even a new one of that epoch */
    last_effect_is(n, EFFECT_GONE, port_id(NODE, EPOCH, 2), 0);
    send(n, port_id(NODE, EPOCH - 1, 2), 0, 1);
    last_effect_is(n, EFFECT_GONE, port_id(NODE, EPOCH - 1, 2), 0);
    send(n, later, 1, 1);
    last_effect_is(n, EFFECT_APPLIED, later, 2);
    send(n, other, 1, 1);
    last_effect_is(n, EFFECT_APPLIED, other, 2);
}

static void an_older_death_does_not_reopen_a_later_epoch(void **state)
{
    struct notes *n = *state;
    port_table_node_down(&n->table, NODE, EPOCH, NULL);
    port_table_node_down(&n->table, NODE, EPOCH - 2, NULL);
    send(n, port_number(1), 0, 1);
    last_effect_is(n, EFFECT_GONE, port_number(1), 0);
}

static void the_system_and_groups_cannot_be_declared_down(void **state)
{
    struct notes *n = *state;
    send(n, port_id_of_group(4), 0, 1);
    port_table_node_down(&n->table, PORT_NODE_GROUP, 0xffffff, NULL);
    port_table_node_down(&n->table, PORT_NODE_SYSTEM, 0xffffff, NULL);
    assert_int_equal(n->destroyed, 0);
    send(n, port_id_of_group(5), 0, 1);
    last_effect_is(n, EFFECT_APPLIED, port_id_of_group(5), 1);
}

static void a_groups_port_is_known_from_any_number_on(void **state)
{
    struct notes *n = *state;
    uint64_t port = port_id_of_group(4);
    chunk_writer_begin(&n->writer, port, 100, CHUNK_SPARSE);
    struct content content = {.properties = slice_str("pp")};
    static const uint64_t queue = 1;
    command_enqueue_encode(&n->writer, 105, 0, 0, UINT64_MAX, &queue, 1, &content);
    command_enqueue_encode(&n->writer, 109, 0, 0, UINT64_MAX, &queue, 1, &content);
    send_writer(n, 0);
    assert_int_equal(n->applied_count, 2);
    assert_int_equal(n->applied[0].number, 105);
    last_effect_is(n, EFFECT_APPLIED, port, 109);
}

static void sparse_numbers_that_were_applied_are_dropped(void **state)
{
    struct notes *n = *state;
    uint64_t port = port_id_of_group(4);
    struct content content = {.properties = slice_str("pp")};
    static const uint64_t queue = 1;
    for (int twice = 0; twice < 2; twice++) {
        chunk_writer_begin(&n->writer, port, 100, CHUNK_SPARSE);
        command_enqueue_encode(&n->writer, 105, 0, 0, UINT64_MAX, &queue, 1, &content);
        if (twice) command_enqueue_encode(&n->writer, 120, 0, 0, UINT64_MAX, &queue, 1, &content);
        send_writer(n, 0);
        assert_int_equal(n->applied_count, 1);
        last_effect_is(n, EFFECT_APPLIED, port, twice ? 120 : 105);
    }
    chunk_writer_begin(&n->writer, port, 130, CHUNK_SPARSE); /* 130 was sent before and never came */
    command_enqueue_encode(&n->writer, 140, 0, 0, UINT64_MAX, &queue, 1, &content);
    send_writer(n, 0);
    assert_int_equal(n->applied_count, 0);
    last_effect_is(n, EFFECT_RESYNC, port, 120);
}

static void the_systems_commands_have_no_numbers(void **state)
{
    struct notes *n = *state;
    for (int twice = 0; twice < 2; twice++) {
        chunk_writer_begin(&n->writer, 0, 0, 0);
        command_node_down_encode(&n->writer, NODE, EPOCH);
        send_writer(n, 0);
        assert_int_equal(n->applied_count, 1);
        assert_int_equal(n->applied[0].port, 0);
        assert_int_equal(n->effects.count, 0);
    }
    assert_int_equal(n->created, 0);
}

static void hello_of_a_port_that_sent_nothing_yet_is_welcome(void **state)
{
    struct notes *n = *state;
    assert_true(port_table_hello(&n->table, port_number(1), false, &n->effects));
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 0);
    assert_int_equal(n->created, 0);
}

static void hello_of_a_forgotten_port_says_gone(void **state)
{
    struct notes *n = *state;
    assert_false(port_table_hello(&n->table, port_number(1), true, &n->effects));
    last_effect_is(n, EFFECT_GONE, port_number(1), 0);
    port_table_node_down(&n->table, NODE, EPOCH, NULL);
    assert_false(port_table_hello(&n->table, port_number(2), false, &n->effects));
    last_effect_is(n, EFFECT_GONE, port_number(2), 0);
}

static void hello_repeats_refusals_the_last_reply_and_what_was_applied(void **state)
{
    struct notes *n = *state;
    send_type(n, port_number(1), 0, 2, COMMAND_PURGE); /* refused, see apply() */
    send_type(n, port_number(1), 2, 1, COMMAND_STAT);  /* replied */
    effects_clear(&n->effects);
    assert_true(port_table_hello(&n->table, port_number(1), true, &n->effects));
    assert_int_equal(n->effects.count, 4);
    const struct effect *e = n->effects.items;
    assert_true(e[0].type == EFFECT_REFUSED && e[0].number == 1);
    assert_true(e[1].type == EFFECT_REFUSED && e[1].number == 2);
    assert_int_equal(e[2].type, EFFECT_REPLY);
    assert_int_equal(e[2].number, 3);
    assert_true(e[2].a == 11 && e[2].b == 22);
    assert_true(slice_is(e[2].text, "text"));
    last_effect_is(n, EFFECT_APPLIED, port_number(1), 3);
}

static void forgets_refusals_behind(struct notes *n, uint64_t port, uint64_t kept)
{
    send_type(n, port, 0, 2, COMMAND_PURGE);
    struct port_base *p = port_table_find(&n->table, port);
    p->applied = kept + 1;
    send(n, port, kept + 1, 1);
    assert_int_equal(p->refused_count, 1);
    assert_int_equal(p->refused[0], 2);
    send(n, port, kept + 2, 1);
    assert_int_equal(p->refused_count, 0);
}

static void refusals_far_behind_are_forgotten(void **state)
{
    struct notes *n = *state;
    forgets_refusals_behind(n, port_number(1), PORT_REFUSED_KEPT);
    forgets_refusals_behind(n, port_id_of_group(1), PORT_REFUSED_KEPT_OF_GROUP);
}

static void damaged_bytes_change_nothing(void **state)
{
    struct notes *n = *state;
    chunk_writer_begin(&n->writer, port_number(1), 0, 0);
    command_empty_encode(&n->writer, COMMAND_RECEIPT);
    struct blob *b = chunk_writer_finish(&n->writer, 0);
    for (uint32_t size = 0; size < b->size; size++) port_table_apply(&n->table, (struct part){b, 0, size}, &n->effects);
    assert_int_equal(n->created, 0);
    assert_int_equal(n->effects.count, 0);
    blob_unref(b);
}

static void a_replica_that_does_not_lead_applies_the_same_without_effects(void **state)
{
    struct notes *n = *state;
    for (int i = 0; i < 3; i++) {
        chunk_writer_begin(&n->writer, port_number(1), i == 2 ? 9 : 0, 0);
        command_queue_encode(&n->writer, COMMAND_STAT, 1);
        command_queue_encode(&n->writer, COMMAND_PURGE, 1);
        struct blob *b = chunk_writer_finish(&n->writer, 0);
        port_table_apply(&n->table, (struct part){b, 0, b->size}, NULL);
        blob_unref(b);
    }
    struct port_base *p = port_table_find(&n->table, port_number(1));
    assert_int_equal(p->applied, 2);
    assert_int_equal(p->reply_number, 1);
    assert_int_equal(p->refused_count, 1);
}

struct seen_node {
    uint8_t node;
    uint32_t low, high;
    unsigned count;
};

static void on_node(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max)
{
    struct seen_node *s = arg;
    *s = (struct seen_node){node, epoch_min, epoch_max, s->count + 1};
}

static void nodes_are_listed_with_their_epochs(void **state)
{
    struct notes *n = *state;
    struct seen_node seen = {0};
    send(n, port_id_of_group(1), 0, 1);
    send(n, port_id(NODE, 9, 1), 0, 1);
    send(n, port_id(NODE, 4, 2), 0, 1);
    port_table_nodes(&n->table, on_node, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.node, NODE);
    assert_int_equal(seen.low, 4);
    assert_int_equal(seen.high, 9);
}

static void a_port_survives_its_bytes(void **state)
{
    struct notes *n = *state;
    struct buf b = {0};
    send_type(n, port_number(1), 0, 2, COMMAND_PURGE);
    send_type(n, port_number(1), 2, 1, COMMAND_STAT);
    port_base_encode(port_table_find(&n->table, port_number(1)), &b);
    struct reader r = reader_of(buf_slice(&b));
    struct port_base *p = create(n);
    assert_true(port_base_decode(&r, p));
    assert_int_equal(reader_left(&r), 0);
    assert_int_equal(p->id, port_number(1));
    assert_int_equal(p->applied, 3);
    assert_int_equal(p->reply_number, 3);
    assert_int_equal(p->refused_count, 2);
    assert_true(slice_is(slice_of(p->reply_text, p->reply_text_size), "text"));
    mem_free(p->reply_text);
    mem_free(p->refused);
    for (size_t size = 0; size < b.size; size++) {
        *p = (struct port_base){0};
        r = reader_of(slice_of(b.data, size));
        assert_false(port_base_decode(&r, p));
        mem_free(p->reply_text);
        mem_free(p->refused);
    }
    mem_free(p);
    buf_close(&b);
}

static void floors_survive_their_bytes(void **state)
{
    struct notes *n = *state, again = {0};
    struct buf b = {0};
    port_table_node_down(&n->table, NODE, EPOCH, NULL);
    port_table_encode(&n->table, &b);
    port_table_init(&again.table, &ops, &again);
    struct reader r = reader_of(buf_slice(&b));
    assert_true(port_table_decode(&again.table, &r));
    assert_false(port_table_hello(&again.table, port_number(1), false, &n->effects));
    assert_true(port_table_hello(&again.table, port_id(NODE, EPOCH + 1, 1), false, &n->effects));
    buf_close(&b);
}

#define PORT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PORT_TEST(a_first_chunk_makes_its_port_known),
        PORT_TEST(a_chunk_that_comes_twice_is_applied_once),
        PORT_TEST(of_a_chunk_that_overlaps_only_the_new_part_is_applied),
        PORT_TEST(a_gap_is_answered_with_the_number_to_go_on_from),
        PORT_TEST(an_unknown_port_that_was_not_new_is_gone),
        PORT_TEST(ports_do_not_disturb_each_other),
        PORT_TEST(a_closed_port_says_applied_and_is_unknown_afterwards),
        PORT_TEST(received_only_grows_and_is_told_when_it_does),
        PORT_TEST(a_chunk_that_is_refused_does_not_move_received),
        PORT_TEST(the_ports_of_a_node_that_is_down_go_and_stay_away),
        PORT_TEST(an_older_death_does_not_reopen_a_later_epoch),
        PORT_TEST(the_system_and_groups_cannot_be_declared_down),
        PORT_TEST(a_groups_port_is_known_from_any_number_on),
        PORT_TEST(sparse_numbers_that_were_applied_are_dropped),
        PORT_TEST(the_systems_commands_have_no_numbers),
        PORT_TEST(hello_of_a_port_that_sent_nothing_yet_is_welcome),
        PORT_TEST(hello_of_a_forgotten_port_says_gone),
        PORT_TEST(hello_repeats_refusals_the_last_reply_and_what_was_applied),
        PORT_TEST(refusals_far_behind_are_forgotten),
        PORT_TEST(damaged_bytes_change_nothing),
        PORT_TEST(a_replica_that_does_not_lead_applies_the_same_without_effects),
        PORT_TEST(nodes_are_listed_with_their_epochs),
        PORT_TEST(a_port_survives_its_bytes),
        PORT_TEST(floors_survive_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
