/* Alarms: publishes wait, everything else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void a_publish_waits_while_there_is_an_alarm(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    session_block(h.session, "low on disk");
    hears_nothing(&h); /* who does not publish is not told */
    say_publish(&h, 1, "", "q", "one");
    hears(&h, "0 connection.blocked reason=\"low on disk\"");
    assert_true(session_stalled(h.session));
    say_publish(&h, 1, "", "q", "two");
    hears_nothing(&h); /* told once */
    session_block(h.session, NULL);
    hears(&h, "0 connection.unblocked");
    assert_false(session_stalled(h.session));
    say_bytes(&h, "", 0);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=one");
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=2 body=two");
    harness_close(&h);
}

static void the_rest_of_a_message_waits_too(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish.routing_key = slice_str("q");
    amqp_method_put(&h.input, 1, &m);
    amqp_header_put(&h.input, 1, 6, slice_of("\0\0", 2));
    amqp_body_put(&h.input, 1, slice_str("one"), 131072);
    harness_flush(&h);
    session_block(h.session, "low on memory");
    amqp_body_put(&h.input, 1, slice_str("two"), 131072);
    harness_flush(&h);
    hears(&h, "0 connection.blocked reason=\"low on memory\"");
    assert_true(session_stalled(h.session)); /* else each channel could bring max_message_size while there is none */
    asked_nothing(&h);
    session_block(h.session, NULL);
    hears(&h, "0 connection.unblocked");
    say_bytes(&h, "", 0);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=onetwo");
    harness_close(&h);
}

static void consumers_go_on_during_an_alarm(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    session_block(h.session, "low on memory");
    say_declare(&h, 1, "q", true);
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    assert_false(session_stalled(h.session));
    session_block(h.session, NULL);
    hears_nothing(&h); /* it never published */
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_waits_while_there_is_an_alarm),
        cmocka_unit_test(the_rest_of_a_message_waits_too),
        cmocka_unit_test(consumers_go_on_during_an_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
