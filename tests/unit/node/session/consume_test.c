#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

enum { SESSION_TEST_OUTPUT = 4 << 20 /* SESSION_OUTPUT_MAX */ };

static void consume_q(struct harness *h, bool no_ack)
{
    harness_open(h);
    harness_queue(h, "q");
    say_consume(h, 1, "q", "c", no_ack);
    hears(h, "1 basic.consume-ok consumer_tag=\"c\"");
    h->log_read = h->log.size;
}

static void deliver(struct harness *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) harness_deliver(h, 1, 1, 1, "m");
    buf_clear(session_output(h->session));
    h->output_read = 0;
}

static void a_consumer_gets_messages(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    m.basic_qos.prefetch_count = 10;
    say(&h, 1, &m);
    hears(&h, "1 basic.qos-ok");
    say_consume(&h, 1, "q", "c", false);
    asked(&h, "attach consumer=1 flags=0 prefetch=10 priority=0 tag=c");
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    harness_deliver(&h, 1, 1, 1, "hello");
    hears(&h, "1 basic.deliver consumer_tag=\"c\" delivery_tag=1 redelivered=false exchange=\"x\" routing_key=\"k\"");
    hears(&h, "1 header size=5");
    hears(&h, "1 body hello");
    say_ack(&h, 1, 1, false);
    asked(&h, "settle group=1 1..1 ack");
    harness_close(&h);
}

static void acks_of_a_turn_are_ranges(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    deliver(&h, 10);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        struct amqp_method m = amqp_method_of(AMQP_BASIC_ACK);
        m.basic_ack.delivery_tag = tag;
        amqp_method_put(&h.input, 1, &m);
    }
    harness_flush(&h);
    asked(&h, "settle group=1 1..4 ack");
    say_ack(&h, 1, 7, true);
    asked(&h, "settle group=1 5..7 ack");
    say_ack(&h, 1, 0, true);
    asked(&h, "settle group=1 8..10 ack");
    asked_nothing(&h);
    harness_close(&h);
}

static void rejects_and_nacks_say_what_becomes_of_the_message(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    deliver(&h, 6);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_REJECT);
    m.basic_reject = (struct amqp_basic_reject){2, false};
    say(&h, 1, &m);
    asked(&h, "settle group=1 2..2 reject");
    m.basic_reject = (struct amqp_basic_reject){3, true};
    say(&h, 1, &m);
    asked(&h, "settle group=1 3..3 fail"); /* a reject says that something went wrong */
    m = amqp_method_of(AMQP_BASIC_NACK);
    m.basic_nack = (struct amqp_basic_nack){5, true, true};
    say(&h, 1, &m); /* 1, 4 and 5 are left */
    asked(&h, "settle group=1 1..1 requeue");
    asked(&h, "settle group=1 4..5 requeue");
    m = amqp_method_of(AMQP_BASIC_RECOVER);
    m.basic_recover.requeue = true;
    say(&h, 1, &m);
    asked(&h, "settle group=1 6..6 requeue");
    hears(&h, "1 basic.recover-ok");
    harness_close(&h);
}

static void an_unknown_delivery_tag_ends_the_channel(void **state)
{
    (void)state;
    static const struct {
        uint64_t tag;
        bool multiple;
    } cases[] = {{1, false}, {4, false}, {4, true}, {0, false}, {99, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        char line[256];
        consume_q(&h, false);
        deliver(&h, 3);
        say_ack(&h, 1, 1, false);
        asked(&h, "settle group=1 1..1 ack");
        say_ack(&h, 1, cases[i].tag, cases[i].multiple);
        snprintf(line, sizeof line,
                 "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - unknown delivery tag %llu\" "
                 "class_id=60 method_id=80",
                 (unsigned long long)cases[i].tag);
        hears(&h, line);
        asked(&h, "close 1");
        harness_close(&h);
    }
}

static void one_message_left_unacked_does_not_hold_memory(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    deliver(&h, 1);
    for (uint64_t tag = 2; tag < 5000; tag++) {
        deliver(&h, 1);
        say_ack(&h, 1, tag, false);
    }
    h.log_read = h.log.size;
    say_ack(&h, 1, 1, false);
    asked(&h, "settle group=1 1..1 ack");
    say_ack(&h, 1, 2, false);
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - unknown delivery tag 2\" class_id=60 "
              "method_id=80");
    harness_close(&h);
}

