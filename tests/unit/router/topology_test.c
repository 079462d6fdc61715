#include "router/lives.h"
#include "tests/unit/router/harness.h"

/* --- exchanges --- */

static void a_new_topology_has_the_predeclared_exchanges(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const char *const names[][2] = {{"", "direct"},
                                           {"amq.direct", "direct"},
                                           {"amq.fanout", "fanout"},
                                           {"amq.topic", "topic"},
                                           {"amq.headers", "headers"},
                                           {"amq.match", "headers"},
                                           {"amq.rabbitmq.trace", "topic"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct exchange *x = topology_exchange(t, S("/"), S(names[i][0]));
        assert_non_null(x);
        assert_true(slice_is(x->type, names[i][1]));
        assert_true(x->durable && !x->auto_delete);
        assert_int_equal(x->internal, !strcmp(names[i][0], "amq.rabbitmq.trace"));
    }
    assert_int_equal(topology_exchange_count(t), sizeof names / sizeof names[0]);
    assert_true(topology_has_vhost(t, S("/")));
    assert_false(topology_has_vhost(t, S("other")));
    assert_null(topology_exchange(t, S("other"), S("amq.direct")));
    assert_int_not_equal(topology_version(t), 0);
    topology_destroy(t);
}

static void a_declared_exchange_is_found_with_what_was_declared(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    put_text(&arguments, "alternate-exchange", "other");
    struct topology_command c = exchange_of("x", "topic");
    c.durable = c.internal = true;
    c.arguments = buf_slice(&arguments);
    uint64_t version = topology_version(t);
    struct topology_result r = change(t, c);
    assert_true(r.reply_code == 0 && r.created);
    assert_true(topology_version(t) > version);
    const struct exchange *x = topology_exchange(t, S("/"), S("x"));
    assert_true(x->durable && x->internal && !x->auto_delete);
    assert_true(slice_is(x->type, "topic") && slice_is(x->vhost, "/"));
    assert_true(slice_equal(x->arguments, buf_slice(&arguments)));
    version = topology_version(t);
    r = change(t, c);
    assert_true(r.reply_code == 0 && !r.created);
    assert_int_equal(topology_version(t), version);
    buf_close(&arguments);
    topology_destroy(t);
}

static void a_different_redeclare_of_an_exchange_is_refused_in_the_known_words(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf one = {0}, two = {0};
    put_text(&one, "alternate-exchange", "one");
    put_text(&two, "alternate-exchange", "two");
    struct topology_command good = exchange_of("x", "direct"), c;
    accepted(t, good);
    refused(t, exchange_of("x", "fanout"), 406,
            "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': "
            "received 'fanout' but current is 'direct'");
    c = good;
    c.durable = true;
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': "
            "received 'true' but current is 'false'");
    c = good;
    c.auto_delete = true;
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': "
            "received 'true' but current is 'false'");
    c = good;
    c.internal = true;
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'x' in vhost '/': "
            "received 'true' but current is 'false'");
    c = good;
    c.arguments = buf_slice(&one);
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': "
            "received the value 'one' of type 'longstr' but current is none");
    c = exchange_of("y", "direct");
    c.arguments = buf_slice(&one);
    accepted(t, c);
    c.arguments = buf_slice(&two);
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'y' in vhost '/': "
            "received 'two' but current is 'one'");
    refused(t, exchange_of("y", "direct"), 406,
            "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'y' in vhost '/': "
            "received none but current is the value 'one' of type 'longstr'");
    buf_close(&one);
    buf_close(&two);
    topology_destroy(t);
}

