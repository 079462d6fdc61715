#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void set(struct harness *h, enum registry_kind kind, const char *vhost, const char *name, const char *detail,
                const char *value)
{
    struct topology_command c =
        registry_set_command(kind, slice_str(vhost), slice_str(name), slice_str(detail), slice_str(value));
    struct topology_result r;
    harness_apply(h, &c, &r);
    if (r.reply_code) fail_msg("%s", r.text);
}

static void permit(struct harness *h, const char *configure, const char *write, const char *read)
{
    char value[256];
    snprintf(value, sizeof value, "{\"configure\":\"%s\",\"read\":\"%s\",\"write\":\"%s\"}", configure, read, write);
    set(h, REGISTRY_PERMISSION, "/", "guest", "", value);
}

static void guard(struct harness *h)
{
    auth_destroy(h->auth);
    h->auth = auth_create(h->topology, false);
    set(h, REGISTRY_USER, "", "guest", "",
        "{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"password_hash\":\"\",\"tags\":[]}");
}

/* A connection of guest, who may do what `permit` says, and what that says to the method. */
static void open_guarded(struct harness *h, const char *configure, const char *write, const char *read)
{
    harness_open(h);
    guard(h);
    permit(h, configure, write, read);
}

static void is_refused(struct harness *h, const char *text)
{
    char expected[600];
    snprintf(expected, sizeof expected, "ACCESS_REFUSED - %s refused for user 'guest'", text);
    const char *line = harness_line(h);
    if (!strstr(line, "1 channel.close reply_code=403") || !strstr(line, expected))
        fail_msg("%s instead of %s", line, expected);
    say_close_ok(h, 1);
    say_empty(h, 1, AMQP_CHANNEL_OPEN);
    hears(h, "1 channel.open-ok channel_id=\"\"");
}

static void say_exchange(struct harness *h, const char *name, const char *alternate)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    struct buf arguments = {0};
    if (alternate) amqp_table_put_string(&arguments, "alternate-exchange", slice_str(alternate));
    m.exchange_declare.exchange = slice_str(name);
    m.exchange_declare.type = slice_str("direct");
    m.exchange_declare.arguments = buf_slice(&arguments);
    say(h, 1, &m);
    buf_close(&arguments);
}

static void say_bind(struct harness *h, const char *queue, const char *exchange, const char *key)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_BIND);
    m.queue_bind.queue = slice_str(queue);
    m.queue_bind.exchange = slice_str(exchange);
    m.queue_bind.routing_key = slice_str(key);
    say(h, 1, &m);
}

static void declares_need_configure(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "^mine", "^w", "^r");
    say_declare(&h, 1, "theirs", false);
    is_refused(&h, "configure access to queue 'theirs' in vhost '/'");
    say_declare(&h, 1, "mine", false);
    hears(&h, "1 queue.declare-ok queue=\"mine\" message_count=0 consumer_count=0");
    say_declare(&h, 1, "mine", true); /* passive: no right is needed */
    hears(&h, "1 queue.declare-ok queue=\"mine\" message_count=0 consumer_count=0");
    say_exchange(&h, "theirs", NULL);
    is_refused(&h, "configure access to exchange 'theirs' in vhost '/'");
    say_exchange(&h, "mine", "r");
    is_refused(&h, "read access to exchange 'mine' in vhost '/'");
    permit(&h, "^mine", "^w", "mine");
    say_exchange(&h, "mine", "r");
    is_refused(&h, "write access to exchange 'r' in vhost '/'");
    say_exchange(&h, "mine", "w");
    hears(&h, "1 exchange.declare-ok");
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DELETE);
    m.queue_delete.queue = slice_str("theirs");
    say(&h, 1, &m);
    is_refused(&h, "configure access to queue 'theirs' in vhost '/'");
    m = amqp_method_of(AMQP_EXCHANGE_DELETE);
    m.exchange_delete.exchange = slice_str("theirs");
    say(&h, 1, &m);
    is_refused(&h, "configure access to exchange 'theirs' in vhost '/'");
    harness_close(&h);
}

