#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ha/shovel/definition.h"
#include "ha/shovel/properties.h"
#include "node/amqp/properties.h"
#include "node/amqp/table.h"

#define ENDS "\"src-uri\":\"amqp://\",\"dest-uri\":[\"amqp://a\",\"amqp://b\"]"

static int read(struct shovel_definition *d, const char *text, struct err *err)
{
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);
    if (!json) fail_msg("%s: %s", text, where.text);
    int code = shovel_definition_read(d, "s1", json, err);
    json_decref(json);
    return code;
}

static struct shovel_definition good(const char *text)
{
    struct shovel_definition d;
    struct err err;
    if (read(&d, text, &err)) fail_msg("%s: %s", text, err.text);
    return d;
}

static void refused(const char *text, const char *why)
{
    struct shovel_definition d;
    struct err err;
    assert_int_equal(read(&d, text, &err), ERR_INVALID);
    assert_string_equal(err.text, why);
}

static void what_is_not_said_has_rabbitmqs_default(void **state)
{
    (void)state;
    struct shovel_definition d = good("{" ENDS ",\"src-queue\":\"q\"}");
    assert_int_equal(d.src_uris.count, 1);
    assert_int_equal(d.dest_uris.count, 2);
    assert_string_equal(d.src_queue, "q");
    assert_int_equal(d.prefetch, 1000);
    assert_int_equal(d.reconnect_delay_s, 1);
    assert_int_equal(shovel_ack_mode(&d), RELAY_ON_CONFIRM);
    assert_int_equal(d.delete_after, SHOVEL_NEVER);
    assert_false(d.add_forward_headers);
    shovel_definition_close(&d);
}

static void old_and_new_spellings_mean_the_same(void **state)
{
    (void)state;
    struct shovel_definition d =
        good("{" ENDS ",\"src-queue\":\"q\",\"prefetch-count\":7,\"delete-after\":\"queue-length\","
             "\"add-forward-headers\":true,\"publish-properties\":{\"delivery_mode\":2},\"ack-mode\":\"on-publish\"}");
    assert_int_equal(d.prefetch, 7);
    assert_int_equal(d.delete_after, SHOVEL_QUEUE_LENGTH);
    assert_true(d.add_forward_headers);
    assert_non_null(d.properties);
    assert_int_equal(shovel_ack_mode(&d), RELAY_ON_PUBLISH);
    shovel_definition_close(&d);
    d = good("{" ENDS ",\"src-queue\":\"q\",\"src-prefetch-count\":7,\"src-delete-after\":12,"
             "\"dest-add-forward-headers\":true,\"dest-publish-properties\":{\"delivery-mode\":2},"
             "\"src-protocol\":\"amqp091\",\"dest-protocol\":\"local\",\"ack-mode\":\"no-ack\",\"ack-mode\":\"on-"
             "confirm\"}");
    assert_int_equal(d.prefetch, 7);
    assert_int_equal(d.delete_after, SHOVEL_COUNT);
    assert_int_equal(d.delete_after_count, 12);
    assert_true(d.add_forward_headers);
    assert_non_null(d.properties);
    shovel_definition_close(&d);
}

static void arguments_become_field_tables(void **state)
{
    (void)state;
    struct shovel_definition d = good("{" ENDS ",\"src-queue\":\"q\",\"src-queue-args\":{\"x-queue-type\":\"quorum\","
                                      "\"x-max-length\":10,\"nested\":{\"list\":[1,true,null,2.5]}}}");
    struct slice table = buf_slice(&d.src_queue_args);
    struct buf text = {0};
    assert_int_equal(amqp_table_validate(table), 0);
    amqp_table_print(&text, table);
    buf_put_u8(&text, 0);
    assert_string_equal((char *)text.data,
                        "{x-queue-type: \"quorum\", x-max-length: 10, nested: {list: [1, true, void, 2.5]}}");
    buf_close(&text);
    shovel_definition_close(&d);
}

