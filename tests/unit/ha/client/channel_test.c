#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/ha/client/pair.h"

static void select_confirms(struct pair *p)
{
    struct amqp_method m = amqp_method_of(AMQP_CONFIRM_SELECT);
    client_send(p->client, 1, &m, 0);
    pair_pump(p);
    heard(p, "answered 1 confirm.select-ok");
}

static void consume(struct pair *p, const char *queue)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = slice_str(queue);
    m.basic_consume.consumer_tag = slice_str("tag");
    client_send(p->client, 1, &m, 3);
    pair_pump(p);
    heard(p, "answered 1 token=3 basic.consume-ok consumer_tag=tag");
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    for (uint64_t i = 1; i <= 3; i++) {
        struct amqp_method m = method_queue_declare(i == 1 ? "a" : i == 2 ? "b" : "c");
        m.queue_declare.no_wait = i == 2;
        client_send(p.client, 1, &m, i);
    }
    struct amqp_method m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str("a");
    client_send(p.client, 1, &m, 4);
    pair_pump(&p);
    heard(&p, "answered 1 token=1 queue.declare-ok queue=a message_count=0 consumer_count=0");
    heard(&p, "answered 1 token=3 queue.declare-ok queue=c message_count=0 consumer_count=0");
    heard(&p, "answered 1 token=4 basic.get-empty cluster_id=");
    heard_nothing(&p);
    pair_close(&p);
}

static void many_requests_wait_at_once(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    p.broker.slow = true;
    for (uint64_t i = 1; i <= 500; i++) {
        struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
        client_send(p.client, 1, &m, i);
        if (i % 50 == 0) pair_pump(&p);
    }
    char line[64];
    for (unsigned i = 1; i <= 500; i++) {
        snprintf(line, sizeof line, "answered 1 token=%u basic.qos-ok", i);
        heard(&p, line);
    }
    heard_nothing(&p);
    pair_close(&p);
}

static void a_closed_channel_takes_its_requests_with_it(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    struct amqp_method m = method_queue_declare("missing");
    m.queue_declare.passive = true;
    client_send(p.client, 1, &m, 1);
    client_send(p.client, 1, &m, 2);
    pair_pump(&p);
    heard(&p, "channel closed 1 404 NOT_FOUND - no queue 'missing' in vhost '/'");
    heard_nothing(&p);
    assert_false(client_channel_is_open(p.client, 1));
    client_send(p.client, 1, &m, 3); /* into the void */
    assert_int_equal(client_output(p.client)->size, 0);
    client_channel_open(p.client, 1, 9);
    pair_pump(&p);
    heard(&p, "answered 1 token=9 channel.open-ok channel_id=");
    pair_close(&p);
}

static void a_channel_is_closed_by_us(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    consume(&p, "q");
    harness_deliver(&p.broker, 1, 1, 1, "on its way");
    client_channel_close(p.client, 1);
    pair_pump(&p);
    heard_nothing(&p);
    client_channel_open(p.client, 1, 5);
    pair_pump(&p);
    heard(&p, "answered 1 token=5 channel.open-ok channel_id=");
    pair_close(&p);
}

static void deliveries_come_with_their_content(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    consume(&p, "q");
    harness_deliver(&p.broker, 1, 1, 1, "hello");
    harness_deliver(&p.broker, 1, 1, 1, "");
    session_turn_end(p.broker.session, 1000);
    pair_pump(&p);
    heard(&p, "delivered 1 basic.deliver consumer_tag=tag delivery_tag=1 redelivered=false exchange=x routing_key=k "
              "body=hello");
    heard(&p, "delivered 1 basic.deliver consumer_tag=tag delivery_tag=2 redelivered=false exchange=x routing_key=k");
    p.broker.log_read = p.broker.log.size;
    client_ack(p.client, 1, 1, false);
    client_nack(p.client, 1, 2, true);
    pair_pump(&p);
    asked(&p.broker, "settle group=1 1..1 ack");
    asked(&p.broker, "settle group=1 2..2 requeue");
    pair_close(&p);
}

