#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

#define COMMIT_FAULT(text) "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - " text "\" class_id=90 "

/* A transactional channel 1, a queue `q` and as many deliveries of group 1 as asked for. */
static void open_transactional(struct harness *h, unsigned deliveries)
{
    harness_open(h);
    harness_queue(h, "q");
    if (deliveries) say_consume(h, 1, "q", "c", false);
    for (unsigned i = 0; i < deliveries; i++) harness_deliver(h, 1, 1, 1, "m");
    say_empty(h, 1, AMQP_TX_SELECT);
    while (strcmp(harness_line(h), "1 tx.select-ok") != 0) continue;
    h->log_read = h->log.size;
}

static void publish_and_ack_wait_for_the_commit(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 2);
    say_ack(&h, 1, 1, false);
    say_publish(&h, 1, "", "q", "a");
    say_publish(&h, 1, "", "q", "b");
    asked_nothing(&h);
    hears_nothing(&h);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=a");
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=2 body=b");
    hears_nothing(&h);
    session_confirm(h.session, 1, 2, true);
    session_turn_end(h.session, h.now_ms);
    hears_nothing(&h);
    session_confirm(h.session, 1, 1, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 tx.commit-ok");
    h.log_read = 0; /* the settlement went with or after the publishes, once */
    unsigned settled = 0;
    for (const char *line = harness_asked(&h); *line; line = harness_asked(&h))
        settled += strcmp(line, "settle group=1 1..1 ack") == 0;
    assert_int_equal(settled, 1);
    say_empty(&h, 1, AMQP_TX_COMMIT); /* the next one is empty */
    hears(&h, "1 tx.commit-ok");
    asked_nothing(&h);
    harness_close(&h);
}

static void a_group_s_settlements_leave_with_its_publishes(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 1);
    const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str("q"));
    uint32_t other = q->group == 2 ? 3 : 2;
    harness_deliver(&h, 1, q->group, 1, "same");
    harness_deliver(&h, 1, other, 1, "other");
    char same_line[64], other_line[64];
    snprintf(same_line, sizeof same_line, "settle group=%u 2..2 reject", q->group);
    snprintf(other_line, sizeof other_line, "settle group=%u 3..3 requeue", other);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_NACK);
    m.basic_nack = (struct amqp_basic_nack){3, false, true};
    say(&h, 1, &m);
    m = amqp_method_of(AMQP_BASIC_REJECT);
    m.basic_reject = (struct amqp_basic_reject){2, false};
    say(&h, 1, &m);
    say_publish(&h, 1, "", "q", "a");
    say_empty(&h, 1, AMQP_TX_COMMIT);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=a");
    asked(&h, same_line);
    asked_nothing(&h);
    session_confirm(h.session, 1, 1, true);
    session_turn_end(h.session, h.now_ms);
    asked(&h, other_line);
    harness_close(&h);
}

static void what_follows_a_commit_waits_for_its_end(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 0);
    say_publish(&h, 1, "", "q", "a");
    say_empty(&h, 1, AMQP_TX_COMMIT);
    say_empty(&h, 1, AMQP_TX_ROLLBACK);
    assert_true(session_stalled(h.session));
    session_reply(h.session, 1, &(struct backend_reply){0}); /* nobody asked */
    hears_nothing(&h);
    session_confirm(h.session, 1, 1, true);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 tx.commit-ok");
    assert_false(session_stalled(h.session));
    harness_flush(&h);
    hears(&h, "1 tx.rollback-ok");
    h.confirm_now = true; /* answers from within publish() */
    say_publish(&h, 1, "", "q", "b");
    say_publish(&h, 1, "", "q", "c");
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, "1 tx.commit-ok");
    hears_nothing(&h);
    harness_close(&h);
}

static void a_rollback_drops_publishes_and_frees_the_acked(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 5);
    say_publish(&h, 1, "", "q", "a");
    say_ack(&h, 1, 5, false);
    say_ack(&h, 1, 2, true);
    say_empty(&h, 1, AMQP_TX_ROLLBACK);
    hears(&h, "1 tx.rollback-ok");
    asked_nothing(&h);
    say_ack(&h, 1, 3, true); /* all are there again, and in order */
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, "1 tx.commit-ok");
    asked(&h, "settle group=1 1..3 ack");
    say_ack(&h, 1, 0, true);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, "1 tx.commit-ok");
    asked(&h, "settle group=1 4..5 ack");
    asked_nothing(&h);
    say_empty(&h, 1, AMQP_TX_ROLLBACK);
    hears(&h, "1 tx.rollback-ok");
    say_ack(&h, 1, 5, false); /* what was committed does not come back */
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - unknown delivery tag 5\" class_id=60 "
              "method_id=80");
    harness_close(&h);
}

