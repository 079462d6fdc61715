#include "tests/unit/router/harness.h"

static void each_pattern_matches_the_keys_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *key;
        bool matches;
    } cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a.b", "a", false},
        {"a", "a.b", false},
        {"a.b.c", "a.b.c", true},
        {"*", "a", true},
        {"*", "a.b", false},
        {"*", "", false}, /* the empty key has no word */
        {"", "", true},
        {"", "a", false},
        {"#", "", true},
        {"#", "a", true},
        {"#", "a.b.c", true},
        {"#", "..", true},
        {"#.#", "", true},
        {"#.#", "a", true},
        {"#.#", "a.b.c", true},
        {"#.#.#", "", true},
        {"*.#", "", false},
        {"*.#", "a", true},
        {"*.#", "a.b", true},
        {"#.*", "", false},
        {"#.*", "a.b", true},
        {"#.*.#", "", false},
        {"#.*.#", "a", true},
        {"#.*.#.*", "a", false},
        {"#.*.#.*", "a.b", true},
        {"a.#", "a", true},
        {"a.#", "a.b.c", true},
        {"a.#", "ab", false},
        {"#.a", "a", true},
        {"#.a", "b.a", true},
        {"#.a", "a.b", false},
        {"a.#.b", "a.b", true},
        {"a.#.b", "a.x.y.b", true},
        {"a.#.b", "a.b.c", false},
        {"a.#.b", "a.b.b", true},
        {"a.*.b", "a.b", false},
        {"a.*.b", "a..b", true}, /* an empty word is a word */
        {"a.*", "a.", true},
        {"a.", "a", false},
        {"a.", "a.", true},
        {"*.*", ".", true},
        {"*", ".", false},
        {".", ".", true},
        {"..", ".", false},
        {"#.", "", false}, /* it ends in an empty word */
        {"#.", "a.", true},
        {"a*", "ab", false}, /* a wildcard is a whole word */
        {"a*", "a*", true},
        {"a#", "a.b", false},
        {"*", "*", true},
        {"*", "#", true},
        {"#", "#", true},
        {"a", "*", false},
        {"a.b", "a.#", false},
        {"A", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct topology *t = topology_create(HARNESS_GROUPS);
        declare_queue(t, "q");
        accepted(t, bind_of("amq.topic", "q", cases[i].pattern));
        if (route_topic_matches(S(cases[i].pattern), S(cases[i].key)) != cases[i].matches)
            fail_msg("alone: pattern \"%s\", key \"%s\"", cases[i].pattern, cases[i].key);
        expect_route(t, "amq.topic", cases[i].key, cases[i].matches ? "q" : "none");
        topology_destroy(t);
    }
}

static void patterns_that_share_words_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const char *const patterns[] = {"news", "news.*", "news.#", "*.sport", "#.sport", "#", "news.*.sport", ""};
    char name[8];
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        snprintf(name, sizeof name, "q%zu", i);
        declare_queue(t, name);
        accepted(t, bind_of("amq.topic", name, patterns[i]));
    }
    expect_route(t, "amq.topic", "news", "q0 q2 q5");
    expect_route(t, "amq.topic", "news.sport", "q1 q2 q3 q4 q5");
    expect_route(t, "amq.topic", "news.eu.sport", "q2 q4 q5 q6");
    expect_route(t, "amq.topic", "sport", "q4 q5");
    expect_route(t, "amq.topic", "", "q5 q7");
    struct topology_command c = bind_of("amq.topic", "q2", "news.#");
    c.type = TOPOLOGY_UNBIND;
    accepted(t, c);
    expect_route(t, "amq.topic", "news.sport", "q1 q3 q4 q5");
    expect_route(t, "amq.topic", "news", "q0 q5");
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q5")});
    expect_route(t, "amq.topic", "other", "none");
    topology_destroy(t);
}

/* Ways through `#.a.#.a...` are as many as stars in the sky; a client must not make a node count them. */
static void patterns_full_of_wildcards_are_matched_at_once(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    char pattern[TOPOLOGY_NAME_MAX + 1] = "", hashes[TOPOLOGY_NAME_MAX + 1] = "", key[TOPOLOGY_NAME_MAX + 1] = "";
    for (size_t i = 0; i < 60; i++) memcpy(pattern + 4 * i, "#.a.", 5);
    strcat(pattern, "b");
    for (size_t i = 0; i < 120; i++) memcpy(hashes + 2 * i, "#.", 3), memcpy(key + 2 * i, "a.", 3);
    strcat(hashes, "b");
    strcat(key, "c");
    declare_queue(t, "q");
    accepted(t, bind_of("amq.topic", "q", pattern));
    accepted(t, bind_of("amq.topic", "q", hashes));
    expect_route(t, "amq.topic", key, "none");
    assert_false(route_topic_matches(S(pattern), S(key)));
    key[strlen(key) - 1] = 'b';
    expect_route(t, "amq.topic", key, "q");
    assert_true(route_topic_matches(S(pattern), S(key)));
    assert_true(route_topic_matches(S(hashes), S(key)));
    topology_destroy(t);
}