static void large_bodies_travel_in_pieces(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    enum { SIZE = 300000 };
    static char big[SIZE + 1];
    memset(big, 'b', SIZE);
    struct amqp_method publish = method_publish("", "q", false);
    client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_str(big));
    pair_pump(&p);
    asked(&p.broker, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=bbbbbbbbbbbbbbbbbbbb");
    consume(&p, "q");
    harness_deliver(&p.broker, 1, 1, 1, big);
    session_turn_end(p.broker.session, 1000);
    pair_pump(&p);
    heard(&p, "delivered 1 basic.deliver consumer_tag=tag delivery_tag=1 redelivered=false exchange=x routing_key=k "
              "body=bbbbbbbbbbbbbbbbbbbb");
    pair_close(&p);
}

static void publishes_are_numbered_and_confirmed(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    struct amqp_method publish = method_publish("", "q", false);
    assert_int_equal(client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_str("0")), 0);
    pair_pump(&p);
    select_confirms(&p);
    for (uint64_t i = 1; i <= 4; i++)
        assert_int_equal(client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_str("x")), i);
    pair_pump(&p);
    session_confirm(p.broker.session, 1, 1, true);
    session_confirm(p.broker.session, 1, 2, true); /* the broker's tags count from the unconfirmed one */
    session_confirm(p.broker.session, 1, 3, true);
    session_confirm(p.broker.session, 1, 5, false);
    session_turn_end(p.broker.session, 1000);
    pair_pump(&p);
    heard(&p, "confirmed 1 number=2 multiple ok");
    heard(&p, "confirmed 1 number=4 refused");
    heard_nothing(&p);
    pair_close(&p);
}

static void a_return_comes_before_its_confirm(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    select_confirms(&p);
    struct amqp_method publish = method_publish("", "nowhere", true);
    client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_str("lost"));
    pair_pump(&p);
    heard(&p, "returned 1 basic.return reply_code=312 reply_text=NO_ROUTE exchange= routing_key=nowhere body=lost");
    heard(&p, "confirmed 1 number=1 ok");
    pair_close(&p);
}

static void a_confirm_for_nothing_ends_the_connection(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    select_confirms(&p);
    amqp_ack_put(&p.to_client, 1, 1, false);
    pair_hear(&p);
    heard(&p, "closed 503 a confirm for what was not published");
    pair_close(&p);
}

static void the_servers_cancel_is_told(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    consume(&p, "q");
    session_consumer_cancelled(p.broker.session, 1, 1, 1, 0);
    session_turn_end(p.broker.session, 1000);
    pair_pump(&p);
    heard(&p, "cancelled 1 basic.cancel consumer_tag=tag no_wait=true");
    pair_close(&p);
}

static void a_get_brings_its_message(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    p.broker.get_delivers = true;
    struct amqp_method m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str("q");
    client_send(p.client, 1, &m, 6);
    pair_pump(&p);
    heard(&p, "answered 1 token=6 basic.get-ok delivery_tag=1 redelivered=false exchange=x routing_key=k "
              "message_count=0 body=got");
    pair_close(&p);
}

static void a_full_output_says_when_it_is_not(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    static uint8_t big[100000];
    struct amqp_method publish = method_publish("", "q", false);
    while (!client_is_full(p.client))
        client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_of(big, sizeof big));
    heard_nothing(&p);
    pair_pump(&p);
    heard(&p, "writable");
    heard_nothing(&p);
    assert_false(client_is_full(p.client));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(many_requests_wait_at_once),
        cmocka_unit_test(a_closed_channel_takes_its_requests_with_it),
        cmocka_unit_test(a_channel_is_closed_by_us),
        cmocka_unit_test(deliveries_come_with_their_content),
        cmocka_unit_test(large_bodies_travel_in_pieces),
        cmocka_unit_test(publishes_are_numbered_and_confirmed),
        cmocka_unit_test(a_return_comes_before_its_confirm),
        cmocka_unit_test(a_confirm_for_nothing_ends_the_connection),
        cmocka_unit_test(the_servers_cancel_is_told),
        cmocka_unit_test(a_get_brings_its_message),
        cmocka_unit_test(a_full_output_says_when_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
