#include <inttypes.h>

#include "node/amqp/table.h"

static void print_run(struct buf *b, struct slice run, bool keyed, unsigned depth);

void amqp_table_print(struct buf *b, struct slice table)
{
    print_run(b, table, true, 0);
}

static void print_bytes(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') buf_put_u8(b, c);
        else buf_printf(b, "\\x%02x", c);
    }
}

static void print_value(struct buf *b, const struct amqp_value *v, unsigned depth)
{
    switch (v->type) {
    case 't':
        buf_printf(b, "%s", v->boolean ? "true" : "false");
        break;
    case 'f':
    case 'd':
        buf_printf(b, "%g", v->real);
        break;
    case 'D':
        buf_printf(b, "%" PRId32 "e-%u", v->decimal.unscaled, v->decimal.scale);
        break;
    case 'F':
        print_run(b, v->bytes, true, depth + 1);
        break;
    case 'A':
        print_run(b, v->bytes, false, depth + 1);
        break;
    case 'V':
        buf_printf(b, "void");
        break;
    case 'S':
    case 'x':
        buf_put_u8(b, '"');
        print_bytes(b, v->bytes);
        buf_put_u8(b, '"');
        break;
    default:
        buf_printf(b, "%" PRId64, v->integer);
        break;
    }
}

static void print_run(struct buf *b, struct slice run, bool keyed, unsigned depth)
{
    if (depth >= AMQP_TABLE_DEPTH_MAX) return;
    struct reader r = reader_of(run);
    struct slice key = {0};
    struct amqp_value v;
    const char *between = "";
    buf_put_u8(b, keyed ? '{' : '[');
    while (keyed ? amqp_table_next(&r, &key, &v) : amqp_array_next(&r, &v)) {
        buf_printf(b, "%s", between);
        between = ", ";
        if (keyed) {
            print_bytes(b, key);
            buf_printf(b, ": ");
        }
        print_value(b, &v, depth);
    }
    buf_put_u8(b, keyed ? '}' : ']');
}