/* --- a comparison with the rule written down word by word --- */

enum { WORDS_MAX = 6, BINDINGS_MAX = 24, ROUNDS = 1000, KEYS_PER_ROUND = 100 };

struct phrase {
    const char *words[WORDS_MAX];
    size_t count;
    char text[WORDS_MAX * 4];
};

static bool reference_matches(const char *const *pattern, size_t patterns, const char *const *key, size_t keys)
{
    if (!patterns) return !keys;
    if (!strcmp(*pattern, "#"))
        return reference_matches(pattern + 1, patterns - 1, key, keys) ||
               (keys && reference_matches(pattern, patterns, key + 1, keys - 1));
    return keys && (!strcmp(*pattern, "*") || !strcmp(*pattern, *key)) &&
           reference_matches(pattern + 1, patterns - 1, key + 1, keys - 1);
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

static struct phrase phrase_of(uint64_t *seed, const char *const *from, uint32_t choices)
{
    struct phrase p = {.count = draw(seed, WORDS_MAX + 1)};
    for (size_t i = 0; i < p.count; i++) {
        p.words[i] = from[draw(seed, choices)];
        if (i) strcat(p.text, ".");
        strcat(p.text, p.words[i]);
    }
    if (p.count == 1 && !*p.words[0]) p.count = 0; /* cannot be told from no word */
    return p;
}

static void one_round(uint64_t *seed, struct topology *t, const uint64_t *queues)
{
    static const char *const words[] = {"a", "b", "c", "", "*", "#", "*", "#"};
    struct phrase bound[BINDINGS_MAX];
    size_t count = 1 + draw(seed, BINDINGS_MAX);
    struct route route = {0};
    struct topology_result result;
    for (size_t i = 0; i < count; i++) {
        bound[i] = phrase_of(seed, words, 8);
        struct topology_command c = {.type = TOPOLOGY_BIND, .vhost = S("/"), .source = S("amq.topic")};
        c.name = topology_queue_by_id(t, queues[i])->name;
        c.routing_key = S(bound[i].text);
        topology_apply(t, topology_index(t) + 1, &c, &result);
        assert_int_equal(result.reply_code, 0);
    }
    for (size_t k = 0; k < KEYS_PER_ROUND; k++) {
        struct phrase key = phrase_of(seed, words, draw(seed, 8) ? 4 : 6);
        bool wanted[BINDINGS_MAX], found[BINDINGS_MAX] = {false};
        assert_true(route_message(t, S("/"), S("amq.topic"), S(key.text), (struct slice){0}, &route));
        for (size_t i = 0; i < count; i++) {
            wanted[i] = reference_matches(bound[i].words, bound[i].count, key.words, key.count);
            for (size_t j = 0; j < route.count; j++) found[i] |= route.targets[j].queue == queues[i];
            if (found[i] != wanted[i] || route_topic_matches(S(bound[i].text), S(key.text)) != wanted[i])
                fail_msg("pattern \"%s\", key \"%s\": should be %d", bound[i].text, key.text, wanted[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct topology_command c = {.type = TOPOLOGY_UNBIND, .vhost = S("/"), .source = S("amq.topic")};
        c.name = topology_queue_by_id(t, queues[i])->name;
        c.routing_key = S(bound[i].text);
        topology_apply(t, topology_index(t) + 1, &c, &result);
    }
    assert_int_equal(binding_count(t), 0);
    route_close(&route);
}

static void the_trie_agrees_with_a_naive_matcher(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    uint64_t queues[BINDINGS_MAX], seed = 42;
    char name[8];
    for (size_t i = 0; i < BINDINGS_MAX; i++) {
        snprintf(name, sizeof name, "q%zu", i);
        queues[i] = declare_queue(t, name);
    }
    for (size_t round = 0; round < ROUNDS; round++) one_round(&seed, t, queues);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pattern_matches_the_keys_it_should),
        cmocka_unit_test(patterns_that_share_words_do_not_disturb_each_other),
        cmocka_unit_test(patterns_full_of_wildcards_are_matched_at_once),
        cmocka_unit_test(the_trie_agrees_with_a_naive_matcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
