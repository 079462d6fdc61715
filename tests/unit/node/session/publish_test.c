#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

#include "node/amqp/properties.h"

static void bind_fanout(struct harness *h, const char *queue)
{
    struct topology_result result;
    struct topology_command c = {
        .type = TOPOLOGY_BIND, .vhost = slice_str("/"), .name = slice_str(queue), .source = slice_str("amq.fanout")};
    harness_queue(h, queue);
    harness_apply(h, &c, &result);
}

static void a_publish_reaches_all_bound_queues(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    bind_fanout(&h, "a");
    bind_fanout(&h, "b");
    say_publish(&h, 1, "amq.fanout", "ignored", "hello");
    asked(&h, "publish queues=2 exchange=amq.fanout key=ignored flags=0 priority=0 ttl=-1 tag=1 body=hello");
    hears_nothing(&h);
    harness_close(&h);
}

static void a_remembered_route_ends_with_the_topology_s_version(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    bind_fanout(&h, "a");
    say_publish(&h, 1, "amq.fanout", "", "one");
    asked(&h, "publish queues=1 exchange=amq.fanout key= flags=0 priority=0 ttl=-1 tag=1 body=one");
    bind_fanout(&h, "b");
    say_publish(&h, 1, "amq.fanout", "", "two");
    asked(&h, "publish queues=2 exchange=amq.fanout key= flags=0 priority=0 ttl=-1 tag=2 body=two");
    say_publish(&h, 1, "", "a", "three");
    asked(&h, "publish queues=1 exchange= key=a flags=0 priority=0 ttl=-1 tag=3 body=three");
    harness_close(&h);
}

static void properties_steer_the_message(void **state)
{
    (void)state;
    struct harness h;
    struct buf raw = {0};
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_properties p = {
        .flags = AMQP_HAS_DELIVERY_MODE | AMQP_HAS_PRIORITY | AMQP_HAS_EXPIRATION | AMQP_HAS_USER_ID,
        .delivery_mode = 2,
        .priority = 7,
        .expiration = slice_str("60000"),
        .user_id = slice_str("guest"),
    };
    amqp_properties_encode(&raw, &p);
    say_publish_bytes(&h, 1, "", "q", false, buf_slice(&raw), slice_str("x"));
    asked(&h, "publish queues=1 exchange= key=q flags=1 priority=7 ttl=60000 tag=1 body=x");
    buf_close(&raw);
    harness_close(&h);
}

