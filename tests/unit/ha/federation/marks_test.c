#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ha/bridge/headers.h"
#include "ha/federation/marks.h"

static void headers_are(const struct buf *properties, const char *expected)
{
    struct amqp_properties p;
    struct buf text = {0};
    assert_int_equal(amqp_properties_decode(buf_slice(properties), &p), 0);
    amqp_table_print(&text, p.headers);
    buf_put_u8(&text, 0);
    assert_string_equal((char *)text.data, expected);
    buf_close(&text);
}

static const struct marks_source north = {
    .uri = {(const uint8_t *)"amqp://n", 8},
    .exchange = {(const uint8_t *)"x", 1},
    .cluster_name = {(const uint8_t *)"north", 5},
    .vhost = {(const uint8_t *)"/", 1},
};
static const struct marks_source north_queue = {
    .uri = {(const uint8_t *)"amqp://n", 8}, .queue = {(const uint8_t *)"q", 1}, .vhost = {(const uint8_t *)"/", 1}};

static void each_exchange_link_puts_its_source_in_front(void **state)
{
    (void)state;
    struct buf once = {0}, twice = {0};
    struct marks_source west = north;
    west.cluster_name = slice_str("west");
    west.redelivered = true;
    assert_true(marks_put_exchange(&once, slice_of("\x10\0\2", 3), &west));
    assert_true(marks_put_exchange(&twice, buf_slice(&once), &north));
    headers_are(&twice, "{x-received-from: [{uri: \"amqp://n\", exchange: \"x\", redelivered: false, cluster-name: "
                        "\"north\", vhost: \"/\"}, {uri: \"amqp://n\", exchange: \"x\", redelivered: true, "
                        "cluster-name: \"west\", vhost: \"/\"}]}");
    buf_close(&once);
    buf_close(&twice);
}

static void a_user_id_is_left_out_unless_it_is_trusted(void **state)
{
    (void)state;
    struct amqp_properties p = {.flags = AMQP_HAS_USER_ID, .user_id = slice_str("bob")};
    struct buf raw = {0}, out = {0};
    struct marks_source trusting = north;
    trusting.trust_user_id = true;
    amqp_properties_encode(&raw, &p);
    assert_true(marks_put_exchange(&out, buf_slice(&raw), &north));
    assert_int_equal(amqp_properties_decode(buf_slice(&out), &p), 0);
    assert_false(p.flags & AMQP_HAS_USER_ID);
    buf_clear(&out);
    assert_true(marks_put_exchange(&out, buf_slice(&raw), &trusting));
    assert_int_equal(amqp_properties_decode(buf_slice(&out), &p), 0);
    assert_true(slice_is(p.user_id, "bob"));
    buf_close(&raw);
    buf_close(&out);
}

static void a_header_that_is_no_array_is_put_aside(void **state)
{
    (void)state;
    struct buf headers = {0}, raw = {0}, out = {0};
    amqp_table_put_string(&headers, "x-received-from", slice_str("nonsense"));
    struct amqp_properties p = {.flags = AMQP_HAS_HEADERS, .headers = buf_slice(&headers)};
    amqp_properties_encode(&raw, &p);
    assert_true(marks_put_exchange(&out, buf_slice(&raw), &north));
    headers_are(&out,
                "{x-received-from: [{uri: \"amqp://n\", exchange: \"x\", redelivered: false, cluster-name: \"north\", "
                "vhost: \"/\"}], x-invalid-headers: {x-received-from: [\"nonsense\"]}}");
    buf_close(&headers);
    buf_close(&raw);
    buf_close(&out);
}

static void queue_links_count_visits_and_keep_the_origin(void **state)
{
    (void)state;
    struct buf headers = {0}, raw = {0}, once = {0}, twice = {0};
    size_t at = amqp_table_open_array(&headers, "CC");
    amqp_array_put_string(&headers, slice_str("copy"));
    amqp_nested_close(&headers, at);
    struct amqp_properties p = {.flags = AMQP_HAS_HEADERS, .headers = buf_slice(&headers)};
    amqp_properties_encode(&raw, &p);
    assert_true(marks_put_queue(&once, buf_slice(&raw), &north_queue, slice_str("orders"), slice_str("new")));
    headers_are(&once,
                "{x-received-from: [{uri: \"amqp://n\", queue: \"q\", redelivered: false, vhost: \"/\", visit-count: "
                "1}], x-original-cc: [\"copy\"], x-original-exchange: \"orders\", x-original-routing-key: \"new\"}");
    assert_true(marks_put_queue(&twice, buf_slice(&once), &north_queue, slice_str(""), slice_str("q")));
    headers_are(&twice, "{x-received-from: [{uri: \"amqp://n\", queue: \"q\", redelivered: false, vhost: \"/\", "
                        "visit-count: 2}], x-original-cc: [\"copy\"], x-original-exchange: \"orders\", "
                        "x-original-routing-key: \"new\"}");
    buf_close(&headers);
    buf_close(&raw);
    buf_close(&once);
    buf_close(&twice);
}

static void binding_is(struct slice arguments, int64_t max_hops, const char *upstream, const char *expected)
{
    struct buf out = {0}, text = {0};
    struct marks_downstream d = {.cluster_name = slice_str("south"),
                                 .vhost = slice_str("/"),
                                 .exchange = slice_str("/:fed A"),
                                 .upstream_cluster_name = slice_str(upstream),
                                 .upstream_vhost = slice_str("/"),
                                 .max_hops = max_hops};
    bool travels = marks_put_binding(&out, arguments, &d);
    assert_int_equal(travels, expected != NULL);
    if (travels) {
        amqp_table_print(&text, buf_slice(&out));
        buf_put_u8(&text, 0);
        assert_string_equal((char *)text.data, expected);
    }
    buf_close(&out);
    buf_close(&text);
}

static void bindings_travel_as_far_as_messages_would(void **state)
{
    (void)state;
    struct buf from_east = {0};
    struct marks_downstream east = {
        .cluster_name = slice_str("east"), .vhost = slice_str("/"), .exchange = slice_str("/:fed B"), .max_hops = 2};
    binding_is((struct slice){NULL, 0}, 1, "north",
               "{x-bound-from: [{cluster-name: \"south\", vhost: \"/\", exchange: \"/:fed A\", hops: 1}]}");
    binding_is((struct slice){NULL, 0}, 0, "north", NULL);
    assert_true(marks_put_binding(&from_east, (struct slice){NULL, 0}, &east));
    binding_is(
        buf_slice(&from_east), 5, "north",
        "{x-bound-from: [{cluster-name: \"south\", vhost: \"/\", exchange: \"/:fed A\", hops: 1}, {cluster-name: "
        "\"east\", vhost: \"/\", exchange: \"/:fed B\", hops: 2}]}");
    binding_is(buf_slice(&from_east), 5, "east", NULL); /* it comes from there */
    buf_clear(&from_east);
    east.max_hops = 1;
    assert_true(marks_put_binding(&from_east, (struct slice){NULL, 0}, &east));
    binding_is(buf_slice(&from_east), 5, "north", NULL); /* it has come as far as it may */
    buf_close(&from_east);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exchange_link_puts_its_source_in_front),
        cmocka_unit_test(a_user_id_is_left_out_unless_it_is_trusted),
        cmocka_unit_test(a_header_that_is_no_array_is_put_aside),
        cmocka_unit_test(queue_links_count_visits_and_keep_the_origin),
        cmocka_unit_test(bindings_travel_as_far_as_messages_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
