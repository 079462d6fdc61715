/* A message that an exchange kept, when it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "node/broker/death.h"

struct kept {
    struct buf names, content;
};

static void open_kept(struct kept *k, struct buf *headers, const char *expiration)
{
    struct amqp_properties p = {.flags = AMQP_HAS_HEADERS | AMQP_HAS_DELIVERY_MODE | AMQP_HAS_PRIORITY,
                                .delivery_mode = AMQP_DELIVERY_PERSISTENT,
                                .priority = 4,
                                .headers = buf_slice(headers)};
    struct buf properties = {0};
    if (expiration) {
        p.flags |= AMQP_HAS_EXPIRATION;
        p.expiration = slice_str(expiration);
    }
    amqp_properties_encode(&properties, &p);
    *k = (struct kept){0};
    buf_put_counted(&k->names, slice_str("/"));
    buf_put_counted(&k->names, slice_str("later"));
    content_encode(&k->content, &(struct content){.exchange = slice_str("front"),
                                                  .routing_key = slice_str("key"),
                                                  .properties = buf_slice(&properties),
                                                  .body = slice_str("body")});
    buf_close(&properties);
}

static void close_kept(struct kept *k, struct buf *headers)
{
    buf_close(&k->names);
    buf_close(&k->content);
    buf_close(headers);
}

static void when_it_is_due_all_is_as_it_was_but_the_delay(void **state)
{
    (void)state;
    struct kept k;
    struct buf headers = {0};
    struct death d = {0};
    int64_t delay;
    struct slice text;
    amqp_table_put_integer(&headers, "x-delay", 500);
    amqp_table_put_string(&headers, "other", slice_str("stays"));
    open_kept(&k, &headers, "1500");
    assert_true(death_compose_kept(&d, buf_slice(&k.names), buf_slice(&k.content), true));
    assert_true(slice_is(d.vhost, "/") && slice_is(d.exchange, "later"));
    assert_true(slice_is(d.content.exchange, "front") && slice_is(d.content.routing_key, "key"));
    assert_true(slice_is(d.content.body, "body"));
    assert_true(amqp_table_find_integer(d.headers, "x-delay", &delay));
    assert_int_equal(delay, -500);
    assert_true(amqp_table_find_string(d.headers, "other", &text));
    assert_int_equal(d.ttl_ms, 1500);
    assert_true(d.persistent);
    assert_int_equal(d.priority, 4);
    assert_false(d.marked); /* no exchange keeps it back again */
    death_close(&d);
    close_kept(&k, &headers);
}

static void a_history_changes_nothing(void **state)
{
    (void)state;
    struct kept k;
    struct buf headers = {0};
    struct death d = {0};
    int64_t delay;
    amqp_table_put_integer(&headers, "x-delay", 500);
    open_kept(&k, &headers, NULL);
    assert_true(death_compose_kept(&d, buf_slice(&k.names), buf_slice(&k.content), false));
    assert_true(amqp_table_find_integer(d.headers, "x-delay", &delay));
    assert_int_equal(delay, 500);
    assert_true(d.ttl_ms == UINT64_MAX);
    assert_true(d.marked);
    death_close(&d);
    close_kept(&k, &headers);
}

static void what_does_not_parse_is_refused(void **state)
{
    (void)state;
    struct kept k;
    struct buf headers = {0};
    struct death d = {0};
    open_kept(&k, &headers, NULL);
    assert_false(death_compose_kept(&d, slice_of(k.names.data, 3), buf_slice(&k.content), true));
    assert_false(death_compose_kept(&d, buf_slice(&k.names), slice_of(k.content.data, 5), true));
    death_close(&d);
    close_kept(&k, &headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_it_is_due_all_is_as_it_was_but_the_delay),
        cmocka_unit_test(a_history_changes_nothing),
        cmocka_unit_test(what_does_not_parse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
