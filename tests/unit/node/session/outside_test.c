/* Users and rights that an HTTP server knows: who waits for its word, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static const struct session_login_way registry_then_http[] = {{false, false}, {true, true}},
                                      only_http[] = {{true, true}}, rights_by_http[] = {{false, true}};

/* What the server has said. */
static struct {
    char question[256];
    enum auth_word word;
    const char *tags;
} said[16];
static size_t said_count;

static void says(const char *question, enum auth_word word, const char *tags)
{
    assert_true(said_count < 16);
    snprintf(said[said_count].question, sizeof said[0].question, "%s", question);
    said[said_count].word = word;
    said[said_count++].tags = tags;
}

static enum auth_word fake_outside(void *self, struct slice question, struct slice *tags)
{
    (void)self;
    for (size_t i = 0; i < said_count; i++) {
        if (!slice_is(question, said[i].question)) continue;
        if (tags) *tags = slice_str(said[i].tags);
        return said[i].word;
    }
    return AUTH_UNKNOWN;
}

static void fake_ask(void *self, struct backend_channel *c, struct slice question)
{
    struct harness *h = self;
    h->asker = fake_number(c);
    harness_log(h, "ask %.*s", TEXT(question));
}

static bool fake_may_come(void *self, struct slice user, bool loopback)
{
    (void)self;
    return loopback || !slice_is(user, "guest");
}

static void answer(struct harness *h)
{
    harness_reply(h, &(struct backend_reply){0});
    harness_flush(h);
}

static void begin(struct harness *h, const struct session_login_way *ways, size_t count)
{
    harness_init(h, true);
    h->settings.ways = ways;
    h->settings.way_count = count;
    h->settings.topics_outside = true;
    h->backend.outside = fake_outside;
    h->backend.ask = fake_ask;
    h->backend.may_come = fake_may_come;
    said_count = 0;
    say_bytes(h, "AMQP\0\0\x09\1", 8);
    buf_clear(session_output(h->session));
    h->output_read = 0;
}

#define PLAIN_ANNA slice_of("\0anna\0a b", 9)
#define ANNA "username=anna"
#define VHOST "v" ANNA "&vhost=%2F&ip=127.0.0.1&tags=impersonator%20x"
#define RESOURCE(kind, name, permission) \
    "r" ANNA "&vhost=%2F&resource=" kind "&name=" name "&permission=" permission "&tags=impersonator%20x"

/* Anna is in, with channel 1. */
static void open_anna(struct harness *h)
{
    begin(h, only_http, 1);
    says("u" ANNA "&password=a%20b", AUTH_YES, "impersonator x");
    says(VHOST, AUTH_YES, "");
    say_start_ok(h, "PLAIN", PLAIN_ANNA, true);
    say_tune_ok(h, 2047, 131072, 60);
    say_open(h, "/");
    say_empty(h, 1, AMQP_CHANNEL_OPEN);
    buf_clear(session_output(h->session));
    h->output_read = 0;
    h->log_read = h->log.size;
}

static void a_login_waits_for_the_word(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, registry_then_http, 2);
    say_start_ok(&h, "PLAIN", PLAIN_ANNA, true);
    asked(&h, "open 0");
    asked(&h, "ask u" ANNA "&password=a%20b");
    hears_nothing(&h);
    harness_flush(&h); /* the same bytes again: it is asked once */
    asked_nothing(&h);
    says("u" ANNA "&password=a%20b", AUTH_YES, "impersonator x");
    answer(&h);
    asked(&h, "close 0");
    asked(&h, "login 127.0.0.1 welcome");
    hears(&h, "0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60");
    say_tune_ok(&h, 2047, 131072, 60);
    say_open(&h, "/");
    asked(&h, "open 0");
    asked(&h, "ask " VHOST);
    says(VHOST, AUTH_NO, "");
    answer(&h);
    hears(&h, "0 connection.close reply_code=530 reply_text=\"NOT_ALLOWED - access to vhost '/' refused for user "
              "'anna'\" class_id=10 method_id=40");
    harness_close(&h);
}

static void a_no_is_refused_as_ever(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, only_http, 1);
    says("u" ANNA "&password=a%20b", AUTH_NO, "");
    say_start_ok(&h, "PLAIN", PLAIN_ANNA, true);
    asked(&h, "login 127.0.0.1 failed");
    hears(&h, "0 connection.close reply_code=403 reply_text=\"ACCESS_REFUSED - Login was refused using authentication "
              "mechanism PLAIN. For details see the broker logfile.\" class_id=0 method_id=0");
    harness_close(&h);
}

