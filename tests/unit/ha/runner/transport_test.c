/* A transport over its socket pair, with the test as the broker at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "ha/runner/transport.h"

struct bench {
    uv_loop_t loop;
    struct client *client;
    struct transport *transport;
    int broker; /* the other end; -1: not yet */
    bool resume_when_told;
};

static void on_event(void *self, const struct client_event *e)
{
    (void)self;
    (void)e;
}

/* An owner's turn: it may end the pause, and writes. */
static void on_moved(void *self)
{
    struct bench *b = self;
    if (b->resume_when_told) client_pause(b->client, false);
    transport_flush(b->transport, uv_now(&b->loop));
}

static void on_local(void *self, int fd)
{
    ((struct bench *)self)->broker = fd;
}

static void run_until_idle(struct bench *b)
{
    for (int i = 0; i < 50; i++) uv_run(&b->loop, UV_RUN_NOWAIT);
}

static void say(struct bench *b, const char *text)
{
    assert_int_equal(send(b->broker, text, strlen(text), 0), strlen(text));
    run_until_idle(b);
}

static void setup(struct bench *b)
{
    static const struct client_uri local = {.local = true};
    struct client_settings settings = {.user = "", .password = "", .vhost = "/", .timeout_ms = 10000, .name = "test"};
    struct transport_host host = {.self = b, .moved = on_moved, .local = on_local};
    *b = (struct bench){.broker = -1};
    uv_loop_init(&b->loop);
    b->client = client_create(&settings, on_event, b, uv_now(&b->loop));
    b->transport = transport_open(&b->loop, b->client, &local, &host);
    run_until_idle(b);
    assert_true(b->broker >= 0);
}

static void teardown(struct bench *b)
{
    client_close(b->client, 200, "Goodbye");
    transport_finish(b->transport);
    close(b->broker);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static void a_paused_client_is_offered_its_bytes_when_it_goes_on(void **state)
{
    struct bench b;
    (void)state;
    setup(&b);
    client_pause(b.client, true);
    say(&b, "AMQP0090");
    assert_int_not_equal(client_state(b.client), CLIENT_CLOSED);
    client_pause(b.client, false);
    transport_flush(b.transport, uv_now(&b.loop));
    assert_int_equal(client_state(b.client), CLIENT_CLOSED); /* that is no server of ours */
    teardown(&b);
}

/* The rate of a shovel begins anew just when bytes arrive: its source had said all it had to say, and stood still. */
static void bytes_are_offered_again_when_their_arrival_ends_the_pause(void **state)
{
    struct bench b;
    (void)state;
    setup(&b);
    client_pause(b.client, true);
    b.resume_when_told = true;
    say(&b, "AMQP0090");
    assert_int_equal(client_state(b.client), CLIENT_CLOSED);
    teardown(&b);
}

static void what_is_half_there_waits_for_its_rest(void **state)
{
    struct bench b;
    (void)state;
    setup(&b);
    client_pause(b.client, true);
    b.resume_when_told = true;
    say(&b, "AMQP");
    assert_int_not_equal(client_state(b.client), CLIENT_CLOSED);
    say(&b, "0090");
    assert_int_equal(client_state(b.client), CLIENT_CLOSED);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paused_client_is_offered_its_bytes_when_it_goes_on),
        cmocka_unit_test(bytes_are_offered_again_when_their_arrival_ends_the_pause),
        cmocka_unit_test(what_is_half_there_waits_for_its_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
