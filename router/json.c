#include "router/json.h"

bool json_nests_too_deep(struct slice text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (quoted && c == '\\') i++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > JSON_NESTING_MAX) return true;
        else if (!quoted && (c == ']' || c == '}') && depth) depth--;
    }
    return false;
}

json_t *json_of(struct slice text, struct err *err)
{
    json_error_t why;
    if (json_nests_too_deep(text)) {
        err_set(err, ERR_FORMAT, "nested deeper than %d levels", JSON_NESTING_MAX);
        return NULL;
    }
    json_t *value =
        json_loadb(text.size ? (const char *)text.data : "", text.size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (!value) err_set(err, ERR_FORMAT, "%s near byte %d", why.text, why.position);
    return value;
}

struct slice json_text(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    if (!json_is_string(member)) return (struct slice){0};
    return slice_of(json_string_value(member), json_string_length(member));
}

void json_print_erlang(const json_t *value, struct buf *b)
{
    size_t i;
    const char *key;
    json_t *member;
    if (json_is_string(value)) {
        buf_printf(b, "<<\"%s\">>", json_string_value(value));
    } else if (json_is_array(value)) {
        buf_printf(b, "[");
        json_array_foreach(value, i, member)
        {
            if (i) buf_printf(b, ",");
            json_print_erlang(member, b);
        }
        buf_printf(b, "]");
    } else if (json_is_object(value)) {
        const char *between = "";
        buf_printf(b, "#{");
        json_object_foreach((json_t *)value, key, member)
        {
            buf_printf(b, "%s<<\"%s\">> => ", between, key);
            json_print_erlang(member, b);
            between = ",";
        }
        buf_printf(b, "}");
    } else if (json_is_integer(value)) {
        buf_printf(b, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        buf_printf(b, "%g", json_real_value(value));
    } else {
        buf_printf(b, "%s", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
    }
}
