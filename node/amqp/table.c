#include "node/amqp/table.h"

#include <inttypes.h>

#include "base/field_table.h"
#include "node/amqp/spec.h"

static bool read_value(struct reader *r, struct amqp_value *v);
static bool validate_run(struct slice run, bool keyed, unsigned depth);
static bool find(struct slice table, struct slice key, struct amqp_value *value);

unsigned amqp_table_validate(struct slice table)
{
    return validate_run(table, true, 0) ? 0 : AMQP_SYNTAX_ERROR;
}

unsigned amqp_array_validate(struct slice items)
{
    return validate_run(items, false, 0) ? 0 : AMQP_SYNTAX_ERROR;
}

static bool validate_run(struct slice run, bool keyed, unsigned depth)
{
    if (depth >= AMQP_TABLE_DEPTH_MAX) return false;
    struct reader r = reader_of(run);
    struct amqp_value v;
    struct slice key;
    while (keyed ? amqp_table_next(&r, &key, &v) : amqp_array_next(&r, &v)) {
        if (v.type == 'F' && !validate_run(v.bytes, true, depth + 1)) return false;
        if (v.type == 'A' && !validate_run(v.bytes, false, depth + 1)) return false;
    }
    return !r.failed;
}

bool amqp_table_next(struct reader *r, struct slice *key, struct amqp_value *value)
{
    if (!reader_left(r)) return false;
    *key = reader_bytes(r, reader_u8(r));
    return read_value(r, value);
}

bool amqp_array_next(struct reader *r, struct amqp_value *value)
{
    return reader_left(r) && read_value(r, value);
}

static bool read_value(struct reader *r, struct amqp_value *v)
{
    struct table_value raw;
    if (!table_item(r, &raw)) {
        reader_fail(r);
        return false;
    }
    v->type = raw.type;
    if (raw.type == 't') {
        v->boolean = raw.integer != 0;
    } else if (raw.type == 'f' || raw.type == 'd') {
        v->real = raw.real;
    } else if (raw.type == 'D') {
        struct reader decimal = reader_of(raw.bytes);
        v->decimal.scale = reader_u8(&decimal);
        v->decimal.unscaled = (int32_t)reader_be32(&decimal);
    } else if (strchr("SxFA", raw.type)) {
        v->bytes = raw.bytes;
    } else {
        v->integer = raw.integer;
    }
    return true;
}

bool amqp_table_find(struct slice table, const char *key, struct amqp_value *value)
{
    return find(table, slice_str(key), value);
}

bool amqp_table_find_string(struct slice table, const char *key, struct slice *text)
{
    struct amqp_value v;
    if (!amqp_table_find(table, key, &v) || v.type != 'S') return false;
    *text = v.bytes;
    return true;
}

bool amqp_table_find_integer(struct slice table, const char *key, int64_t *integer)
{
    struct amqp_value v;
    return amqp_table_find(table, key, &v) && amqp_value_integer(&v, integer);
}

bool amqp_table_find_bool(struct slice table, const char *key, bool *boolean)
{
    struct amqp_value v;
    if (!amqp_table_find(table, key, &v) || v.type != 't') return false;
    *boolean = v.boolean;
    return true;
}

bool amqp_value_integer(const struct amqp_value *v, int64_t *integer)
{
    if (!v->type || !strchr("bBsuIilL", v->type)) return false;
    *integer = v->integer;
    return true;
}

static bool array_equal(struct slice a, struct slice b)
{
    struct reader left = reader_of(a), right = reader_of(b);
    struct amqp_value x, y;
    for (;;) {
        bool more_left = amqp_array_next(&left, &x), more_right = amqp_array_next(&right, &y);
        if (more_left != more_right) return false;
        if (!more_left) return !left.failed && !right.failed;
        if (!amqp_value_equal(&x, &y)) return false;
    }
}

bool amqp_value_equal(const struct amqp_value *a, const struct amqp_value *b)
{
    int64_t x, y;
    if (amqp_value_integer(a, &x)) return amqp_value_integer(b, &y) && x == y;
    bool real_a = a->type == 'f' || a->type == 'd', real_b = b->type == 'f' || b->type == 'd';
    if (real_a || real_b) return real_a && real_b && a->real == b->real;
    if (a->type != b->type) return false;
    switch (a->type) {
    case 't':
        return a->boolean == b->boolean;
    case 'T':
        return a->integer == b->integer;
    case 'D':
        return a->decimal.scale == b->decimal.scale && a->decimal.unscaled == b->decimal.unscaled;
    case 'F':
        return amqp_table_equal(a->bytes, b->bytes);
    case 'A':
        return array_equal(a->bytes, b->bytes);
    case 'V':
        return true;
    default:
        return slice_equal(a->bytes, b->bytes);
    }
}

