#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void say_exchange(struct harness *h, const char *name, const char *type, bool passive)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    m.exchange_declare.exchange = slice_str(name);
    m.exchange_declare.type = slice_str(type);
    m.exchange_declare.passive = passive;
    say(h, 1, &m);
}

static void an_exchange_is_declared_once_and_again_without_a_commit(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_exchange(&h, "x", "fanout", false);
    asked(&h, "change type=1 name=x flags=0");
    hears(&h, "1 exchange.declare-ok");
    say_exchange(&h, "x", "fanout", false);
    asked_nothing(&h);
    hears(&h, "1 exchange.declare-ok");
    say_exchange(&h, "x", "", true);
    hears(&h, "1 exchange.declare-ok");
    harness_close(&h);
}

static void faults_of_a_declare_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
        bool passive;
        const char *line;
    } cases[] = {
        {"x", "magic", false,
         "0 connection.close reply_code=503 reply_text=\"COMMAND_INVALID - unknown exchange type 'magic'\" class_id=40 "
         "method_id=10"},
        {"", "direct", false,
         "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - operation not permitted on the default "
         "exchange\" "
         "class_id=40 method_id=10"},
        {"amq.mine", "direct", false,
         "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - exchange name 'amq.mine' contains reserved "
         "prefix "
         "'amq.*'\" class_id=40 method_id=10"},
        {"none", "", true,
         "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'none' in vhost '/'\" class_id=40 "
         "method_id=10"},
        {"amq.direct", "fanout", false,
         "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - inequivalent arg 'type' for exchange "
         "'amq.direct' "
         "in vhost '/': received 'fanout' but current is 'direct'\" class_id=40 method_id=10"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        harness_open(&h);
        say_exchange(&h, cases[i].name, cases[i].type, cases[i].passive);
        hears(&h, cases[i].line);
        harness_close(&h);
    }
}

static void exchanges_are_bound_to_each_other(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_exchange(&h, "x", "fanout", false);
    harness_line(&h);
    harness_asked(&h);
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_BIND);
    m.exchange_bind.destination = slice_str("x");
    m.exchange_bind.source = slice_str("amq.direct");
    say(&h, 1, &m);
    asked(&h, "change type=5 name=x flags=0");
    hears(&h, "1 exchange.bind-ok");
    m.method_id = (uint16_t)AMQP_EXCHANGE_UNBIND;
    say(&h, 1, &m);
    asked(&h, "change type=6 name=x flags=0");
    hears(&h, "1 exchange.unbind-ok");
    harness_close(&h);
}

static void exchanges_are_deleted_but_not_the_system_s(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DELETE);
    m.exchange_delete.exchange = slice_str("none");
    say(&h, 1, &m);
    asked_nothing(&h);
    hears(&h, "1 exchange.delete-ok");
    say_exchange(&h, "x", "fanout", false);
    harness_line(&h);
    harness_asked(&h);
    m.exchange_delete.exchange = slice_str("x");
    say(&h, 1, &m);
    asked(&h, "change type=2 name=x flags=0");
    hears(&h, "1 exchange.delete-ok");
    m.exchange_delete.exchange = slice_str("amq.topic");
    say(&h, 1, &m);
    hears(&h, "1 channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - deletion of system exchange 'amq.topic' in "
              "vhost '/' "
              "not allowed\" class_id=40 method_id=20");
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_declared_once_and_again_without_a_commit),
        cmocka_unit_test(faults_of_a_declare_are_told),
        cmocka_unit_test(exchanges_are_bound_to_each_other),
        cmocka_unit_test(exchanges_are_deleted_but_not_the_system_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
