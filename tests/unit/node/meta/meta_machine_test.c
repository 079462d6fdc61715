/* What the meta machine answers, and what it keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/meta/meta_machine.h"
#include "node/queue/command.h"
#include "node/queue/port_id.h"

enum { GROUPS = 3 };

struct bench {
    struct topology *topology;
    struct meta_machine *meta;
    struct machine machine;
    struct effects effects;
    struct chunk_writer writer;
    uint64_t index, number;
    unsigned changes; /* told to the owner */
};

static void on_applied(void *arg, uint64_t index, struct slice command)
{
    (void)index;
    (void)command;
    ((struct bench *)arg)->changes++;
}

static int set_up(void **state)
{
    struct bench *b = mem_zalloc(sizeof *b);
    b->topology = topology_create(GROUPS);
    b->meta = meta_machine_create(b->topology, on_applied, b);
    b->machine = meta_machine_as_machine(b->meta);
    effects_init(&b->effects);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    effects_close(&b->effects);
    chunk_writer_close(&b->writer);
    meta_machine_destroy(b->meta);
    topology_destroy(b->topology);
    mem_free(b);
    return 0;
}

static struct chunk_writer *begin(struct bench *b)
{
    chunk_writer_begin(&b->writer, port_id(1, 1, 1), b->number++, 0);
    return &b->writer;
}

/* Applies what was begun as the next entry; gives the reply. */
static const struct effect *apply(struct bench *b)
{
    struct blob *chunk = chunk_writer_finish(&b->writer, 0);
    struct part parts[2] = {entry_header(1000), {chunk, 0, chunk->size}};
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, parts, 2);
    effects_clear(&b->effects);
    b->machine.ops->apply(b->machine.self, e, &b->effects);
    entry_unref(e);
    for (size_t i = 0; i < b->effects.count; i++)
        if (b->effects.items[i].type == EFFECT_REPLY) return &b->effects.items[i];
    fail_msg("there is no reply");
    return NULL;
}

static const struct effect *declare_exchange(struct bench *b, const char *name, const char *type)
{
    struct buf bytes = {0};
    struct topology_command c = {
        .type = TOPOLOGY_EXCHANGE_DECLARE, .vhost = slice_str("/"), .name = slice_str(name), .kind = slice_str(type)};
    topology_command_encode(&bytes, &c);
    command_topology_encode(begin(b), buf_slice(&bytes));
    buf_close(&bytes);
    return apply(b);
}

static uint64_t refresh(struct bench *b)
{
    command_empty_encode(begin(b), COMMAND_NOTHING);
    const struct effect *e = apply(b);
    assert_int_equal(e->code, REPLY_OK);
    return e->a;
}

static void who_asks_for_nothing_learns_how_far_the_topology_is(void **state)
{
    struct bench *b = *state;
    assert_int_equal(declare_exchange(b, "x", "direct")->code, REPLY_OK);
    assert_int_equal(refresh(b), 1);
    assert_int_equal(refresh(b), 1); /* asking changes nothing */
    assert_int_equal(declare_exchange(b, "y", "fanout")->code, REPLY_OK);
    assert_int_equal(refresh(b), 4);
    assert_int_equal(b->changes, 2);
}

/* Other shards and the nodes hear of changes only: a refusal must not put them behind for ever. */
static void a_refusal_leaves_the_index_where_it_was(void **state)
{
    struct bench *b = *state;
    assert_int_equal(declare_exchange(b, "x", "direct")->code, REPLY_OK);
    assert_int_equal(declare_exchange(b, "x", "fanout")->code, REPLY_REFUSED);
    assert_int_equal(b->changes, 1);
    assert_int_equal(topology_index(b->topology), 1);
    assert_int_equal(refresh(b), 1);
}

/* A replica that was dropped and is opened again in the same process. */
static void a_machine_made_again_begins_with_nothing(void **state)
{
    struct bench *b = *state;
    uint64_t empty = topology_digest(b->topology);
    assert_int_equal(declare_exchange(b, "x", "direct")->code, REPLY_OK);
    meta_machine_destroy(b->meta);
    b->changes = 0;
    b->meta = meta_machine_create(b->topology, on_applied, b);
    b->machine = meta_machine_as_machine(b->meta);
    assert_int_equal(topology_digest(b->topology), empty);
    assert_int_equal(b->changes, 1); /* the other shards hear of it */
    b->index = b->number = 0;
    assert_int_equal(declare_exchange(b, "x", "fanout")->code, REPLY_OK); /* another history may follow */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_asks_for_nothing_learns_how_far_the_topology_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_leaves_the_index_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_machine_made_again_begins_with_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