static void names_that_are_reserved_or_unknown_are_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command gone = {.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("amq.direct")}, c;
    refused(t, exchange_of("amq.mine", "direct"), 403,
            "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'");
    refused(t, exchange_of("x", "sideways"), 503, "COMMAND_INVALID - unknown exchange type 'sideways'");
    refused(t, exchange_of("", "direct"), 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    refused(t, gone, 403, "ACCESS_REFUSED - exchange name 'amq.direct' contains reserved prefix 'amq.*'");
    gone.name = S("");
    refused(t, gone, 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    c = exchange_of("x", "direct");
    c.vhost = S("other");
    refused(t, c, 530, "NOT_ALLOWED - vhost other not found");
    c = queue_of("q");
    c.vhost = S("other");
    refused(t, c, 530, "NOT_ALLOWED - vhost other not found");
    c = bind_of("amq.direct", "q", "");
    c.vhost = S("other");
    refused(t, c, 530, "NOT_ALLOWED - vhost other not found");
    c.type = 99;
    refused(t, c, 540, "NOT_IMPLEMENTED - unknown change of the topology");
    c = exchange_of("amq.direct", "direct");
    c.durable = true;
    accepted(t, c); /* saying the same again is fine, reserved or not */
    topology_destroy(t);
}

static void deleting_an_exchange_takes_its_bindings_along(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command gone = {.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("x")};
    declare_exchange(t, "x", "direct");
    declare_exchange(t, "before", "fanout");
    declare_queue(t, "q");
    accepted(t, bind_of("x", "q", "k"));
    accepted(t, bind_exchange_of("before", "x", ""));
    accepted(t, bind_exchange_of("x", "x", "self"));
    assert_int_equal(binding_count(t), 3);
    gone.if_unused = true;
    refused(t, gone, 406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use");
    gone.if_unused = false;
    accepted(t, gone);
    assert_false(has_exchange(t, "x"));
    assert_true(has_exchange(t, "before") && has_queue(t, "q"));
    assert_int_equal(binding_count(t), 0);
    accepted(t, gone); /* what is not there is deleted already */
    declare_exchange(t, "x", "direct");
    accepted(t, bind_exchange_of("before", "x", ""));
    gone.if_unused = true;
    accepted(t, gone); /* being a destination is no use */
    topology_destroy(t);
}

static void a_binding_is_the_same_whatever_order_its_arguments_come_in(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command c = bind_of("amq.headers", "q", "");
    struct buf one = {0}, other = {0}, more = {0};
    put_integer(&one, "a", 1);
    put_integer(&one, "b", 2);
    put_integer(&other, "b", 2);
    put_integer(&other, "a", 1);
    put_integer(&more, "b", 1);
    put_integer(&more, "a", 2);
    declare_queue(t, "q");
    c.arguments = buf_slice(&one);
    assert_true(change(t, c).created);
    c.arguments = buf_slice(&other);
    assert_false(change(t, c).created);
    c.arguments = buf_slice(&more);
    assert_true(change(t, c).created);
    c.type = TOPOLOGY_UNBIND;
    accepted(t, c);
    c.arguments = buf_slice(&other);
    accepted(t, c);
    c.type = TOPOLOGY_BIND;
    c.arguments = buf_slice(&one);
    assert_true(change(t, c).created); /* so it was gone */
    buf_close(&one);
    buf_close(&other);
    buf_close(&more);
    topology_destroy(t);
}

static void an_auto_delete_exchange_goes_with_its_last_binding(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command c = exchange_of("x", "topic"), unbind = bind_of("x", "q", "b");
    c.auto_delete = true;
    accepted(t, c);
    declare_queue(t, "q");
    assert_true(has_exchange(t, "x")); /* never bound: it stays */
    accepted(t, bind_of("x", "q", "a"));
    accepted(t, bind_of("x", "q", "b"));
    unbind.type = TOPOLOGY_UNBIND;
    accepted(t, unbind);
    accepted(t, unbind);
    assert_true(has_exchange(t, "x"));
    unbind.routing_key = S("a");
    accepted(t, unbind);
    assert_false(has_exchange(t, "x"));
    accepted(t, c);
    accepted(t, bind_of("x", "q", "a"));
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q")});
    assert_false(has_exchange(t, "x"));
    topology_destroy(t);
}

static void a_chain_and_a_ring_of_auto_delete_exchanges_fall_together(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const char *const names[] = {"a", "b", "c"};
    size_t predeclared = topology_exchange_count(t);
    for (int ring = 0; ring < 2; ring++) {
        for (size_t i = 0; i < 3; i++) {
            struct topology_command c = exchange_of(names[i], "fanout");
            c.auto_delete = true;
            accepted(t, c);
        }
        declare_queue(t, "q");
        accepted(t, bind_exchange_of("a", "b", ""));
        accepted(t, bind_exchange_of("b", "c", ""));
        accepted(t, bind_of("c", "q", ""));
        if (ring) accepted(t, bind_exchange_of("c", "a", ""));
        accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q")});
        assert_int_equal(topology_exchange_count(t), predeclared + (ring ? 3 : 0));
        accepted(t, (struct topology_command){.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("b")});
        assert_int_equal(topology_exchange_count(t), predeclared);
        assert_int_equal(binding_count(t), 0);
    }
    topology_destroy(t);
}

/* --- queues --- */

static void a_declared_queue_is_found_by_name_and_id(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    put_integer(&arguments, "x-max-length", 10);
    struct topology_command c = queue_of("q");
    c.durable = true;
    c.arguments = buf_slice(&arguments);
    struct topology_result r = change(t, c);
    assert_true(r.created && r.reply_code == 0 && r.queue_id == 1);
    const struct queue_record *q = topology_queue(t, S("/"), S("q"));
    assert_non_null(q);
    assert_ptr_equal(topology_queue_by_id(t, r.queue_id), q);
    assert_true(q->durable && !q->exclusive && !q->auto_delete && q->owner == 0);
    assert_int_equal(q->group, r.group);
    assert_true(slice_equal(q->arguments, buf_slice(&arguments)));
    uint64_t id = r.queue_id;
    r = change(t, c);
    assert_true(!r.created && r.reply_code == 0 && r.queue_id == id && r.group == q->group);
    assert_int_equal(topology_queue_count(t), 1);
    assert_null(topology_queue(t, S("/"), S("Q")));
    assert_null(topology_queue_by_id(t, id + 1));
    buf_close(&arguments);
    topology_destroy(t);
}

static void a_different_redeclare_of_a_queue_is_refused_in_the_known_words(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf ten = {0}, twenty = {0}, flags = {0}, text = {0};
    put_integer(&ten, "x-max-length", 10);
    put_integer(&twenty, "x-max-length", 20);
    put_bool(&flags, "x-single-active-consumer", true);
    put_text(&text, "x-not-compared", "whatever");
    struct topology_command good = queue_of("q"), c;
    accepted(t, good);
    c = good;
    c.durable = true;
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
            "received 'true' but current is 'false'");
    c = good;
    c.auto_delete = true;
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': "
            "received 'true' but current is 'false'");
    c = good;
    c.arguments = buf_slice(&ten);
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': "
            "received the value '10' of type 'long' but current is none");
    c = good;
    c.arguments = buf_slice(&flags);
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'q' in vhost '/': "
            "received the value 'true' of type 'bool' but current is none");
    c = good;
    c.arguments = buf_slice(&text);
    accepted(t, c);
    c = queue_of("p");
    c.arguments = buf_slice(&twenty);
    accepted(t, c);
    c.arguments = BYTES("\x0cx-max-lengthb\x14"); /* another width, the same number */
    accepted(t, c);
    c.arguments = buf_slice(&ten);
    refused(t, c, 406,
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'p' in vhost '/': "
            "received '10' but current is '20'");
    refused(t, queue_of("p"), 406,
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'p' in vhost '/': "
            "received none but current is the value '20' of type 'long'");
    buf_close(&ten);
    buf_close(&twenty);
    buf_close(&flags);
    buf_close(&text);
    topology_destroy(t);
}