static void a_dead_letter_exchange_needs_read_and_write(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, ".*", "^w$", "^r$");
    struct buf arguments = {0};
    amqp_table_put_string(&arguments, "x-dead-letter-exchange", slice_str("dlx"));
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str("q");
    m.queue_declare.arguments = buf_slice(&arguments);
    say(&h, 1, &m);
    is_refused(&h, "read access to queue 'q' in vhost '/'");
    m.queue_declare.queue = slice_str("r");
    say(&h, 1, &m);
    is_refused(&h, "write access to exchange 'dlx' in vhost '/'");
    buf_close(&arguments);
    harness_close(&h);
}

static void reading_needs_read(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "", "", "^r");
    say_consume(&h, 1, "q", "c", false);
    is_refused(&h, "read access to queue 'q' in vhost '/'"); /* before it is looked for */
    struct amqp_method m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str("q");
    say(&h, 1, &m);
    is_refused(&h, "read access to queue 'q' in vhost '/'");
    m = amqp_method_of(AMQP_QUEUE_PURGE);
    m.queue_purge.queue = slice_str("q");
    say(&h, 1, &m);
    is_refused(&h, "read access to queue 'q' in vhost '/'");
    harness_queue(&h, "r");
    say_consume(&h, 1, "r", "c", false);
    hears(&h, "1 basic.consume-ok consumer_tag=\"c\"");
    harness_close(&h);
}

static void bindings_write_to_one_end_and_read_from_the_other(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "", "^w$", "^amq.(topic|fanout)$");
    harness_queue(&h, "w");
    say_bind(&h, "q", "amq.topic", "a");
    is_refused(&h, "write access to queue 'q' in vhost '/'");
    say_bind(&h, "w", "amq.direct", "a");
    is_refused(&h, "read access to exchange 'amq.direct' in vhost '/'");
    set(&h, REGISTRY_TOPIC_PERMISSION, "/", "guest", "amq.topic", "{\"read\":\"^a$\",\"write\":\".*\"}");
    say_bind(&h, "w", "amq.topic", "b");
    is_refused(&h, "read access to topic 'b' in exchange 'amq.topic' in vhost '/'");
    say_bind(&h, "w", "amq.topic", "a");
    hears(&h, "1 queue.bind-ok");
    say_bind(&h, "w", "amq.fanout", "b"); /* no topic exchange */
    hears(&h, "1 queue.bind-ok");
    harness_close(&h);
}

static void publishing_needs_write(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "", "^amq.(default|topic)$", "");
    harness_queue(&h, "q");
    say_publish(&h, 1, "", "q", "x");
    hears_nothing(&h);
    say_publish(&h, 1, "amq.fanout", "q", "x");
    is_refused(&h, "write access to exchange 'amq.fanout' in vhost '/'");
    permit(&h, "", "^amq.topic$", ""); /* the yes that was remembered counts no more */
    say_publish(&h, 1, "", "q", "x");
    is_refused(&h, "write access to exchange 'amq.default' in vhost '/'");
    say_publish(&h, 1, "amq.topic", "b", "x");
    hears_nothing(&h);
    set(&h, REGISTRY_TOPIC_PERMISSION, "/", "guest", "amq.topic", "{\"read\":\"\",\"write\":\"^a$\"}");
    say_publish(&h, 1, "amq.topic", "a", "x");
    hears_nothing(&h);
    say_publish(&h, 1, "amq.topic", "b", "x");
    is_refused(&h, "write access to topic 'b' in exchange 'amq.topic' in vhost '/'");
    harness_close(&h);
}

