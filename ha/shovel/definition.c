#include "ha/shovel/definition.h"

#include <stddef.h>

#include "base/mem.h"
#include "ha/shovel/declarations.h"
#include "ha/shovel/properties.h"

enum { PREFETCH = 1000, RECONNECT_DELAY_S = 1, PREFETCH_MAX = UINT16_MAX };

static const char *const ack_modes[] = {"no-ack", "on-publish", "on-confirm", NULL};
static const char *const protocols[] = {"amqp091", "local", "amqp10", NULL};
enum { ACK_ON_CONFIRM = 2, PROTOCOL_AMQP10 = 2 };

#define AT(field) offsetof(struct shovel_definition, field)

static const struct json_key keys[] = {
    {"src-protocol", JSON_KIND_ENUM, false, AT(src_protocol), protocols},
    {"dest-protocol", JSON_KIND_ENUM, false, AT(dest_protocol), protocols},
    {"src-uri", JSON_KIND_URIS, true, AT(src_uris)},
    {"dest-uri", JSON_KIND_URIS, true, AT(dest_uris)},
    {"src-queue", JSON_KIND_STRING, false, AT(src_queue)},
    {"src-exchange", JSON_KIND_STRING, false, AT(src_exchange)},
    {"src-exchange-key", JSON_KIND_STRING, false, AT(src_exchange_key)},
    {"src-queue-args", JSON_KIND_TABLE, false, AT(src_queue_args)},
    {"src-consumer-args", JSON_KIND_TABLE, false, AT(src_consumer_args)},
    {"src-consumer-name", JSON_KIND_STRING, false, AT(src_consumer_name)},
    {"src-predeclared", JSON_KIND_BOOLEAN, false, AT(src_predeclared)},
    {"src-prefetch-count", JSON_KIND_NUMBER, false, AT(prefetch)},
    {"prefetch-count", JSON_KIND_NUMBER, false, AT(prefetch)},
    {"src-delete-after", JSON_KIND_CHECKED},
    {"delete-after", JSON_KIND_CHECKED},
    {"src-delete-after-duration", JSON_KIND_NUMBER, false, AT(delete_after_duration_s)},
    {"dest-queue", JSON_KIND_STRING, false, AT(dest_queue)},
    {"dest-exchange", JSON_KIND_STRING, false, AT(dest_exchange)},
    {"dest-exchange-key", JSON_KIND_STRING, false, AT(dest_exchange_key)},
    {"dest-queue-args", JSON_KIND_TABLE, false, AT(dest_queue_args)},
    {"dest-predeclared", JSON_KIND_BOOLEAN, false, AT(dest_predeclared)},
    {"dest-publish-properties", JSON_KIND_CHECKED},
    {"publish-properties", JSON_KIND_CHECKED},
    {"dest-add-forward-headers", JSON_KIND_BOOLEAN, false, AT(add_forward_headers)},
    {"add-forward-headers", JSON_KIND_BOOLEAN, false, AT(add_forward_headers)},
    {"dest-add-timestamp-header", JSON_KIND_BOOLEAN, false, AT(add_timestamp_header)},
    {"add-timestamp-header", JSON_KIND_BOOLEAN, false, AT(add_timestamp_header)},
    {"dest-add-deduplication", JSON_KIND_BOOLEAN, false, AT(add_deduplication)},
    {"src-declarations", JSON_KIND_CHECKED},
    {"dest-declarations", JSON_KIND_CHECKED},
    {"ack-mode", JSON_KIND_ENUM, false, AT(ack_mode), ack_modes},
    {"reconnect-delay", JSON_KIND_NUMBER, false, AT(reconnect_delay_s)},
    {"rate-limit", JSON_KIND_NUMBER, false, AT(rate)},
    {"paused", JSON_KIND_BOOLEAN, false, AT(paused)},
    {NULL},
};

static int invalid(struct err *err, const char *sentence)
{
    return (int)err_set(err, ERR_INVALID, "%s", sentence);
}

static const json_t *either(const json_t *value, const char *one, const char *other)
{
    const json_t *found = json_object_get(value, one);
    if (!found || json_is_null(found)) found = json_object_get(value, other);
    return found && !json_is_null(found) ? found : NULL;
}

