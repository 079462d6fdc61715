/* x-federation-upstream: a fanout that keeps back what has been there, or has come far enough. */
#include "router/federation.h"
#include "tests/unit/router/harness.h"

static struct buf arguments_of(int64_t hops, const char *cluster, const char *vhost)
{
    struct buf b = {0};
    put_integer(&b, "x-max-hops", hops);
    if (cluster) put_text(&b, "x-downstream-name", cluster);
    if (vhost) put_text(&b, "x-downstream-vhost", vhost);
    return b;
}

static struct topology_command upstream_of(const char *name, const struct buf *arguments)
{
    struct topology_command c = exchange_of(name, "x-federation-upstream");
    c.internal = c.durable = c.auto_delete = true;
    c.arguments = buf_slice(arguments);
    return c;
}

/* One place where a message has been. */
static void put_stop(struct buf *items, const char *cluster, const char *vhost)
{
    struct buf table = {0};
    put_text(&table, "uri", "amqp://x");
    if (cluster) put_text(&table, "cluster-name", cluster);
    if (vhost) put_text(&table, "vhost", vhost);
    buf_put_u8(items, 'F');
    buf_put_be32(items, (uint32_t)table.size);
    buf_put_slice(items, buf_slice(&table));
    buf_close(&table);
}

static struct buf headers_of(const struct buf *items)
{
    struct buf b = {0};
    put_key(&b, "x-received-from", 'A');
    buf_put_be32(&b, (uint32_t)items->size);
    buf_put_slice(&b, buf_slice(items));
    return b;
}

static void it_keeps_back_what_has_travelled_enough(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = arguments_of(2, "south", "/"), items = {0};
    accepted(t, upstream_of("u", &arguments));
    declare_queue(t, "q");
    accepted(t, bind_of("u", "q", ""));
    expect_route(t, "u", "any", "q");
    put_stop(&items, "west", "/");
    struct buf once = headers_of(&items);
    expect_route_with(t, "u", "any", buf_slice(&once), "q");
    put_stop(&items, "east", "/");
    struct buf twice = headers_of(&items);
    expect_route_with(t, "u", "any", buf_slice(&twice), "none");
    buf_close(&arguments);
    buf_close(&items);
    buf_close(&once);
    buf_close(&twice);
    topology_destroy(t);
}

static void it_keeps_back_what_has_been_at_the_downstream(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = arguments_of(9, "south", "/"), there = {0}, other_vhost = {0};
    accepted(t, upstream_of("u", &arguments));
    declare_queue(t, "q");
    accepted(t, bind_of("u", "q", ""));
    put_stop(&there, "south", "/");
    put_stop(&other_vhost, "south", "other");
    struct buf been = headers_of(&there), elsewhere = headers_of(&other_vhost);
    expect_route_with(t, "u", "any", buf_slice(&been), "none");
    expect_route_with(t, "u", "any", buf_slice(&elsewhere), "q");
    buf_close(&arguments);
    buf_close(&there);
    buf_close(&other_vhost);
    buf_close(&been);
    buf_close(&elsewhere);
    topology_destroy(t);
}

static void headers_of_another_type_mean_nothing(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = arguments_of(1, NULL, NULL), headers = {0};
    accepted(t, upstream_of("u", &arguments));
    declare_queue(t, "q");
    accepted(t, bind_of("u", "q", ""));
    put_text(&headers, "x-received-from", "nonsense");
    expect_route_with(t, "u", "any", buf_slice(&headers), "q");
    buf_close(&arguments);
    buf_close(&headers);
    topology_destroy(t);
}

static void max_hops_must_be_there(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf none = {0}, text = {0}, two = arguments_of(2, "a", "/"), three = arguments_of(3, "a", "/"),
               other = arguments_of(2, "b", "/");
    refused(t, upstream_of("u", &none), 406, "PRECONDITION_FAILED - Argument x-max-hops missing");
    put_text(&text, "x-max-hops", "2");
    refused(t, upstream_of("u", &text), 406, "PRECONDITION_FAILED - Argument x-max-hops must be of type long");
    accepted(t, upstream_of("u", &two));
    accepted(t, upstream_of("u", &other)); /* the downstream's names are not compared */
    refused(t, upstream_of("u", &three), 406,
            "PRECONDITION_FAILED - inequivalent arg 'x-max-hops' for exchange 'u' in vhost '/': received '3' but "
            "current is '2'");
    buf_close(&none);
    buf_close(&text);
    buf_close(&two);
    buf_close(&three);
    buf_close(&other);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_keeps_back_what_has_travelled_enough),
        cmocka_unit_test(it_keeps_back_what_has_been_at_the_downstream),
        cmocka_unit_test(headers_of_another_type_mean_nothing),
        cmocka_unit_test(max_hops_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