static void faults_are_told_before_the_commit(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 1);
    say_ack(&h, 1, 1, false);
    say_ack(&h, 1, 1, false); /* held is not unacked */
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - unknown delivery tag 1\" class_id=60 "
              "method_id=80");
    asked(&h, "close 1"); /* and what was held is dropped */
    asked_nothing(&h);
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_empty(&h, 1, AMQP_TX_SELECT);
    hears(&h, "1 tx.select-ok");
    say_publish(&h, 1, "", "q", "held");
    say_publish(&h, 1, "nowhere", "", "x");
    hears(&h,
          "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'nowhere' in vhost '/'\" class_id=60 "
          "method_id=40");
    asked(&h, "open 1");
    asked(&h, "close 1");
    asked_nothing(&h);
    harness_close(&h);
}

static void a_mandatory_message_is_returned_before_commit_ok(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 0);
    say_publish_bytes(&h, 1, "amq.direct", "k", true, slice_of("\0\0", 2), slice_str("back"));
    say_publish_bytes(&h, 1, "amq.direct", "k", false, slice_of("\0\0", 2), slice_str("dropped"));
    say_publish_bytes(&h, 1, "", "q", true, slice_of("\0\0", 2), slice_str("deleted"));
    struct topology_result result;
    const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str("q"));
    struct topology_command c = {
        .type = TOPOLOGY_QUEUE_DELETE, .vhost = slice_str("/"), .name = slice_str("q"), .queue_id = q->id};
    harness_apply(&h, &c, &result);
    hears_nothing(&h);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, "1 basic.return reply_code=312 reply_text=\"NO_ROUTE\" exchange=\"amq.direct\" routing_key=\"k\"");
    hears(&h, "1 header size=4");
    hears(&h, "1 body back");
    hears(&h, "1 basic.return reply_code=312 reply_text=\"NO_ROUTE\" exchange=\"\" routing_key=\"q\"");
    hears(&h, "1 header size=7");
    hears(&h, "1 body deleted");
    hears(&h, "1 tx.commit-ok");
    asked_nothing(&h);
    harness_close(&h);
}

static void the_route_is_the_one_of_the_publish(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result result;
    open_transactional(&h, 0);
    say_publish(&h, 1, "amq.fanout", "", "early");
    struct topology_command c = {
        .type = TOPOLOGY_BIND, .vhost = slice_str("/"), .name = slice_str("q"), .source = slice_str("amq.fanout")};
    harness_apply(&h, &c, &result);
    say_publish(&h, 1, "amq.fanout", "", "late");
    h.confirm_now = true;
    say_empty(&h, 1, AMQP_TX_COMMIT);
    asked(&h, "publish queues=1 exchange=amq.fanout key= flags=0 priority=0 ttl=-1 tag=2 body=late");
    asked_nothing(&h);
    hears(&h, "1 tx.commit-ok");
    harness_close(&h);
}

static void a_refused_publish_fails_the_commit(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    say_publish(&h, 1, "", "q", "before"); /* refused too, but not of the transaction */
    say_empty(&h, 1, AMQP_TX_SELECT);
    hears(&h, "1 tx.select-ok");
    say_publish(&h, 1, "", "q", "a");
    say_empty(&h, 1, AMQP_TX_COMMIT);
    session_confirm(h.session, 1, 2, true);
    session_confirm(h.session, 1, 1, false);
    session_turn_end(h.session, h.now_ms);
    hears(&h, "1 tx.commit-ok");
    say_consume(&h, 1, "q", "c", false);
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str("q"));
    harness_deliver(&h, 1, q->group + 1, 1, "m");
    say_ack(&h, 1, 1, false);
    say_publish(&h, 1, "", "q", "b");
    say_publish(&h, 1, "", "q", "c");
    h.log_read = h.log.size;
    say_empty(&h, 1, AMQP_TX_COMMIT);
    session_confirm(h.session, 1, 3, false);
    session_confirm(h.session, 1, 4, true);
    buf_clear(session_output(h.session));
    session_turn_end(h.session, h.now_ms);
    hears(&h, COMMIT_FAULT("partial tx completion") "method_id=20");
    harness_asked(&h);
    harness_asked(&h);
    asked(&h, "close 1"); /* the ack was not sent */
    harness_close(&h);
}