static void groups_are_settled_side_by_side(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    for (unsigned i = 0; i < 6; i++) { /* dseqs count per group */
        h.dseq = i / 2;
        harness_deliver(&h, 1, 1 + i % 2, 1, "m");
    }
    say_ack(&h, 1, 6, true);
    asked(&h, "settle group=1 1..3 ack");
    asked(&h, "settle group=2 1..3 ack");
    harness_close(&h);
}

static void without_acks_a_delivery_is_settled_at_once(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, true);
    deliver(&h, 3);
    session_turn_end(h.session, h.now_ms);
    asked(&h, "settle group=1 1..3 ack");
    say_ack(&h, 1, 1, false);
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - unknown delivery tag 1\" class_id=60 "
              "method_id=80");
    harness_close(&h);
}

static void a_consumer_is_cancelled_by_the_client(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CANCEL);
    m.basic_cancel.consumer_tag = slice_str("c");
    h.slow = true;
    say(&h, 1, &m);
    asked(&h, "detach consumer=1");
    harness_deliver(&h, 1, 1, 1, "x"); /* was under way */
    session_reply(h.session, 1, &(struct backend_reply){0});
    hears(&h, "1 basic.deliver consumer_tag=\"c\" delivery_tag=1 redelivered=false exchange=\"x\" routing_key=\"k\"");
    hears(&h, "1 header size=1");
    hears(&h, "1 body x");
    hears(&h, "1 basic.cancel-ok consumer_tag=\"c\"");
    harness_deliver(&h, 1, 1, 1, "late");
    session_turn_end(h.session, h.now_ms);
    hears_nothing(&h);
    asked(&h, "settle group=1 2..2 unseen");
    say_ack(&h, 1, 1, false); /* what it held may still be acked */
    asked(&h, "settle group=1 1..1 ack");
    say(&h, 1, &m); /* cancelling what is not there succeeds */
    hears(&h, "1 basic.cancel-ok consumer_tag=\"c\"");
    harness_close(&h);
}

static void a_consumer_is_cancelled_by_the_broker(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    session_consumer_cancelled(h.session, 1, 1, 1, 0);
    hears(&h, "1 basic.cancel consumer_tag=\"c\" no_wait=true");
    session_consumer_cancelled(h.session, 1, 1, 1, 0);
    hears_nothing(&h);
    say_consume(&h, 1, "q", "c", false); /* the tag is free again */
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    asked(&h, "attach consumer=2 flags=0 prefetch=0 priority=0 tag=c");
    harness_close(&h);
}

struct gone {
    uint32_t group;
    uint64_t queue;
};

static bool is_gone(void *arg, uint32_t group, uint64_t queue)
{
    const struct gone *gone = arg;
    assert_int_not_equal(queue, 0);
    return group == gone->group && queue == gone->queue;
}

static void consumers_of_a_queue_that_is_gone_are_cancelled(void **state)
{
    (void)state;
    struct harness h;
    char tag[16], line[64];
    consume_q(&h, false);
    harness_queue(&h, "other");
    const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str("q")),
                              *other = topology_queue(h.topology, slice_str("/"), slice_str("other"));
    say_consume(&h, 1, "other", "o", false);
    hears(&h, "1 basic.consume-ok consumer_tag=\"o\"");
    for (int i = 0; i < 20; i++) {
        snprintf(tag, sizeof tag, "c%d", i);
        snprintf(line, sizeof line, "1 basic.consume-ok consumer_tag=\"c%d\"", i);
        say_consume(&h, 1, "q", tag, false);
        hears(&h, line);
    }
    session_cancel_consumers(h.session, is_gone, &(struct gone){q->group + 1, q->id});
    hears_nothing(&h);
    session_cancel_consumers(h.session, is_gone, &(struct gone){q->group, q->id});
    for (int i = 0; i < 21; i++) assert_non_null(strstr(harness_line(&h), "1 basic.cancel consumer_tag=\"c"));
    session_cancel_consumers(h.session, is_gone, &(struct gone){q->group, q->id});
    hears_nothing(&h);
    session_cancel_consumers(h.session, is_gone, &(struct gone){other->group, other->id});
    hears(&h, "1 basic.cancel consumer_tag=\"o\" no_wait=true");
    harness_close(&h);
}

static void a_consumer_that_timed_out_is_cancelled_or_ends_its_channel(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    session_consumer_cancelled(h.session, 1, 1, 1, 500);
    hears(&h, "1 basic.cancel consumer_tag=\"c\" no_wait=true");
    harness_close(&h);
    harness_open_with(&h, false); /* this client does not hear of cancellations */
    harness_queue(&h, "q");
    say_consume(&h, 1, "q", "c", false);
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    session_consumer_cancelled(h.session, 1, 1, 1, 500);
    hears(
        &h,
        "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed "
        "out. Timeout value used: 500 ms. This timeout value can be configured, see consumers doc guide to learn "
        "more\" class_id=0 method_id=0");
    harness_close(&h);
}

