#include "router/queue_arguments.h"

#include "tests/unit/router/harness.h"

static void a_queue_without_arguments_has_no_limits(void **state)
{
    (void)state;
    struct queue_arguments a;
    struct topology_result r = {0};
    assert_true(queue_arguments_decode((struct slice){0}, &a, &r));
    assert_true(a.message_ttl_ms == -1 && a.expires_ms == -1 && a.max_length == -1 && a.max_length_bytes == -1);
    assert_true(a.delivery_limit == -1 && a.max_priority == 0 && a.overflow == 0);
    assert_false(a.single_active_consumer || a.has_dead_letter_exchange);
    assert_null(a.dead_letter_routing_key.data);
    assert_int_equal(r.reply_code, 0);
}

static void each_argument_is_understood(void **state)
{
    (void)state;
    struct queue_arguments a;
    struct topology_result r = {0};
    struct buf b = {0};
    put_text(&b, "x-queue-type", "quorum"); /* remembered elsewhere */
    put_integer(&b, "x-message-ttl", 60000);
    put_integer(&b, "x-expires", QUEUE_TIME_MS_MAX);
    put_integer(&b, "x-max-length", 0);
    put_integer(&b, "x-max-length-bytes", INT64_MAX);
    put_integer(&b, "x-delivery-limit", 20);
    put_integer(&b, "x-max-priority", 255);
    put_text(&b, "x-dead-letter-exchange", "dlx");
    put_text(&b, "x-dead-letter-routing-key", "dead");
    put_text(&b, "x-overflow", "reject-publish");
    put_bool(&b, "x-single-active-consumer", true);
    assert_true(queue_arguments_decode(buf_slice(&b), &a, &r));
    assert_true(a.message_ttl_ms == 60000 && a.expires_ms == QUEUE_TIME_MS_MAX);
    assert_true(a.max_length == 0 && a.max_length_bytes == INT64_MAX && a.delivery_limit == 20);
    assert_true(a.max_priority == 255 && a.overflow == 1 && a.single_active_consumer && a.has_dead_letter_exchange);
    assert_true(slice_is(a.dead_letter_exchange, "dlx") && slice_is(a.dead_letter_routing_key, "dead"));
    buf_close(&b);
}

static void empty_names_are_names(void **state)
{
    (void)state;
    struct queue_arguments a;
    struct buf b = {0};
    put_text(&b, "x-dead-letter-routing-key", "");
    put_text(&b, "x-dead-letter-exchange", ""); /* the default exchange */
    assert_true(queue_arguments_decode(buf_slice(&b), &a, NULL));
    assert_true(a.has_dead_letter_exchange && a.dead_letter_exchange.size == 0);
    assert_non_null(a.dead_letter_routing_key.data); /* empty, which is not "keep the message's" */
    assert_int_equal(a.dead_letter_routing_key.size, 0);
    buf_close(&b);
}

static void every_overflow_has_its_number(void **state)
{
    (void)state;
    static const char *const names[] = {"drop-head", "reject-publish", "reject-publish-dlx"};
    for (size_t i = 0; i < 3; i++) {
        struct queue_arguments a;
        struct buf b = {0};
        put_text(&b, "x-overflow", names[i]);
        assert_true(queue_arguments_decode(buf_slice(&b), &a, NULL));
        assert_int_equal(a.overflow, i);
        buf_close(&b);
    }
}

static void integers_of_every_width_are_taken(void **state)
{
    (void)state;
    const struct slice tables[] = {
        BYTES("\x0cx-max-lengthb\7"),
        BYTES("\x0cx-max-lengthB\7"),
        BYTES("\x0cx-max-lengths\0\7"),
        BYTES("\x0cx-max-lengthu\0\7"),
        BYTES("\x0cx-max-lengthI\0\0\0\7"),
        BYTES("\x0cx-max-lengthi\0\0\0\7"),
        BYTES("\x0cx-max-lengthl\0\0\0\0\0\0\0\7"),
        BYTES("\x0cx-max-lengthL\0\0\0\0\0\0\0\7"),
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct queue_arguments a;
        assert_true(queue_arguments_decode(tables[i], &a, NULL));
        assert_int_equal(a.max_length, 7);
    }
}

static void a_negative_delivery_limit_is_none(void **state)
{
    (void)state;
    struct queue_arguments a;
    struct buf b = {0};
    put_integer(&b, "x-delivery-limit", -5);
    assert_true(queue_arguments_decode(buf_slice(&b), &a, NULL));
    assert_int_equal(a.delivery_limit, -1);
    buf_close(&b);
}

static void refuse_table(struct buf *b, const char *key)
{
    struct queue_arguments a;
    struct topology_result r = {0};
    char start[128];
    snprintf(start, sizeof start, "PRECONDITION_FAILED - invalid arg '%s': ", key);
    assert_false(queue_arguments_decode(buf_slice(b), &a, &r));
    assert_int_equal(r.reply_code, 406);
    if (strncmp(r.text, start, strlen(start))) fail_msg("\"%s\" should begin with \"%s\"", r.text, start);
    assert_true(strlen(r.text) > strlen(start));
    assert_false(queue_arguments_decode(buf_slice(b), &a, NULL));
    buf_clear(b);
}

static void values_that_cannot_be_meant_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const integers[] = {"x-message-ttl",      "x-expires",        "x-max-length",
                                           "x-max-length-bytes", "x-delivery-limit", "x-max-priority"};
    static const char *const texts[] = {"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-overflow"};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        put_text(&b, integers[i], "12");
        refuse_table(&b, integers[i]);
        put_bool(&b, integers[i], true);
        refuse_table(&b, integers[i]);
        if (!strcmp(integers[i], "x-delivery-limit")) continue;
        put_integer(&b, integers[i], -1);
        refuse_table(&b, integers[i]);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_integer(&b, texts[i], 1);
        refuse_table(&b, texts[i]);
    }
    put_integer(&b, "x-message-ttl", QUEUE_TIME_MS_MAX + 1);
    refuse_table(&b, "x-message-ttl");
    put_integer(&b, "x-expires", QUEUE_TIME_MS_MAX + 1);
    refuse_table(&b, "x-expires");
    put_integer(&b, "x-expires", 0);
    refuse_table(&b, "x-expires");
    put_integer(&b, "x-max-priority", 256);
    refuse_table(&b, "x-max-priority");
    put_text(&b, "x-overflow", "sideways");
    refuse_table(&b, "x-overflow");
    put_text(&b, "x-dead-letter-routing-key", "k");
    refuse_table(&b, "x-dead-letter-routing-key");
    put_integer(&b, "x-single-active-consumer", 1);
    refuse_table(&b, "x-single-active-consumer");
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_without_arguments_has_no_limits),
        cmocka_unit_test(each_argument_is_understood),
        cmocka_unit_test(empty_names_are_names),
        cmocka_unit_test(every_overflow_has_its_number),
        cmocka_unit_test(integers_of_every_width_are_taken),
        cmocka_unit_test(a_negative_delivery_limit_is_none),
        cmocka_unit_test(values_that_cannot_be_meant_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
