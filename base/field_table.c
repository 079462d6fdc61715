#include "base/table_index.h"

#include <stdarg.h>
#include <stdio.h>

#define SLICE_ARG(s) (int)(s).size, (s).size ? (const char *)(s).data : ""

static struct slice long_bytes(struct reader *r)
{
    uint32_t size = reader_be32(r);
    if (size > reader_left(r)) {
        reader_fail(r);
        return (struct slice){0};
    }
    return reader_bytes(r, size);
}

static double real32(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double real64(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

bool table_item(struct reader *r, struct table_value *v)
{
    if (!reader_left(r)) return false;
    *v = (struct table_value){.type = reader_u8(r)};
    switch (v->type) {
    case 't':
        v->integer = reader_u8(r) != 0;
        break;
    case 'b':
        v->integer = (int8_t)reader_u8(r);
        break;
    case 'B':
        v->integer = reader_u8(r);
        break;
    case 's':
        v->integer = (int16_t)reader_be16(r);
        break;
    case 'u':
        v->integer = reader_be16(r);
        break;
    case 'I':
        v->integer = (int32_t)reader_be32(r);
        break;
    case 'i':
        v->integer = reader_be32(r);
        break;
    case 'l':
    case 'L':
    case 'T':
        v->integer = (int64_t)reader_be64(r);
        break;
    case 'f':
        v->real = real32(reader_be32(r));
        break;
    case 'd':
        v->real = real64(reader_be64(r));
        break;
    case 'D':
        v->bytes = reader_bytes(r, 5);
        break;
    case 'S':
    case 'x':
    case 'F':
    case 'A':
        v->bytes = long_bytes(r);
        break;
    case 'V':
        break;
    default:
        reader_fail(r);
    }
    return !r->failed;
}

bool table_next(struct reader *r, struct slice *key, struct table_value *value)
{
    if (!reader_left(r)) return false;
    uint8_t size = reader_u8(r);
    *key = reader_bytes(r, size);
    if (!r->failed && table_item(r, value)) return true;
    reader_fail(r);
    return false;
}

bool table_find(struct slice table, struct slice key, struct table_value *value)
{
    struct reader r = reader_of(table);
    struct slice found;
    while (table_next(&r, &found, value))
        if (slice_equal(found, key)) return true;
    return false;
}

bool table_value_is_integer(const struct table_value *v)
{
    return v->type && strchr("bBsuIilL", v->type);
}

bool table_value_is_number(const struct table_value *v)
{
    return table_value_is_integer(v) || v->type == 'f' || v->type == 'd';
}

static double as_real(const struct table_value *v)
{
    return v->type == 'f' || v->type == 'd' ? v->real : (double)v->integer;
}

static bool equal_at(const struct table_value *a, const struct table_value *b, int depth);

static bool tables_equal_at(struct slice a, struct slice b, int depth)
{
    if (depth > FIELD_TABLE_DEPTH_MAX) return false;
    size_t in_a = 0, in_b = 0;
    struct table_index index;
    struct reader r = reader_of(a);
    struct slice key;
    struct table_value x, y;
    bool equal = true;
    table_index_open(&index, b);
    for (; equal && table_next(&r, &key, &x); in_a++)
        equal = table_index_find(&index, key, &y) && equal_at(&x, &y, depth + 1);
    table_index_close(&index);
    for (r = reader_of(b); equal && table_next(&r, &key, &y);) in_b++;
    return equal && in_a == in_b;
}

static bool arrays_equal_at(struct slice a, struct slice b, int depth)
{
    struct reader ra = reader_of(a), rb = reader_of(b);
    struct table_value x, y;
    for (;;) {
        bool more_a = table_item(&ra, &x), more_b = table_item(&rb, &y);
        if (more_a != more_b) return false;
        if (!more_a) return true;
        if (depth > FIELD_TABLE_DEPTH_MAX || !equal_at(&x, &y, depth + 1)) return false;
    }
}

static bool equal_at(const struct table_value *a, const struct table_value *b, int depth)
{
    if (table_value_is_integer(a) && table_value_is_integer(b)) return a->integer == b->integer;
    if (table_value_is_number(a) && table_value_is_number(b)) return as_real(a) == as_real(b);
    if (a->type != b->type) return false;
    switch (a->type) {
    case 't':
    case 'T':
        return a->integer == b->integer;
    case 'V':
        return true;
    case 'F':
        return tables_equal_at(a->bytes, b->bytes, depth);
    case 'A':
        return arrays_equal_at(a->bytes, b->bytes, depth);
    default:
        return slice_equal(a->bytes, b->bytes);
    }
}

bool table_value_equal(const struct table_value *a, const struct table_value *b)
{
    return equal_at(a, b, 0);
}

bool table_equal(struct slice a, struct slice b)
{
    return tables_equal_at(a, b, 0);
}

/* --- what refusals quote --- */

struct line {
    char *text;
    size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
    if (l->at + 1 >= l->size) return;
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(l->text + l->at, l->size - l->at, format, arguments);
    va_end(arguments);
    l->at = added < 0 ? l->at : l->at + (size_t)added < l->size ? l->at + (size_t)added : l->size - 1;
}

static void add_value(struct line *l, const struct table_value *v, bool quoted);

static unsigned decimal_digits(const struct table_value *v)
{
    struct reader r = reader_of(slice_of(v->bytes.data + 1, v->bytes.size - 1));
    return reader_be32(&r);
}

/* As Erlang's lists: [{signedint,1}] and [{<<"key">>,signedint,1}]. */
static void add_all(struct line *l, const struct table_value *of)
{
    struct reader r = reader_of(of->bytes);
    struct table_value v;
    struct slice key;
    const char *comma = "";
    add(l, "[");
    for (; of->type == 'F' ? table_next(&r, &key, &v) : table_item(&r, &v); comma = ",") {
        add(l, "%s{", comma);
        if (of->type == 'F') add(l, "<<\"%.*s\">>,", SLICE_ARG(key));
        add(l, "%s,", table_type_name(v.type));
        add_value(l, &v, true);
        add(l, "}");
    }
    add(l, "]");
}

static void add_value(struct line *l, const struct table_value *v, bool quoted)
{
    if (table_value_is_integer(v) || v->type == 'T') add(l, "%lld", (long long)v->integer);
    else if (v->type == 'V') add(l, "undefined");
    else if (v->type == 't') add(l, "%s", v->integer ? "true" : "false");
    else if (v->type == 'f' || v->type == 'd') add(l, "%g", v->real);
    else if (v->type == 'F' || v->type == 'A') add_all(l, v);
    else if (v->type == 'D') add(l, "{%u,%u}", v->bytes.data[0], decimal_digits(v));
    else if (!quoted) add(l, "%.*s", SLICE_ARG(v->bytes));
    else if (!v->bytes.size) add(l, "<<>>");
    else add(l, "<<\"%.*s\">>", SLICE_ARG(v->bytes));
}

void table_value_print(const struct table_value *v, char *text, size_t size)
{
    struct line l = {text, size, 0};
    text[0] = 0;
    add_value(&l, v, false);
}

void table_value_print_term(const struct table_value *v, char *text, size_t size)
{
    struct line l = {text, size, 0};
    text[0] = 0;
    add_value(&l, v, true);
}

const char *table_type_name(uint8_t type)
{
    switch (type) {
    case 't':
        return "bool";
    case 'b':
        return "byte";
    case 'B':
        return "unsignedbyte";
    case 's':
        return "short";
    case 'u':
        return "unsignedshort";
    case 'I':
        return "signedint";
    case 'i':
        return "unsignedint";
    case 'l':
    case 'L':
        return "long";
    case 'f':
        return "float";
    case 'd':
        return "double";
    case 'D':
        return "decimal";
    case 'S':
        return "longstr";
    case 'x':
        return "binary";
    case 'T':
        return "timestamp";
    case 'F':
        return "table";
    case 'A':
        return "array";
    default:
        return "void";
    }
}
