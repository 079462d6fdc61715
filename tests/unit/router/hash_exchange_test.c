/* Exchanges that send a message to one of their bindings: x-consistent-hash, x-modulus-hash,
 * x-random, x-local-random. */
#include "tests/unit/router/harness.h"

#include "base/hash.h"

enum { KEYS = 100000, KEYS_FEW = 20000, QUEUES_MAX = 16 };

static void declare_queues(struct topology *t, unsigned count)
{
    char name[8];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "q%u", i);
        declare_queue(t, name);
    }
}

static void unbind(struct topology *t, const char *exchange, const char *queue, const char *key)
{
    struct topology_command c = bind_of(exchange, queue, key);
    c.type = TOPOLOGY_UNBIND;
    accepted(t, c);
}

static void declare_with(struct topology *t, const char *name, const char *argument, const char *value)
{
    struct buf arguments = {0};
    struct topology_command c = exchange_of(name, "x-consistent-hash");
    put_text(&arguments, argument, value);
    c.arguments = buf_slice(&arguments);
    accepted(t, c);
    buf_close(&arguments);
}

static struct route_query query_of(const char *exchange, const char *key)
{
    return (struct route_query){.vhost = S("/"), .exchange = S(exchange), .routing_key = S(key)};
}

/* The number in the name of the only queue. */
static unsigned only_queue(struct topology *t, const struct route_query *q, struct route *route)
{
    assert_true(route_find(t, q, route));
    assert_int_equal(route->count, 1);
    struct slice name = topology_queue_by_id(t, route->targets[0].queue)->name;
    unsigned number = (unsigned)(name.data[1] - '0');
    for (size_t i = 2; i < name.size; i++) number = number * 10 + (unsigned)(name.data[i] - '0');
    return number;
}

/* Where the keys k0, k1 ... go: `homes`, and how many to each queue. */
static void spread(struct topology *t, const char *exchange, unsigned keys, uint8_t *homes, unsigned *counts)
{
    struct route route = {0};
    char key[16];
    memset(counts, 0, QUEUES_MAX * sizeof *counts);
    for (unsigned i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "k%u", i);
        struct route_query q = query_of(exchange, key);
        q.random = hash_u64(1) + i; /* as a channel does */
        unsigned home = only_queue(t, &q, &route);
        counts[home]++;
        if (homes) homes[i] = (uint8_t)home;
    }
    route_close(&route);
}

/* Within three hundredths of the expected count: some eight standard deviations for the counts used here. */
static void expect_near(unsigned count, double expected)
{
    if (count < expected * 0.97 || count > expected * 1.03) fail_msg("%u, expected about %.0f", count, expected);
}

/* --- x-consistent-hash --- */

static void queues_get_keys_by_their_weights(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    unsigned counts[QUEUES_MAX];
    declare_queues(t, 3);
    declare_exchange(t, "x", "x-consistent-hash");
    expect_route(t, "x", "k", "none");
    accepted(t, bind_of("x", "q0", "1"));
    expect_route(t, "x", "k", "q0");
    accepted(t, bind_of("x", "q1", "2"));
    accepted(t, bind_of("x", "q2", "3"));
    spread(t, "x", KEYS, NULL, counts);
    for (unsigned i = 0; i < 3; i++) expect_near(counts[i], KEYS * (i + 1) / 6.0);
    topology_destroy(t);
}

static void weights_may_be_as_far_apart_as_they_get(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    unsigned counts[QUEUES_MAX];
    declare_queues(t, 3);
    declare_exchange(t, "x", "x-consistent-hash");
    accepted(t, bind_of("x", "q0", "16777216"));
    accepted(t, bind_of("x", "q1", "16777216"));
    accepted(t, bind_of("x", "q2", "1"));
    spread(t, "x", KEYS, NULL, counts);
    expect_near(counts[0], KEYS / 2.0);
    expect_near(counts[1], KEYS / 2.0);
    assert_true(counts[2] < 10);
    topology_destroy(t);
}

