#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/lives.h"
#include "tests/unit/node/session/harness.h"

static void a_queue_is_declared_and_declared_again(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_declare(&h, 1, "q\r\n1", false);
    asked(&h, "change type=3 name=q1 flags=0");
    hears(&h, "1 queue.declare-ok queue=\"q1\" message_count=0 consumer_count=0");
    h.ready = 5;
    h.consumers = 2;
    say_declare(&h, 1, "q1", false);
    asked(&h, "stat");
    hears(&h, "1 queue.declare-ok queue=\"q1\" message_count=5 consumer_count=2");
    say_declare(&h, 1, "q1", true);
    asked(&h, "stat");
    hears(&h, "1 queue.declare-ok queue=\"q1\" message_count=5 consumer_count=2");
    harness_close(&h);
}

static void no_wait_is_not_answered(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    m.queue_declare.no_wait = true;
    say(&h, 1, &m);
    asked(&h, "change type=3 name=q flags=0");
    say(&h, 1, &m);
    asked_nothing(&h); /* there already: nobody wants the counts */
    m = amqp_method_of(AMQP_QUEUE_PURGE);
    m.queue_purge.no_wait = true;
    say(&h, 1, &m);
    asked(&h, "purge");
    m = amqp_method_of(AMQP_QUEUE_DELETE);
    m.queue_delete.no_wait = true;
    say(&h, 1, &m);
    asked(&h, "change type=4 name=q flags=0");
    hears_nothing(&h);
    harness_close(&h);
}

static void another_kind_of_the_same_name_is_refused(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    say(&h, 1, &m);
    hears(
        &h,
        "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in "
        "vhost '/': received 'false' but current is 'true'\" class_id=50 method_id=10");
    asked(&h, "close 1");
    harness_close(&h);
}

static void the_server_makes_up_names(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_declare(&h, 1, "", false);
    hears(&h, "1 queue.declare-ok queue=\"amq.gen-AQEBAQEBAQEBAQEBAQEBAQ\" message_count=0 consumer_count=0");
    asked(&h, "change type=3 name=amq.gen-AQEBAQEBAQEBAQEBAQEBAQ flags=0");
    say_consume(&h, 1, "", "", true); /* the last queue declared */
    hears(&h, "1 basic.consume-ok consumer_tag=\"amq.ctag-AgICAgICAgICAgICAgICAg\"");
    harness_close(&h);
}

static void reserved_names_and_missing_names_are_refused(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_declare(&h, 1, "amq.mine", false);
    hears(&h,
          "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix "
          "'amq.*'\" class_id=50 method_id=10");
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_empty(&h, 2, AMQP_QUEUE_PURGE);
    hears(&h, "2 channel.close reply_code=404 reply_text=\"NOT_FOUND - no previously declared queue\" class_id=50 "
              "method_id=30");
    harness_close(&h);
}

static void a_queue_of_another_connection_is_locked(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result result;
    harness_open(&h);
    struct topology_command c = {.type = TOPOLOGY_QUEUE_DECLARE,
                                 .vhost = slice_str("/"),
                                 .name = slice_str("theirs"),
                                 .exclusive = true,
                                 .connection = 8};
    harness_apply(&h, &c, &result);
    static const char text[] =
        "reply_code=405 reply_text=\"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue "
        "'theirs' in vhost '/'. It could be originally declared on another connection or the exclusive "
        "property value does not match that of the original declaration.\"";
    static const unsigned methods[] = {AMQP_QUEUE_DECLARE, AMQP_QUEUE_PURGE, AMQP_QUEUE_DELETE, AMQP_BASIC_CONSUME,
                                       AMQP_BASIC_GET};
    for (uint16_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char line[512];
        struct amqp_method m = amqp_method_of(methods[i]);
        if (methods[i] == AMQP_QUEUE_DECLARE) m.queue_declare.queue = c.name, m.queue_declare.passive = true;
        else if (methods[i] == AMQP_QUEUE_PURGE) m.queue_purge.queue = c.name;
        else if (methods[i] == AMQP_QUEUE_DELETE) m.queue_delete.queue = c.name;
        else if (methods[i] == AMQP_BASIC_CONSUME) m.basic_consume.queue = c.name;
        else m.basic_get.queue = c.name;
        if (i) say_empty(&h, (uint16_t)(i + 1), AMQP_CHANNEL_OPEN), harness_line(&h);
        say(&h, (uint16_t)(i + 1), &m);
        snprintf(line, sizeof line, "%u channel.close %s class_id=%u method_id=%u", i + 1, text, m.class_id,
                 m.method_id);
        hears(&h, line);
    }
    harness_close(&h);
}