static int read_delete_after(struct shovel_definition *d, const json_t *value, struct err *err)
{
    const json_t *after = either(value, "src-delete-after", "delete-after");
    const char *word = json_string_value(after);
    if (!after || (word && !strcmp(word, "never"))) return 0;
    if (word && !strcmp(word, "queue-length")) {
        d->delete_after = SHOVEL_QUEUE_LENGTH;
        return 0;
    }
    if (!json_is_integer(after) || json_integer_value(after) < 0)
        return invalid(err, "delete-after should be a number, \"never\" or \"queue-length\"");
    d->delete_after = SHOVEL_COUNT;
    d->delete_after_count = json_integer_value(after);
    return 0;
}

static int check(struct shovel_definition *d, struct err *err)
{
    if (d->src_protocol == PROTOCOL_AMQP10 || d->dest_protocol == PROTOCOL_AMQP10)
        return invalid(err, "amqp10 is not supported; use amqp091 or local");
    if (!d->src_queue && !d->src_exchange) return invalid(err, "Must specify 'src-exchange' or 'src-queue'");
    if (d->src_queue && d->src_exchange) return invalid(err, "Cannot specify 'src-exchange' and 'src-queue'");
    if (d->dest_queue && d->dest_exchange) return invalid(err, "Cannot specify 'dest-exchange' and 'dest-queue'");
    if (d->delete_after == SHOVEL_COUNT && !strcmp(ack_modes[d->ack_mode], "no-ack"))
        return invalid(err, "Cannot specify 'no-ack' and numerical 'delete-after'");
    char *const names[] = {d->src_queue,  d->src_exchange,  d->src_exchange_key, d->src_consumer_name,
                           d->dest_queue, d->dest_exchange, d->dest_exchange_key};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] && strlen(names[i]) > 255) return invalid(err, "a name is longer than 255 bytes");
    if (d->prefetch > PREFETCH_MAX) return invalid(err, "prefetch-count should be a number up to 65535");
    return 0;
}

static int read_declarations(json_t **out, const json_t *value, const char *key, struct err *err)
{
    const json_t *list = either(value, key, key);
    int code = list ? shovel_declarations_check(key, list, err) : 0;
    if (!code && json_array_size(list)) *out = json_deep_copy(list);
    return code;
}

int shovel_definition_read(struct shovel_definition *d, const char *name, const json_t *value, struct err *err)
{
    *d = (struct shovel_definition){
        .prefetch = PREFETCH, .reconnect_delay_s = RECONNECT_DELAY_S, .ack_mode = ACK_ON_CONFIRM};
    int code = json_read(value, keys, name, d, err);
    if (!code) code = read_delete_after(d, value, err);
    if (!code) code = check(d, err);
    if (!code) code = read_declarations(&d->src_declarations, value, "src-declarations", err);
    if (!code) code = read_declarations(&d->dest_declarations, value, "dest-declarations", err);
    const json_t *properties = either(value, "dest-publish-properties", "publish-properties");
    if (!code && properties) {
        code = shovel_properties_check(properties, err);
        d->properties = json_deep_copy(properties);
    }
    if (code) shovel_definition_close(d);
    return code;
}

int shovel_definition_add(json_t *object, const char *key, const char *text, struct err *err)
{
    const struct json_key *k = keys;
    json_error_t where;
    while (k->name && strcmp(k->name, key)) k++;
    if (!k->name) return (int)err_set(err, ERR_INVALID, "%s is no key of a shovel", key);
    bool is_text = k->kind == JSON_KIND_STRING || k->kind == JSON_KIND_ENUM ||
                   (k->kind == JSON_KIND_URIS && *text != '[') ||
                   (k->kind == JSON_KIND_CHECKED && *text != '{' && *text != '[' && (*text < '0' || *text > '9'));
    json_t *value = is_text ? json_string(text) : json_loads(text, JSON_DECODE_ANY, &where);
    if (!value) return (int)err_set(err, ERR_INVALID, "%s = %.64s: %s", key, text, is_text ? "not UTF-8" : where.text);
    json_object_set_new(object, key, value);
    return 0;
}

void shovel_definition_close(struct shovel_definition *d)
{
    json_read_close(keys, d);
    json_decref(d->properties);
    json_decref(d->src_declarations);
    json_decref(d->dest_declarations);
    d->properties = d->src_declarations = d->dest_declarations = NULL;
}

enum relay_ack_mode shovel_ack_mode(const struct shovel_definition *d)
{
    static const uint8_t modes[] = {RELAY_NO_ACK, RELAY_ON_PUBLISH, RELAY_ON_CONFIRM};
    return (enum relay_ack_mode)modes[d->ack_mode];
}

const char *shovel_ack_mode_name(const struct shovel_definition *d)
{
    return ack_modes[d->ack_mode];
}
