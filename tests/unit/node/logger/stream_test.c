/* Messages over TCP, to servers that are there, away, slow. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/logger/stream.h"

struct server {
    struct sockaddr_in address;
    int listener, fd; /* -1 */
    struct log_stream *s;
    char text[LOG_STREAM_BYTES_MAX * 2];
    size_t size;
};

static void hear(struct server *p)
{
    int on = 1;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&p->address, sizeof p->address), 0);
    socklen_t size = sizeof p->address;
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&p->address, &size), 0);
    assert_int_equal(listen(p->listener, 4), 0);
}

static void hear_no_more(struct server *p)
{
    if (p->fd >= 0) close(p->fd);
    if (p->listener >= 0) close(p->listener);
    p->fd = p->listener = -1;
}

static int set_up(void **state)
{
    struct server *p = calloc(1, sizeof *p);
    p->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    p->listener = p->fd = -1;
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct server *p = *state;
    log_stream_close(p->s);
    hear_no_more(p);
    free(p);
    return 0;
}

static void start(struct server *p)
{
    p->s = log_stream_open((struct sockaddr *)&p->address, sizeof p->address, 0);
}

static void say(struct server *p, const char *text, uint64_t now)
{
    log_stream_send(p->s, slice_str(text), now);
}

/* Reads until what came has `size` bytes. */
static const char *heard(struct server *p, size_t size)
{
    if (p->fd < 0) p->fd = accept(p->listener, NULL, NULL);
    assert_true(p->fd >= 0);
    while (p->size < size) {
        struct pollfd ready = {.fd = p->fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        ssize_t got = read(p->fd, p->text + p->size, sizeof p->text - 1 - p->size);
        assert_true(got > 0);
        p->size += (size_t)got;
    }
    p->text[p->size] = '\0';
    return p->text;
}

static void each_message_has_its_length_in_front(void **state)
{
    struct server *p = *state;
    hear(p);
    start(p);
    say(p, "one", 1);
    say(p, "second", 2);
    log_stream_flush(p->s, 3);
    assert_string_equal(heard(p, 13), "3 one6 second");
}

static void a_server_that_is_away_gets_them_when_it_comes(void **state)
{
    struct server *p = *state;
    hear(p);
    hear_no_more(p);
    start(p);
    say(p, "early", 1);
    log_stream_flush(p->s, 2); /* hears that nobody is there */
    hear(p);
    log_stream_flush(p->s, 3);
    struct pollfd none = {.fd = p->listener, .events = POLLIN};
    assert_int_equal(poll(&none, 1, 50), 0); /* not before the time */
    log_stream_flush(p->s, 3 + LOG_STREAM_RETRY_MS);
    log_stream_flush(p->s, 4 + LOG_STREAM_RETRY_MS);
    assert_string_equal(heard(p, 7), "5 early");
}

static void a_slow_server_holds_up_nobody_and_loses_whole_messages(void **state)
{
    struct server *p = *state;
    char line[1001];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    hear(p);
    start(p);
    for (unsigned i = 0; i < 20000; i++) say(p, line, i); /* 20 MB, and nobody reads */
    p->fd = accept(p->listener, NULL, NULL);
    size_t whole = 0;
    for (unsigned quiet = 0; quiet < 3; quiet++) {
        struct pollfd ready = {.fd = p->fd, .events = POLLIN};
        while (poll(&ready, 1, 50) == 1) {
            ssize_t got = read(p->fd, p->text, sizeof p->text);
            assert_true(got > 0);
            whole += (size_t)got;
            log_stream_flush(p->s, 20000);
            quiet = 0;
        }
    }
    assert_true(whole > LOG_STREAM_BYTES_MAX && whole < 20000u * 1005);
    assert_int_equal(whole % 1005, 0); /* "1000 " and the message: none was cut */
}

static void a_broken_connection_begins_the_message_anew(void **state)
{
    struct server *p = *state;
    char line[60001];
    memset(line, 'y', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    hear(p);
    start(p);
    for (unsigned i = 0; i < 200; i++) say(p, line, i); /* until the kernel takes no more: one is half out */
    p->fd = accept(p->listener, NULL, NULL);
    close(p->fd);
    p->fd = -1;
    for (unsigned i = 0; i < 3; i++) log_stream_flush(p->s, 200 + i);
    log_stream_flush(p->s, 300 + LOG_STREAM_RETRY_MS);
    log_stream_flush(p->s, 301 + LOG_STREAM_RETRY_MS);
    assert_memory_equal(heard(p, 60006), "60000 yyyy", 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_message_has_its_length_in_front),
        TEST(a_server_that_is_away_gets_them_when_it_comes),
        TEST(a_slow_server_holds_up_nobody_and_loses_whole_messages),
        TEST(a_broken_connection_begins_the_message_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
