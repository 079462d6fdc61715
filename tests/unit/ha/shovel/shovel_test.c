#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ha/shovel/shovel.h"
#include "tests/unit/ha/bridge/two_brokers.h"

#define URIS "\"src-uri\":[\"amqp://one\",\"amqp://two\"],\"dest-uri\":\"amqp://there\""
#define SIMPLE "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\"}"

struct scene {
    struct two_brokers two;
    struct shovel *shovel;
    struct bridge *bridge;
};

static void turn(void *self, uint64_t now_ms)
{
    shovel_turn(self, now_ms);
}

static void open_scene(struct scene *s, const char *definition)
{
    struct shovel_definition d;
    struct err err;
    json_error_t where;
    json_t *json = json_loads(definition, 0, &where);
    if (!json || shovel_definition_read(&d, "s1", json, &err)) fail_msg("%s: %s", definition, err.text);
    json_decref(json);
    two_init(&s->two);
    struct shovel_identity identity = {.name = "s1", .vhost = "/", .cluster_name = "home"};
    s->shovel = shovel_create(&d, &identity, &two_host, &s->two, s->two.now_ms, 1700000000000);
    s->bridge = s->two.bridge = shovel_bridge(s->shovel);
    s->two.turn = turn;
    s->two.turn_self = s->shovel;
}

static void close_scene(struct scene *s)
{
    shovel_destroy(s->shovel);
    two_close(&s->two);
}

static void missing_queues_are_declared_and_messages_move(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    assert_string_equal(bridge_state_name(s.bridge), "starting");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "change type=3 name=in flags=0"));
    assert_true(two_asked(&s.two, BRIDGE_DEST, "change type=3 name=out flags=0"));
    two_forget(&s.two);
    two_deliver(&s.two, "hello");
    assert_true(two_asked(&s.two, BRIDGE_DEST,
                          "publish queues=1 exchange= key=out flags=1 priority=0 ttl=-1 tag=1 body=hello"));
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    assert_int_equal(s.bridge->relay.settled, 1);
    close_scene(&s);
}

static void nothing_is_acked_before_its_confirm(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    two_forget(&s.two);
    s.two.brokers[BRIDGE_DEST].confirm_now = false;
    two_deliver(&s.two, "hello");
    assert_false(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    session_confirm(s.two.brokers[BRIDGE_DEST].session, 1, 1, true);
    two_pump(&s.two);
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    close_scene(&s);
}

static void a_broken_end_is_tried_again_after_the_delay(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_DEST);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    assert_string_equal(s.bridge->reason, "destination: connection reset by peer");
    assert_int_equal(bridge_deadline_ms(s.bridge), s.two.now_ms + 1000);
    two_wait(&s.two, 999);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    two_wait(&s.two, 1);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_int_equal(s.two.connects[BRIDGE_SOURCE], 2);
    close_scene(&s);
}

static void the_next_uri_is_tried_when_one_fails(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    s.two.down[BRIDGE_SOURCE] = true;
    two_pump(&s.two);
    assert_string_equal(s.two.last_host[BRIDGE_SOURCE], "one");
    assert_string_equal(s.bridge->reason, "source: connection refused");
    s.two.down[BRIDGE_SOURCE] = false;
    two_wait(&s.two, 1000);
    assert_string_equal(s.two.last_host[BRIDGE_SOURCE], "two");
    assert_string_equal(s.two.last_host[BRIDGE_DEST], "there");
    assert_string_equal(bridge_state_name(s.bridge), "running");
    close_scene(&s);
}

static void predeclared_queues_are_not_declared(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"src-predeclared\":true,\"dest-queue\":\"out\"}");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    assert_string_equal(s.bridge->reason, "source: NOT_FOUND - no queue 'in' in vhost '/'");
    harness_queue(&s.two.brokers[BRIDGE_SOURCE], "in");
    two_wait(&s.two, 1000);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    close_scene(&s);
}

static void an_exchange_is_consumed_through_a_queue_of_its_own(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS
                   ",\"src-exchange\":\"amq.topic\",\"src-exchange-key\":\"a.#\",\"dest-exchange\":\"amq.fanout\"}");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    uint64_t cursor = 0;
    struct binding b;
    assert_true(topology_next_binding(s.two.brokers[BRIDGE_SOURCE].topology, &cursor, &b));
    assert_true(slice_is(b.source, "amq.topic"));
    assert_true(slice_is(b.routing_key, "a.#"));
    close_scene(&s);
}

