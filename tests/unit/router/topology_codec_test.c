#include "tests/unit/router/harness.h"

/* Something of everything, with holes where records were deleted. */
static struct topology *busy_topology(void)
{
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    struct topology_command c;
    put_text(&arguments, "alternate-exchange", "amq.fanout");
    for (int kind = 0; kind < 4; kind++) {
        static const char *const kinds[] = {"direct", "fanout", "topic", "headers"};
        c = exchange_of(kinds[kind], kinds[kind]);
        c.durable = kind & 1;
        c.auto_delete = kind & 2;
        c.internal = kind == 3;
        if (kind == 2) c.arguments = buf_slice(&arguments);
        accepted(t, c);
    }
    buf_clear(&arguments);
    put_integer(&arguments, "x-max-length", 1000);
    for (unsigned i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "queue %u", i);
        c = queue_of(name);
        c.durable = i & 1;
        c.auto_delete = i & 2;
        c.exclusive = i % 4 == 0;
        c.connection = 100 + i % 8;
        if (i % 5 == 0) c.arguments = buf_slice(&arguments);
        accepted(t, c);
        c = bind_of(i % 2 ? "topic" : "direct", name, i % 3 ? "a.#" : "");
        c.connection = 100 + i % 8;
        accepted(t, c);
    }
    accepted(t, bind_exchange_of("topic", "direct", "*.b"));
    c = bind_of("headers", "queue 1", "");
    c.arguments = buf_slice(&arguments);
    accepted(t, c);
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .queue_id = 6});
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .queue_id = 12}); /* the last id */
    accepted(t, (struct topology_command){.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("fanout")});
    buf_close(&arguments);
    return t;
}

static void what_is_restored_has_the_same_digest_and_the_same_routes(void **state)
{
    (void)state;
    struct topology *t = busy_topology(), *copy = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0}, again = {0};
    struct err err;
    topology_encode(t, &bytes);
    declare_queue(copy, "of the old contents");
    uint64_t version = topology_version(copy), cursor = 0;
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), &err), 0);
    assert_true(topology_check(copy, &err));
    assert_true(topology_version(copy) > version); /* or routes of the old contents would be believed */
    assert_int_equal(topology_digest(copy), topology_digest(t));
    assert_int_equal(topology_index(copy), topology_index(t));
    assert_int_equal(topology_last_queue_id(copy), 12);
    topology_encode(copy, &again);
    assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    assert_false(has_queue(copy, "of the old contents"));
    expect_route(copy, "topic", "a.b", "queue 1 queue 7");
    expect_route(copy, "direct", "", "queue 0 queue 6");
    expect_route(copy, "topic", "zz", "none");
    assert_int_equal(topology_next_owned(copy, 100, &cursor)->id, 1);
    assert_int_equal(topology_next_owned(copy, 100, &cursor)->id, 9);
    assert_null(topology_next_owned(copy, 100, &cursor));
    buf_close(&bytes);
    buf_close(&again);
    topology_destroy(t);
    topology_destroy(copy);
}

static void a_restored_topology_and_the_original_go_on_alike(void **state)
{
    (void)state;
    struct topology *t = busy_topology(), *copy = topology_create(HARNESS_GROUPS), *both[2];
    struct buf bytes = {0};
    struct err err;
    topology_encode(t, &bytes);
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), &err), 0);
    both[0] = t;
    both[1] = copy;
    for (size_t i = 0; i < 2; i++) {
        struct topology_command c = bind_of("topic", "queue 3", "a.#");
        assert_int_equal(declare_queue(both[i], "new"), 13);
        accepted(both[i], bind_of("topic", "new", "#"));
        c.type = TOPOLOGY_UNBIND;
        accepted(both[i], c);
        accepted(both[i], (struct topology_command){.type = TOPOLOGY_OWNERS_GONE, .node = 0, .epoch = 0});
        accepted(both[i], (struct topology_command){.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("direct")});
    }
    assert_int_equal(topology_digest(t), topology_digest(copy));
    buf_close(&bytes);
    topology_destroy(t);
    topology_destroy(copy);
}

static void a_new_topology_is_restored_from_its_own_bytes(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf bytes = {0};
    struct err err;
    uint64_t before = topology_digest(t);
    topology_encode(t, &bytes);
    assert_int_equal(topology_restore(t, buf_slice(&bytes), &err), 0);
    assert_int_equal(topology_digest(t), before);
    buf_close(&bytes);
    topology_destroy(t);
}

/* Refused, and the topology is as it was. */
static void refuse_bytes(struct topology *t, struct slice bytes)
{
    struct err err;
    uint64_t before = topology_digest(t);
    assert_int_not_equal(topology_restore(t, bytes, &err), 0);
    assert_int_equal(topology_digest(t), before);
    if (!topology_check(t, &err)) fail_msg("%s", err.text);
}

static void every_prefix_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct topology *t = busy_topology(), *other = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0};
    topology_encode(t, &bytes);
    declare_queue(other, "kept");
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = mem_alloc(size); /* so that reading too far is seen */
        memcpy(exact, bytes.data, size);
        refuse_bytes(other, slice_of(exact, size));
        mem_free(exact);
    }
    expect_route(other, "", "kept", "kept");
    buf_put_u8(&bytes, 0);
    refuse_bytes(other, buf_slice(&bytes));
    buf_close(&bytes);
    topology_destroy(t);
    topology_destroy(other);
}

