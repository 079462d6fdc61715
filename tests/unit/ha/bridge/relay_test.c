#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ha/bridge/relay.h"
#include "tests/unit/ha/client/pair.h"

/* A source that has delivered `count` messages on channel 1. */
static void open_source(struct pair *p, unsigned count)
{
    pair_open(p);
    harness_queue(&p->broker, "q");
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = slice_str("q");
    client_send(p->client, 1, &m, 0);
    pair_pump(p);
    for (unsigned i = 0; i < count; i++) harness_deliver(&p->broker, 1, 1, 1, "x");
    pair_pump(p);
    p->broker.log_read = p->broker.log.size;
}

static void settle(struct relay *r, struct pair *p, uint64_t now_ms)
{
    relay_settle(r, p->client, 1, now_ms);
    pair_pump(p);
}

static void the_source_is_acked_when_the_elders_are_confirmed(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 4);
    relay_init(&r, RELAY_ON_CONFIRM, 1000);
    for (uint64_t i = 1; i <= 4; i++) relay_published(&r, i, i, 1000);
    relay_confirmed(&r, 2, false, true, 1000);
    settle(&r, &p, 1000);
    asked_nothing(&p.broker);
    relay_confirmed(&r, 1, false, true, 1000);
    relay_confirmed(&r, 3, false, true, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 1..3 ack");
    asked_nothing(&p.broker);
    assert_int_equal(relay_pending(&r), 1);
    relay_confirmed(&r, 4, true, true, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 4..4 ack");
    assert_int_equal(r.settled, 4);
    relay_close(&r);
    pair_close(&p);
}

static void a_refused_message_goes_back_after_a_pause(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 3);
    relay_init(&r, RELAY_ON_CONFIRM, 1000);
    for (uint64_t i = 1; i <= 3; i++) relay_published(&r, i, i, 1000);
    relay_confirmed(&r, 2, false, false, 1000);
    relay_confirmed(&r, 1, false, true, 1000);
    relay_confirmed(&r, 3, false, true, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 1..1 ack");
    asked_nothing(&p.broker);
    assert_int_equal(relay_deadline_ms(&r), 1000 + RELAY_REFUSED_MS);
    settle(&r, &p, 1000 + RELAY_REFUSED_MS);
    asked(&p.broker, "settle group=1 2..2 requeue");
    asked(&p.broker, "settle group=1 3..3 ack");
    assert_int_equal(relay_pending(&r), 0);
    relay_close(&r);
    pair_close(&p);
}

static void dropped_messages_are_acked_with_their_elders(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 4);
    relay_init(&r, RELAY_ON_CONFIRM, 1000);
    relay_dropped(&r, 1);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 1..1 ack");
    relay_published(&r, 2, 1, 1000);
    relay_dropped(&r, 3);
    relay_dropped(&r, 4);
    settle(&r, &p, 1000);
    asked_nothing(&p.broker);
    relay_confirmed(&r, 1, false, false, 1000);
    settle(&r, &p, 5000);
    asked(&p.broker, "settle group=1 2..2 requeue");
    asked(&p.broker, "settle group=1 3..4 ack");
    relay_close(&r);
    pair_close(&p);
}

static void on_publish_does_not_wait(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 2);
    relay_init(&r, RELAY_ON_PUBLISH, 1000);
    relay_published(&r, 1, 0, 1000);
    relay_published(&r, 2, 0, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 1..2 ack");
    assert_int_equal(relay_pending(&r), 0);
    relay_close(&r);
    pair_close(&p);
}

static void silence_of_the_destination_is_a_stall(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 1);
    relay_init(&r, RELAY_ON_CONFIRM, 1000);
    assert_false(relay_stalled(&r, 1000000));
    relay_published(&r, 1, 1, 5000);
    assert_false(relay_stalled(&r, 5000 + RELAY_STALL_MS - 1));
    assert_true(relay_stalled(&r, 5000 + RELAY_STALL_MS));
    relay_confirmed(&r, 1, false, true, 9000);
    settle(&r, &p, 9000);
    assert_false(relay_stalled(&r, 1000000));
    relay_close(&r);
    pair_close(&p);
}

static void the_ring_grows_in_the_middle(void **state)
{
    (void)state;
    struct pair p;
    struct relay r;
    open_source(&p, 300);
    relay_init(&r, RELAY_ON_CONFIRM, 1000);
    for (uint64_t i = 1; i <= 40; i++) relay_published(&r, i, i, 1000);
    relay_confirmed(&r, 30, true, true, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 1..30 ack");
    for (uint64_t i = 41; i <= 300; i++) relay_published(&r, i, i, 1000);
    relay_confirmed(&r, 300, true, true, 1000);
    settle(&r, &p, 1000);
    asked(&p.broker, "settle group=1 31..300 ack");
    relay_close(&r);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_acked_when_the_elders_are_confirmed),
        cmocka_unit_test(a_refused_message_goes_back_after_a_pause),
        cmocka_unit_test(dropped_messages_are_acked_with_their_elders),
        cmocka_unit_test(on_publish_does_not_wait),
        cmocka_unit_test(silence_of_the_destination_is_a_stall),
        cmocka_unit_test(the_ring_grows_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
