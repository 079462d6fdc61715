/* A transport over its socket pair, with the test as the broker at the other end. */
#include <netinet/in.h>
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
    unsigned told;
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
    b->told++;
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

static void setup_to(struct bench *b, const struct client_uri *uri)
{
    struct client_settings settings = {.user = "", .password = "", .vhost = "/", .timeout_ms = 10000, .name = "test"};
    struct transport_host host = {.self = b, .moved = on_moved, .local = on_local};
    *b = (struct bench){.broker = -1};
    uv_loop_init(&b->loop);
    b->client = client_create(&settings, on_event, b, uv_now(&b->loop));
    b->transport = transport_open(&b->loop, b->client, uri, &host);
    run_until_idle(b);
}

static void setup(struct bench *b)
{
    static const struct client_uri local = {.local = true};
    setup_to(b, &local);
    assert_true(b->broker >= 0);
}

/* Over TCP, whose buffers take more at a time. `uri` lives as long as the bench. */
static void setup_tcp(struct bench *b, struct client_uri *uri)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &size), 0);
    *uri = (struct client_uri){.host = "127.0.0.1", .port = ntohs(a.sin_port)};
    setup_to(b, uri);
    b->broker = accept(listener, NULL, NULL);
    assert_true(b->broker >= 0);
    close(listener);
    run_until_idle(b);
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

/* A source that was paused because its destination was full: nobody else says that there is room again. */
static void who_was_full_is_told_when_all_left_at_once(void **state)
{
    static uint8_t waste[1 << 16];
    struct client_uri uri;
    struct bench b;
    (void)state;
    setup_tcp(&b, &uri);
    struct buf *out = client_output(b.client);
    memset(buf_reserve(out, CLIENT_OUTPUT_HIGH), 0, CLIENT_OUTPUT_HIGH);
    out->size = CLIENT_OUTPUT_HIGH;
    assert_true(client_is_full(b.client));
    b.told = 0;
    transport_flush(b.transport, uv_now(&b.loop));
    while (out->size) { /* the kernel did not take it all: then it is told as ever */
        assert_true(recv(b.broker, waste, sizeof waste, 0) > 0);
        run_until_idle(&b);
    }
    run_until_idle(&b);
    assert_true(b.told > 0);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paused_client_is_offered_its_bytes_when_it_goes_on),
        cmocka_unit_test(bytes_are_offered_again_when_their_arrival_ends_the_pause),
        cmocka_unit_test(what_is_half_there_waits_for_its_rest),
        cmocka_unit_test(who_was_full_is_told_when_all_left_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