static void a_queue_is_purged_and_deleted(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    h.ready = 9;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_PURGE);
    m.queue_purge.queue = slice_str("q");
    say(&h, 1, &m);
    asked(&h, "purge");
    hears(&h, "1 queue.purge-ok message_count=9");
    m = amqp_method_of(AMQP_QUEUE_DELETE);
    m.queue_delete.queue = slice_str("q");
    m.queue_delete.if_unused = true;
    m.queue_delete.if_empty = true;
    h.answer.code = REPLY_IN_USE;
    h.answer.reply_code = 406; /* whether or not the broker sends AMQP's code too */
    say(&h, 1, &m);
    asked(&h, "change type=4 name=q flags=3");
    hears(
        &h,
        "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - queue 'q' in vhost '/' in use\" class_id=50 "
        "method_id=40");
    asked(&h, "close 1");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    asked(&h, "open 1");
    h.answer = (struct backend_reply){.code = REPLY_NOT_EMPTY};
    say(&h, 1, &m);
    asked(&h, "change type=4 name=q flags=3");
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - queue 'q' in vhost '/' not empty\" "
              "class_id=50 "
              "method_id=40");
    asked(&h, "close 1");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    asked(&h, "open 1");
    h.answer = (struct backend_reply){0};
    say(&h, 1, &m);
    hears(&h, "1 queue.delete-ok message_count=9");
    asked(&h, "change type=4 name=q flags=3");
    say(&h, 1, &m); /* gone already */
    hears(&h, "1 queue.delete-ok message_count=0");
    asked_nothing(&h);
    harness_close(&h);
}

static void queues_are_bound_and_unbound(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_declare(&h, 1, "q", false);
    harness_line(&h);
    harness_asked(&h);
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_BIND);
    m.queue_bind.exchange = slice_str("amq.direct");
    say(&h, 1, &m); /* queue and key: the last declared */
    asked(&h, "change type=5 name=q flags=0");
    hears(&h, "1 queue.bind-ok");
    say_publish(&h, 1, "amq.direct", "q", "x");
    asked(&h, "publish queues=1 exchange=amq.direct key=q flags=0 priority=0 ttl=-1 tag=1 body=x");
    m = amqp_method_of(AMQP_QUEUE_UNBIND);
    m.queue_unbind.queue = slice_str("q");
    m.queue_unbind.exchange = slice_str("amq.direct");
    m.queue_unbind.routing_key = slice_str("other");
    say(&h, 1, &m);
    asked(&h, "change type=6 name=q flags=0");
    hears(&h, "1 queue.unbind-ok");
    m = amqp_method_of(AMQP_QUEUE_BIND);
    m.queue_bind.exchange = slice_str("nowhere");
    say(&h, 1, &m);
    hears(&h,
          "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'nowhere' in vhost '/'\" class_id=50 "
          "method_id=20");
    harness_close(&h);
}

static void the_default_exchange_is_not_bound(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_BIND);
    m.queue_bind.queue = slice_str("q");
    say(&h, 1, &m);
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - operation not permitted on the default "
              "exchange\" "
              "class_id=50 method_id=20");
    harness_close(&h);
}

static void a_topology_that_may_be_behind_is_asked_for_news_first(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.stale = true;
    h.slow = true;
    say_declare(&h, 1, "q", true);
    asked(&h, "refresh");
    hears_nothing(&h);
    harness_queue(&h, "q"); /* the news */
    h.slow = false;
    session_reply(h.session, 1, &(struct backend_reply){0});
    asked(&h, "stat");
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    say_declare(&h, 1, "none", true);
    asked(&h, "refresh");
    hears(&h, "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'none' in vhost '/'\" class_id=50 "
              "method_id=10");
    harness_close(&h);
}

static void a_refresh_without_a_majority_ends_the_connection(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.stale = h.slow = true;
    say_declare(&h, 1, "q", true);
    session_reply(h.session, 1,
                  &(struct backend_reply){.reply_code = 541, .text = slice_str("INTERNAL_ERROR - no answer")});
    hears(&h, "0 connection.close reply_code=541 reply_text=\"INTERNAL_ERROR - no answer\" class_id=50 method_id=10");
    harness_close(&h);
}

