#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "ha/federation/federated.h"
#include "ha/federation/find.h"
#include "router/registry.h"

struct scene {
    struct topology *topology;
    uint64_t index;
    struct buf found;
};

static void apply(struct scene *s, struct topology_command c)
{
    struct topology_result r;
    if (!c.vhost.data) c.vhost = slice_str("/");
    topology_apply(s->topology, ++s->index, &c, &r);
    if (r.reply_code) fail_msg("%u %s", r.reply_code, r.text);
}

static void set(struct scene *s, enum registry_kind kind, const char *name, const char *detail, const char *value)
{
    apply(s, registry_set_command(kind, slice_str("/"), slice_str(name), slice_str(detail), slice_str(value)));
}

static int open_scene(void **state)
{
    static struct scene scene;
    scene = (struct scene){.topology = topology_create(4)};
    struct topology_command x = {
        .type = TOPOLOGY_EXCHANGE_DECLARE, .name = slice_str("fed.x"), .kind = slice_str("topic"), .durable = true};
    struct topology_command q = {.type = TOPOLOGY_QUEUE_DECLARE, .name = slice_str("fed.q"), .durable = true};
    apply(&scene, x);
    x.name = slice_str("plain");
    apply(&scene, x);
    x.name = slice_str("fed.internal");
    x.internal = true;
    apply(&scene, x);
    apply(&scene, q);
    set(&scene, REGISTRY_PARAMETER, "federation-upstream", "east", "{\"max-hops\":3,\"uri\":\"amqp://e\"}");
    set(&scene, REGISTRY_PARAMETER, "federation-upstream", "west", "{\"uri\":\"amqp://w\"}");
    *state = &scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *s = *state;
    topology_destroy(s->topology);
    buf_close(&s->found);
    return 0;
}

static void note(void *arg, const struct federation_link *link)
{
    struct scene *s = arg;
    struct federated f;
    struct err err;
    if (federated_read(&f, link->text, &err)) fail_msg("%s", err.text);
    struct slice there = federated_upstream_name(&f);
    buf_printf(&s->found, "%s %.*s from %.*s at %s hops=%d; ", link->is_queue ? "queue" : "exchange",
               (int)link->name.size, (const char *)link->name.data, (int)there.size, (const char *)there.data,
               link->upstream, (int)f.upstream.max_hops);
    federated_close(&f);
}

static void finds(struct scene *s, const char *expected)
{
    buf_clear(&s->found);
    federation_find(s->topology, "home", note, s);
    buf_put_u8(&s->found, 0);
    assert_string_equal((char *)s->found.data, expected);
}

static void policy(struct scene *s, const char *apply_to, const char *definition)
{
    char text[512];
    snprintf(text, sizeof text, "{\"apply-to\":\"%s\",\"definition\":{%s},\"pattern\":\"^fed\",\"priority\":0}",
             apply_to, definition);
    set(s, REGISTRY_POLICY, "p", "", text);
}

static void without_a_policy_nothing_is_federated(void **state)
{
    struct scene *s = *state;
    finds(s, "");
    policy(s, "all", "\"max-length\":5");
    finds(s, "");
}

static void all_upstreams_are_a_set_of_their_own(void **state)
{
    struct scene *s = *state;
    policy(s, "all", "\"federation-upstream-set\":\"all\"");
    finds(s, "exchange fed.x from fed.x at east hops=3; exchange fed.x from fed.x at west hops=1; "
             "queue fed.q from fed.q at east hops=3; queue fed.q from fed.q at west hops=1; ");
}

static void one_upstream_and_a_pattern_may_be_named(void **state)
{
    struct scene *s = *state;
    policy(s, "exchanges", "\"federation-upstream\":\"west\"");
    finds(s, "exchange fed.x from fed.x at west hops=1; ");
    policy(s, "queues", "\"federation-upstream-pattern\":\"^ea\"");
    finds(s, "queue fed.q from fed.q at east hops=3; ");
    policy(s, "queues", "\"federation-upstream\":\"nowhere\"");
    finds(s, "");
}

static void an_entry_of_a_set_overrides_its_upstream(void **state)
{
    struct scene *s = *state;
    set(s, REGISTRY_PARAMETER, "federation-upstream-set", "both",
        "[{\"exchange\":\"other\",\"max-hops\":7,\"upstream\":\"east\"},{\"upstream\":\"west\"},{\"upstream\":\"gone\"}"
        "]");
    policy(s, "exchanges", "\"federation-upstream-set\":\"both\"");
    finds(s, "exchange fed.x from other at east hops=7; exchange fed.x from fed.x at west hops=1; ");
}

static void refused(const char *value, const char *why)
{
    struct upstream u;
    struct err err;
    json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    assert_int_equal(upstream_read(&u, "u", json, &err), ERR_INVALID);
    assert_string_equal(err.text, why);
    json_decref(json);
}

static void nonsense_is_refused_in_rabbitmqs_words(void **state)
{
    struct err err;
    (void)state;
    refused("{}", "Key \"uri\" not found in u");
    refused("{\"uri\":5}", "uri should be list, actually was 5");
    refused("{\"uri\":\"amqp://\",\"max-hops\":\"x\"}", "max-hops should be a number, actually was <<\"x\">>");
    refused("{\"uri\":\"amqp://\",\"trust-user-id\":1}", "trust-user-id should be boolean, actually was 1");
    refused("{\"uri\":\"amqp://\",\"queue-type\":\"stream\"}",
            "queue-type should be one of ['classic','quorum'], actually was <<\"stream\">>");
    refused("{\"uri\":\"amqp://\",\"color\":1}", "Unrecognised terms [{<<\"color\">>}] in u");
    json_t *set = json_loads("[{\"max-hops\":1}]", 0, NULL);
    assert_int_equal(upstream_set_check("s", set, &err), ERR_INVALID);
    assert_string_equal(err.text, "Key \"upstream\" not found in s");
    json_decref(set);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_policy_nothing_is_federated),
        TEST(all_upstreams_are_a_set_of_their_own),
        TEST(one_upstream_and_a_pattern_may_be_named),
        TEST(an_entry_of_a_set_overrides_its_upstream),
        cmocka_unit_test(nonsense_is_refused_in_rabbitmqs_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
