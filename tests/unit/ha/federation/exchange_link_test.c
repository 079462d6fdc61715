#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ha/federation/exchange_link_internal.h"
#include "router/json.h"
#include "tests/unit/ha/bridge/two_brokers.h"

struct scene {
    struct two_brokers two;
    struct exchange_link *link;
    struct bridge *bridge;
};

static void turn(void *self, uint64_t now_ms)
{
    exchange_link_turn(self, now_ms);
}

static void open_scene(struct scene *s, const char *upstream)
{
    struct federated f;
    struct err err;
    struct exchange x = {
        .vhost = slice_str("/"), .name = slice_str("fed"), .type = slice_str("topic"), .durable = true};
    json_t *value = json_of(slice_str(upstream), &err);
    char *text = federated_exchange_text(&x, "south", "up", value);
    if (federated_read(&f, text, &err)) fail_msg("%s", err.text);
    free(text);
    json_decref(value);
    two_init(&s->two);
    s->two.brokers[BRIDGE_SOURCE].settings.cluster_name = "north";
    struct topology_result result;
    struct topology_command c = {.type = TOPOLOGY_EXCHANGE_DECLARE,
                                 .vhost = slice_str("/"),
                                 .name = slice_str("fed"),
                                 .kind = slice_str("topic"),
                                 .durable = true};
    harness_apply(&s->two.brokers[BRIDGE_DEST], &c, &result);
    struct topology_command q = {
        .type = TOPOLOGY_QUEUE_DECLARE, .vhost = slice_str("/"), .name = slice_str("q"), .durable = true};
    harness_apply(&s->two.brokers[BRIDGE_DEST], &q, &result);
    struct topology_command b = {.type = TOPOLOGY_BIND,
                                 .vhost = slice_str("/"),
                                 .source = slice_str("fed"),
                                 .name = slice_str("q"),
                                 .routing_key = slice_str("#")};
    harness_apply(&s->two.brokers[BRIDGE_DEST], &b, &result);
    s->link = exchange_link_create(&f, &two_host, &s->two, s->two.now_ms);
    s->bridge = s->two.bridge = exchange_link_bridge(s->link);
    s->two.turn = turn;
    s->two.turn_self = s->link;
}

static void close_scene(struct scene *s)
{
    exchange_link_destroy(s->link);
    two_close(&s->two);
}

#define SIMPLE "{\"uri\":\"amqp://guest:guest@north\"}"

static void tell(struct scene *s, const char *const *keys)
{
    exchange_link_bindings_begin(s->link);
    for (; *keys; keys++) exchange_link_binding(s->link, slice_str(*keys), (struct slice){NULL, 0});
    exchange_link_bindings_end(s->link);
    two_pump(&s->two);
}
#define TELL(s, ...) tell(s, (const char *const[]){__VA_ARGS__, NULL})

/* The upstream's bindings between exchanges, as "source key destination" lines in their order; and its exchanges with
 * this prefix. */
static void upstream_has(struct scene *s, const char *expected)
{
    const struct topology *t = s->two.brokers[BRIDGE_SOURCE].topology;
    struct binding b;
    struct buf text = {0};
    for (uint64_t cursor = 0; topology_next_binding(t, &cursor, &b);)
        buf_printf(&text, "%.*s -%.*s-> %.*s\n", TEXT(b.source), TEXT(b.routing_key), TEXT(b.destination));
    buf_put_u8(&text, 0);
    assert_string_equal((char *)text.data, expected);
    buf_close(&text);
}

#define QUEUE "federation: fed -> south"

static void everything_is_made_at_the_upstream(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "starting"); /* nobody told the bindings yet */
    TELL(&s, "a.#", "b");
    assert_string_equal(bridge_state_name(s.bridge), "running");
    const struct topology *t = s.two.brokers[BRIDGE_SOURCE].topology;
    const struct exchange *x = topology_exchange(t, slice_str("/"), slice_str(QUEUE " A"));
    assert_non_null(x);
    assert_true(slice_is(x->type, "x-federation-upstream"));
    assert_true(x->internal && x->auto_delete && x->durable);
    assert_non_null(topology_exchange(t, slice_str("/"), slice_str("fed")));
    assert_non_null(topology_queue(t, slice_str("/"), slice_str(QUEUE)));
    assert_int_equal(exchange_link_binding_count(s.link), 2);
    struct route route = {0};
    assert_true(route_message(s.two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), slice_str("fed"), slice_str("a.1"),
                              (struct slice){NULL, 0}, &route));
    assert_int_equal(route.count, 1);
    assert_true(route_message(s.two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), slice_str("fed"), slice_str("c"),
                              (struct slice){NULL, 0}, &route));
    assert_int_equal(route.count, 0);
    route_close(&route);
    close_scene(&s);
}

static void bindings_follow_those_here(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "a");
    two_pump(&s.two);
    upstream_has(&s, QUEUE " A --> " QUEUE "\nfed -a-> " QUEUE " A\n");
    TELL(&s, "a", "b");
    upstream_has(&s, QUEUE " A --> " QUEUE "\nfed -a-> " QUEUE " A\nfed -b-> " QUEUE " A\n");
    TELL(&s, "b");
    upstream_has(&s, QUEUE " A --> " QUEUE "\nfed -b-> " QUEUE " A\n");
    assert_int_equal(exchange_link_binding_count(s.link), 1);
    close_scene(&s);
}

