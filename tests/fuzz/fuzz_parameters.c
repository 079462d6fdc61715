// room: ha_shovel ha_federation router
/* What people set as JSON: the first byte says what the rest is (a shovel, an upstream, a set of upstreams, a value of
 * a static shovel, an item of the registry). It is refused in a sentence, or what was read is sound and can be used. */
#include "base/check.h"
#include "base/mem.h"
#include "ha/federation/federated.h"
#include "ha/shovel/declarations.h"
#include "ha/shovel/properties.h"
#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "router/json.h"
#include "router/policy.h"

static void check_shovel(const struct shovel_definition *d, struct slice bytes)
{
    struct buf out = {0};
    CHECK(d->src_uris.count && d->src_uris.count <= JSON_URIS_MAX && d->dest_uris.count);
    CHECK(amqp_table_validate(buf_slice(&d->src_queue_args)) == 0);
    CHECK(amqp_table_validate(buf_slice(&d->src_consumer_args)) == 0);
    CHECK(amqp_table_validate(buf_slice(&d->dest_queue_args)) == 0);
    CHECK(shovel_ack_mode_name(d));
    struct shovel_forward forward = {.definition = d, .wall_s = 1700000000};
    CHECK(shovel_properties_put(&out, slice_of("\0\0", 2), &forward));
    struct amqp_properties p;
    CHECK(!amqp_properties_decode(buf_slice(&out), &p));
    buf_clear(&out);
    shovel_properties_put(&out, bytes, &forward);
    buf_close(&out);
}

static void shovel(const json_t *value, struct slice bytes)
{
    struct shovel_definition d;
    struct err err = {0};
    if (shovel_definition_read(&d, "name", value, &err)) {
        CHECK(err.text[0]);
        return;
    }
    check_shovel(&d, bytes);
    shovel_definition_close(&d);
}

static void upstream(const json_t *value)
{
    struct upstream u;
    struct err err = {0};
    if (upstream_read(&u, "name", value, &err)) {
        CHECK(err.text[0]);
        return;
    }
    CHECK(u.uris.count && u.prefetch >= 0 && u.max_hops >= 0 && upstream_queue_type(&u));
    struct exchange x = {.vhost = slice_str("/"), .name = slice_str("x"), .type = slice_str("topic"), .durable = true};
    char *text = federated_exchange_text(&x, "cluster", "name", value);
    struct federated f;
    struct buf name = {0};
    CHECK(federated_read(&f, text, &err) == 0);
    CHECK(!strcmp(f.vhost, "/") && !strcmp(f.name, "x") && f.upstream.prefetch == u.prefetch);
    federated_put_queue_name(&name, &f, slice_str("/"));
    CHECK(name.size && federated_upstream_name(&f).data);
    buf_close(&name);
    federated_close(&f);
    mem_free(text);
    upstream_close(&u);
}

/* "key", a zero, and its text. */
static void static_shovel(struct slice bytes)
{
    struct err err = {0};
    char *text = mem_strndup((const char *)bytes.data, bytes.size);
    const char *value = text + strlen(text);
    json_t *object = json_object();
    if (value < text + bytes.size) value++;
    if (shovel_definition_add(object, text, value, &err)) CHECK(err.text[0]);
    else CHECK(json_object_size(object) == 1);
    shovel(object, bytes);
    json_decref(object);
    mem_free(text);
}

static void item(struct slice bytes)
{
    struct buf value = {0}, again = {0}, printed = {0};
    struct err err = {0};
    if (!registry_canonical(bytes, &value, &err)) {
        CHECK(err.text[0]);
        return;
    }
    CHECK(registry_canonical(buf_slice(&value), &again, &err));
    CHECK(slice_equal(buf_slice(&value), buf_slice(&again)));
    for (int kind = 0; kind < REGISTRY_KIND_COUNT; kind++) {
        struct registry_item i = {.kind = (enum registry_kind)kind,
                                  .vhost = slice_str("/"),
                                  .name = slice_str("max-length"),
                                  .detail = slice_str("x"),
                                  .value = buf_slice(&value)};
        struct topology_result r = {0};
        if (!registry_check_value(&i, &r) || !registry_check_patterns(&i, &r)) CHECK(r.reply_code && r.text[0]);
    }
    json_t *json = json_of(buf_slice(&value), NULL);
    struct topology_result r = {0};
    if (json_is_object(json))
        for (int operators = 0; operators < 2; operators++)
            if (!policy_check_definition(json, operators, &r)) CHECK(r.reply_code);
    json_print_erlang(json, &printed);
    json_decref(json);
    buf_close(&value);
    buf_close(&again);
    buf_close(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    if (!size) return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    if (data[0] % 5 == 3) static_shovel(rest);
    if (data[0] % 5 == 4) item(rest);
    if (data[0] % 5 >= 3) return 0;
    json_t *value = json_of(rest, NULL);
    if (!value) return 0;
    if (data[0] % 5 == 0) shovel(value, rest);
    if (data[0] % 5 == 1) upstream(value);
    if (data[0] % 5 == 2 && upstream_set_check("name", value, &err)) CHECK(err.text[0]);
    json_decref(value);
    return 0;
}
