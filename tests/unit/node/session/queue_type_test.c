/* The label of a queue that names no type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/registry.h"
#include "tests/unit/node/session/harness.h"

static void declares_with_type(struct harness *h, const char *name, const char *flags, const char *type)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str(name);
    m.queue_declare.durable = strchr(flags, 'd');
    m.queue_declare.exclusive = strchr(flags, 'x');
    m.queue_declare.auto_delete = strchr(flags, 'a');
    say(h, 1, &m);
    char ok[128];
    snprintf(ok, sizeof ok, "1 queue.declare-ok queue=\"%s\" message_count=0 consumer_count=0", name);
    hears(h, ok);
    const struct queue_record *q = topology_queue(h->topology, slice_str("/"), slice_str(name));
    assert_non_null(q);
    struct slice found = {0};
    amqp_table_find_string(q->arguments, "x-queue-type", &found);
    assert_true(slice_is(found, type));
}

static void set_vhost(struct harness *h, const char *value)
{
    struct topology_command c =
        registry_set_command(REGISTRY_VHOST, (struct slice){0}, slice_str("/"), (struct slice){0}, slice_str(value));
    struct topology_result result;
    harness_apply(h, &c, &result);
    assert_int_equal(result.reply_code, 0);
}

static void a_queue_without_a_type_gets_the_vhosts_or_else_the_nodes(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    declares_with_type(&h, "a", "d", "");
    h.settings.default_queue_type = "classic";
    declares_with_type(&h, "b", "d", "classic");
    set_vhost(&h, "{\"default_queue_type\":\"quorum\"}");
    declares_with_type(&h, "c", "d", "quorum");
    declares_with_type(&h, "transient", "", "classic"); /* no quorum queue can be these */
    declares_with_type(&h, "exclusive", "dx", "classic");
    declares_with_type(&h, "auto-delete", "da", "classic");
    declares_with_type(&h, "a", "d", ""); /* it is there, and stays what it was */
    struct buf arguments = {0};
    amqp_table_put_string(&arguments, "x-queue-type", slice_str("classic"));
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare =
        (struct amqp_queue_declare){.queue = slice_str("d"), .durable = true, .arguments = buf_slice(&arguments)};
    say(&h, 1, &m);
    hears(&h, "1 queue.declare-ok queue=\"d\" message_count=0 consumer_count=0");
    assert_true(
        slice_equal(topology_queue(h.topology, slice_str("/"), slice_str("d"))->arguments, buf_slice(&arguments)));
    buf_close(&arguments);
    set_vhost(&h, "{\"default_queue_type\":\"stream\"}");
    m.queue_declare = (struct amqp_queue_declare){.queue = slice_str("e"), .durable = true};
    say(&h, 1, &m);
    hears(&h, "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - argument 'x-queue-type' of queue 'e' "
              "in vhost '/'\" class_id=50 method_id=10");
    harness_close(&h);
}

static void declare_as(struct harness *h, const char *type)
{
    struct buf arguments = {0};
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    if (type) amqp_table_put_string(&arguments, "x-queue-type", slice_str(type));
    m.queue_declare = (struct amqp_queue_declare){.queue = slice_str("q"), .arguments = buf_slice(&arguments)};
    say(h, 1, &m);
    buf_close(&arguments);
}

static void another_type_is_refused_only_where_labels_count(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    declare_as(&h, "quorum");
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    declare_as(&h, "classic");
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    h.settings.compares_labels = true;
    declare_as(&h, "quorum");
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    declare_as(&h, "classic");
    hears(&h,
          "1 channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue "
          "'q' in vhost '/': received 'classic' but current is 'quorum'\" class_id=50 method_id=10");
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_without_a_type_gets_the_vhosts_or_else_the_nodes),
        cmocka_unit_test(another_type_is_refused_only_where_labels_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