static bool find(struct slice table, struct slice key, struct amqp_value *value)
{
    struct reader r = reader_of(table);
    struct slice found;
    while (amqp_table_next(&r, &found, value))
        if (slice_equal(found, key)) return true;
    return false;
}

/* Of repeated keys the first counts. Values are compared in one direction only: comparing both ways at each level would
 * double the work with each level of nesting, and a client chooses the nesting. */
bool amqp_table_equal(struct slice a, struct slice b)
{
    if (slice_equal(a, b)) return true;
    struct reader left = reader_of(a), right = reader_of(b);
    struct slice key;
    struct amqp_value x, y, any;
    while (amqp_table_next(&right, &key, &any))
        if (!find(a, key, &x)) return false;
    while (amqp_table_next(&left, &key, &any)) {
        if (!find(b, key, &y)) return false;
        CHECK(find(a, key, &x));
        if (!amqp_value_equal(&x, &y)) return false;
    }
    return !left.failed && !right.failed;
}

static void put_key(struct buf *b, struct slice key)
{
    CHECK(key.size <= AMQP_SHORTSTR_MAX);
    buf_put_u8(b, (uint8_t)key.size);
    buf_put_slice(b, key);
}

static void put_long_bytes(struct buf *b, struct slice bytes)
{
    CHECK(bytes.size <= UINT32_MAX);
    buf_put_be32(b, (uint32_t)bytes.size);
    buf_put_slice(b, bytes);
}

void amqp_array_put_value(struct buf *b, const struct amqp_value *v)
{
    float single;
    uint32_t word;
    uint64_t long_word;
    buf_put_u8(b, v->type);
    switch (v->type) {
    case 't':
        buf_put_u8(b, v->boolean);
        break;
    case 'b':
    case 'B':
        buf_put_u8(b, (uint8_t)v->integer);
        break;
    case 's':
    case 'u':
        buf_put_be16(b, (uint16_t)v->integer);
        break;
    case 'I':
    case 'i':
        buf_put_be32(b, (uint32_t)v->integer);
        break;
    case 'l':
    case 'L':
    case 'T':
        buf_put_be64(b, (uint64_t)v->integer);
        break;
    case 'f':
        single = (float)v->real;
        memcpy(&word, &single, sizeof word);
        buf_put_be32(b, word);
        break;
    case 'd':
        memcpy(&long_word, &v->real, sizeof long_word);
        buf_put_be64(b, long_word);
        break;
    case 'D':
        buf_put_u8(b, v->decimal.scale);
        buf_put_be32(b, (uint32_t)v->decimal.unscaled);
        break;
    case 'S':
    case 'x':
    case 'F':
    case 'A':
        put_long_bytes(b, v->bytes);
        break;
    case 'V':
        break;
    default:
        UNREACHABLE();
    }
}

void amqp_table_put_value(struct buf *b, struct slice key, const struct amqp_value *value)
{
    put_key(b, key);
    amqp_array_put_value(b, value);
}

void amqp_table_put_bool(struct buf *b, const char *key, bool v)
{
    amqp_table_put_value(b, slice_str(key), &(struct amqp_value){.type = 't', .boolean = v});
}

void amqp_table_put_integer(struct buf *b, const char *key, int64_t v)
{
    uint8_t type = v >= INT32_MIN && v <= INT32_MAX ? 'I' : 'l';
    amqp_table_put_value(b, slice_str(key), &(struct amqp_value){.type = type, .integer = v});
}

void amqp_table_put_string(struct buf *b, const char *key, struct slice text)
{
    amqp_table_put_value(b, slice_str(key), &(struct amqp_value){.type = 'S', .bytes = text});
}

void amqp_table_put_timestamp(struct buf *b, const char *key, uint64_t seconds)
{
    amqp_table_put_value(b, slice_str(key), &(struct amqp_value){.type = 'T', .integer = (int64_t)seconds});
}

static size_t nested_open(struct buf *b, uint8_t type)
{
    buf_put_u8(b, type);
    size_t at = b->size;
    buf_put_be32(b, 0);
    return at;
}

size_t amqp_table_open_table(struct buf *b, const char *key)
{
    put_key(b, slice_str(key));
    return nested_open(b, 'F');
}

size_t amqp_table_open_array(struct buf *b, const char *key)
{
    put_key(b, slice_str(key));
    return nested_open(b, 'A');
}

size_t amqp_array_open_table(struct buf *b)
{
    return nested_open(b, 'F');
}

void amqp_array_put_string(struct buf *b, struct slice text)
{
    amqp_array_put_value(b, &(struct amqp_value){.type = 'S', .bytes = text});
}

void amqp_nested_close(struct buf *b, size_t at)
{
    buf_set_be32(b, at, (uint32_t)(b->size - at - sizeof(uint32_t)));
}
