#include "ha/shovel/declarations.h"

#include <stddef.h>

#include "ha/bridge/json.h"

enum { FIELDS_MAX = 8 };
enum field_kind { FIELD_NAME, FIELD_FLAG, FIELD_TABLE };

struct field {
    const char *name;
    uint8_t kind; /* enum field_kind */
    size_t offset;
};

#define AT(member) offsetof(struct amqp_method, member)

static const struct declaration {
    const char *method;
    unsigned number;
    struct field fields[FIELDS_MAX]; /* up to the first without a name */
} declarations[] = {
    {"queue.declare",
     AMQP_QUEUE_DECLARE,
     {{"queue", FIELD_NAME, AT(queue_declare.queue)},
      {"passive", FIELD_FLAG, AT(queue_declare.passive)},
      {"durable", FIELD_FLAG, AT(queue_declare.durable)},
      {"exclusive", FIELD_FLAG, AT(queue_declare.exclusive)},
      {"auto_delete", FIELD_FLAG, AT(queue_declare.auto_delete)},
      {"arguments", FIELD_TABLE, AT(queue_declare.arguments)}}},
    {"exchange.declare",
     AMQP_EXCHANGE_DECLARE,
     {{"exchange", FIELD_NAME, AT(exchange_declare.exchange)},
      {"type", FIELD_NAME, AT(exchange_declare.type)},
      {"passive", FIELD_FLAG, AT(exchange_declare.passive)},
      {"durable", FIELD_FLAG, AT(exchange_declare.durable)},
      {"auto_delete", FIELD_FLAG, AT(exchange_declare.auto_delete)},
      {"internal", FIELD_FLAG, AT(exchange_declare.internal)},
      {"arguments", FIELD_TABLE, AT(exchange_declare.arguments)}}},
    {"queue.bind",
     AMQP_QUEUE_BIND,
     {{"queue", FIELD_NAME, AT(queue_bind.queue)},
      {"exchange", FIELD_NAME, AT(queue_bind.exchange)},
      {"routing_key", FIELD_NAME, AT(queue_bind.routing_key)},
      {"arguments", FIELD_TABLE, AT(queue_bind.arguments)}}},
    {"exchange.bind",
     AMQP_EXCHANGE_BIND,
     {{"destination", FIELD_NAME, AT(exchange_bind.destination)},
      {"source", FIELD_NAME, AT(exchange_bind.source)},
      {"routing_key", FIELD_NAME, AT(exchange_bind.routing_key)},
      {"arguments", FIELD_TABLE, AT(exchange_bind.arguments)}}},
};

static const struct declaration *find(const json_t *one)
{
    const char *method = json_string_value(json_object_get(one, "method"));
    for (size_t i = 0; method && i < sizeof declarations / sizeof declarations[0]; i++)
        if (!strcmp(declarations[i].method, method)) return &declarations[i];
    return NULL;
}

static const struct field *find_field(const struct declaration *d, const char *name)
{
    for (size_t i = 0; i < FIELDS_MAX && d->fields[i].name; i++)
        if (!strcmp(d->fields[i].name, name)) return &d->fields[i];
    return NULL;
}

static bool fits(const struct field *f, const json_t *value)
{
    struct buf scratch = {0};
    if (f->kind == FIELD_NAME) return json_is_string(value) && json_string_length(value) <= AMQP_SHORTSTR_MAX;
    if (f->kind == FIELD_FLAG) return json_is_boolean(value);
    bool ok = json_is_object(value) && json_to_table(&scratch, value);
    buf_close(&scratch);
    return ok;
}

static int check_one(const char *name, const json_t *one, struct err *err)
{
    const struct declaration *d = find(one);
    const char *key;
    json_t *value;
    if (!d)
        return (int)err_set(err, ERR_INVALID,
                            "%s should have a method of queue.declare, exchange.declare, queue.bind or exchange.bind",
                            name);
    json_object_foreach((json_t *)(uintptr_t)one, key, value)
    {
        const struct field *f = find_field(d, key);
        if (!strcmp(key, "method")) continue;
        if (!f) return (int)err_set(err, ERR_INVALID, "%s: %s has no field %s", name, d->method, key);
        if (!fits(f, value)) return (int)err_set(err, ERR_INVALID, "%s: %s of %s does not fit", name, key, d->method);
    }
    return 0;
}

int shovel_declarations_check(const char *name, const json_t *list, struct err *err)
{
    size_t i;
    json_t *one;
    if (!json_is_array(list)) return (int)err_set(err, ERR_INVALID, "%s should be list", name);
    json_array_foreach(list, i, one)
    {
        int code = check_one(name, one, err);
        if (code) return code;
    }
    return 0;
}

static void send_one(struct client *c, uint16_t channel, const json_t *one, uint64_t token)
{
    const struct declaration *d = find(one);
    struct amqp_method m = amqp_method_of(d->number);
    struct buf table = {0};
    for (size_t i = 0; i < FIELDS_MAX && d->fields[i].name; i++) {
        const json_t *value = json_object_get(one, d->fields[i].name);
        void *field = (char *)&m + d->fields[i].offset;
        if (!value) continue;
        if (d->fields[i].kind == FIELD_FLAG) *(bool *)field = json_is_true(value);
        if (d->fields[i].kind == FIELD_NAME)
            *(struct slice *)field = slice_of(json_string_value(value), json_string_length(value));
        if (d->fields[i].kind != FIELD_TABLE) continue;
        json_to_table(&table, value);
        *(struct slice *)field = buf_slice(&table);
    }
    client_send(c, channel, &m, token);
    buf_close(&table);
}

void shovel_declarations_send(struct client *c, uint16_t channel, const json_t *list, uint64_t token)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        send_one(c, channel, json_array_get(list, i), i + 1 == json_array_size(list) ? token : 0);
}