static void queues_may_be_led_by_the_clients_node_by_default(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.settings.leaders_local = true;
    h.led = 3;
    say_declare(&h, 1, "here", false);
    assert_int_equal(topology_queue(h.topology, slice_str("/"), slice_str("here"))->group, 3);
    struct buf arguments = {0};
    amqp_table_put_string(&arguments, "x-queue-leader-locator", slice_str("balanced")); /* counts more */
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("there");
    m.queue_declare.durable = true;
    m.queue_declare.arguments = buf_slice(&arguments);
    say(&h, 1, &m);
    buf_close(&arguments);
    assert_int_not_equal(topology_queue(h.topology, slice_str("/"), slice_str("there"))->group, 3);
    harness_close(&h);
}

static void a_queue_may_ask_to_be_led_by_the_clients_node(void **state)
{
    (void)state;
    static const char *const keys[] = {"x-queue-leader-locator", "x-queue-master-locator"};
    struct harness h;
    harness_open(&h);
    for (uint32_t led = 1; led <= 4; led++) {
        char name[8];
        struct buf arguments = {0};
        snprintf(name, sizeof name, "q%u", led);
        h.led = led;
        amqp_table_put_string(&arguments, keys[led % 2], slice_str("client-local"));
        struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
        m.queue_declare.queue = slice_str(name);
        m.queue_declare.durable = true;
        m.queue_declare.arguments = buf_slice(&arguments);
        say(&h, 1, &m);
        buf_close(&arguments);
        const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str(name));
        assert_non_null(q);
        assert_int_equal(q->group, led);
    }
    harness_close(&h);
}

/* Some change a broker that has several kinds of queues, or keep things for show; here all are as good as absent. */
static void arguments_without_effect_are_taken(void **state)
{
    (void)state;
    static const char *const numbers[] = {"x-max-in-memory-length",      "x-max-in-memory-bytes",
                                          "x-quorum-initial-group-size", "x-quorum-target-group-size",
                                          "x-initial-cluster-size",      "x-consumer-disconnected-timeout"};
    static const char *const texts[][2] = {{"x-queue-type", "quorum"},
                                           {"x-dead-letter-strategy", "at-least-once"},
                                           {"x-ha-policy", "all"},
                                           {"x-member-placement-tag", "here"},
                                           {"x-queue-leader-locator", "balanced"},
                                           {"x-internal-purpose", "federation"},
                                           {"x-nobody-knows-me", "?"}};
    struct harness h;
    struct buf arguments = {0};
    harness_open(&h);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) amqp_table_put_integer(&arguments, numbers[i], 3);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        amqp_table_put_string(&arguments, texts[i][0], slice_str(texts[i][1]));
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    m.queue_declare.durable = true;
    m.queue_declare.arguments = buf_slice(&arguments);
    for (int again = 0; again < 2; again++) {
        say(&h, 1, &m);
        hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    }
    const struct queue_record *q = topology_queue(h.topology, slice_str("/"), slice_str("q"));
    assert_true(slice_equal(q->arguments, buf_slice(&arguments))); /* remembered as they were sent */
    buf_close(&arguments);
    harness_close(&h);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        struct amqp_value value;
        const char *text;
    } cases[] = {
        {"x-message-ttl",
         {.type = 'I', .integer = -1},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "
         "{value_negative,-1}\""},
        {"x-expires",
         {.type = 'I', .integer = 0},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}\""},
        {"x-max-priority",
         {.type = 'I', .integer = 256},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': "
         "{max_value_exceeded,256}\""},
        {"x-max-length",
         {.type = 't', .boolean = true},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': "
         "\\x22expected integer, got bool\\x22\""},
        {"x-dead-letter-routing-key",
         {.type = 'V'},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': "
         "{unacceptable_type,void}\""},
        {"x-dead-letter-exchange",
         {.type = 'I', .integer = 5},
         "406 reply_text=\"PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue "
         "'q' "
         "in vhost '/'\""},
        {"x-overflow",
         {.type = 'S', .bytes = {(const uint8_t *)"drop", 4}},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': "
         "invalid_overflow\""},
        {"x-queue-mode",
         {.type = 'S', .bytes = {(const uint8_t *)"eager", 5}},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/': "
         "\\x22unsupported queue mode 'eager'\\x22\""},
        {"x-queue-version",
         {.type = 'I', .integer = 3},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': "
         "\\x22unsupported queue version '3'\\x22\""},
        {"x-message-ttl",
         {.type = 'l', .integer = INT64_C(315360000001)},
         "406 reply_text=\"PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "
         "{value_too_large,315360000001}\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        struct buf arguments = {0};
        char line[512];
        harness_open(&h);
        amqp_table_put_value(&arguments, slice_str(cases[i].key), &cases[i].value);
        struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
        m.queue_declare.queue = slice_str("q");
        m.queue_declare.arguments = buf_slice(&arguments);
        say(&h, 1, &m);
        snprintf(line, sizeof line, "1 channel.close reply_code=%s class_id=50 method_id=10", cases[i].text);
        hears(&h, line);
        buf_close(&arguments);
        harness_close(&h);
    }
}