static void without_an_answer_the_connection_ends(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 0);
    say_publish(&h, 1, "", "q", "a");
    h.now_ms += 60000; /* what is held does not age */
    session_tick(h.session, h.now_ms);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    harness_line(&h); /* a heartbeat was due */
    h.now_ms += 4000;
    session_tick(h.session, h.now_ms);
    hears_nothing(&h);
    h.now_ms += 5000;
    session_tick(h.session, h.now_ms);
    assert_memory_equal(harness_line(&h), "0 connection.close reply_code=541", 33);
    harness_close(&h);
}

static void modes_exclude_each_other(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, COMMIT_FAULT("channel is not transactional") "method_id=20");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_empty(&h, 1, AMQP_TX_ROLLBACK);
    hears(&h, COMMIT_FAULT("channel is not transactional") "method_id=30");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_empty(&h, 1, AMQP_CONFIRM_SELECT);
    hears(&h, "1 confirm.select-ok");
    say_empty(&h, 1, AMQP_TX_SELECT);
    hears(&h, COMMIT_FAULT("cannot switch from confirm to tx mode") "method_id=10");
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_empty(&h, 2, AMQP_TX_SELECT);
    hears(&h, "2 tx.select-ok");
    say_empty(&h, 2, AMQP_TX_SELECT);
    hears(&h, "2 tx.select-ok");
    say_empty(&h, 2, AMQP_CONFIRM_SELECT);
    hears(&h,
          "2 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - cannot switch from tx to confirm mode\" "
          "class_id=85 method_id=10");
    harness_close(&h);
}

static void recover_leaves_what_is_held(void **state)
{
    (void)state;
    struct harness h;
    open_transactional(&h, 3);
    say_ack(&h, 1, 2, false);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_RECOVER);
    m.basic_recover.requeue = true;
    say(&h, 1, &m);
    hears(&h, "1 basic.recover-ok");
    asked(&h, "settle group=1 1..1 requeue");
    asked(&h, "settle group=1 3..3 requeue");
    say_empty(&h, 1, AMQP_TX_ROLLBACK);
    hears(&h, "1 tx.rollback-ok");
    say_ack(&h, 1, 0, true);
    say_empty(&h, 1, AMQP_TX_COMMIT);
    hears(&h, "1 tx.commit-ok");
    asked(&h, "settle group=1 2..2 ack");
    asked_nothing(&h);
    harness_close(&h);
}

static void a_transaction_is_bounded(void **state)
{
    (void)state;
    struct harness h;
    enum { BODY = 1 << 20, FITTING = 63 };
    char *body = mem_alloc(BODY);
    memset(body, 'x', BODY);
    open_transactional(&h, 0);
    for (unsigned round = 0; round < 2; round++) { /* a rollback makes room */
        for (unsigned i = 0; i < FITTING; i++)
            say_publish_bytes(&h, 1, "", "q", false, slice_of("\0\0", 2), slice_of(body, BODY));
        hears_nothing(&h);
        if (round) break;
        say_empty(&h, 1, AMQP_TX_ROLLBACK);
        hears(&h, "1 tx.rollback-ok");
    }
    say_publish_bytes(&h, 1, "", "q", false, slice_of("\0\0", 2), slice_of(body, BODY));
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - a transaction may hold 67108864 bytes "
              "until it is committed\" class_id=60 method_id=40");
    asked(&h, "close 1");
    asked_nothing(&h);
    mem_free(body);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publish_and_ack_wait_for_the_commit),
        cmocka_unit_test(a_group_s_settlements_leave_with_its_publishes),
        cmocka_unit_test(what_follows_a_commit_waits_for_its_end),
        cmocka_unit_test(a_rollback_drops_publishes_and_frees_the_acked),
        cmocka_unit_test(faults_are_told_before_the_commit),
        cmocka_unit_test(a_mandatory_message_is_returned_before_commit_ok),
        cmocka_unit_test(the_route_is_the_one_of_the_publish),
        cmocka_unit_test(a_refused_publish_fails_the_commit),
        cmocka_unit_test(without_an_answer_the_connection_ends),
        cmocka_unit_test(modes_exclude_each_other),
        cmocka_unit_test(recover_leaves_what_is_held),
        cmocka_unit_test(a_transaction_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