/* A flipped bit in a name makes another name, so some are taken: then what was taken is whole. */
static void flipped_bits_are_refused_or_make_a_whole_topology(void **state)
{
    (void)state;
    struct topology *t = busy_topology(), *other = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0}, again = {0};
    struct err err;
    size_t taken = 0, refusals = 0;
    topology_encode(t, &bytes);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (topology_restore(other, buf_slice(&bytes), &err)) {
            refusals++;
        } else {
            taken++;
            buf_clear(&again);
            topology_encode(other, &again);
            assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
        }
        if (!topology_check(other, &err)) fail_msg("bit %zu: %s", bit, err.text);
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(taken && refusals > taken);
    buf_close(&bytes);
    buf_close(&again);
    topology_destroy(t);
    topology_destroy(other);
}

/* --- damage by hand --- */

static void put_head(struct buf *b, uint64_t last_queue_id)
{
    buf_clear(b);
    buf_put_u8(b, 6);
    buf_put_le64(b, 5);
    buf_put_le64(b, last_queue_id);
    buf_put_varint(b, 1);
    buf_put_counted(b, S("/"));
    buf_put_varint(b, 0);
}

/* No bindings, of the registry the vhost alone, no members, no lives. */
static void put_tail(struct buf *b)
{
    static const uint8_t registry[] = {0, 1, 0, 1, '/', 0, 2, '{', '}', 0, 0, 0, 0, 0, 0, 0, 0, 0};
    buf_put_varint(b, 0);
    buf_put(b, registry, sizeof registry);
    buf_put_u8(b, 0); /* members: not seeded, no usual number of replicas, no level, none, nothing placed, no orders */
    buf_put_u8(b, 0);
    buf_put_le16(b, 0);
    buf_put_varint(b, 0);
    for (unsigned group = 0; group <= HARNESS_GROUPS; group++) {
        buf_put_counted(b, S(""));
        buf_put_u8(b, 0);
        buf_put_u8(b, 0);
        buf_put_le64(b, 0);
        buf_put_le64(b, 0);
    }
    buf_put_varint(b, 0); /* lives */
    buf_put_varint(b, 0);
}

static void put_queue(struct buf *b, uint8_t flags, uint64_t id, uint32_t group, const char *name)
{
    buf_put_u8(b, flags);
    buf_put_le64(b, id);
    buf_put_le32(b, group);
    buf_put_le64(b, 0);
    buf_put_counted(b, S("/"));
    buf_put_counted(b, S(name));
    buf_put_counted(b, S(""));
    if (!(flags & 1)) buf_put_varint(b, 0);
}

static int restore_one_queue(struct topology *t, uint64_t last, uint8_t flags, uint64_t id, uint32_t group,
                             const char *name)
{
    struct buf b = {0};
    struct err err;
    put_head(&b, last);
    buf_put_varint(&b, 1);
    put_queue(&b, flags, id, group, name);
    put_tail(&b);
    int code = topology_restore(t, buf_slice(&b), &err);
    assert_true(topology_check(t, &err));
    buf_close(&b);
    return code;
}

static void values_that_no_topology_has_are_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct err err;
    struct buf b = {0};
    char name[TOPOLOGY_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[TOPOLOGY_NAME_MAX + 1] = '\0';
    assert_int_equal(restore_one_queue(t, 7, 1, 7, 1, "q"), 0);
    assert_int_equal(topology_queue_count(t), 1);
    assert_int_equal(restore_one_queue(t, 7, 1, 8, 1, "q"), ERR_FORMAT); /* above the last id */
    assert_int_equal(restore_one_queue(t, 7, 1, 0, 1, "q"), ERR_FORMAT);
    assert_int_equal(restore_one_queue(t, UINT64_MAX, 1, UINT64_MAX, 1, "q"), ERR_FORMAT);
    assert_int_equal(restore_one_queue(t, 7, 1, 7, 0, "q"), ERR_FORMAT); /* no queue group */
    assert_int_equal(restore_one_queue(t, 7, 1, 7, HARNESS_GROUPS + 1, "q"), ERR_FORMAT);
    assert_int_equal(restore_one_queue(t, 7, 8, 7, 1, "q"), ERR_FORMAT);  /* a flag of another kind of record */
    assert_int_equal(restore_one_queue(t, 7, 1, 7, 1, name), ERR_FORMAT); /* too long */
    put_head(&b, 9);
    buf_put_varint(&b, 2);
    put_queue(&b, 0, 8, 1, "b");
    put_queue(&b, 0, 7, 1, "a"); /* out of order */
    put_tail(&b);
    assert_int_equal(topology_restore(t, buf_slice(&b), &err), ERR_FORMAT);
    put_head(&b, 9);
    buf_put_varint(&b, 2);
    put_queue(&b, 0, 7, 1, "a");
    put_queue(&b, 0, 8, 1, "a"); /* twice */
    put_tail(&b);
    assert_int_equal(topology_restore(t, buf_slice(&b), &err), ERR_FORMAT);
    put_head(&b, 9);
    buf_put_varint(&b, 0);
    buf_put_varint(&b, UINT64_MAX); /* bindings that are not there */
    assert_int_equal(topology_restore(t, buf_slice(&b), &err), ERR_FORMAT);
    b.data[0] = 1;
    assert_int_equal(topology_restore(t, buf_slice(&b), &err), ERR_VERSION);
    buf_close(&b);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_restored_has_the_same_digest_and_the_same_routes),
        cmocka_unit_test(a_restored_topology_and_the_original_go_on_alike),
        cmocka_unit_test(a_new_topology_is_restored_from_its_own_bytes),
        cmocka_unit_test(every_prefix_is_refused_and_changes_nothing),
        cmocka_unit_test(flipped_bits_are_refused_or_make_a_whole_topology),
        cmocka_unit_test(values_that_no_topology_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