#define LOCKED(name)                                                                                                  \
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" name                                         \
    "' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not " \
    "match that of the original declaration."

static void an_exclusive_queue_is_for_its_connection_alone(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command mine = queue_of("mine"), c;
    mine.exclusive = true;
    mine.connection = 7;
    struct topology_result r = change(t, mine);
    assert_true(r.created);
    assert_int_equal(topology_queue(t, S("/"), S("mine"))->owner, 7);
    accepted(t, mine);
    c = mine;
    c.connection = 8;
    refused(t, c, 405, LOCKED("mine"));
    c = mine;
    c.exclusive = false;
    refused(t, c, 405, LOCKED("mine"));
    c = bind_of("amq.direct", "mine", "k");
    c.connection = 8;
    refused(t, c, 405, LOCKED("mine"));
    c.connection = 7;
    accepted(t, c);
    c = (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("mine"), .connection = 8};
    refused(t, c, 405, LOCKED("mine"));
    c.connection = 7;
    r = change(t, c);
    assert_true(r.reply_code == 0 && r.queue_id == 1);
    assert_false(has_queue(t, "mine"));
    accepted(t, queue_of("open"));
    c = queue_of("open");
    c.exclusive = true;
    refused(t, c, 405, LOCKED("open"));
    topology_destroy(t);
}

