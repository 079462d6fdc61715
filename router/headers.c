/* Headers matching: x-match all (default), any, all-with-x, any-with-x. A binding value of type void asks only that the
 * header is there. Without the -with-x forms, arguments that start with "x-" are not compared. */
#include "base/table_index.h"
#include "router/topology_internal.h"

static bool is_text(const struct table_value *v)
{
    return v->type == 'S' || v->type == 'x';
}

/* RabbitMQ compares Erlang terms, which do not know the type that they had in the table: a timestamp is a number, 1 is
 * 1.0, bytes are a string. */
static bool one_matches(struct slice key, struct table_value wanted, struct table_index *headers)
{
    struct table_value found;
    if (!table_index_find(headers, key, &found)) return false;
    if (wanted.type == 'V') return true;
    if (wanted.type == 'T') wanted.type = 'l';
    if (found.type == 'T') found.type = 'l';
    if (is_text(&wanted) && is_text(&found)) return slice_equal(wanted.bytes, found.bytes);
    return table_value_equal(&wanted, &found);
}

bool headers_check(struct slice arguments, struct topology_result *r)
{
    static const char *const modes[] = {"all", "any", "all-with-x", "any-with-x"};
    struct table_value mode;
    if (!table_find(arguments, slice_str("x-match"), &mode)) return true;
    if (mode.type == 'S') {
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
            if (slice_is(mode.bytes, modes[i])) return true;
        refuse(r, 406,
               "PRECONDITION_FAILED - Invalid x-match field value <<\"%.*s\">>; expected all, any, all-with-x, or "
               "any-with-x",
               SLICE_FORMAT(mode.bytes));
        return false;
    }
    char value[TABLE_VALUE_TEXT_MAX];
    table_value_print(&mode, value, sizeof value);
    refuse(r, 406, "PRECONDITION_FAILED - Invalid x-match field type %s (value %s); expected longstr",
           table_type_name(mode.type), value);
    return false;
}

bool headers_match(struct slice arguments, struct table_index *headers)
{
    struct table_value mode, wanted;
    bool any = false, with_x = false;
    if (table_find(arguments, slice_str("x-match"), &mode) && mode.type == 'S') {
        any = slice_is(mode.bytes, "any") || slice_is(mode.bytes, "any-with-x");
        with_x = slice_is(mode.bytes, "all-with-x") || slice_is(mode.bytes, "any-with-x");
    }
    struct reader r = reader_of(arguments);
    struct slice key;
    while (table_next(&r, &key, &wanted)) {
        bool internal = key.size >= 2 && !memcmp(key.data, "x-", 2);
        if (slice_is(key, "x-match") || (internal && !with_x)) continue;
        bool matches = one_matches(key, wanted, headers);
        if (any && matches) return true;
        if (!any && !matches) return false;
    }
    return !any;
}
