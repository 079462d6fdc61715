/* A shard's loop comes to its turn when it should, on a node of its own that has nobody to talk to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/shard/shard_internal.h"

enum { WAIT_MS = 20000, LOOK_MS = 5, QUIET_MS = 600, HELD_UP_MS = 400 /* longer than a shard ever sleeps */ };

struct bench {
    char directory[32];
    struct node_settings settings;
    struct node *node;
    struct shard *shard;
    uv_check_t check;
    uv_timer_t last; /* closed, to run something behind the turn of a loop's iteration */
    void (*behind)(struct shard *s);
    atomic_uint turns;
};

struct look {
    bool ready;
    uint64_t syncs;
};

static void look(struct shard *s, void *arg)
{
    struct shard_figures f;
    shard_figures(s, &f);
    *(struct look *)arg = (struct look){broker_ready(s->broker), f.log_syncs};
}

/* Until a new node has written down what it begins with. */
static void wait_until_quiet(struct bench *b)
{
    struct look now = {0}, before;
    int waited = 0;
    do {
        before = now;
        uv_sleep(QUIET_MS);
        shard_call_any(b->shard, look, &now);
    } while ((!now.ready || now.syncs != before.syncs) && (waited += QUIET_MS) < WAIT_MS);
    assert_true(now.ready);
}

static void setup(struct bench *b)
{
    struct logger_settings logger;
    struct node_listeners none = {0};
    struct err err;
    *b = (struct bench){.directory = "/tmp/warren-turn-XXXXXX"};
    logger_settings_init(&logger);
    logger.level = LOG_ERROR;
    assert_int_equal(logger_open(&b->settings.logger, &logger, &err), 0);
    assert_non_null(mkdtemp(b->directory));
    b->settings.node = 1;
    b->settings.name = "one";
    b->settings.data_dir = b->directory;
    b->settings.shard_count = 1;
    b->settings.placement = (struct placement){.nodes = {1}, .node_count = 1, .group_count = 2, .replicas = 1};
    b->settings.session = (struct session_settings){.publish_timeout_ms = 60000, .node_name = "one"};
    b->settings.zone = b->settings.tags = b->settings.placement_tag = "";
    b->settings.election_timeout_ms = 500;
    b->settings.heartbeat_ms = 100;
    b->settings.node_timeout_ms = 60000;
    b->settings.log_bytes_max = 1 << 26;
    b->settings.checkpoint_log_bytes = 1 << 24;
    b->settings.default_vhost = "/";
    b->settings.user = b->settings.password = b->settings.default_tags = "";
    for (size_t i = 0; i < AUTH_PERMISSION_COUNT; i++) b->settings.default_permissions[i] = ".*";
    if (node_open(&b->node, &b->settings, &none, &err) || node_start(b->node, &err)) fail_msg("%s", err.text);
    b->shard = node_shard(b->node, 0);
    wait_until_quiet(b);
}

static void teardown(struct bench *b)
{
    char command[64];
    node_stop(b->node);
    node_close(b->node);
    logger_close(b->settings.logger);
    snprintf(command, sizeof command, "rm -rf %s", b->directory);
    assert_int_equal(system(command), 0);
}

static void count(uv_check_t *check)
{
    atomic_fetch_add(&((struct bench *)check->data)->turns, 1);
}

static void on_closed(uv_handle_t *last)
{
    struct bench *b = last->data;
    b->behind(b->shard);
}

static void begin(struct shard *s, void *arg)
{
    struct bench *b = arg;
    uv_check_init(&s->loop, &b->check);
    b->check.data = b->last.data = b;
    uv_check_start(&b->check, count);
    uv_timer_init(&s->loop, &b->last);
    uv_close((uv_handle_t *)&b->last, on_closed);
}

static void end(struct shard *s, void *arg)
{
    struct bench *b = arg;
    (void)s;
    uv_close((uv_handle_t *)&b->check, NULL);
}

/* `behind` runs when this iteration's turn is over. True: another turn came, though nobody else woke the loop. */
static bool turns_again(struct bench *b, void (*behind)(struct shard *s))
{
    b->behind = behind;
    shard_call_any(b->shard, begin, b);
    for (int waited = 0; waited < WAIT_MS && atomic_load(&b->turns) < 2; waited += LOOK_MS) uv_sleep(LOOK_MS);
    bool again = atomic_load(&b->turns) >= 2; /* the first was that of the call itself */
    shard_call_any(b->shard, end, b);
    return again;
}

/* Nothing is left that would wake the loop. */
static void ask_for_a_turn(struct shard *s)
{
    uv_timer_stop(&s->timer);
    turn_soon(s);
}

static void a_turn_that_is_asked_for_comes_at_once(void **state)
{
    struct bench b;
    (void)state;
    setup(&b);
    assert_true(turns_again(&b, ask_for_a_turn));
    teardown(&b);
}

/* The timer is due before the loop polls. */
static void hold_the_thread_up(struct shard *s)
{
    (void)s;
    uv_sleep(HELD_UP_MS);
}

static void a_deadline_that_passes_while_the_thread_is_held_up_is_not_lost(void **state)
{
    struct bench b;
    (void)state;
    setup(&b);
    assert_true(turns_again(&b, hold_the_thread_up));
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_that_is_asked_for_comes_at_once),
        cmocka_unit_test(a_deadline_that_passes_while_the_thread_is_held_up_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