static void the_exclusive_queues_of_a_connection_are_walked_by_id(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        struct topology_command c = queue_of(names[i]);
        c.exclusive = i != 2;
        c.connection = i == 3 ? 8 : 7;
        accepted(t, c);
    }
    uint64_t cursor = 0;
    assert_int_equal(topology_next_owned(t, 7, &cursor)->id, 1);
    assert_int_equal(topology_next_owned(t, 7, &cursor)->id, 2);
    assert_int_equal(topology_next_owned(t, 7, &cursor)->id, 5);
    assert_null(topology_next_owned(t, 7, &cursor));
    cursor = 0;
    assert_int_equal(topology_next_owned(t, 8, &cursor)->id, 4);
    assert_null(topology_next_owned(t, 8, &cursor));
    cursor = 0;
    assert_null(topology_next_owned(t, 9, &cursor));
    topology_destroy(t);
}

static void owners_of_a_past_epoch_lose_their_exclusive_queues(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const struct {
        const char *name;
        uint64_t node, epoch;
        bool stays;
    } queues[] = {{"old", 2, 4, false}, {"last", 2, 5, false}, {"young", 2, 6, true}, {"elsewhere", 3, 4, true}};
    for (size_t i = 0; i < 4; i++) {
        struct topology_command c = queue_of(queues[i].name);
        c.exclusive = true;
        c.connection = queues[i].node << 56 | queues[i].epoch << 32 | 17;
        accepted(t, c);
    }
    declare_queue(t, "open");
    accepted(t, (struct topology_command){.type = TOPOLOGY_OWNERS_GONE, .node = 2, .epoch = 5});
    for (size_t i = 0; i < 4; i++) assert_int_equal(has_queue(t, queues[i].name), queues[i].stays);
    assert_true(has_queue(t, "open"));
    topology_destroy(t);
}

static void a_connection_that_went_loses_its_exclusive_queues_alone(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    accepted(t, (struct topology_command){.type = TOPOLOGY_ALIVE, .node = 2, .epoch = 5});
    static const char *const names[] = {"first", "second", "of another"};
    for (size_t i = 0; i < 3; i++) {
        struct topology_command c = queue_of(names[i]);
        c.exclusive = true;
        c.connection = UINT64_C(2) << 56 | UINT64_C(5) << 32 | (i < 2 ? 17 : 18);
        accepted(t, c);
    }
    declare_queue(t, "open");
    accepted(t, (struct topology_command){.type = TOPOLOGY_OWNERS_GONE,
                                          .connection = UINT64_C(2) << 56 | UINT64_C(5) << 32 | 17});
    assert_false(has_queue(t, "first") || has_queue(t, "second"));
    assert_true(has_queue(t, "of another") && has_queue(t, "open"));
    assert_int_not_equal(topology_life(t, 2, 5), LIFE_PAST);
    topology_destroy(t);
}

static void queue_ids_are_never_given_twice(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    uint64_t first = declare_queue(t, "q");
    struct topology_command gone = {.type = TOPOLOGY_QUEUE_DELETE, .queue_id = first};
    struct topology_result r = change(t, gone);
    assert_true(r.queue_id == first && r.reply_code == 0);
    r = change(t, gone);
    assert_true(r.queue_id == 0 && r.reply_code == 0); /* it is gone: that is success */
    uint64_t second = declare_queue(t, "q");
    assert_true(second > first);
    accepted(t, gone); /* an old id does not hit the new queue of this name */
    assert_true(has_queue(t, "q"));
    assert_int_equal(topology_last_queue_id(t), second);
    topology_destroy(t);
}

static void new_queues_go_to_the_group_with_the_fewest(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    char name[16];
    for (unsigned i = 0; i < 2 * HARNESS_GROUPS; i++) {
        snprintf(name, sizeof name, "q%u", i);
        struct topology_result r = change(t, queue_of(name));
        assert_int_equal(r.group, i % HARNESS_GROUPS + 1);
    }
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q2")}); /* of group 3 */
    assert_int_equal(change(t, queue_of("new")).group, 3);
    struct topology_command c = queue_of("chosen");
    c.group = 2;
    assert_int_equal(change(t, c).group, 2);
    c = queue_of("no such group");
    c.group = HARNESS_GROUPS + 1;
    assert_true(change(t, c).group <= HARNESS_GROUPS);
    topology_destroy(t);
}