static void bad_properties_end_the_channel(void **state)
{
    (void)state;
    static const struct {
        uint16_t flags;
        const char *value, *text;
    } cases[] = {
        {AMQP_HAS_EXPIRATION, "soon", "invalid expiration 'soon': no_integer"},
        {AMQP_HAS_EXPIRATION, "", "invalid expiration '': no_integer"},
        {AMQP_HAS_EXPIRATION, "12h", "invalid expiration '12h': {leftover_string,\\x22h\\x22}"},
        {AMQP_HAS_EXPIRATION, "-5", "invalid expiration '-5': {value_negative,-5}"},
        {AMQP_HAS_EXPIRATION, "315360000001", "invalid expiration '315360000001': {value_too_large,315360000001}"},
        {AMQP_HAS_USER_ID, "root", "user_id property set to 'root' but authenticated user was 'guest'"},
        {AMQP_HAS_REPLY_TO, "amq.rabbitmq.reply-to", "fast reply consumer does not exist"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        struct buf raw = {0};
        char line[512];
        harness_open(&h);
        harness_queue(&h, "q");
        struct slice value = slice_str(cases[i].value);
        struct amqp_properties p = {.flags = cases[i].flags, .expiration = value, .user_id = value, .reply_to = value};
        amqp_properties_encode(&raw, &p);
        say_publish_bytes(&h, 1, "", "q", false, buf_slice(&raw), slice_str("x"));
        snprintf(line, sizeof line,
                 "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - %s\" class_id=60 "
                 "method_id=40",
                 cases[i].text);
        hears(&h, line);
        asked(&h, "close 1");
        buf_close(&raw);
        harness_close(&h);
    }
}

static void an_unroutable_message_is_returned_when_mandatory(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_empty(&h, 1, AMQP_CONFIRM_SELECT);
    hears(&h, "1 confirm.select-ok");
    say_publish_bytes(&h, 1, "amq.direct", "k", true, slice_of("\x10\0\2", 3), slice_str("back"));
    hears(&h, "1 basic.return reply_code=312 reply_text=\"NO_ROUTE\" exchange=\"amq.direct\" routing_key=\"k\"");
    hears(&h, "1 header size=4");
    hears(&h, "1 body back");
    hears(&h, "1 basic.ack delivery_tag=1 multiple=false"); /* the return came first */
    say_publish_bytes(&h, 1, "amq.direct", "k", false, slice_of("\0\0", 2), slice_str("dropped"));
    hears(&h, "1 basic.ack delivery_tag=2 multiple=false");
    asked_nothing(&h);
    harness_close(&h);
}

static void faults_of_a_publish_are_told(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result result;
    harness_open(&h);
    say_publish(&h, 1, "nowhere", "k", "x");
    hears(&h,
          "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'nowhere' in vhost '/'\" class_id=60 "
          "method_id=40");
    struct topology_command c = {.type = TOPOLOGY_EXCHANGE_DECLARE,
                                 .vhost = slice_str("/"),
                                 .name = slice_str("in"),
                                 .kind = slice_str("fanout"),
                                 .internal = true};
    harness_apply(&h, &c, &result);
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    say_publish(&h, 2, "in", "k", "x");
    hears(&h, "2 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - cannot publish to internal exchange 'in' "
              "in vhost "
              "'/'\" class_id=60 method_id=40");
    say_empty(&h, 3, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    amqp_method_put(&h.input, 3, &m);
    amqp_header_put(&h.input, 3, (1 << 20) + 1, slice_of("\0\0", 2));
    harness_flush(&h);
    hears(&h, "3 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - message size 1048577 is larger than "
              "configured "
              "max size 1048576\" class_id=60 method_id=40");
    say_empty(&h, 4, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    m.basic_publish.immediate = true;
    say(&h, 4, &m);
    hears(&h,
          "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - immediate=true\" class_id=60 method_id=40");
    harness_close(&h);
}

static void content_out_of_order_ends_the_connection(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ("505 reply_text=\"UNEXPECTED_FRAME - expected content header for class 60, got non content header frame "
         "instead\""),
        "505 reply_text=\"UNEXPECTED_FRAME - expected content body, got non content body frame instead\"",
        "505 reply_text=\"UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead\"",
        "501 reply_text=\"FRAME_ERROR - content body of 6 octets or more, declared were 5\"",
        "501 reply_text=\"FRAME_ERROR - cannot decode the properties of a message\"",
        "502 reply_text=\"SYNTAX_ERROR - cannot decode the properties of a message\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct harness h;
        char line[512];
        harness_open(&h);
        struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
        amqp_method_put(&h.input, 1, &m);
        if (i == 0) amqp_body_put(&h.input, 1, slice_str("x"), 0);
        if (i == 1 || i == 3) amqp_header_put(&h.input, 1, 5, slice_of("\0\0", 2));
        if (i == 1) amqp_method_put(&h.input, 1, &m);
        if (i == 2) buf_put(&h.input, "\2\0\1\0\0\0\x0e\0\x32\0\0\0\0\0\0\0\0\0\5\0\0\xce", 22);
        if (i == 3) amqp_body_put(&h.input, 1, slice_str("123456"), 0);
        if (i == 4) amqp_header_put(&h.input, 1, 0, slice_of("\x80\0\5ab", 5));
        if (i == 5) amqp_header_put(&h.input, 1, 0, slice_of("\x20\0\0\0\0\3\1aZ", 9));
        harness_flush(&h);
        snprintf(line, sizeof line, "0 connection.close reply_code=%s class_id=60 method_id=40", texts[i]);
        hears(&h, line);
        harness_close(&h);
    }
}

static void channels_may_interleave_their_contents(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    harness_queue(&h, "q");
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    harness_asked(&h);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish.routing_key = slice_str("q");
    amqp_method_put(&h.input, 1, &m);
    amqp_method_put(&h.input, 2, &m);
    amqp_header_put(&h.input, 1, 4, slice_of("\x10\0\2", 3));
    amqp_body_put(&h.input, 1, slice_str("on"), 0);
    amqp_header_put(&h.input, 2, 3, slice_of("\0\0", 2));
    amqp_body_put(&h.input, 2, slice_str("two"), 0);
    harness_flush(&h);
    amqp_body_put(&h.input, 1, slice_str("e!"), 0);
    harness_flush(&h);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=two");
    asked(&h, "publish queues=1 exchange= key=q flags=1 priority=0 ttl=-1 tag=1 body=one!");
    harness_close(&h);
}

static void a_message_waits_for_a_topology_that_may_be_behind(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_empty(&h, 1, AMQP_CONFIRM_SELECT);
    harness_line(&h);
    for (int head_kept = 0; head_kept < 2; head_kept++) {
        char name[2] = {(char)('a' + head_kept), 0};
        h.stale = h.slow = true;
        struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
        m.basic_publish.routing_key = slice_str(name);
        amqp_method_put(&h.input, 1, &m);
        if (head_kept) harness_flush(&h); /* method and header are copied, the body is found in the input */
        amqp_header_put(&h.input, 1, 5, slice_of("\x10\0\2", 3));
        if (head_kept) harness_flush(&h);
        amqp_body_put(&h.input, 1, slice_str("held!"), 0);
        harness_flush(&h);
        asked(&h, "refresh");
        say_publish(&h, 1, "", name, "next");
        assert_true(session_stalled(h.session));
        harness_queue(&h, name);
        h.slow = h.stale = false;
        session_reply(h.session, 1, &(struct backend_reply){0});
        harness_flush(&h);
        char line[256];
        snprintf(line, sizeof line, "publish queues=1 exchange= key=%s flags=1 priority=0 ttl=-1 tag=%d body=held!",
                 name, head_kept * 2 + 1);
        asked(&h, line);
        snprintf(line, sizeof line, "publish queues=1 exchange= key=%s flags=0 priority=0 ttl=-1 tag=%d body=next",
                 name, head_kept * 2 + 2);
        asked(&h, line);
    }
    h.stale = true; /* answered from within the call */
    say_publish(&h, 1, "", "nowhere", "lost");
    asked(&h, "refresh");
    session_confirm(h.session, 1, 1, true);
    session_confirm(h.session, 1, 2, true);
    session_confirm(h.session, 1, 3, true);
    session_confirm(h.session, 1, 4, true);
    harness_flush(&h);
    hears(&h, "1 basic.ack delivery_tag=5 multiple=false");
    hears(&h, "1 basic.ack delivery_tag=4 multiple=true");
    harness_close(&h);
}

static void carbon_copies_add_keys_and_blind_ones_are_not_shown(void **state)
{
    (void)state;
    struct harness h;
    struct buf headers = {0}, raw = {0};
    harness_open(&h);
    harness_queue(&h, "a");
    harness_queue(&h, "b");
    harness_queue(&h, "c");
    size_t at = amqp_table_open_array(&headers, "CC");
    amqp_array_put_string(&headers, slice_str("c"));
    amqp_array_put_string(&headers, slice_str("a"));
    amqp_nested_close(&headers, at);
    at = amqp_table_open_array(&headers, "BCC");
    amqp_array_put_string(&headers, slice_str("b"));
    amqp_nested_close(&headers, at);
    struct amqp_properties p = {.flags = AMQP_HAS_HEADERS, .headers = buf_slice(&headers)};
    amqp_properties_encode(&raw, &p);
    say_publish_bytes(&h, 1, "", "a", false, buf_slice(&raw), slice_str("x"));
    asked(&h, "publish queues=3 exchange= key=a flags=0 priority=0 ttl=-1 tag=1 body=x");
    say_publish(&h, 1, "", "a", "y"); /* the copies were not remembered */
    asked(&h, "publish queues=1 exchange= key=a flags=0 priority=0 ttl=-1 tag=2 body=y");
    buf_clear(&headers);
    buf_clear(&raw);
    amqp_table_put_string(&headers, "CC", slice_str("c"));
    p.headers = buf_slice(&headers);
    amqp_properties_encode(&raw, &p);
    say_publish_bytes(&h, 1, "", "a", false, buf_slice(&raw), slice_str("x"));
    hears(&h, "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - invalid message: "
              "{unacceptable_type_in_header,\\x22CC\\x22,longstr}\" class_id=60 method_id=40");
    buf_close(&raw);
    buf_close(&headers);
    harness_close(&h);
}

static void bind_four(struct harness *h, const char *exchange, const char *kind, const char *hash_header)
{
    struct topology_result result;
    struct buf arguments = {0};
    if (hash_header) amqp_table_put_string(&arguments, "hash-header", slice_str(hash_header));
    struct topology_command declare = {.type = TOPOLOGY_EXCHANGE_DECLARE,
                                       .vhost = slice_str("/"),
                                       .name = slice_str(exchange),
                                       .kind = slice_str(kind),
                                       .arguments = buf_slice(&arguments)};
    harness_apply(h, &declare, &result);
    assert_int_equal(result.reply_code, 0);
    for (unsigned i = 0; i < 4; i++) { /* one in each group */
        char name[] = {(char)('a' + i), 0};
        struct topology_command bind = {.type = TOPOLOGY_BIND,
                                        .vhost = slice_str("/"),
                                        .name = slice_str(name),
                                        .source = slice_str(exchange),
                                        .routing_key = slice_str(strcmp(kind, "x-local-random") ? "1" : "")};
        harness_queue(h, name);
        harness_apply(h, &bind, &result);
        assert_int_equal(result.reply_code, 0);
    }
    buf_close(&arguments);
}

static void what_a_hash_or_chance_decides_is_decided_for_each_message(void **state)
{
    (void)state;
    static const char *const kinds[] = {"x-random", "x-local-random", "x-consistent-hash", "x-modulus-hash"};
    for (size_t kind = 0; kind < 4; kind++) {
        struct harness h;
        struct buf raw = {0}, headers = {0};
        unsigned seen = 0;
        harness_open(&h);
        bind_four(&h, "x", kinds[kind], kind == 2 ? "user" : NULL);
        for (unsigned i = 0; i < 64; i++) { /* all with the same exchange and key */
            char user[8];
            snprintf(user, sizeof user, "%u", i);
            buf_clear(&raw);
            buf_clear(&headers);
            amqp_table_put_string(&headers, "user", slice_str(user));
            struct amqp_properties p = {.flags = AMQP_HAS_HEADERS, .headers = buf_slice(&headers)};
            amqp_properties_encode(&raw, &p);
            say_publish_bytes(&h, 1, "x", "k", false, buf_slice(&raw), slice_str("x"));
            seen |= 1u << h.published_to.group;
        }
        if (kind < 3) assert_int_equal(seen, 0x1e); /* groups 1 to 4 */
        else assert_int_equal(seen & (seen - 1), 0);
        buf_close(&raw);
        buf_close(&headers);
        harness_close(&h);
    }
}

static void local_random_publishes_to_a_group_that_is_led_here(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    bind_four(&h, "x", "x-local-random", NULL);
    for (unsigned i = 0; i < 64; i++) {
        h.led = 1 + i % 4; /* leaders change without a new version of the topology */
        say_publish(&h, 1, "x", "k", "x");
        assert_int_equal(h.published_to.group, h.led);
    }
    harness_close(&h);
}

/* A channel for each message is a habit of some clients. */
static void a_new_channel_has_another_random_start(void **state)
{
    (void)state;
    struct harness h;
    unsigned seen = 0;
    harness_open(&h);
    bind_four(&h, "x", "x-random", NULL);
    for (unsigned i = 0; i < 64; i++) {
        say_empty(&h, 2, AMQP_CHANNEL_OPEN);
        say_publish(&h, 2, "x", "k", "x");
        seen |= 1u << h.published_to.group;
        struct amqp_method m = amqp_method_of(AMQP_CHANNEL_CLOSE);
        say(&h, 2, &m);
    }
    assert_int_equal(seen, 0x1e);
    harness_close(&h);
}

static void further_keys_do_not_make_a_choice_twice(void **state)
{
    (void)state;
    struct harness h;
    struct buf raw = {0}, headers = {0};
    harness_open(&h);
    bind_four(&h, "x", "x-random", NULL);
    h.log_read = h.log.size;
    size_t at = amqp_table_open_array(&headers, "CC");
    amqp_array_put_string(&headers, slice_str("second"));
    amqp_array_put_string(&headers, slice_str("third"));
    amqp_nested_close(&headers, at);
    struct amqp_properties p = {.flags = AMQP_HAS_HEADERS, .headers = buf_slice(&headers)};
    amqp_properties_encode(&raw, &p);
    for (unsigned i = 1; i <= 32; i++) {
        char line[128];
        say_publish_bytes(&h, 1, "x", "k", false, buf_slice(&raw), slice_str("x"));
        snprintf(line, sizeof line, "publish queues=1 exchange=x key=k flags=0 priority=0 ttl=-1 tag=%u body=x", i);
        asked(&h, line);
    }
    buf_close(&raw);
    buf_close(&headers);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_reaches_all_bound_queues),
        cmocka_unit_test(a_remembered_route_ends_with_the_topology_s_version),
        cmocka_unit_test(properties_steer_the_message),
        cmocka_unit_test(bad_properties_end_the_channel),
        cmocka_unit_test(an_unroutable_message_is_returned_when_mandatory),
        cmocka_unit_test(faults_of_a_publish_are_told),
        cmocka_unit_test(content_out_of_order_ends_the_connection),
        cmocka_unit_test(channels_may_interleave_their_contents),
        cmocka_unit_test(a_message_waits_for_a_topology_that_may_be_behind),
        cmocka_unit_test(carbon_copies_add_keys_and_blind_ones_are_not_shown),
        cmocka_unit_test(what_a_hash_or_chance_decides_is_decided_for_each_message),
        cmocka_unit_test(local_random_publishes_to_a_group_that_is_led_here),
        cmocka_unit_test(a_new_channel_has_another_random_start),
        cmocka_unit_test(further_keys_do_not_make_a_choice_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