static void a_delivery_before_the_reply_announces_the_consumer(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    h.slow = true;
    say_consume(&h, 1, "q", "c", true);
    harness_deliver(&h, 1, 1, 1, "early");
    session_reply(h.session, 1, &(struct backend_reply){0});
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    hears(&h, "1 basic.deliver consumer_tag=\"c\" delivery_tag=1 redelivered=false exchange=\"x\" routing_key=\"k\"");
    hears(&h, "1 header size=5");
    hears(&h, "1 body early");
    hears_nothing(&h);
    harness_close(&h);
}

static void faults_of_a_consume_are_told(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    h.answer = (struct backend_reply){.code = REPLY_EXCLUSIVE, .reply_code = 403};
    say_consume(&h, 1, "q", "d", false);
    asked(&h, "attach consumer=2 flags=0 prefetch=0 priority=0 tag=d");
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use\" "
              "class_id=60 "
              "method_id=20");
    h.answer = (struct backend_reply){0};
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_consume(&h, 1, "none", "d", false);
    hears(&h, "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'none' in vhost '/'\" class_id=60 "
              "method_id=20");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_consume(&h, 1, "q", "e", false);
    harness_line(&h);
    say_consume(&h, 1, "q", "e", false);
    hears(
        &h,
        "0 connection.close reply_code=530 reply_text=\"NOT_ALLOWED - attempt to reuse consumer tag 'e'\" class_id=60 "
        "method_id=20");
    harness_close(&h);
}

static void consumers_have_priorities_and_may_be_exclusive(void **state)
{
    (void)state;
    struct harness h;
    struct buf arguments = {0};
    harness_open(&h);
    harness_queue(&h, "q");
    amqp_table_put_integer(&arguments, "x-priority", -5);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = slice_str("q");
    m.basic_consume.consumer_tag = slice_str("c");
    m.basic_consume.exclusive = true;
    m.basic_consume.no_ack = true;
    m.basic_consume.arguments = buf_slice(&arguments);
    say(&h, 1, &m);
    asked(&h, "attach consumer=1 flags=3 prefetch=0 priority=-5 tag=c");
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    buf_close(&arguments);
    harness_close(&h);
}

static void prefetch_of_the_channel_is_told_to_the_queues(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    m.basic_qos = (struct amqp_basic_qos){0, 20, true};
    say(&h, 1, &m);
    asked(&h, "limit 20");
    hears(&h, "1 basic.qos-ok");
    m.basic_qos = (struct amqp_basic_qos){0, 5, false};
    say(&h, 1, &m);
    asked(&h, "limit 0");
    hears(&h, "1 basic.qos-ok");
    m.basic_qos = (struct amqp_basic_qos){1, 5, false};
    say(&h, 1, &m);
    hears(&h, "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - prefetch_size!=0 (1)\" class_id=60 "
              "method_id=10");
    harness_close(&h);
}

static void get_answers_with_a_message_or_empty(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str("q");
    say(&h, 1, &m);
    asked(&h, "get");
    hears(&h, "1 basic.get-empty cluster_id=\"\"");
    h.get_delivers = true;
    h.ready = 4;
    say(&h, 1, &m);
    asked(&h, "get");
    hears(&h, "1 basic.get-ok delivery_tag=1 redelivered=false exchange=\"x\" routing_key=\"k\" message_count=4");
    hears(&h, "1 header size=3");
    hears(&h, "1 body got");
    say_ack(&h, 1, 1, false);
    asked(&h, "settle group=1 1..1 ack");
    m.basic_get.no_ack = true;
    say(&h, 1, &m);
    asked(&h, "get");
    asked(&h, "settle group=1 2..2 ack");
    harness_deliver(&h, 1, 1, 0, "unasked");
    session_turn_end(h.session, h.now_ms);
    asked(&h, "settle group=1 3..3 unseen");
    harness_close(&h);
}