static void an_impersonator_may_claim_another_user(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "", ".*", "");
    harness_queue(&h, "q");
    static const uint8_t properties[] = {0, 0x10, 4, 'r', 'o', 'o', 't'};
    set(&h, REGISTRY_USER, "", "guest", "",
        "{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"password_hash\":\"\",\"tags\":[\"impersonator\"]"
        "}");
    say_publish_bytes(&h, 1, "", "q", false, slice_of(properties, sizeof properties), slice_str("x"));
    hears_nothing(&h);
    set(&h, REGISTRY_USER, "", "guest", "",
        "{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"password_hash\":\"\",\"tags\":[]}");
    say_publish_bytes(&h, 1, "", "q", false, slice_of(properties, sizeof properties), slice_str("x"));
    assert_non_null(strstr(harness_line(&h), "user_id property set to 'root' but authenticated user was 'guest'"));
    harness_close(&h);
}

static void a_refusal_of_an_old_copy_is_asked_again(void **state)
{
    (void)state;
    struct harness h;
    open_guarded(&h, "", "", "");
    h.stale = h.slow = true;
    say_declare(&h, 1, "q", false);
    hears_nothing(&h);
    asked(&h, "refresh");
    permit(&h, "^q$", "", ""); /* the news */
    harness_reply(&h, &(struct backend_reply){0});
    assert_non_null(strstr(harness_asked(&h), "q"));
    harness_reply(&h, &(struct backend_reply){0});
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    say_publish(&h, 1, "", "q", "x");
    asked(&h, "refresh");
    harness_reply(&h, &(struct backend_reply){0});
    is_refused(&h, "write access to exchange 'amq.default' in vhost '/'");
    harness_close(&h);
}

static void say_hello(struct harness *h, struct slice login)
{
    say_bytes(h, "AMQP\0\0\x09\1", 8);
    harness_line(h);
    say_start_ok(h, "PLAIN", login, true);
}

static void a_login_waits_for_a_cluster_that_is_not_set_up(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result r;
    harness_init(&h, true);
    guard(&h);
    h.slow = true;
    say_hello(&h, slice_of("\0guest\0wrong", 12));
    hears_nothing(&h);
    assert_true(session_stalled(h.session));
    harness_reply(&h, &(struct backend_reply){0}); /* answered, and still not set up */
    harness_flush(&h);
    hears_nothing(&h);
    struct topology_command seed = registry_seed_command((struct slice){0});
    harness_apply(&h, &seed, &r);
    harness_reply(&h, &(struct backend_reply){0});
    harness_flush(&h);
    assert_non_null(strstr(harness_line(&h), "Login was refused"));
    harness_close(&h);
}

static void a_vhost_takes_in_who_has_permissions(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result r;
    harness_init(&h, true);
    guard(&h);
    struct topology_command seed = registry_seed_command((struct slice){0});
    harness_apply(&h, &seed, &r);
    say_hello(&h, PLAIN_GUEST);
    say_tune_ok(&h, 2047, 131072, 60);
    harness_line(&h);
    h.stale = h.slow = true;
    say_open(&h, "/");
    hears_nothing(&h);
    h.stale = false;
    harness_reply(&h, &(struct backend_reply){0});
    harness_flush(&h);
    assert_non_null(strstr(harness_line(&h), "NOT_ALLOWED - access to vhost '/' refused for user 'guest'"));
    harness_close(&h);
}

