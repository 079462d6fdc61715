/* What clients may make large by their rights costs no more than its size: else one of them holds up everybody. Limits are
 * of the processor's time, far above what it takes and far below what the square of the size would. */
#include <time.h>

#include "tests/unit/router/harness.h"

enum { MANY = 60000, SECONDS_MAX = 6 };

static void apply(struct topology *t, struct topology_command c)
{
    struct topology_result r;
    c.vhost = slice_str("/");
    topology_apply(t, topology_index(t) + 1, &c, &r);
    if (r.reply_code) fail_msg("refused: %u %s", r.reply_code, r.text);
}

static void put_marks(struct buf *table, char letter)
{
    char key[16];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%c%u", letter, i);
        put_key(table, key, 'V');
    }
}

static void many_headers_against_many_arguments(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf arguments = {0}, headers = {0};
    struct route route = {0};
    declare_queue(t, "q");
    put_text(&arguments, "x-match", "any");
    put_marks(&arguments, 'a');
    put_marks(&headers, 'b');
    struct topology_command bind = bind_of("amq.headers", "q", "");
    bind.arguments = buf_slice(&arguments);
    apply(t, bind);
    clock_t start = clock();
    assert_true(route_message(t, S("/"), S("amq.headers"), S(""), buf_slice(&headers), &route));
    assert_int_equal(route.count, 0);
    put_key(&headers, "a59999", 'V');
    assert_true(route_message(t, S("/"), S("amq.headers"), S(""), buf_slice(&headers), &route));
    assert_int_equal(route.count, 1);
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS_MAX);
    route_close(&route);
    buf_close(&arguments);
    buf_close(&headers);
    topology_destroy(t);
}

static void go_away(const char *exchange)
{
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    clock_t start = clock();
    declare_queue(t, "q");
    for (int64_t i = 0; i < MANY; i++) {
        struct buf arguments = {0};
        put_integer(&arguments, "n", i);
        struct topology_command bind = bind_of(exchange, "q", "k");
        bind.arguments = buf_slice(&arguments);
        apply(t, bind);
        buf_close(&arguments);
    }
    apply(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q")});
    assert_true(route_message(t, S("/"), slice_str(exchange), S("k"), (struct slice){0}, &route));
    assert_int_equal(route.count, 0);
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS_MAX);
    route_close(&route);
    topology_destroy(t);
}

static void many_bindings_with_one_key_go_at_once(void **state)
{
    (void)state;
    go_away("amq.direct");
    go_away("amq.topic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_headers_against_many_arguments),
        cmocka_unit_test(many_bindings_with_one_key_go_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