static void a_queue_that_comes_takes_its_share_and_moves_nothing_else(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static uint8_t before[KEYS], after[KEYS];
    unsigned counts[QUEUES_MAX], moved = 0;
    char name[8];
    declare_queues(t, 10);
    declare_exchange(t, "x", "x-consistent-hash");
    for (unsigned i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "q%u", i);
        accepted(t, bind_of("x", name, "10"));
    }
    spread(t, "x", KEYS, before, counts);
    accepted(t, bind_of("x", "q9", "10"));
    spread(t, "x", KEYS, after, counts);
    for (unsigned i = 0; i < KEYS; i++) {
        if (before[i] == after[i]) continue;
        assert_int_equal(after[i], 9);
        moved++;
    }
    expect_near(moved, KEYS / 10.0);
    /* and the other way round: all but its own stay, whether it is unbound or deleted */
    unbind(t, "x", "q9", "10");
    spread(t, "x", KEYS_FEW, after, counts);
    assert_memory_equal(before, after, KEYS_FEW);
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q4")});
    spread(t, "x", KEYS_FEW, after, counts);
    for (unsigned i = 0; i < KEYS_FEW; i++) {
        if (before[i] != 4) assert_int_equal(before[i], after[i]);
        else assert_int_not_equal(after[i], 4);
    }
    topology_destroy(t);
}

static void a_changed_weight_moves_keys_only_towards_its_queue(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static uint8_t before[KEYS_FEW], after[KEYS_FEW];
    unsigned counts[QUEUES_MAX];
    declare_queues(t, 3);
    declare_exchange(t, "x", "x-consistent-hash");
    accepted(t, bind_of("x", "q0", "1"));
    accepted(t, bind_of("x", "q1", "1"));
    accepted(t, bind_of("x", "q2", "1"));
    spread(t, "x", KEYS_FEW, before, counts);
    accepted(t, bind_of("x", "q1", "3")); /* of two bindings the heavier counts */
    spread(t, "x", KEYS_FEW, after, counts);
    for (unsigned i = 0; i < KEYS_FEW; i++)
        if (before[i] != after[i]) assert_int_equal(after[i], 1);
    expect_near(counts[1], KEYS_FEW * 3 / 5.0);
    unbind(t, "x", "q1", "1");
    spread(t, "x", KEYS_FEW, before, counts);
    assert_memory_equal(before, after, KEYS_FEW);
    topology_destroy(t);
}

/* Another order of making, and a life as a manifest, change no choice. */
static void equal_topologies_choose_alike(void **state)
{
    (void)state;
    static const char *const kinds[] = {"x-consistent-hash", "x-modulus-hash", "x-random"};
    static const char *const orders[][4] = {{"q0", "q1", "q2", "q3"}, {"q2", "q0", "q3", "q1"}};
    static uint8_t homes[3][KEYS_FEW];
    unsigned counts[QUEUES_MAX];
    for (size_t kind = 0; kind < 3; kind++) {
        struct topology *t[3];
        for (size_t i = 0; i < 2; i++) {
            t[i] = topology_create(HARNESS_GROUPS);
            declare_queues(t[i], 4);
            declare_exchange(t[i], "x", kinds[kind]);
            for (size_t j = 0; j < 4; j++) accepted(t[i], bind_of("x", orders[i][j], "5"));
        }
        struct buf bytes = {0};
        t[2] = topology_create(HARNESS_GROUPS);
        topology_encode(t[1], &bytes);
        assert_int_equal(topology_restore(t[2], buf_slice(&bytes), NULL), 0);
        buf_close(&bytes);
        for (size_t i = 0; i < 3; i++) {
            spread(t[i], "x", KEYS_FEW, homes[i], counts);
            if (i) assert_memory_equal(homes[0], homes[i], KEYS_FEW);
        }
        for (size_t i = 0; i < 3; i++) topology_destroy(t[i]);
    }
}

/* Written down: nodes of different builds must agree, so these may never change. */
static void choices_are_the_same_in_every_build(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    char chosen[33], key[8];
    declare_queues(t, 3);
    declare_exchange(t, "c", "x-consistent-hash");
    declare_exchange(t, "m", "x-modulus-hash");
    static const char *const exchanges[] = {"c", "m"};
    static const char *const expected[] = {"10120122100201220222112011122221", "11101200110202001101002120110100"};
    for (size_t x = 0; x < 2; x++) {
        accepted(t, bind_of(exchanges[x], "q0", "1"));
        accepted(t, bind_of(exchanges[x], "q1", "2"));
        accepted(t, bind_of(exchanges[x], "q2", "3"));
        for (unsigned i = 0; i < 32; i++) {
            snprintf(key, sizeof key, "k%u", i);
            struct route_query q = query_of(exchanges[x], key);
            chosen[i] = (char)('0' + only_queue(t, &q, &route));
        }
        chosen[32] = 0;
        assert_string_equal(chosen, expected[x]);
    }
    route_close(&route);
    topology_destroy(t);
}