static void a_queue_with_arguments_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    put_integer(&arguments, "x-expires", 0);
    struct topology_command c = queue_of("q");
    c.arguments = buf_slice(&arguments);
    assert_int_equal(change(t, c).reply_code, 406);
    assert_false(has_queue(t, "q"));
    buf_close(&arguments);
    topology_destroy(t);
}

/* --- bindings --- */

static void bindings_differ_by_key_and_arguments(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    put_integer(&arguments, "n", 1);
    declare_queue(t, "q");
    struct topology_command c = bind_of("amq.headers", "q", "k"), unbind;
    assert_true(change(t, c).created);
    assert_false(change(t, c).created);
    c.arguments = buf_slice(&arguments);
    assert_true(change(t, c).created);
    assert_true(change(t, bind_of("amq.headers", "q", "K")).created);
    assert_true(change(t, bind_of("amq.match", "q", "k")).created);
    assert_int_equal(binding_count(t), 4);
    unbind = c;
    unbind.type = TOPOLOGY_UNBIND;
    accepted(t, unbind);
    assert_int_equal(binding_count(t), 3);
    accepted(t, unbind); /* twice is once */
    assert_int_equal(binding_count(t), 3);
    struct binding b;
    uint64_t cursor = 0;
    assert_true(topology_next_binding(t, &cursor, &b));
    assert_true(slice_is(b.vhost, "/") && slice_is(b.source, "amq.headers") && slice_is(b.destination, "q"));
    assert_true(slice_is(b.routing_key, "k") && !b.to_exchange && !b.arguments.size);
    buf_close(&arguments);
    topology_destroy(t);
}

static void a_binding_needs_both_ends_and_not_the_default_exchange(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queue(t, "q");
    refused(t, bind_of("none", "q", ""), 404, "NOT_FOUND - no exchange 'none' in vhost '/'");
    refused(t, bind_of("amq.direct", "none", ""), 404, "NOT_FOUND - no queue 'none' in vhost '/'");
    refused(t, bind_exchange_of("amq.direct", "none", ""), 404, "NOT_FOUND - no exchange 'none' in vhost '/'");
    refused(t, bind_of("", "q", "k"), 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    refused(t, bind_exchange_of("amq.direct", "", "k"), 403,
            "ACCESS_REFUSED - operation not permitted on the default exchange");
    struct topology_command unbind = bind_of("none", "none either", "");
    unbind.type = TOPOLOGY_UNBIND;
    accepted(t, unbind); /* unbinding what is not there succeeds */
    unbind = bind_of("", "q", "q");
    unbind.type = TOPOLOGY_UNBIND;
    refused(t, unbind, 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    topology_destroy(t);
}

static void a_headers_binding_with_an_unknown_match_is_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    declare_queue(t, "q");
    static const char *const good[] = {"all", "any", "all-with-x", "any-with-x"};
    struct topology_command c = bind_of("amq.headers", "q", "");
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&arguments);
        put_text(&arguments, "x-match", good[i]);
        c.arguments = buf_slice(&arguments);
        accepted(t, c);
    }
    buf_clear(&arguments);
    put_text(&arguments, "x-match", "some");
    c.arguments = buf_slice(&arguments);
    refused(t, c, 406,
            "PRECONDITION_FAILED - Invalid x-match field value <<\"some\">>; "
            "expected all, any, all-with-x, or any-with-x");
    c.source = S("amq.direct");
    accepted(t, c); /* elsewhere it means nothing */
    buf_clear(&arguments);
    put_integer(&arguments, "x-match", 1);
    c.source = S("amq.headers");
    c.arguments = buf_slice(&arguments);
    refused(t, c, 406, "PRECONDITION_FAILED - Invalid x-match field type long (value 1); expected longstr");
    buf_close(&arguments);
    topology_destroy(t);
}