static void a_full_house_takes_nobody(void **state)
{
    (void)state;
    static const struct {
        enum registry_kind kind;
        const char *vhost, *name, *detail;
        enum backend_census what;
        const char *text;
    } cases[] = {
        {REGISTRY_VHOST_LIMIT, "/", "max-connections", "", BACKEND_CONNECTIONS_OF_VHOST,
         "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (2) is reached"},
        {REGISTRY_USER_LIMIT, "", "guest", "max-connections", BACKEND_CONNECTIONS_OF_USER,
         "NOT_ALLOWED - connection refused for user 'guest': user connection limit (2) is reached"},
        {REGISTRY_USER_LIMIT, "", "guest", "max-channels", BACKEND_CHANNELS_OF_USER,
         "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of (2)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint64_t count = 1; count <= 2; count++) {
            struct harness h;
            struct topology_result r;
            harness_init(&h, true);
            guard(&h);
            permit(&h, "", "", "");
            struct topology_command seed = registry_seed_command((struct slice){0});
            harness_apply(&h, &seed, &r);
            set(&h, cases[i].kind, cases[i].vhost, cases[i].name, cases[i].detail, "2");
            h.counts[cases[i].what] = count;
            say_hello(&h, PLAIN_GUEST);
            say_tune_ok(&h, 2047, 131072, 60);
            harness_line(&h);
            say_open(&h, "/");
            if (cases[i].what == BACKEND_CHANNELS_OF_USER) {
                hears(&h, "0 connection.open-ok known_hosts=\"\"");
                say_empty(&h, 1, AMQP_CHANNEL_OPEN);
            }
            const char *line = harness_line(&h);
            if (!!strstr(line, cases[i].text) != (count == 2)) fail_msg("%s", line);
            harness_close(&h);
        }
}

static void a_new_secret_is_held_against_the_rights_of_now(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result r;
    struct slice none = {0};
    open_guarded(&h, "", "", "^(kept|lost)$");
    harness_queue(&h, "kept");
    harness_queue(&h, "lost");
    say_consume(&h, 1, "kept", "k", false);
    hears(&h, "1 basic.consume-ok consumer_tag=\"k\"");
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    say_consume(&h, 2, "lost", "l", false);
    harness_line(&h);
    hears(&h, "2 basic.consume-ok consumer_tag=\"l\"");
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_UPDATE_SECRET);
    m.connection_update_secret.new_secret = slice_str("x");
    say(&h, 0, &m);
    hears(&h, "0 connection.update-secret-ok");
    permit(&h, "", "", "^kept$");
    say(&h, 0, &m);
    assert_non_null(strstr(harness_line(&h),
                           "2 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - read access to "
                           "queue 'lost' in vhost '/' refused for user 'guest'\""));
    hears(&h, "0 connection.update-secret-ok");
    struct topology_command c = registry_clear_command(REGISTRY_PERMISSION, slice_str("/"), slice_str("guest"), none);
    harness_apply(&h, &c, &r);
    say(&h, 0, &m);
    assert_non_null(strstr(harness_line(&h), "NOT_ALLOWED - New secret was refused by one of the backends"));
    harness_close(&h);
}

static void who_is_deleted_is_shown_out(void **state)
{
    (void)state;
    struct harness h;
    struct topology_result r;
    struct slice none = {0};
    open_guarded(&h, "", "", "");
    session_registry_changed(h.session, h.now_ms);
    hears_nothing(&h);
    struct topology_command c = registry_clear_command(REGISTRY_USER, none, slice_str("guest"), none);
    harness_apply(&h, &c, &r);
    session_registry_changed(h.session, h.now_ms);
    assert_non_null(strstr(harness_line(&h), "320 reply_text=\"CONNECTION_FORCED - user 'guest' is deleted\""));
    harness_close(&h);
    harness_open(&h);
    c = registry_clear_command(REGISTRY_VHOST, none, slice_str("/"), none);
    harness_apply(&h, &c, &r);
    session_registry_changed(h.session, h.now_ms);
    assert_non_null(strstr(harness_line(&h), "320 reply_text=\"CONNECTION_FORCED - vhost '/' is deleted\""));
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declares_need_configure),
        cmocka_unit_test(a_dead_letter_exchange_needs_read_and_write),
        cmocka_unit_test(reading_needs_read),
        cmocka_unit_test(bindings_write_to_one_end_and_read_from_the_other),
        cmocka_unit_test(publishing_needs_write),
        cmocka_unit_test(an_impersonator_may_claim_another_user),
        cmocka_unit_test(a_refusal_of_an_old_copy_is_asked_again),
        cmocka_unit_test(a_login_waits_for_a_cluster_that_is_not_set_up),
        cmocka_unit_test(a_vhost_takes_in_who_has_permissions),
        cmocka_unit_test(a_full_house_takes_nobody),
        cmocka_unit_test(a_new_secret_is_held_against_the_rights_of_now),
        cmocka_unit_test(who_is_deleted_is_shown_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