static void a_header_may_be_hashed_in_place_of_the_key(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    struct buf headers = {0};
    unsigned counts[QUEUES_MAX] = {0};
    declare_queues(t, 4);
    declare_with(t, "x", "hash-header", "user");
    for (unsigned i = 0; i < 4; i++) accepted(t, bind_of("x", (const char *[]){"q0", "q1", "q2", "q3"}[i], "1"));
    for (unsigned i = 0; i < KEYS_FEW; i++) {
        char user[16];
        snprintf(user, sizeof user, "user %u", i);
        buf_clear(&headers);
        put_text(&headers, "other", "same");
        put_text(&headers, "user", user);
        struct route_query q = query_of("x", "a");
        q.headers = buf_slice(&headers);
        unsigned home = only_queue(t, &q, &route);
        assert_true(route.depends_on_headers);
        assert_false(route_is_lasting(&route));
        counts[home]++;
        q.routing_key = S("b"); /* the key does not matter */
        if (i < 100) assert_int_equal(only_queue(t, &q, &route), home);
    }
    for (unsigned i = 0; i < 4; i++) expect_near(counts[i], KEYS_FEW / 4.0);
    /* numbers by value; all messages without the header go to one queue */
    struct route_query byte = query_of("x", ""), wide = query_of("x", ""), without = query_of("x", "");
    for (unsigned i = 0; i < 100; i++) {
        const uint8_t narrow[] = {4, 'u', 's', 'e', 'r', 'B', (uint8_t)i};
        char key[16];
        buf_clear(&headers);
        put_integer(&headers, "user", i);
        byte.headers = slice_of(narrow, sizeof narrow);
        wide.headers = buf_slice(&headers);
        unsigned home = only_queue(t, &byte, &route);
        assert_int_equal(only_queue(t, &wide, &route), home);
        counts[home] = 0;
        snprintf(key, sizeof key, "%u", i);
        without.routing_key = S(key);
        unsigned first = i ? counts[4] : only_queue(t, &without, &route);
        assert_int_equal(only_queue(t, &without, &route), first);
        counts[4] = first;
    }
    for (unsigned i = 0; i < 4; i++) assert_int_equal(counts[i], 0); /* numbers spread, too */
    buf_close(&headers);
    route_close(&route);
    topology_destroy(t);
}

/* All properties up to the one asked for stand before it on the wire; `value` is in each that is a string. */
static void put_properties(struct buf *b, uint16_t flags, const char *value, uint64_t timestamp)
{
    buf_clear(b);
    buf_put_be16(b, flags);
    for (unsigned bit = 15; bit >= 2; bit--) {
        if (!(flags & 1u << bit)) continue;
        if (bit == 13) {
            buf_put_be32(b, 4);
            buf_put(b, "\1at\1", 4);
        } else if (bit == 12 || bit == 11) {
            buf_put_u8(b, 2);
        } else if (bit == 6) {
            buf_put_be64(b, timestamp);
        } else {
            buf_put_u8(b, (uint8_t)strlen(value));
            buf_put_slice(b, S(value));
        }
    }
}