static void a_new_start_leaves_nothing_stale(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "a", "b");
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_SOURCE);
    TELL(&s, "b", "c");
    two_wait(&s.two, 5000);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    const struct topology *t = s.two.brokers[BRIDGE_SOURCE].topology;
    assert_null(topology_exchange(t, slice_str("/"), slice_str(QUEUE " A")));
    struct buf text = {0};
    struct binding b;
    unsigned found = 0;
    for (uint64_t cursor = 0; topology_next_binding(t, &cursor, &b);) {
        assert_false(slice_is(b.routing_key, "a"));
        found += slice_is(b.destination, QUEUE " B") && slice_is(b.source, "fed");
    }
    assert_int_equal(found, 2);
    buf_close(&text);
    close_scene(&s);
}

static void a_start_that_was_cut_off_is_cleared_up(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "a");
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_SOURCE);
    /* the other suffix is there, too, as if the last start had not come to its end */
    struct topology_result result;
    struct buf hops = {0};
    buf_put(&hops, "\x0ax-max-hopsl\0\0\0\0\0\0\0\1", 20);
    struct topology_command c = {.type = TOPOLOGY_EXCHANGE_DECLARE,
                                 .vhost = slice_str("/"),
                                 .name = slice_str(QUEUE " B"),
                                 .kind = slice_str("x-federation-upstream"),
                                 .durable = true,
                                 .internal = true,
                                 .auto_delete = true,
                                 .arguments = buf_slice(&hops)};
    harness_apply(&s.two.brokers[BRIDGE_SOURCE], &c, &result);
    assert_int_equal(result.reply_code, 0);
    two_wait(&s.two, 5000);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    upstream_has(&s, QUEUE " B --> " QUEUE "\nfed -a-> " QUEUE " B\n");
    buf_close(&hops);
    close_scene(&s);
}

static void messages_come_with_the_mark_of_their_source(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "#");
    two_pump(&s.two);
    two_forget(&s.two);
    two_deliver(&s.two, "hello");
    assert_true(two_asked(&s.two, BRIDGE_DEST,
                          "publish queues=1 exchange=fed key=k flags=1 priority=0 ttl=-1 tag=1 body=hello"));
    assert_true(two_asked(&s.two, BRIDGE_SOURCE, "settle group=1 1..1 ack"));
    close_scene(&s);
}

static void a_missing_internal_exchange_is_noticed(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "{\"uri\":\"amqp://guest:guest@north?heartbeat=0\"}");
    TELL(&s, "a");
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    struct topology_result result;
    struct topology_command gone = {
        .type = TOPOLOGY_EXCHANGE_DELETE, .vhost = slice_str("/"), .name = slice_str(QUEUE " A")};
    harness_apply(&s.two.brokers[BRIDGE_SOURCE], &gone, &result);
    assert_int_equal(s.bridge->wake_ms, s.two.now_ms + EXCHANGE_LINK_PROBE_MS);
    two_wait(&s.two, EXCHANGE_LINK_PROBE_MS);
    assert_non_null(strstr(s.bridge->reason, "upstream: NOT_FOUND - no exchange '" QUEUE " A'"));
    two_wait(&s.two, 5000);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    close_scene(&s);
}

/* A deadline that lies behind would make the owner's timer fire without end. */
static void a_start_after_a_long_cut_waits_for_its_server(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "a");
    two_pump(&s.two);
    two_cut(&s.two, BRIDGE_SOURCE);
    exchange_link_turn(s.link, s.two.now_ms);
    assert_int_equal(s.bridge->state, BRIDGE_WAITING);
    s.two.now_ms += 10 * EXCHANGE_LINK_PROBE_MS;
    exchange_link_turn(s.link, s.two.now_ms);
    assert_int_equal(s.bridge->state, BRIDGE_STARTING);
    assert_true(bridge_deadline_ms(s.bridge) > s.two.now_ms);
    two_pump(&s.two);
    assert_string_equal(bridge_state_name(s.bridge), "running");
    close_scene(&s);
}

static void what_was_made_is_deleted_when_federation_ends(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    TELL(&s, "a");
    two_pump(&s.two);
    exchange_link_clean_up(s.link);
    two_pump(&s.two);
    const struct topology *t = s.two.brokers[BRIDGE_SOURCE].topology;
    assert_null(topology_exchange(t, slice_str("/"), slice_str(QUEUE " A")));
    assert_null(topology_queue(t, slice_str("/"), slice_str(QUEUE)));
    close_scene(&s);
    open_scene(&s, "{\"uri\":\"amqp://guest:guest@north\",\"resource-cleanup-mode\":\"never\"}");
    TELL(&s, "a");
    two_pump(&s.two);
    exchange_link_clean_up(s.link);
    two_pump(&s.two);
    assert_non_null(topology_queue(s.two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), slice_str(QUEUE)));
    close_scene(&s);
}