static void declarations_come_first(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s,
               "{" URIS ",\"src-queue\":\"\",\"dest-exchange\":\"made\",\"src-declarations\":["
               "{\"method\":\"exchange.declare\",\"exchange\":\"x\",\"type\":\"topic\",\"durable\":true},"
               "{\"method\":\"queue.declare\",\"exclusive\":true,\"arguments\":{\"x-max-length\":5}},"
               "{\"method\":\"queue.bind\",\"exchange\":\"x\",\"routing_key\":\"a.#\"}],"
               "\"dest-declarations\":[{\"method\":\"exchange.declare\",\"exchange\":\"made\",\"type\":\"fanout\"}]}");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    struct topology *t = s.two.brokers[BRIDGE_SOURCE].topology;
    uint64_t cursor = 0;
    struct binding b;
    assert_true(topology_exchange(t, slice_str("/"), slice_str("x"))->durable);
    assert_true(topology_next_binding(t, &cursor, &b));
    assert_true(slice_is(b.routing_key, "a.#"));
    cursor = 0;
    assert_true(topology_next_queue(t, &cursor)->exclusive);
    assert_non_null(topology_exchange(s.two.brokers[BRIDGE_DEST].topology, slice_str("/"), slice_str("made")));
    close_scene(&s);
}

static void a_blocked_destination_stops_the_source(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    session_block(s.two.brokers[BRIDGE_DEST].session, "low on memory");
    two_deliver(&s.two, "one");
    assert_string_equal(bridge_state_name(s.bridge), "flow");
    two_forget(&s.two);
    two_deliver(&s.two, "two");
    assert_true(client_is_paused(s.bridge->ends[BRIDGE_SOURCE].client));
    session_block(s.two.brokers[BRIDGE_DEST].session, NULL);
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_int_equal(s.bridge->relay.settled, 2);
    close_scene(&s);
}

static void a_destination_that_never_confirms_is_given_up(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{\"src-uri\":\"amqp://a?heartbeat=0\",\"dest-uri\":\"amqp://b?heartbeat=0\",\"src-queue\":\"in\","
                   "\"dest-queue\":\"out\",\"reconnect-delay\":5}");
    two_pump(&s.two);
    s.two.brokers[BRIDGE_DEST].confirm_now = false;
    s.two.brokers[BRIDGE_DEST].settings.publish_timeout_ms = 10 * RELAY_STALL_MS;
    two_deliver(&s.two, "one");
    two_wait(&s.two, RELAY_STALL_MS - 1);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    two_wait(&s.two, 1);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    assert_string_equal(s.bridge->reason, "destination: no confirm for 60 s");
    close_scene(&s);
}

/* It cannot confirm while it is blocked; nobody gives it up, and nobody looks all the time. */
static void a_destination_that_stays_blocked_is_waited_for(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{\"src-uri\":\"amqp://a?heartbeat=0\",\"dest-uri\":\"amqp://b?heartbeat=0\",\"src-queue\":\"in\","
                   "\"dest-queue\":\"out\"}");
    two_pump(&s.two);
    session_block(s.two.brokers[BRIDGE_DEST].session, "low on memory");
    two_deliver(&s.two, "one");
    two_wait(&s.two, RELAY_STALL_MS + 1000);
    assert_string_equal(bridge_state_name(s.bridge), "flow");
    assert_true(bridge_deadline_ms(s.bridge) > s.two.now_ms);
    close_scene(&s);
}

static void a_queue_that_is_gone_swallows_nothing(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    struct topology_result result;
    struct topology_command gone = {.type = TOPOLOGY_QUEUE_DELETE, .vhost = slice_str("/"), .name = slice_str("out")};
    harness_apply(&s.two.brokers[BRIDGE_DEST], &gone, &result);
    two_forget(&s.two);
    two_deliver(&s.two, "precious");
    assert_false(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    assert_string_equal(s.bridge->reason, "destination: the queue out is gone");
    two_wait(&s.two, 1000);
    assert_string_equal(bridge_state_name(s.bridge), "running"); /* declared again */
    close_scene(&s);
}

static void delete_after_a_number_stops_exactly_there(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"delete-after\":2}");
    two_pump(&s.two);
    two_forget(&s.two);
    for (int i = 0; i < 3; i++) harness_deliver(&s.two.brokers[BRIDGE_SOURCE], 1, 1, 1, "x");
    two_pump(&s.two);
    assert_true(shovel_is_done(s.shovel));
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..2 ack"));
    assert_int_equal(s.bridge->relay.forwarded, 2);
    assert_null(s.bridge->ends[BRIDGE_SOURCE].client);
    two_wait(&s.two, 100000);
    assert_int_equal(s.two.connects[BRIDGE_SOURCE], 1);
    close_scene(&s);
}

static void delete_after_queue_length_of_nothing_ends_at_once(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"delete-after\":\"queue-length\"}");
    two_pump(&s.two);
    assert_true(shovel_is_done(s.shovel));
    close_scene(&s);
}

static void queue_length_counts_across_a_failure(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"delete-after\":\"queue-length\"}");
    harness_queue(&s.two.brokers[BRIDGE_SOURCE], "in");
    s.two.brokers[BRIDGE_SOURCE].ready = 3;
    two_pump(&s.two);
    assert_int_equal(shovel_remaining(s.shovel), 3);
    two_deliver(&s.two, "1");
    assert_int_equal(shovel_remaining(s.shovel), 2);
    s.two.brokers[BRIDGE_DEST].confirm_now = false;
    two_deliver(&s.two, "2");
    two_cut(&s.two, BRIDGE_DEST);
    s.two.brokers[BRIDGE_DEST].confirm_now = true;
    two_wait(&s.two, 1000);
    assert_int_equal(shovel_remaining(s.shovel), 2);
    two_deliver(&s.two, "2");
    two_deliver(&s.two, "3");
    assert_true(shovel_is_done(s.shovel));
    close_scene(&s);
}