static void settlements_reach_the_queues_before_the_next_question(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    deliver(&h, 2);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_REJECT);
    m.basic_reject = (struct amqp_basic_reject){1, true};
    amqp_method_put(&h.input, 1, &m);
    m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str("q");
    amqp_method_put(&h.input, 1, &m);
    m = amqp_method_of(AMQP_BASIC_ACK);
    m.basic_ack.delivery_tag = 2;
    amqp_method_put(&h.input, 1, &m);
    m = amqp_method_of(AMQP_CHANNEL_CLOSE);
    amqp_method_put(&h.input, 1, &m);
    harness_flush(&h);
    asked(&h, "settle group=1 1..1 fail");
    asked(&h, "get");
    asked(&h, "settle group=1 2..2 ack");
    asked(&h, "close 1");
    harness_close(&h);
}

static void a_full_output_wants_no_deliveries(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, true);
    assert_true(session_wants_deliveries(h.session));
    h.settings.output_high_water = 100;
    harness_deliver(&h, 1, 1, 1,
                    "a message that is not so very short, after all, but longer than the mark allows it to be");
    assert_false(session_wants_deliveries(h.session));
    buf_clear(session_output(h.session));
    assert_true(session_wants_deliveries(h.session));
    harness_close(&h);
}

static void without_acks_too_a_full_output_is_not_settled(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, true);
    h.settings.output_high_water = 100;
    for (int i = 0; i < 3; i++)
        harness_deliver(&h, 1, 1, 1,
                        "a message that is rather long for a mark of a hundred bytes in the output, so one fits");
    session_turn_end(h.session, h.now_ms);
    asked_nothing(&h); /* what is settled counts as received, and more would come */
    buf_clear(session_output(h.session));
    session_drained(h.session, h.now_ms);
    asked(&h, "settle group=1 1..3 ack");
    harness_close(&h);
}

static void who_does_not_read_is_not_read(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    buf_reserve(session_output(h.session), SESSION_TEST_OUTPUT);
    session_output(h.session)->size = SESSION_TEST_OUTPUT;
    say(&h, 1, &m);
    assert_true(session_stalled(h.session));
    assert_true(h.input.size > 0);
    session_tick(h.session, h.now_ms + 1000000); /* its heartbeats may lie there */
    assert_int_equal(session_state(h.session), SESSION_OPEN);
    buf_clear(session_output(h.session));
    h.output_read = 0;
    harness_flush(&h);
    hears(&h, "1 basic.qos-ok");
    harness_close(&h);
}

/* A connection that is being closed reads on, for the client's close-ok; its output has the same bound. */
static void who_does_not_read_is_not_answered_without_end_while_it_closes(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_CLOSE);
    session_close(h.session, 320, "enough", h.now_ms);
    size_t before = session_output(h.session)->size;
    say(&h, 0, &m);
    assert_true(session_output(h.session)->size > before);
    session_output(h.session)->size = 0;
    buf_reserve(session_output(h.session), SESSION_TEST_OUTPUT);
    session_output(h.session)->size = SESSION_TEST_OUTPUT;
    for (int i = 0; i < 100; i++) say(&h, 0, &m);
    assert_int_equal(session_output(h.session)->size, SESSION_TEST_OUTPUT);
    say_close_ok(&h, 0);
    assert_int_equal(session_state(h.session), SESSION_CLOSED);
    buf_clear(session_output(h.session));
    h.output_read = 0;
    harness_close(&h);
}

static void direct_replies_come_through_a_hidden_queue(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "rpc");
    say_consume(&h, 1, "amq.rabbitmq.reply-to", "r", true);
    asked(&h, "change type=3 name=amq.rabbitmq.reply-to.AQEBAQEBAQEBAQEBAQEBAQ flags=0");
    asked(&h, "attach consumer=1 flags=3 prefetch=0 priority=0 tag=r");
    hears(&h, "1 basic.consume-ok consumer_tag=\"r\"");
    say_publish_bytes(&h, 1, "", "rpc", false,
                      slice_of("\2\0\x15"
                               "amq.rabbitmq.reply-to",
                               24),
                      slice_str("ask"));
    asked(&h, "publish queues=1 exchange= key=rpc flags=0 priority=0 ttl=-1 tag=1 body=ask");
    say_publish(&h, 1, "", "amq.rabbitmq.reply-to.AQEBAQEBAQEBAQEBAQEBAQ", "answer");
    asked(&h,
          "publish queues=1 exchange= key=amq.rabbitmq.reply-to.AQEBAQEBAQEBAQEBAQEBAQ flags=0 priority=0 ttl=-1 tag=2 "
          "body=answer");
    say_declare(&h, 1, "amq.rabbitmq.reply-to.AQEBAQEBAQEBAQEBAQEBAQ", true);
    hears(&h,
          "1 queue.declare-ok queue=\"amq.rabbitmq.reply-to.AQEBAQEBAQEBAQEBAQEBAQ\" message_count=0 consumer_count=1");
    say_consume(&h, 1, "amq.rabbitmq.reply-to", "s", true);
    hears(&h,
          "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - reply consumer already set\" class_id=60 "
          "method_id=20");
    harness_close(&h);
}

