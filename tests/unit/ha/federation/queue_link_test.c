#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ha/federation/queue_link.h"
#include "router/json.h"
#include "tests/unit/ha/bridge/two_brokers.h"

struct scene {
    struct two_brokers two;
    struct queue_link *link;
    struct bridge *bridge;
};

static void open_scene(struct scene *s, const char *upstream)
{
    struct federated f;
    struct err err;
    struct queue_record q = {.id = 1, .group = 1, .vhost = slice_str("/"), .name = slice_str("jobs"), .durable = true};
    json_t *value = json_of(slice_str(upstream), &err);
    char *text = federated_queue_text(&q, "south", "up", value);
    if (federated_read(&f, text, &err)) fail_msg("%s", err.text);
    free(text);
    json_decref(value);
    two_init(&s->two);
    harness_queue(&s->two.brokers[BRIDGE_DEST], "jobs");
    s->link = queue_link_create(&f, &two_host, &s->two, s->two.now_ms);
    s->bridge = s->two.bridge = queue_link_bridge(s->link);
}

static void close_scene(struct scene *s)
{
    queue_link_destroy(s->link);
    two_close(&s->two);
}

#define SIMPLE "{\"uri\":\"amqp://guest:guest@north\"}"
#define ATTACH "attach consumer=1 flags=0 prefetch=1000 priority=-1 tag=federation-link-up"

static void it_consumes_only_while_messages_are_wanted(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_non_null(topology_queue(s.two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), slice_str("jobs")));
    assert_false(two_asked(&s.two, BRIDGE_SOURCE, ATTACH));
    queue_link_want(s.link, true);
    two_pump(&s.two);
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, ATTACH));
    assert_true(queue_link_is_consuming(s.link));
    queue_link_want(s.link, true);
    queue_link_want(s.link, false);
    two_pump(&s.two);
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "detach consumer=1"));
    assert_false(queue_link_is_consuming(s.link));
    close_scene(&s);
}

static void messages_go_to_the_queue_of_the_same_name(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    queue_link_want(s.link, true);
    two_pump(&s.two);
    two_forget(&s.two);
    two_deliver(&s.two, "work");
    assert_true(two_asked(&s.two, BRIDGE_DEST,
                          "publish queues=1 exchange= key=jobs flags=1 priority=0 ttl=-1 tag=1 body=work"));
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    close_scene(&s);
}

static void it_consumes_again_after_a_failure(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    queue_link_want(s.link, true);
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_SOURCE);
    assert_false(queue_link_is_consuming(s.link));
    two_forget(&s.two);
    two_wait(&s.two, 5000);
    assert_true(queue_link_is_consuming(s.link));
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, ATTACH));
    close_scene(&s);
}

static void another_queue_may_be_the_upstream(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s,
               "{\"uri\":\"amqp://guest:guest@north\",\"queue\":\"their.jobs\",\"consumer-tag\":\"us\",\"ack-mode\":"
               "\"no-ack\"}");
    queue_link_want(s.link, true);
    two_pump(&s.two);
    assert_non_null(topology_queue(s.two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), slice_str("their.jobs")));
    /* 2: without acks */
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "attach consumer=1 flags=2 prefetch=0 priority=-1 tag=us"));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_consumes_only_while_messages_are_wanted),
        cmocka_unit_test(messages_go_to_the_queue_of_the_same_name),
        cmocka_unit_test(it_consumes_again_after_a_failure),
        cmocka_unit_test(another_queue_may_be_the_upstream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
