/* Deliveries at a port whose client is gone: only their order is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/broker/broker_internal.h"

struct bench {
    struct broker broker;
    struct port port;
};

static struct port *begin(struct bench *b)
{
    *b = (struct bench){.port = {.state = PORT_SYNCED, .in_hand = 4}};
    b->port.broker = &b->broker;
    list_init(&b->broker.dirty_ports);
    list_init(&b->port.dirty_link);
    return &b->port;
}

static void end(struct port *p)
{
    list_remove(&p->dirty_link);
}

static void told(struct port *p, uint8_t type, uint64_t dseq, uint64_t number)
{
    struct effect e = {.type = type, .dseq = dseq, .number = number};
    port_effect(p, &e);
}

static void comes(struct port *p, uint64_t dseq)
{
    told(p, EFFECT_DELIVER, dseq, 0);
}

static void a_lost_one_is_asked_for_again(void **state)
{
    (void)state;
    struct bench b;
    struct port *p = begin(&b);
    comes(p, 5);
    comes(p, 5);
    assert_int_equal(p->in_hand, 5);
    comes(p, 7);
    assert_int_equal(p->in_hand, 5);
    assert_int_equal(p->state, PORT_UNSYNCED);
    end(p);
}

/* The leader named what it settled while this node was out of reach: the rest is taken over the gaps. */
static void what_was_settled_is_not_waited_for(void **state)
{
    (void)state;
    struct bench b;
    struct port *p = begin(&b);
    told(p, EFFECT_SETTLED, 8, 10);
    comes(p, 6);
    assert_int_equal(p->in_hand, 6);
    comes(p, 8);
    assert_int_equal(p->in_hand, 10);
    comes(p, 11);
    assert_int_equal(p->in_hand, 11);
    assert_int_equal(p->state, PORT_SYNCED);
    end(p);
}

static void when_all_was_settled_the_next_one_follows(void **state)
{
    (void)state;
    struct bench b;
    struct port *p = begin(&b);
    uint64_t bytes = p->in_hand_bytes;
    told(p, EFFECT_SETTLED, 4, 10);
    assert_int_equal(p->in_hand, 10);
    assert_true(p->in_hand_bytes > bytes); /* a receipt is due: they may have filled the leader's window */
    comes(p, 11);
    assert_int_equal(p->in_hand, 11);
    assert_int_equal(p->state, PORT_SYNCED);
    end(p);
}

static void what_comes_behind_the_settled_must_not_have_gaps(void **state)
{
    (void)state;
    struct bench b;
    struct port *p = begin(&b);
    told(p, EFFECT_SETTLED, 6, 6);
    comes(p, 6);
    comes(p, 8);
    assert_int_equal(p->in_hand, 6);
    assert_int_equal(p->state, PORT_UNSYNCED);
    end(p);
}

/* The rest of an answer may be lost with its link: what it said of gaps is void. */
static void another_hello_voids_it(void **state)
{
    (void)state;
    struct bench b;
    struct port *p = begin(&b);
    told(p, EFFECT_SETTLED, 8, 10);
    port_hello_soon(p);
    comes(p, 6);
    assert_int_equal(p->in_hand, 4);
    told(p, EFFECT_SETTLED, 8, 10);
    comes(p, 5);
    comes(p, 8);
    assert_int_equal(p->in_hand, 10);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_one_is_asked_for_again),
        cmocka_unit_test(what_was_settled_is_not_waited_for),
        cmocka_unit_test(when_all_was_settled_the_next_one_follows),
        cmocka_unit_test(what_comes_behind_the_settled_must_not_have_gaps),
        cmocka_unit_test(another_hello_voids_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
