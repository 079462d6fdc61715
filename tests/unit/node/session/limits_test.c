/* Limits that the configuration sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void say_exchange(struct harness *h, const char *name)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    m.exchange_declare.exchange = slice_str(name);
    m.exchange_declare.type = slice_str("fanout");
    say(h, 1, &m);
}

static void a_channel_has_so_many_consumers(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.settings.consumer_max = 2;
    harness_queue(&h, "q");
    say_consume(&h, 1, "q", "a", true);
    say_consume(&h, 1, "q", "b", true);
    hears(&h, "1 basic.consume-ok consumer_tag=\"a\"");
    hears(&h, "1 basic.consume-ok consumer_tag=\"b\"");
    say_consume(&h, 1, "q", "c", true);
    hears(&h, "0 connection.close reply_code=530 reply_text=\"NOT_ALLOWED - reached maximum (2) of consumers per "
              "channel\" class_id=60 method_id=20");
    harness_close(&h);
}

static void a_cluster_has_so_many_queues(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.settings.cluster_queue_max = 1;
    say_declare(&h, 1, "one", false);
    say_declare(&h, 1, "one", false); /* there already: that is no new one */
    hears(&h, "1 queue.declare-ok queue=\"one\" message_count=0 consumer_count=0");
    hears(&h, "1 queue.declare-ok queue=\"one\" message_count=0 consumer_count=0");
    say_declare(&h, 1, "two", false);
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - cannot declare queue 'two': queue "
              "limit in cluster (1) is reached\" class_id=50 method_id=10");
    harness_close(&h);
}

static void a_cluster_has_so_many_exchanges(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    h.settings.cluster_exchange_max = topology_exchange_count(h.topology) + 1;
    say_exchange(&h, "one");
    say_exchange(&h, "one");
    hears(&h, "1 exchange.declare-ok");
    hears(&h, "1 exchange.declare-ok");
    say_exchange(&h, "two");
    char line[256];
    snprintf(line, sizeof line,
             "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - cannot declare exchange 'two' in vhost "
             "'/': exchange limit of %llu is reached\" class_id=40 method_id=10",
             (unsigned long long)h.settings.cluster_exchange_max);
    hears(&h, line);
    harness_close(&h);
}

/* A start-ok with a response of so many bytes. */
static void say_long_start_ok(struct harness *h, size_t size)
{
    struct buf response = {0};
    buf_put(&response, "\0guest\0", 7);
    memset(buf_reserve(&response, size), 'x', size);
    response.size += size;
    say_start_ok(h, "PLAIN", buf_slice(&response), true);
    buf_close(&response);
}

static void credentials_may_be_as_long_as_the_first_frames(void **state)
{
    (void)state;
    for (int larger = 0; larger < 2; larger++) {
        struct harness h;
        harness_init(&h, true);
        session_destroy(h.session);
        if (larger) h.settings.initial_frame_max = 16384;
        h.session = session_create(&h.settings, &h.backend, "127.0.0.1:1 -> 127.0.0.1:5672", true, h.now_ms);
        say_bytes(&h, "AMQP\0\0\11\1", 8);
        buf_clear(session_output(h.session));
        h.output_read = 0;
        say_long_start_ok(&h, 10000);
        /* 501 before tune-ok is a close without words */
        assert_int_equal(h.session && session_output(h.session)->size > 0, larger);
        harness_close(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_has_so_many_consumers),
        cmocka_unit_test(a_cluster_has_so_many_queues),
        cmocka_unit_test(a_cluster_has_so_many_exchanges),
        cmocka_unit_test(credentials_may_be_as_long_as_the_first_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