static void a_property_may_be_hashed_in_place_of_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned bit;
    } cases[] = {{"message_id", 7}, {"correlation_id", 10}, {"timestamp", 6},  {"app_id", 3},       {"reply_to", 9},
                 {"type", 5},       {"user_id", 4},         {"cluster_id", 2}, {"content_type", 15}};
    struct route route = {0};
    struct buf list = {0};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct topology *t = topology_create(HARNESS_GROUPS);
        unsigned counts[4] = {0};
        uint16_t alone = (uint16_t)(1u << cases[c].bit), all = 0xfffc;
        declare_queues(t, 4);
        declare_with(t, "x", "hash-property", cases[c].name);
        for (unsigned i = 0; i < 4; i++) accepted(t, bind_of("x", (const char *[]){"q0", "q1", "q2", "q3"}[i], "1"));
        for (unsigned i = 0; i < KEYS_FEW / 4; i++) {
            char value[16];
            struct route_query q = query_of("x", "a");
            snprintf(value, sizeof value, "id %u", i);
            put_properties(&list, alone, value, i);
            q.properties = buf_slice(&list);
            unsigned home = only_queue(t, &q, &route);
            assert_true(route.depends_on_properties);
            assert_false(route.depends_on_headers);
            assert_false(route_is_lasting(&route));
            counts[home]++;
            put_properties(&list, all, value, i);
            q.properties = buf_slice(&list);
            assert_int_equal(only_queue(t, &q, &route), home);
            if (i) continue;
            put_properties(&list, (uint16_t)(all & ~alone), value,
                           i); /* without it, or cut off: as with an empty one */
            q.properties = buf_slice(&list);
            home = only_queue(t, &q, &route);
            q.properties = (struct slice){0};
            assert_int_equal(only_queue(t, &q, &route), home);
            put_properties(&list, alone, value, i);
            q.properties = slice_of(list.data, list.size - 1);
            assert_int_equal(only_queue(t, &q, &route), home);
        }
        for (unsigned i = 0; i < 4; i++)
            if (counts[i] < KEYS_FEW / 20) fail_msg("%s: %u", cases[c].name, counts[i]);
        topology_destroy(t);
    }
    buf_close(&list);
    route_close(&route);
}

static void arguments_that_say_nothing_clear_are_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf b = {0};
    struct topology_command c = exchange_of("x", "x-consistent-hash");
    put_text(&b, "hash-header", "h");
    put_text(&b, "hash-property", "message_id");
    c.arguments = buf_slice(&b);
    refused(t, c, 406, "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive");
    c.kind = S("x-modulus-hash"); /* they mean nothing there */
    accepted(t, c);
    buf_clear(&b);
    put_text(&b, "hash-property", "priority");
    c.arguments = buf_slice(&b);
    c.name = S("y");
    c.kind = S("x-consistent-hash");
    refused(t, c, 406, "PRECONDITION_FAILED - Unsupported property: priority");
    buf_clear(&b);
    put_integer(&b, "hash-header", 1);
    c.arguments = buf_slice(&b);
    refused(t, c, 406, "PRECONDITION_FAILED - invalid type for arg 'hash-header': long, expected longstr");
    buf_clear(&b);
    put_bool(&b, "hash-property", true);
    c.arguments = buf_slice(&b);
    refused(t, c, 406, "PRECONDITION_FAILED - invalid type for arg 'hash-property': bool, expected longstr");
    assert_false(has_exchange(t, "y"));
    buf_close(&b);
    topology_destroy(t);
}

static void binding_keys_that_are_no_weights_are_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const struct {
        const char *key, *text;
    } cases[] = {
        {"heavy", "must be an integer: <<\"heavy\">>"},
        {"", "must be an integer: <<>>"},
        {"+", "must be an integer: <<\"+\">>"},
        {"1.5", "must be an integer: <<\"1.5\">>"},
        {" 1", "must be an integer: <<\" 1\">>"},
        {"0", "must be greater than 0"},
        {"-3", "must be greater than 0"},
        {"16777217", "must not be greater than 16777216"},
        {"99999999999999999999999999", "must not be greater than 16777216"},
    };
    declare_queues(t, 1);
    declare_exchange(t, "x", "x-consistent-hash");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "PRECONDITION_FAILED - The binding key %s", cases[i].text);
        refused(t, bind_of("x", "q0", cases[i].key), 406, text);
    }
    assert_int_equal(binding_count(t), 0);
    accepted(t, bind_of("x", "q0", "+7"));
    accepted(t, bind_of("x", "q0", "007"));
    accepted(t, bind_exchange_of("x", "amq.fanout", "1"));
    refused(t, bind_exchange_of("x", "amq.fanout", "a"), 406,
            "PRECONDITION_FAILED - The binding key must be an integer: <<\"a\">>");
    topology_destroy(t);
}

/* A manifest that no topology wrote. */
static void a_manifest_with_a_binding_without_weight_is_refused(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS), *copy = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0};
    declare_queues(t, 1);
    declare_exchange(t, "x", "x-consistent-hash");
    accepted(t, bind_of("x", "q0", "77"));
    topology_encode(t, &bytes);
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), NULL), 0);
    size_t key = 0;
    while (memcmp(bytes.data + key, "77", 2) != 0) assert_true(++key < bytes.size - 2);
    bytes.data[key] = 'x';
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), NULL), ERR_FORMAT);
    buf_close(&bytes);
    topology_destroy(t);
    topology_destroy(copy);
}