static void what_is_not_there_yet_is_refused_with_540(void **state)
{
    (void)state;
    struct harness h;
    struct buf arguments = {0};
    harness_open(&h);
    amqp_table_put_string(&arguments, "x-queue-type", slice_str("stream"));
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    m.queue_declare.arguments = buf_slice(&arguments);
    say(&h, 1, &m);
    hears(&h, "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - argument 'x-queue-type' of queue 'q' "
              "in vhost "
              "'/'\" class_id=50 method_id=10");
    buf_close(&arguments);
    harness_close(&h);
}

/* While a node is waited for after a restart of all: what is transient is kept for those who declare it again. */
static void a_transient_queue_is_declared_again_at_the_meta_group_once(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result result;
    struct topology_command lives[] = {life_seen_command(1, 1), life_seen_command(2, 1), life_seen_command(1, 1),
                                       life_seen_command(1, 2)};
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    harness_open(&h);
    for (size_t i = 0; i < 3; i++) harness_apply(&h, &lives[i], &result);
    say(&h, 1, &m);
    asked(&h, "change type=3 name=q flags=0");
    harness_apply(&h, &lives[3], &result);
    say(&h, 1, &m);
    asked(&h, "change type=3 name=q flags=0");
    say(&h, 1, &m);
    asked(&h, "stat");
    harness_close(&h);
}

static void exclusive_queues_go_before_close_ok(void **state)
{
    (void)state;
    for (int slow = 0; slow < 3; slow++) {
        struct harness h;
        harness_open(&h);
        struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
        m.queue_declare.exclusive = true;
        m.queue_declare.queue = slice_str("mine");
        say(&h, 1, &m);
        m.queue_declare.queue = slice_str("mine too");
        say(&h, 1, &m);
        harness_line(&h);
        harness_line(&h);
        h.log_read = h.log.size;
        h.slow = slow;
        struct amqp_method close = amqp_method_of(AMQP_CONNECTION_CLOSE);
        say(&h, 0, &close);
        asked(&h, "close 1");
        asked(&h, "open 0");
        asked(&h, "change type=4 name=mine flags=0");
        if (slow) {
            hears_nothing(&h);
            assert_int_equal(session_state(h.session), SESSION_CLOSING);
            session_reply(h.session, 0, &(struct backend_reply){0});
        }
        asked(&h, "change type=4 name=mine too flags=0");
        if (slow == 1) session_reply(h.session, 0, &(struct backend_reply){0});
        if (slow == 2) session_tick(h.session, session_deadline_ms(h.session)); /* no majority: not for ever */
        asked(&h, "close 0");
        hears(&h, "0 connection.close-ok");
        assert_int_equal(session_state(h.session), SESSION_CLOSED);
        harness_close(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_declared_and_declared_again),
        cmocka_unit_test(no_wait_is_not_answered),
        cmocka_unit_test(another_kind_of_the_same_name_is_refused),
        cmocka_unit_test(the_server_makes_up_names),
        cmocka_unit_test(reserved_names_and_missing_names_are_refused),
        cmocka_unit_test(a_queue_of_another_connection_is_locked),
        cmocka_unit_test(a_queue_is_purged_and_deleted),
        cmocka_unit_test(queues_are_bound_and_unbound),
        cmocka_unit_test(the_default_exchange_is_not_bound),
        cmocka_unit_test(a_topology_that_may_be_behind_is_asked_for_news_first),
        cmocka_unit_test(a_refresh_without_a_majority_ends_the_connection),
        cmocka_unit_test(queues_may_be_led_by_the_clients_node_by_default),
        cmocka_unit_test(a_queue_may_ask_to_be_led_by_the_clients_node),
        cmocka_unit_test(arguments_without_effect_are_taken),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(what_is_not_there_yet_is_refused_with_540),
        cmocka_unit_test(a_transient_queue_is_declared_again_at_the_meta_group_once),
        cmocka_unit_test(exclusive_queues_go_before_close_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