static void walks_go_on_while_records_come_and_go(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    char name[16];
    enum { MANY = 300 };
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "q%u", i);
        accepted(t, queue_of(name));
        accepted(t, bind_of("amq.topic", name, i % 2 ? "a.#" : name));
    }
    uint64_t cursor = 0, last = 0;
    unsigned met = 0;
    const struct queue_record *q;
    while ((q = topology_next_queue(t, &cursor))) {
        assert_true(q->id > last);
        last = q->id;
        met++;
        if (q->id % 3) accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .queue_id = q->id});
    }
    assert_int_equal(met, MANY);
    assert_int_equal(topology_queue_count(t), MANY / 3);
    assert_int_equal(binding_count(t), MANY / 3);
    met = 0;
    for (cursor = 0; topology_next_exchange(t, &cursor);) met++;
    assert_int_equal(met, topology_exchange_count(t));
    topology_destroy(t);
}

static void a_command_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    struct topology_command c = {.type = TOPOLOGY_BIND,
                                 .vhost = S("/"),
                                 .name = S("q"),
                                 .kind = S("topic"),
                                 .durable = true,
                                 .auto_delete = true,
                                 .if_unused = true,
                                 .connection = UINT64_C(0x0102030405060708),
                                 .queue_id = 9,
                                 .group = 10,
                                 .source = S("x"),
                                 .routing_key = S("a.b"),
                                 .arguments = BYTES("\1at\1"),
                                 .node = 11,
                                 .epoch = 12};
    struct topology_command d;
    struct buf b = {0}, again = {0};
    topology_command_encode(&b, &c);
    assert_true(topology_command_decode(buf_slice(&b), &d));
    assert_true(d.type == c.type && slice_equal(d.vhost, c.vhost) && slice_equal(d.name, c.name));
    assert_true(slice_equal(d.kind, c.kind) && slice_equal(d.source, c.source));
    assert_true(slice_equal(d.routing_key, c.routing_key) && slice_equal(d.arguments, c.arguments));
    assert_true(d.durable && !d.exclusive && d.auto_delete && !d.internal && d.if_unused && !d.to_exchange);
    assert_true(d.connection == c.connection && d.queue_id == 9 && d.group == 10 && d.node == 11 && d.epoch == 12);
    topology_command_encode(&again, &d);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
    for (size_t size = 0; size < b.size; size++) assert_false(topology_command_decode(slice_of(b.data, size), &d));
    buf_put_u8(&b, 0);
    assert_false(topology_command_decode(buf_slice(&b), &d)); /* something behind the end */
    char name[TOPOLOGY_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    c.name = slice_of(name, sizeof name);
    buf_clear(&b);
    topology_command_encode(&b, &c);
    assert_false(topology_command_decode(buf_slice(&b), &d));
    buf_close(&b);
    buf_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_topology_has_the_predeclared_exchanges),
        cmocka_unit_test(a_declared_exchange_is_found_with_what_was_declared),
        cmocka_unit_test(a_different_redeclare_of_an_exchange_is_refused_in_the_known_words),
        cmocka_unit_test(names_that_are_reserved_or_unknown_are_refused),
        cmocka_unit_test(deleting_an_exchange_takes_its_bindings_along),
        cmocka_unit_test(a_binding_is_the_same_whatever_order_its_arguments_come_in),
        cmocka_unit_test(an_auto_delete_exchange_goes_with_its_last_binding),
        cmocka_unit_test(a_chain_and_a_ring_of_auto_delete_exchanges_fall_together),
        cmocka_unit_test(a_declared_queue_is_found_by_name_and_id),
        cmocka_unit_test(a_different_redeclare_of_a_queue_is_refused_in_the_known_words),
        cmocka_unit_test(an_exclusive_queue_is_for_its_connection_alone),
        cmocka_unit_test(the_exclusive_queues_of_a_connection_are_walked_by_id),
        cmocka_unit_test(owners_of_a_past_epoch_lose_their_exclusive_queues),
        cmocka_unit_test(a_connection_that_went_loses_its_exclusive_queues_alone),
        cmocka_unit_test(queue_ids_are_never_given_twice),
        cmocka_unit_test(new_queues_go_to_the_group_with_the_fewest),
        cmocka_unit_test(a_queue_with_arguments_that_cannot_be_meant_is_refused),
        cmocka_unit_test(bindings_differ_by_key_and_arguments),
        cmocka_unit_test(a_binding_needs_both_ends_and_not_the_default_exchange),
        cmocka_unit_test(a_headers_binding_with_an_unknown_match_is_refused),
        cmocka_unit_test(walks_go_on_while_records_come_and_go),
        cmocka_unit_test(a_command_is_decoded_as_it_was_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