static void a_duration_ends_it_too(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"src-delete-after-duration\":5}");
    two_pump(&s.two);
    two_wait(&s.two, 4000);
    assert_false(shovel_is_done(s.shovel));
    two_wait(&s.two, 1000);
    assert_true(shovel_is_done(s.shovel));
    close_scene(&s);
}

static void a_duration_wakes_it(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"src-delete-after-duration\":3,"
                   "\"reconnect-delay\":60}");
    uint64_t end_ms = s.two.now_ms + 3000;
    two_pump(&s.two);
    assert_int_equal(bridge_deadline_ms(s.bridge), end_ms);
    two_cut(&s.two, BRIDGE_DEST);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    assert_int_equal(bridge_deadline_ms(s.bridge), end_ms);
    two_wait(&s.two, 3000);
    assert_true(shovel_is_done(s.shovel));
    assert_int_equal(bridge_deadline_ms(s.bridge), UINT64_MAX);
    close_scene(&s);
}

static void the_rate_is_kept(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"rate-limit\":2}");
    two_pump(&s.two);
    for (int i = 0; i < 5; i++) harness_deliver(&s.two.brokers[BRIDGE_SOURCE], 1, 1, 1, "x");
    two_pump(&s.two);
    assert_int_equal(s.bridge->relay.forwarded, 2);
    assert_int_equal(bridge_deadline_ms(s.bridge), s.two.now_ms + 1000);
    two_wait(&s.two, 1000);
    assert_int_equal(s.bridge->relay.forwarded, 4);
    two_wait(&s.two, 1000);
    assert_int_equal(s.bridge->relay.forwarded, 5);
    close_scene(&s);
}

/* The key that the source gives a message goes along, and is the same when the message comes again. */
static void messages_get_an_identity_for_a_destination_that_deduplicates(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"dest-add-deduplication\":true}");
    two_pump(&s.two);
    struct session_delivery d = {.group = 1,
                                 .consumer = 1,
                                 .dseq = 1,
                                 .place = 77,
                                 .content = {slice_str("x"), slice_str("k"), slice_of("\x10\0\2", 3), slice_str("a")}};
    for (unsigned i = 0; i < 2; i++) {
        two_forget(&s.two);
        session_deliver(s.two.brokers[BRIDGE_SOURCE].session, 1, &d);
        two_pump(&s.two);
        const char *key = s.two.brokers[BRIDGE_DEST].published_key;
        assert_non_null(strstr(key, "/4d")); /* the place, in hexadecimal */
        d.dseq++;
        d.redelivered = true;
    }
    close_scene(&s);
}

static void a_person_may_restart_it(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    bridge_restart(s.bridge, "restarted by an operator");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_int_equal(s.two.connects[BRIDGE_DEST], 2);
    close_scene(&s);
}

static void reconnect_delay_zero_is_never_again(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{" URIS ",\"src-queue\":\"in\",\"dest-queue\":\"out\",\"reconnect-delay\":0}");
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_SOURCE);
    two_wait(&s.two, 100000);
    assert_string_equal(bridge_state_name(s.bridge), "terminated");
    assert_int_equal(s.two.connects[BRIDGE_SOURCE], 1);
    assert_false(shovel_is_done(s.shovel));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_queues_are_declared_and_messages_move),
        cmocka_unit_test(nothing_is_acked_before_its_confirm),
        cmocka_unit_test(a_broken_end_is_tried_again_after_the_delay),
        cmocka_unit_test(the_next_uri_is_tried_when_one_fails),
        cmocka_unit_test(predeclared_queues_are_not_declared),
        cmocka_unit_test(an_exchange_is_consumed_through_a_queue_of_its_own),
        cmocka_unit_test(declarations_come_first),
        cmocka_unit_test(a_blocked_destination_stops_the_source),
        cmocka_unit_test(a_destination_that_stays_blocked_is_waited_for),
        cmocka_unit_test(a_destination_that_never_confirms_is_given_up),
        cmocka_unit_test(a_queue_that_is_gone_swallows_nothing),
        cmocka_unit_test(delete_after_a_number_stops_exactly_there),
        cmocka_unit_test(delete_after_queue_length_of_nothing_ends_at_once),
        cmocka_unit_test(queue_length_counts_across_a_failure),
        cmocka_unit_test(a_duration_ends_it_too),
        cmocka_unit_test(a_duration_wakes_it),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(messages_get_an_identity_for_a_destination_that_deduplicates),
        cmocka_unit_test(a_person_may_restart_it),
        cmocka_unit_test(reconnect_delay_zero_is_never_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