static void the_first_way_that_says_yes_counts(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, registry_then_http, 2);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true); /* the registry knows guest */
    asked(&h, "login 127.0.0.1 welcome");
    harness_close(&h);
    begin(&h, rights_by_http, 1);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true);
    asked(&h, "login 127.0.0.1 welcome");
    say_tune_ok(&h, 2047, 131072, 60);
    say_open(&h, "/");
    asked(&h, "open 0");
    asked(&h, "ask vusername=guest&vhost=%2F&ip=127.0.0.1&tags=");
    harness_close(&h);
}

static void a_method_waits_for_the_word(void **state)
{
    (void)state;
    struct harness h;
    open_anna(&h);
    say_declare(&h, 1, "q 1", false);
    asked(&h, "ask " RESOURCE("queue", "q%201", "configure"));
    hears_nothing(&h);
    says(RESOURCE("queue", "q%201", "configure"), AUTH_YES, "");
    answer(&h);
    asked(&h, "change type=3 name=q 1 flags=0");
    hears(&h, "1 queue.declare-ok queue=\"q 1\" message_count=0 consumer_count=0");
    say_consume(&h, 1, "q 1", "c", true);
    asked(&h, "ask " RESOURCE("queue", "q%201", "read"));
    says(RESOURCE("queue", "q%201", "read"), AUTH_NO, "");
    answer(&h);
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - read access to queue 'q 1' in vhost '/' "
              "refused for user 'anna'\" class_id=60 method_id=20");
    harness_close(&h);
}

static void a_publish_waits_and_then_the_word_is_good_for_a_while(void **state)
{
    (void)state;
    struct harness h;
    open_anna(&h);
    harness_queue(&h, "q");
    h.log_read = h.log.size;
    say_publish(&h, 1, "", "q", "one");
    asked(&h, "ask " RESOURCE("exchange", "amq.default", "write"));
    says(RESOURCE("exchange", "amq.default", "write"), AUTH_YES, "");
    answer(&h);
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=one");
    said_count = 2;
    say_publish(&h, 1, "", "q", "two"); /* a channel goes on by what it heard */
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=2 body=two");
    h.now_ms += 1000; /* SESSION_OUTSIDE_KEPT_MS */
    say_publish(&h, 1, "", "q", "three");
    asked(&h, "ask " RESOURCE("exchange", "amq.default", "write"));
    says(RESOURCE("exchange", "amq.default", "write"), AUTH_NO, "");
    answer(&h);
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - write access to exchange 'amq.default' in "
              "vhost '/' refused for user 'anna'\" class_id=60 method_id=40");
    harness_close(&h);
}

static void routing_keys_of_a_topic_exchange_are_asked_about(void **state)
{
    (void)state;
    struct harness h;
    open_anna(&h);
    says(RESOURCE("exchange", "amq.topic", "write"), AUTH_YES, "");
    say_publish(&h, 1, "amq.topic", "a.b", "x");
#define TOPIC "t" ANNA "&vhost=%2F&resource=topic&name=amq.topic&permission=write&routing_key=a.b&tags=impersonator%20x"
    asked(&h, "ask " TOPIC);
    says(TOPIC, AUTH_NO, "");
    answer(&h);
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - write access to topic 'a.b' in "
              "exchange 'amq.topic' in vhost '/' refused for user 'anna'\" class_id=60 method_id=40");
    harness_close(&h);
}

static void who_left_while_the_word_was_out_is_forgotten(void **state)
{
    (void)state;
    struct harness h;
    open_anna(&h);
    say_declare(&h, 1, "q", false);
    asked(&h, "ask " RESOURCE("queue", "q", "configure"));
    session_abandon(h.session);
    asked(&h, "close 1");
    answer(&h);
    asked_nothing(&h);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_waits_for_the_word),
        cmocka_unit_test(a_no_is_refused_as_ever),
        cmocka_unit_test(the_first_way_that_says_yes_counts),
        cmocka_unit_test(a_method_waits_for_the_word),
        cmocka_unit_test(a_publish_waits_and_then_the_word_is_good_for_a_while),
        cmocka_unit_test(routing_keys_of_a_topic_exchange_are_asked_about),
        cmocka_unit_test(who_left_while_the_word_was_out_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