static void the_further_keys_of_a_message_meet_at_one_queue(void **state)
{
    (void)state;
    static const char *const kinds[] = {"x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random"};
    struct buf further = {0};
    put_item(&further, "another");
    put_item(&further, "one more");
    for (size_t kind = 0; kind < 4; kind++) {
        struct topology *t = topology_create(HARNESS_GROUPS);
        struct route route = {0};
        declare_queues(t, 4);
        declare_exchange(t, "x", kinds[kind]);
        for (unsigned i = 0; i < 4; i++)
            accepted(t, bind_of("x", (const char *[]){"q0", "q1", "q2", "q3"}[i], kind == 3 ? "" : "1"));
        for (uint64_t message = 0; message < 100; message++) {
            char key[24];
            snprintf(key, sizeof key, "%u", (unsigned)message);
            struct route_query q = query_of("x", key);
            q.random = message;
            unsigned home = only_queue(t, &q, &route);
            q.further[0] = buf_slice(&further);
            assert_int_equal(only_queue(t, &q, &route), home);
        }
        route_close(&route);
        topology_destroy(t);
    }
    buf_close(&further);
}

/* --- x-modulus-hash --- */

static void keys_are_spread_by_modulus_over_the_bindings(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    unsigned counts[QUEUES_MAX];
    declare_queues(t, 3);
    declare_exchange(t, "x", "x-modulus-hash");
    expect_route(t, "x", "k", "none");
    accepted(t, bind_of("x", "q2", ""));
    accepted(t, bind_of("x", "q0", "any key"));
    accepted(t, bind_of("x", "q1", ""));
    spread(t, "x", KEYS, NULL, counts);
    for (unsigned i = 0; i < 3; i++) expect_near(counts[i], KEYS / 3.0);
    accepted(t, bind_of("x", "q1", "again")); /* bindings are counted, not queues */
    spread(t, "x", KEYS, NULL, counts);
    expect_near(counts[1], KEYS / 2.0);
    struct route_query q = query_of("x", "k");
    struct route route = {0};
    only_queue(t, &q, &route);
    assert_true(route_is_lasting(&route)); /* a function of the key: may be remembered */
    route_close(&route);
    topology_destroy(t);
}

/* --- chance --- */

static void chance_is_even_and_never_remembered(void **state)
{
    (void)state;
    static const char *const kinds[] = {"x-random", "x-local-random"};
    for (size_t kind = 0; kind < 2; kind++) {
        struct topology *t = topology_create(HARNESS_GROUPS);
        unsigned counts[QUEUES_MAX];
        struct route route = {0};
        struct route_query q = query_of("x", "k");
        declare_queues(t, 5);
        declare_exchange(t, "x", kinds[kind]);
        accepted(t, bind_of("x", "q0", ""));
        assert_int_equal(only_queue(t, &q, &route), 0);
        assert_true(route_is_lasting(&route)); /* there is no choice */
        for (unsigned i = 1; i < 5; i++)
            accepted(t, bind_of("x", (const char *[]){"q0", "q1", "q2", "q3", "q4"}[i], ""));
        only_queue(t, &q, &route);
        assert_true(route.depends_on_chance);
        assert_false(route_is_lasting(&route));
        spread(t, "x", KEYS, NULL, counts);
        for (unsigned i = 0; i < 5; i++) expect_near(counts[i], KEYS / 5.0);
        route_close(&route);
        topology_destroy(t);
    }
}

static bool in_group(void *arg, uint32_t group)
{
    return *(uint32_t *)arg == group;
}