static void global_qos(struct harness *h, uint16_t count)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    m.basic_qos.prefetch_count = count;
    m.basic_qos.global = true;
    say(h, 1, &m);
    hears(h, "1 basic.qos-ok");
}

static void what_is_beyond_a_global_prefetch_waits_for_acks(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    global_qos(&h, 2);
    h.log_read = h.log.size;
    deliver(&h, 2);
    assert_false(session_is_holding(h.session, 1));
    harness_deliver(&h, 1, 2, 1, "three"); /* of another group, which does not know of the first */
    harness_deliver(&h, 1, 2, 1, "four");
    hears_nothing(&h);
    assert_true(session_is_holding(h.session, 1));
    say_ack(&h, 1, 1, false);
    hears(&h, "1 basic.deliver consumer_tag=\"c\" delivery_tag=3 redelivered=false exchange=\"x\" routing_key=\"k\"");
    hears(&h, "1 header size=5");
    hears(&h, "1 body three");
    assert_true(session_is_holding(h.session, 1));
    global_qos(&h, 0);
    hears(&h, "1 basic.deliver consumer_tag=\"c\" delivery_tag=4 redelivered=false exchange=\"x\" routing_key=\"k\"");
    hears(&h, "1 header size=4");
    hears(&h, "1 body four");
    assert_false(session_is_holding(h.session, 1));
    harness_close(&h);
}

static void what_waits_goes_back_with_its_consumer(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    global_qos(&h, 1);
    deliver(&h, 2);
    h.log_read = h.log.size;
    session_consumer_cancelled(h.session, 1, 1, 1, 0);
    assert_false(session_is_holding(h.session, 1));
    harness_flush(&h);
    asked(&h, "settle group=1 2..2 unseen");
    harness_close(&h);
}

static void a_channel_ends_with_what_waits(void **state)
{
    (void)state;
    struct harness h;
    consume_q(&h, false);
    global_qos(&h, 1);
    deliver(&h, 3);
    assert_true(session_is_holding(h.session, 1));
    h.log_read = h.log.size;
    say_empty(&h, 1, AMQP_CHANNEL_CLOSE);
    asked(&h, "settle group=1 2..3 unseen");
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_beyond_a_global_prefetch_waits_for_acks),
        cmocka_unit_test(what_waits_goes_back_with_its_consumer),
        cmocka_unit_test(a_channel_ends_with_what_waits),
        cmocka_unit_test(a_consumer_gets_messages),
        cmocka_unit_test(acks_of_a_turn_are_ranges),
        cmocka_unit_test(rejects_and_nacks_say_what_becomes_of_the_message),
        cmocka_unit_test(an_unknown_delivery_tag_ends_the_channel),
        cmocka_unit_test(one_message_left_unacked_does_not_hold_memory),
        cmocka_unit_test(groups_are_settled_side_by_side),
        cmocka_unit_test(without_acks_a_delivery_is_settled_at_once),
        cmocka_unit_test(a_consumer_is_cancelled_by_the_client),
        cmocka_unit_test(a_consumer_is_cancelled_by_the_broker),
        cmocka_unit_test(consumers_of_a_queue_that_is_gone_are_cancelled),
        cmocka_unit_test(a_consumer_that_timed_out_is_cancelled_or_ends_its_channel),
        cmocka_unit_test(a_delivery_before_the_reply_announces_the_consumer),
        cmocka_unit_test(faults_of_a_consume_are_told),
        cmocka_unit_test(consumers_have_priorities_and_may_be_exclusive),
        cmocka_unit_test(prefetch_of_the_channel_is_told_to_the_queues),
        cmocka_unit_test(get_answers_with_a_message_or_empty),
        cmocka_unit_test(settlements_reach_the_queues_before_the_next_question),
        cmocka_unit_test(a_full_output_wants_no_deliveries),
        cmocka_unit_test(without_acks_too_a_full_output_is_not_settled),
        cmocka_unit_test(who_does_not_read_is_not_read),
        cmocka_unit_test(who_does_not_read_is_not_answered_without_end_while_it_closes),
        cmocka_unit_test(direct_replies_come_through_a_hidden_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
