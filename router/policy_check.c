/* What a policy may say: the keys, and RabbitMQ's words for values that it refuses. */
#include <stdio.h>

#include "router/json.h"
#include "router/policy.h"
#include "router/topology_internal.h"

enum form { TEXT, AT_LEAST_0, AT_LEAST_1, LIMIT_OR_NONE, ONE_OF, ANY };

struct key {
    const char *name;
    enum form form;
    bool of_operators; /* an operator policy may have it */
    const char *what;  /* "<value> is not a valid <what>" */
    const char *words; /* ONE_OF, with blanks around each */
};

static const struct key keys[] = {
    {"message-ttl", AT_LEAST_0, true, "message TTL"},
    {"expires", AT_LEAST_1, true, "queue expiry"},
    {"max-length", AT_LEAST_0, true, "maximum length"},
    {"max-length-bytes", AT_LEAST_0, true, "maximum length in bytes"},
    {"max-in-memory-length", AT_LEAST_0, true, "maximum memory in bytes"},
    {"max-in-memory-bytes", AT_LEAST_0, true, "maximum memory in bytes"},
    {"delivery-limit", LIMIT_OR_NONE, true, "delivery limit"},
    {"overflow", ONE_OF, true, "overflow value", " drop-head reject-publish reject-publish-dlx "},
    {"dead-letter-exchange", TEXT, false, "dead letter exchange name"},
    {"dead-letter-routing-key", TEXT, false, "dead letter routing key"},
    {"dead-letter-strategy", ONE_OF, false, "dead letter strategy", " at-most-once at-least-once "},
    {"alternate-exchange", TEXT, false, "alternate exchange name"},
    {"consumer-timeout", AT_LEAST_0, true, "consumer timeout"},
    {"consumer-disconnected-timeout", AT_LEAST_0, true, "consumer disconnected timeout"},
    {"delayed-retry-type", ONE_OF, true, "delayed retry type", " disabled all failed returned "},
    {"delayed-retry-min", AT_LEAST_0, true, "delayed retry minimum"},
    {"delayed-retry-max", AT_LEAST_0, true, "delayed retry maximum"},
    {"queue-leader-locator", ONE_OF, false, "queue leader locator value",
     " client-local balanced random least-leaders "},
    {"queue-master-locator", ONE_OF, false, "queue master locator value", " client-local min-masters random "},
    {"target-group-size", AT_LEAST_1, true, "target group size"},
    {"initial-cluster-size", AT_LEAST_0, false, "cluster size"},
    {"member-placement-tag", TEXT, true, "member placement tag"},
    {"federation-upstream", TEXT, false, "federation upstream name"},
    {"federation-upstream-set", TEXT, false, "federation upstream set name"},
    {"federation-upstream-pattern", TEXT, false, "federation upstream pattern"},
    {"ha-mode", ONE_OF, true, "ha-mode value", " all exactly nodes "},
    {"ha-params", ANY, true, "ha-params value"},
    {"ha-sync-mode", ONE_OF, true, "ha-sync-mode value", " manual automatic "},
    {"ha-sync-batch-size", AT_LEAST_1, true, "ha-sync-batch-size value"},
    {"ha-promote-on-shutdown", ONE_OF, true, "ha-promote-on-shutdown value", " when-synced always "},
    {"ha-promote-on-failure", ONE_OF, true, "ha-promote-on-failure value", " when-synced always "},
    {"queue-mode", ONE_OF, false, "queue-mode value", " default lazy "},
    {"queue-version", AT_LEAST_1, false, "queue-version value"},
    {"max-priority", AT_LEAST_0, false, "maximum priority"},
    {"delayed-message", ANY, false, "delayed-message value"},
    {"max-age", TEXT, false, "max age"},
    {"stream-max-segment-size-bytes", AT_LEAST_0, false, "segment size"},
    {"stream-filter-size-bytes", AT_LEAST_0, false, "filter size"},
    {"shards-per-node", AT_LEAST_0, false, "shards-per-node value"},
    {"routing-key", TEXT, false, "routing key"},
};

static const struct key *find(const char *name, bool of_operator)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strcmp(keys[i].name, name) && (keys[i].of_operators || !of_operator)) return &keys[i];
    return NULL;
}

static bool is_one_of(const json_t *value, const char *words)
{
    char wanted[64];
    if (!json_is_string(value) || strchr(json_string_value(value), ' ')) return false;
    int size = snprintf(wanted, sizeof wanted, " %s ", json_string_value(value));
    return size > 2 && size < (int)sizeof wanted && strstr(words, wanted);
}

