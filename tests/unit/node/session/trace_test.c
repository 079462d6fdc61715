/* The firehose: what goes to amq.rabbitmq.trace, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/registry.h"
#include "tests/unit/node/session/harness.h"

static void set_tracing(struct harness *h, bool on)
{
    struct topology_command c = registry_set_command(REGISTRY_VHOST, (struct slice){0}, slice_str("/"),
                                                     (struct slice){0}, slice_str(on ? "{\"tracing\":true}" : "{}"));
    struct topology_result result;
    harness_apply(h, &c, &result);
    assert_int_equal(result.reply_code, 0);
    session_registry_changed(h->session, h->now_ms);
}

static void bind_traces(struct harness *h)
{
    struct topology_result result;
    struct topology_command c = {.type = TOPOLOGY_BIND,
                                 .vhost = slice_str("/"),
                                 .name = slice_str("traces"),
                                 .source = slice_str("amq.rabbitmq.trace"),
                                 .routing_key = slice_str("#")};
    harness_apply(h, &c, &result);
    assert_int_equal(result.reply_code, 0);
}

static void open_traced(struct harness *h)
{
    harness_open(h);
    harness_queue(h, "q");
    harness_queue(h, "traces");
    bind_traces(h);
    set_tracing(h, true);
}

static void a_publish_is_copied_without_a_tag(void **state)
{
    (void)state;
    struct harness h;
    open_traced(&h);
    say_publish(&h, 1, "", "q", "one");
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=one");
    asked(&h, "publish queues=1 exchange=amq.rabbitmq.trace key=publish. flags=0 priority=0 ttl=-1 tag=0 body=one");
    say_publish(&h, 1, "amq.fanout", "k", "lost"); /* also what nobody gets */
    asked(&h, "publish queues=1 exchange=amq.rabbitmq.trace key=publish.amq.fanout flags=0 priority=0 ttl=-1 tag=0 "
              "body=lost");
    set_tracing(&h, false);
    say_publish(&h, 1, "", "q", "two");
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=3 body=two");
    asked_nothing(&h);
    harness_close(&h);
}

static void a_delivery_is_copied_and_a_copy_is_not(void **state)
{
    (void)state;
    struct harness h;
    open_traced(&h);
    say_consume(&h, 1, "q", "c", true);
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    while (*harness_asked(&h)) {
    }
    harness_deliver(&h, 1, 1, 1, "hello");
    asked(&h, "publish queues=1 exchange=amq.rabbitmq.trace key=deliver.q flags=0 priority=0 ttl=-1 tag=0 body=hello");
    struct session_delivery copy = {.group = 1, .consumer = 1, .dseq = 9};
    copy.content = (struct content){slice_str("amq.rabbitmq.trace"), slice_str("deliver.q"), slice_of("\0\0", 2),
                                    slice_str("hello")};
    session_deliver(h.session, 1, &copy);
    session_turn_end(h.session, h.now_ms);
    for (const char *line; *(line = harness_asked(&h));) assert_null(strstr(line, "publish"));
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_is_copied_without_a_tag),
        cmocka_unit_test(a_delivery_is_copied_and_a_copy_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