static void many_bindings_cost_one_round_trip(void **state)
{
    (void)state;
    struct scene s;
    enum { MANY = 2000 };
    open_scene(&s, SIMPLE);
    exchange_link_bindings_begin(s.link);
    for (unsigned i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "key.%u", i);
        exchange_link_binding(s.link, slice_str(key), (struct slice){NULL, 0});
    }
    exchange_link_bindings_end(s.link);
    unsigned trips = 0;
    while (!bridge_may_forward(s.bridge) && trips < 100) {
        exchange_link_turn(s.link, s.two.now_ms);
        two_move(&s.two, BRIDGE_SOURCE);
        two_move(&s.two, BRIDGE_DEST);
        trips++;
    }
    assert_in_range(trips, 1, 12);
    /* Most of the channels that carried them are closed again: what goes now goes over the others. */
    TELL(&s, "key.1999");
    upstream_has(&s, QUEUE " A --> " QUEUE "\nfed -key.1999-> " QUEUE " A\n");
    TELL(&s, "key.1999", "new");
    upstream_has(&s, QUEUE " A --> " QUEUE "\nfed -key.1999-> " QUEUE " A\nfed -new-> " QUEUE " A\n");
    close_scene(&s);
}

static void refuse_connection(struct scene *s)
{
    session_close(s->two.brokers[BRIDGE_SOURCE].session, 503,
                  "COMMAND_INVALID - unknown exchange type 'x-federation-upstream'", s->two.now_ms);
}

static void refuse_channel(struct scene *s, const char *text)
{
    struct client_event e = {.kind = CLIENT_EVENT_CHANNEL_CLOSED,
                             .channel = CHANNEL_COMMANDS,
                             .reply_code = AMQP_PRECONDITION_FAILED,
                             .text = slice_str(text)};
    exchange_link_setup_event(s->bridge, BRIDGE_SOURCE, &e);
}

static void refuse_channel_for_the_type(struct scene *s)
{
    refuse_channel(s, "PRECONDITION_FAILED - unknown exchange type 'x-federation-upstream'");
}

static void turn_until_declaring(struct scene *s)
{
    for (unsigned i = 0; i < 50 && s->link->step != STEP_DECLARE; i++) {
        exchange_link_turn(s->link, s->two.now_ms);
        two_move(&s->two, BRIDGE_SOURCE);
        two_move(&s->two, BRIDGE_DEST);
    }
    assert_int_equal(s->link->step, STEP_DECLARE);
}

static const struct exchange *internal_exchange(const struct scene *s)
{
    const struct exchange *x =
        topology_exchange(s->two.brokers[BRIDGE_SOURCE].topology, slice_str("/"), buf_slice(&s->link->internal));
    assert_non_null(x);
    return x;
}

/* RabbitMQ without its federation plugin refuses the plugin's exchange type. */
static void gets_a_fanout(void (*refuse)(struct scene *s))
{
    struct scene s;
    open_scene(&s, SIMPLE);
    turn_until_declaring(&s);
    refuse(&s);
    two_pump(&s.two);
    two_wait(&s.two, 5000);
    TELL(&s, "a", "b");
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_true(slice_is(internal_exchange(&s)->type, "fanout"));
    assert_int_equal(internal_exchange(&s)->arguments.size ? 1 : 0, 1); /* x-internal-purpose */
    two_cut(&s.two, BRIDGE_SOURCE);
    two_wait(&s.two, 5000); /* it is remembered */
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_true(slice_is(internal_exchange(&s)->type, "fanout"));
    close_scene(&s);
}

static void an_upstream_that_closes_the_connection_gets_a_fanout(void **state)
{
    (void)state;
    gets_a_fanout(refuse_connection);
}

static void an_upstream_that_closes_the_channel_gets_a_fanout(void **state)
{
    (void)state;
    gets_a_fanout(refuse_channel_for_the_type);
}

static void another_refusal_does_not_change_the_type(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, SIMPLE);
    turn_until_declaring(&s);
    refuse_channel(&s, "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue");
    two_pump(&s.two);
    two_wait(&s.two, 5000);
    TELL(&s, "a", "b");
    assert_string_equal(bridge_state_name(s.bridge), "running");
    assert_true(slice_is(internal_exchange(&s)->type, "x-federation-upstream"));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_made_at_the_upstream),
        cmocka_unit_test(bindings_follow_those_here),
        cmocka_unit_test(a_new_start_leaves_nothing_stale),
        cmocka_unit_test(a_start_that_was_cut_off_is_cleared_up),
        cmocka_unit_test(messages_come_with_the_mark_of_their_source),
        cmocka_unit_test(a_missing_internal_exchange_is_noticed),
        cmocka_unit_test(a_start_after_a_long_cut_waits_for_its_server),
        cmocka_unit_test(what_was_made_is_deleted_when_federation_ends),
        cmocka_unit_test(many_bindings_cost_one_round_trip),
        cmocka_unit_test(an_upstream_that_closes_the_connection_gets_a_fanout),
        cmocka_unit_test(an_upstream_that_closes_the_channel_gets_a_fanout),
        cmocka_unit_test(another_refusal_does_not_change_the_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
