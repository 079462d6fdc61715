/* Re-declares must say the same; refusals speak RabbitMQ's words. */
#include "router/topology_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/field_table.h"

void refuse(struct topology_result *r, uint16_t code, const char *format, ...)
{
    r->reply_code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->text, sizeof r->text, format, arguments);
    va_end(arguments);
}

void refuse_not_found(struct topology_result *r, const char *what, struct slice name, struct slice vhost)
{
    refuse(r, 404, "NOT_FOUND - no %s '%.*s' in vhost '%.*s'", what, SLICE_FORMAT(name), SLICE_FORMAT(vhost));
}

bool reserved_name(struct slice name)
{
    return name.size >= 4 && !memcmp(name.data, "amq.", 4);
}

bool equivalent_flag(struct topology_result *r, const char *what, struct slice name, struct slice vhost,
                     const char *flag, bool given, bool current)
{
    if (given == current) return true;
    refuse(
        r, 406,
        "PRECONDITION_FAILED - inequivalent arg '%s' for %s '%.*s' in vhost '%.*s': received '%s' but current is '%s'",
        flag, what, SLICE_FORMAT(name), SLICE_FORMAT(vhost), given ? "true" : "false", current ? "true" : "false");
    return false;
}

/* The type is told only where the other side has nothing. */
static void describe(char *text, size_t size, bool there, bool other_there, const struct table_value *v)
{
    char value[TABLE_VALUE_TEXT_MAX];
    if (!there || (v->type == 'V' && other_there)) {
        snprintf(text, size, "none");
        return;
    }
    table_value_print(v, value, sizeof value);
    if (other_there) snprintf(text, size, "'%s'", value);
    else snprintf(text, size, "the value '%s' of type '%s'", value, table_type_name(v->type));
}

bool equivalent_arguments(struct topology_result *r, const char *what, struct slice name, struct slice vhost,
                          const char *const *keys, struct slice given, struct slice current)
{
    for (; *keys; keys++) {
        struct table_value a, b;
        bool in_a = table_find(given, slice_str(*keys), &a), in_b = table_find(current, slice_str(*keys), &b);
        if (in_a == in_b && (!in_a || table_value_equal(&a, &b))) continue;
        char received[192], is[192];
        describe(received, sizeof received, in_a, in_b, &a);
        describe(is, sizeof is, in_b, in_a, &b);
        refuse(
            r, 406,
            "PRECONDITION_FAILED - inequivalent arg '%s' for %s '%.*s' in vhost '%.*s': received %s but current is %s",
            *keys, what, SLICE_FORMAT(name), SLICE_FORMAT(vhost), received, is);
        return false;
    }
    return true;
}
