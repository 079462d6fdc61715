#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void open_confirming(struct harness *h)
{
    harness_open(h);
    harness_queue(h, "q");
    say_empty(h, 1, AMQP_CONFIRM_SELECT);
    hears(h, "1 confirm.select-ok");
}

static void publish(struct harness *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) say_publish(h, 1, "", "q", "x");
    h->log_read = h->log.size;
}

static void confirms_of_a_turn_are_one_multiple_ack(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    publish(&h, 5);
    session_confirm(h.session, 1, 2, true);
    session_confirm(h.session, 1, 1, true);
    session_confirm(h.session, 1, 3, true);
    hears_nothing(&h);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=3 multiple=true");
    session_confirm(h.session, 1, 4, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=4 multiple=false");
    hears_nothing(&h);
    harness_close(&h);
}

static void a_confirm_out_of_order_stands_alone(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    publish(&h, 4);
    session_confirm(h.session, 1, 3, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=3 multiple=false");
    session_confirm(h.session, 1, 1, true);
    session_confirm(h.session, 1, 2, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=2 multiple=true");
    session_confirm(h.session, 1, 4, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=4 multiple=false");
    hears_nothing(&h);
    harness_close(&h);
}

static void a_refused_publish_is_nacked_and_never_covered_by_an_ack(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    publish(&h, 5);
    for (uint64_t tag = 1; tag <= 5; tag++) session_confirm(h.session, 1, tag, tag != 3);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=2 multiple=true");
    hears(&h, "1 basic.nack delivery_tag=3 multiple=false requeue=false");
    hears(&h, "1 basic.ack delivery_tag=5 multiple=true");
    hears_nothing(&h);
    publish(&h, 2);
    session_confirm(h.session, 1, 7, false);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.nack delivery_tag=7 multiple=false requeue=false");
    session_confirm(h.session, 1, 6, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=6 multiple=false");
    harness_close(&h);
}

static void a_message_of_several_groups_waits_for_all(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result result;
    open_confirming(&h);
    static const char *const names[] = {"q", "q2", "q3"};
    for (size_t i = 0; i < 3; i++) {
        struct topology_command c = {.type = TOPOLOGY_BIND,
                                     .vhost = slice_str("/"),
                                     .name = slice_str(names[i]),
                                     .source = slice_str("amq.fanout")};
        if (i) harness_queue(&h, names[i]);
        harness_apply(&h, &c, &result);
    }
    say_publish(&h, 1, "amq.fanout", "", "x");
    asked(&h, "publish queues=3 exchange=amq.fanout key= flags=0 priority=0 ttl=-1 tag=1 body=x");
    session_confirm(h.session, 1, 1, true);
    session_confirm(h.session, 1, 1, false);
    session_turn_end(h.session, h.now_ms);
    hears_nothing(&h);
    session_confirm(h.session, 1, 1, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.nack delivery_tag=1 multiple=false requeue=false"); /* one refusal is enough */
    h.confirm_now = true;                                                  /* answers from within publish() */
    say_publish(&h, 1, "amq.fanout", "", "y");
    hears(&h, "1 basic.ack delivery_tag=2 multiple=false");
    harness_close(&h);
}

static void numbers_start_at_the_select(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    publish(&h, 3);
    say_empty(&h, 1, AMQP_CONFIRM_SELECT);
    hears(&h, "1 confirm.select-ok");
    publish(&h, 1);
    for (uint64_t tag = 1; tag <= 4; tag++) session_confirm(h.session, 1, tag, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=1 multiple=false");
    hears_nothing(&h);
    struct amqp_method m = amqp_method_of(AMQP_CONFIRM_SELECT);
    m.confirm_select.no_wait = true;
    say(&h, 1, &m); /* a second select changes nothing */
    hears_nothing(&h);
    publish(&h, 1);
    session_confirm(h.session, 1, 5, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=2 multiple=false");
    harness_close(&h);
}

static void what_is_not_answered_in_time_is_nacked(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    publish(&h, 2);
    assert_int_equal(session_deadline_ms(h.session), 6000);
    h.now_ms = 4000;
    publish(&h, 1);
    session_confirm(h.session, 1, 1, true);
    h.now_ms = 6000;
    session_tick(h.session, h.now_ms);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=1 multiple=false");
    hears(&h, "1 basic.nack delivery_tag=2 multiple=false requeue=false");
    hears_nothing(&h);
    session_confirm(h.session, 1, 2, true); /* too late */
    session_confirm(h.session, 1, 3, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 basic.ack delivery_tag=3 multiple=false");
    hears_nothing(&h);
    harness_close(&h);
}

static void without_confirms_an_unanswered_publish_ends_the_connection(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    publish(&h, 1);
    session_tick(h.session, 6000);
    hears(
        &h,
        "0 connection.close reply_code=541 reply_text=\"INTERNAL_ERROR - a publish on channel 1 had no answer from its "
        "queues for 5000 ms\" class_id=60 method_id=40");
    harness_close(&h);
}

static void too_many_unanswered_publishes_stall_the_input(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    for (unsigned i = 0; i < 70000 && !session_stalled(h.session); i++) {
        say_publish(&h, 1, "", "q", "x");
        buf_clear(&h.log);
        h.log_read = 0;
    }
    assert_true(session_stalled(h.session));
    assert_true(h.input.size > 0);
    for (uint64_t tag = 1; tag <= 65536; tag++) session_confirm(h.session, 1, tag, true);
    session_turn_end(h.session, h.now_ms);
    assert_false(session_stalled(h.session));
    hears(&h, "1 basic.ack delivery_tag=65536 multiple=true");
    harness_flush(&h);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=65537 body=x");
    assert_int_equal(h.input.size, 0);
    harness_close(&h);
}

static void confirms_are_told_before_the_channel_fails(void **state)
{
    (void)state;
    struct harness h;
    open_confirming(&h);
    publish(&h, 1);
    session_confirm(h.session, 1, 1, true);
    say_publish(&h, 1, "nowhere", "", "x");
    hears(&h, "1 basic.ack delivery_tag=1 multiple=false");
    hears(&h,
          "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'nowhere' in vhost '/'\" class_id=60 "
          "method_id=40");
    session_confirm(h.session, 1, 2, true); /* nobody is there to hear it */
    session_turn_end(h.session, h.now_ms);
    hears_nothing(&h);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confirms_of_a_turn_are_one_multiple_ack),
        cmocka_unit_test(a_confirm_out_of_order_stands_alone),
        cmocka_unit_test(a_refused_publish_is_nacked_and_never_covered_by_an_ack),
        cmocka_unit_test(a_message_of_several_groups_waits_for_all),
        cmocka_unit_test(numbers_start_at_the_select),
        cmocka_unit_test(what_is_not_answered_in_time_is_nacked),
        cmocka_unit_test(without_confirms_an_unanswered_publish_ends_the_connection),
        cmocka_unit_test(too_many_unanswered_publishes_stall_the_input),
        cmocka_unit_test(confirms_are_told_before_the_channel_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
