/* From a route to one command per group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/broker/publish.h"

static struct buf said;

static void say(void *arg, const struct publish *m, const struct publish_share *share)
{
    (void)arg, (void)m;
    buf_printf(&said, "%u:", share->group);
    for (uint32_t i = 0; i < share->queue_count; i++) buf_printf(&said, " %llu", (unsigned long long)share->queues[i]);
    const struct enqueue_marks *marks = share->marks;
    if (marks && marks->key.data) buf_printf(&said, " key=%.*s", (int)marks->key.size, (const char *)marks->key.data);
    if (marks && marks->window.data)
        buf_printf(&said, " window=%.*s/%u", (int)marks->window.size, (const char *)marks->window.data,
                   marks->windowed);
    if (marks && marks->producer.data) buf_printf(&said, " sequence=%llu", (unsigned long long)marks->sequence);
    struct reader r = reader_of(marks ? marks->stores : (struct slice){0});
    struct enqueue_store store;
    while (enqueue_store_next(&r, &store))
        buf_printf(&said, " store=%u/%llu/%.*s", store.kind, (unsigned long long)store.value, (int)store.exchange.size,
                   (const char *)store.exchange.data);
    buf_printf(&said, ";");
}

static void expect(const struct route *route, const struct amqp_marks *marks, unsigned count, const char *text)
{
    struct publish m = {.vhost = slice_str("/"), .ttl_ms = UINT64_MAX, .marks = marks};
    buf_clear(&said);
    assert_int_equal(publish_shares(route, &m, say, NULL), count);
    buf_put_u8(&said, 0);
    assert_string_equal((const char *)said.data, text);
    buf_close(&said);
}

static struct amqp_marks keyed(void)
{
    return (struct amqp_marks){.key = {.size = 2, .bytes = "Sk"}};
}

static void each_group_gets_its_queues(void **state)
{
    (void)state;
    struct route_target targets[] = {{1, 5, false}, {1, 9, false}, {3, 2, false}};
    struct route route = {.targets = targets, .count = 3};
    struct amqp_marks marks = keyed();
    expect(&route, NULL, 2, "1: 5 9;3: 2;");
    expect(&route, &marks, 2, "1: 5 9 key=Sk;3: 2 key=Sk;");
    marks = (struct amqp_marks){.producer = {.size = 2, .bytes = "Sp"}, .sequence = 7};
    expect(&route, &marks, 2, "1: 5 9 sequence=7;3: 2 sequence=7;");
}

static void queues_behind_a_window_come_first(void **state)
{
    (void)state;
    struct route_target targets[] = {{1, 5, false}, {1, 9, true}, {2, 1, false}};
    struct route route = {
        .targets = targets, .count = 3, .window = {.exchange = slice_str("x"), .size = 10, .ttl_ms = 0}};
    struct amqp_marks marks = keyed();
    expect(&route, &marks, 2, "1: 9 5 key=Sk window=x/1;2: 1 key=Sk;");
    expect(&route, NULL, 2, "1: 9 5;2: 1;"); /* without a key there is nothing to look for */
}

static void stores_go_along_or_alone(void **state)
{
    (void)state;
    struct route_target targets[] = {{1, 5, false}};
    struct route_store stores[] = {{.group = 2, .kind = ROUTE_STORE_DELAY, .exchange = slice_str("a")},
                                   {.group = 1, .kind = ROUTE_STORE_HISTORY, .length = 20, .exchange = slice_str("b")},
                                   {.group = 2, .kind = ROUTE_STORE_DELAY, .exchange = slice_str("c")}};
    struct route route = {.targets = targets, .count = 1, .stores = stores, .store_count = 3};
    struct amqp_marks marks = {.delay_ms = 300};
    expect(&route, &marks, 2, "1: 5 store=2/20/b;2: store=1/300/a store=1/300/c;");
    struct route history = {.stores = stores + 1, .store_count = 1};
    expect(&history, NULL, 1, "1: store=2/20/b;");
}

static void very_many_queues_are_no_problem(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct route_target *targets = mem_zalloc(COUNT * sizeof *targets);
    for (uint64_t i = 0; i < COUNT; i++) targets[i] = (struct route_target){1, i + 1, i % 2};
    struct route route = {.targets = targets, .count = COUNT};
    struct publish m = {.vhost = slice_str("/")};
    buf_clear(&said);
    assert_int_equal(publish_shares(&route, &m, say, NULL), 1);
    assert_memory_equal(said.data, "1: 2 4 6 ", 9);
    buf_close(&said);
    mem_free(targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_group_gets_its_queues),
        cmocka_unit_test(queues_behind_a_window_come_first),
        cmocka_unit_test(stores_go_along_or_alone),
        cmocka_unit_test(very_many_queues_are_no_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