static void local_random_prefers_queues_that_are_led_here(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    uint32_t led = 2;
    unsigned counts[8] = {0};
    declare_queues(t, 8); /* two in each of four groups */
    declare_exchange(t, "x", "x-local-random");
    refused(t, bind_exchange_of("x", "amq.fanout", ""), 406, "PRECONDITION_FAILED - Destination not found");
    refused(t, bind_of("x", "q0", "k"), 406, "PRECONDITION_FAILED - Non empty binding 'k' key not permitted");
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "q%u", i);
        accepted(t, bind_of("x", name, ""));
    }
    struct route_query q = query_of("x", "k");
    q.is_local = in_group;
    q.is_local_arg = &led;
    for (q.random = 0; q.random < KEYS_FEW; q.random++) {
        counts[only_queue(t, &q, &route)]++;
        assert_int_equal(route.targets[0].group, led);
        assert_true(route.depends_on_chance);
    }
    unsigned used = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (counts[i]) expect_near(counts[i], KEYS_FEW / 2.0);
        used += counts[i] != 0;
    }
    assert_int_equal(used, 2);
    led = 77; /* none is here: any */
    memset(counts, 0, sizeof counts);
    for (q.random = 0; q.random < KEYS_FEW; q.random++) counts[only_queue(t, &q, &route)]++;
    for (unsigned i = 0; i < 8; i++) assert_true(counts[i] > KEYS_FEW / 10);
    route_close(&route);
    topology_destroy(t);
}

/* --- together with others --- */

static void a_chosen_exchange_routes_on_and_nothing_bound_means_the_alternate(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0};
    struct route route = {0};
    declare_queues(t, 4);
    struct topology_command c = exchange_of("x", "x-consistent-hash");
    put_text(&arguments, "alternate-exchange", "rest");
    c.arguments = buf_slice(&arguments);
    accepted(t, c);
    declare_exchange(t, "rest", "fanout");
    accepted(t, bind_of("rest", "q3", ""));
    expect_route(t, "x", "k", "q3");
    declare_with(t, "behind", "hash-header", "h");
    accepted(t, bind_exchange_of("x", "behind", "1"));
    expect_route(t, "x", "k", "none"); /* bound, and nothing behind */
    accepted(t, bind_of("behind", "q0", "1"));
    expect_route(t, "x", "k", "q0");
    struct route_query q = query_of("x", "k");
    assert_true(route_find(t, &q, &route) && route_is_lasting(&route));
    accepted(t, bind_of("behind", "q1", "1"));
    assert_true(route_find(t, &q, &route));
    assert_true(route.depends_on_headers);
    accepted(t, bind_exchange_of("amq.fanout", "x", ""));
    accepted(t, bind_of("amq.fanout", "q2", ""));
    q.exchange = S("amq.fanout");
    assert_true(route_find(t, &q, &route));
    assert_int_equal(route.count, 2);
    assert_true(route.depends_on_headers);
    accepted(t, (struct topology_command){.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("behind")});
    expect_route(t, "x", "k", "q3");
    buf_close(&arguments);
    route_close(&route);
    topology_destroy(t);
}

static void an_exchange_that_chooses_is_deleted_with_its_last_binding(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command c = exchange_of("x", "x-random");
    c.auto_delete = true;
    declare_queues(t, 2);
    accepted(t, c);
    accepted(t, bind_of("x", "q0", "a"));
    accepted(t, bind_of("x", "q0", "b"));
    accepted(t, bind_of("x", "q1", "a"));
    unbind(t, "x", "q0", "b");
    unbind(t, "x", "q1", "a");
    expect_route(t, "x", "k", "q0");
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q0")});
    assert_false(has_exchange(t, "x"));
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_get_keys_by_their_weights),
        cmocka_unit_test(weights_may_be_as_far_apart_as_they_get),
        cmocka_unit_test(a_queue_that_comes_takes_its_share_and_moves_nothing_else),
        cmocka_unit_test(a_changed_weight_moves_keys_only_towards_its_queue),
        cmocka_unit_test(equal_topologies_choose_alike),
        cmocka_unit_test(choices_are_the_same_in_every_build),
        cmocka_unit_test(a_header_may_be_hashed_in_place_of_the_key),
        cmocka_unit_test(a_property_may_be_hashed_in_place_of_the_key),
        cmocka_unit_test(arguments_that_say_nothing_clear_are_refused),
        cmocka_unit_test(binding_keys_that_are_no_weights_are_refused),
        cmocka_unit_test(a_manifest_with_a_binding_without_weight_is_refused),
        cmocka_unit_test(the_further_keys_of_a_message_meet_at_one_queue),
        cmocka_unit_test(keys_are_spread_by_modulus_over_the_bindings),
        cmocka_unit_test(chance_is_even_and_never_remembered),
        cmocka_unit_test(local_random_prefers_queues_that_are_led_here),
        cmocka_unit_test(a_chosen_exchange_routes_on_and_nothing_bound_means_the_alternate),
        cmocka_unit_test(an_exchange_that_chooses_is_deleted_with_its_last_binding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