static void nonsense_is_refused_in_rabbitmqs_words(void **state)
{
    (void)state;
    refused("{}", "Key \"src-uri\" not found in s1");
    refused("[]", "s1 should be a map");
    refused("{\"src-uri\":\"amqp://\"}", "Key \"dest-uri\" not found in s1");
    refused("{" ENDS "}", "Must specify 'src-exchange' or 'src-queue'");
    refused("{" ENDS ",\"src-queue\":\"q\",\"src-exchange\":\"x\"}", "Cannot specify 'src-exchange' and 'src-queue'");
    refused("{" ENDS ",\"src-queue\":\"q\",\"dest-queue\":\"q\",\"dest-exchange\":\"x\"}",
            "Cannot specify 'dest-exchange' and 'dest-queue'");
    refused("{" ENDS ",\"src-queue\":\"q\",\"ack-mode\":\"no-ack\",\"delete-after\":3}",
            "Cannot specify 'no-ack' and numerical 'delete-after'");
    refused("{" ENDS ",\"src-queue\":7}", "src-queue should be binary, actually was 7");
    refused("{" ENDS ",\"src-queue\":\"q\",\"prefetch-count\":\"x\"}",
            "prefetch-count should be a number, actually was <<\"x\">>");
    refused("{" ENDS ",\"src-queue\":\"q\",\"ack-mode\":\"maybe\"}",
            "ack-mode should be one of ['no-ack','on-publish','on-confirm'], actually was <<\"maybe\">>");
    refused("{" ENDS ",\"src-queue\":\"q\",\"color\":1}", "Unrecognised terms [{<<\"color\">>}] in s1");
    refused("{" ENDS ",\"src-queue\":\"q\",\"delete-after\":\"soon\"}",
            "delete-after should be a number, \"never\" or \"queue-length\"");
    refused("{\"src-uri\":\"http://x\",\"dest-uri\":\"amqp://\",\"src-queue\":\"q\"}",
            "\"http://x\" not a valid URI: the URI does not begin with amqp:// or amqps://");
    refused("{\"src-uri\":[],\"dest-uri\":\"amqp://\",\"src-queue\":\"q\"}", "src-uri should have from 1 to 32 URIs");
    refused("{\"src-uri\":[\"amqp://a\",5],\"dest-uri\":\"amqp://\",\"src-queue\":\"q\"}",
            "src-uri should be binary, actually was 5");
    refused("{" ENDS ",\"src-queue\":\"q\",\"src-protocol\":\"amqp10\"}",
            "amqp10 is not supported; use amqp091 or local");
    refused("{" ENDS ",\"src-queue\":\"q\",\"src-declarations\":{}}", "src-declarations should be list");
    refused("{" ENDS ",\"src-queue\":\"q\",\"src-declarations\":[{\"method\":\"queue.delete\"}]}",
            "src-declarations should have a method of queue.declare, exchange.declare, queue.bind or exchange.bind");
    refused("{" ENDS ",\"src-queue\":\"q\",\"dest-declarations\":[{\"method\":\"queue.bind\",\"color\":1}]}",
            "dest-declarations: queue.bind has no field color");
    refused("{" ENDS ",\"src-queue\":\"q\",\"dest-declarations\":[{\"method\":\"queue.declare\",\"durable\":1}]}",
            "dest-declarations: durable of queue.declare does not fit");
    refused("{" ENDS ",\"src-queue\":\"q\",\"publish-properties\":{\"color\":1}}",
            "Unrecognised terms [{<<\"color\">>}] in publish-properties");
    refused("{" ENDS ",\"src-queue\":\"q\",\"publish-properties\":{\"priority\":300}}",
            "publish-properties: priority has a value that does not fit");
}

static void no_change_keeps_the_bytes(void **state)
{
    (void)state;
    struct shovel_definition d = good("{" ENDS ",\"src-queue\":\"q\"}");
    struct shovel_forward f = {.definition = &d};
    struct buf b = {0};
    assert_true(shovel_properties_put(&b, slice_of("\x10\0\2", 3), &f));
    assert_memory_equal(b.data, "\x10\0\2", 3);
    buf_close(&b);
    shovel_definition_close(&d);
}

static void properties_and_marks_are_set(void **state)
{
    (void)state;
    struct shovel_definition d =
        good("{" ENDS ",\"src-queue\":\"q\",\"add-timestamp-header\":true,"
             "\"publish-properties\":{\"delivery_mode\":1,\"app-id\":\"shovel\",\"headers\":{\"a\":1}}}");
    struct buf b = {0}, info = {0}, text = {0};
    struct amqp_properties p;
    amqp_table_put_string(&info, "shovel-name", slice_str("s1"));
    struct shovel_forward f = {.definition = &d, .forward_info = buf_slice(&info), .wall_s = 1700000000};
    assert_true(shovel_properties_put(&b, slice_of("\x10\0\2", 3), &f));
    assert_int_equal(amqp_properties_decode(buf_slice(&b), &p), 0);
    assert_int_equal(p.delivery_mode, 1);
    assert_true(slice_is(p.app_id, "shovel"));
    amqp_table_print(&text, p.headers);
    buf_put_u8(&text, 0);
    assert_string_equal((char *)text.data,
                        "{x-shovelled: [{shovel-name: \"s1\"}], a: 1, x-shovelled-timestamp: 1700000000}");
    buf_close(&b);
    buf_close(&info);
    buf_close(&text);
    shovel_definition_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_rabbitmqs_default),
        cmocka_unit_test(old_and_new_spellings_mean_the_same),
        cmocka_unit_test(arguments_become_field_tables),
        cmocka_unit_test(nonsense_is_refused_in_rabbitmqs_words),
        cmocka_unit_test(no_change_keeps_the_bytes),
        cmocka_unit_test(properties_and_marks_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
