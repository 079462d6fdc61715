/* Members of a request's body, and refusals in RabbitMQ's words. */
#include "node/http/http_internal.h"
#include "router/topology.h"

bool body_requires(const struct request *r, const char *const *names, struct answer *a)
{
    char missing[512] = "";
    size_t used = 0;
    for (; *names; names++) {
        if (json_object_get(r->body, *names)) continue;
        int size = snprintf(missing + used, sizeof missing - used, "%s{key_missing,%s}", used ? "," : "", *names);
        used += (size_t)size < sizeof missing - used ? (size_t)size : 0;
    }
    if (used) answer_bad(a, "[%s]", missing);
    return !used;
}

bool body_bool(const struct request *r, const char *name, bool otherwise, bool *out, struct answer *a)
{
    const json_t *value = json_object_get(r->body, name);
    struct slice text = slice_json(value);
    *out = otherwise;
    if (!value || json_is_null(value)) return true;
    if (json_is_boolean(value)) *out = json_is_true(value);
    else if (slice_is(text, "true")) *out = true;
    else if (slice_is(text, "false")) *out = false;
    else {
        a->status = 400;
        json_t *o = json_object();
        json_put(o, "error", json_string("bad_request"));
        json_put(o, "reason", json_pack("[s, O]", "not_boolean", (json_t *)value));
        answer_json(a, o);
        return false;
    }
    return true;
}

bool body_table(const struct request *r, const char *name, struct buf *table, struct answer *a)
{
    if (table_of_json(table, json_object_get(r->body, name))) return true;
    answer_bad(a, "%s must be an object that fits a field table", name);
    return false;
}

struct slice body_text(const struct request *r, const char *name, const char *otherwise)
{
    const json_t *value = json_object_get(r->body, name);
    return json_is_string(value) ? slice_json(value) : slice_str(otherwise);
}

bool name_fits(struct slice name, struct answer *a)
{
    if (name.size <= TOPOLOGY_NAME_MAX) return true;
    answer_bad(a, "a name has more than %d bytes", TOPOLOGY_NAME_MAX);
    return false;
}