static bool fits(const struct key *key, const json_t *value, bool of_operator)
{
    switch (key->form) {
    case TEXT:
        return json_is_string(value);
    case AT_LEAST_0:
    case AT_LEAST_1:
        return json_is_integer(value) && json_integer_value(value) >= (key->form == AT_LEAST_1);
    case LIMIT_OR_NONE: /* -1, none, is for an operator not to say */
        return json_is_integer(value) && json_integer_value(value) >= (of_operator ? 0 : -1);
    case ONE_OF:
        return is_one_of(value, key->words);
    default:
        return true;
    }
}

static bool refused(struct topology_result *r, const struct buf *text)
{
    if (r) refuse(r, 400, "Validation failed\n\n%.*s\n", SLICE_FORMAT(buf_slice(text)));
    return false;
}

static bool one_upstream(const json_t *definition, struct topology_result *r)
{
    int named = !!json_object_get(definition, "federation-upstream") +
                !!json_object_get(definition, "federation-upstream-set") +
                !!json_object_get(definition, "federation-upstream-pattern");
    if (named > 1 && r)
        refuse(r, 400,
               "Validation failed\n\ncannot specify federation-upstream, federation-upstream-set and "
               "federation-upstream-pattern together\n");
    return named <= 1;
}

/* `value`, if any, stands between the words. */
static bool bad_ha(struct topology_result *r, const char *words, const json_t *value, const char *more)
{
    struct buf text = {0};
    buf_printf(&text, "%s", words);
    if (value) json_print_erlang(value, &text);
    buf_printf(&text, "%s", more);
    refused(r, &text);
    buf_close(&text);
    return false;
}

/* ha-mode and what belongs to it fit together. */
static bool ha_is_whole(const json_t *definition, struct topology_result *r)
{
    static const char *const others[] = {"ha-params", "ha-sync-mode", "ha-sync-batch-size", "ha-promote-on-shutdown",
                                         "ha-promote-on-failure"};
    const json_t *params = json_object_get(definition, "ha-params");
    const char *mode = json_string_value(json_object_get(definition, "ha-mode"));
    size_t i;
    for (i = 0; !mode && i < sizeof others / sizeof others[0]; i++)
        if (json_object_get(definition, others[i]))
            return bad_ha(r, "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown",
                          NULL, "");
    if (!mode) return true;
    if (!strcmp(mode, "all")) return !params || bad_ha(r, "ha-mode=\"all\" does not take parameters", NULL, "");
    if (!strcmp(mode, "exactly")) {
        if (!params) return bad_ha(r, "ha-mode=\"exactly\" takes an integer, none given", NULL, "");
        return json_integer_value(params) > 0 || bad_ha(r, "ha-mode=\"exactly\" takes an integer, ", params, " given");
    }
    if (!json_is_array(params))
        return bad_ha(r, "ha-mode=\"nodes\" takes a list, ", params ? params : json_null(), " given");
    if (!json_array_size(params)) return bad_ha(r, "ha-mode=\"nodes\" list must be non-empty", NULL, "");
    for (i = 0; i < json_array_size(params); i++) {
        const json_t *item = json_array_get(params, i);
        if (!json_is_string(item))
            return bad_ha(r, "ha-mode=\"nodes\" takes a list of strings, [", item, "] was not a string");
    }
    return true;
}

bool policy_check_definition(const json_t *definition, bool of_operator, struct topology_result *r)
{
    const char *name;
    json_t *value;
    struct buf unknown = {0}, wrong = {0};
    json_object_foreach((json_t *)definition, name, value)
    {
        const struct key *key = find(name, of_operator);
        if (!key) {
            buf_printf(&unknown, "%s{<<\"%s\">>,", unknown.size ? "," : "[", name);
            json_print_erlang(value, &unknown);
            buf_printf(&unknown, "}");
        } else if (!wrong.size && !fits(key, value, of_operator)) {
            json_print_erlang(value, &wrong);
            buf_printf(&wrong, " is not a valid %s", key->what);
        }
    }
    if (unknown.size) buf_printf(&unknown, "] are not recognised policy settings");
    bool ok = !wrong.size && !unknown.size;
    if (!ok) refused(r, wrong.size ? &wrong : &unknown);
    buf_close(&unknown);
    buf_close(&wrong);
    return ok && one_upstream(definition, r) && ha_is_whole(definition, r);
}
