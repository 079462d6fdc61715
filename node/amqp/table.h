/* Field tables and arrays: read in place, compared by value, built into a buf.
 *
 * A table here is its entries WITHOUT the be32 length; the empty slice is the empty table. Pure; any thread; no
 * allocation. Readers never go past the end and never recurse deeper than AMQP_TABLE_DEPTH_MAX.
 *
 *     entry: u8 length, key | u8 type | value      array item: u8 type | value
 *
 * Source: RabbitMQ's field types (its errata to section 4.2.1), which differ from the letters of the specification:
 * t b B s u I i l L f d D S A T F V x. `s` is a 16 bit integer; `l` and `L` are both read as signed 64 bit. */
#ifndef WARREN_NODE_AMQP_TABLE_H
#define WARREN_NODE_AMQP_TABLE_H

#include "base/buf.h"
#include "base/reader.h"
#include "base/slice.h"

enum { AMQP_TABLE_DEPTH_MAX = 32 /* tables and arrays within each other; deeper is refused */ };

struct amqp_value {
    uint8_t type; /* the letter */
    union {
        bool boolean;       /* t */
        int64_t integer;    /* b B s u I i l L; T: seconds, as two's complement */
        double real;        /* f d */
        struct slice bytes; /* S and x: the bytes; F: a table; A: the items */
        struct {
            uint8_t scale; /* D: value / 10^scale */
            int32_t unscaled;
        } decimal;
    };
};

/* 0, or 502: cut off, an unknown type, or nested too deep. Done once where bytes come in. The walks below are safe on
 * unvalidated bytes too (they end early); comparing and printing recurse and want validated ones. */
unsigned amqp_table_validate(struct slice table);
unsigned amqp_array_validate(struct slice items);

/* Walks: struct reader r = reader_of(table); while (amqp_table_next(&r, &key, &value)) ...; r.failed says "damaged". */
bool amqp_table_next(struct reader *r, struct slice *key, struct amqp_value *value);
bool amqp_array_next(struct reader *r, struct amqp_value *value);

/* The first entry with this key. */
bool amqp_table_find(struct slice table, const char *key, struct amqp_value *value);
/* A string (S) entry, an integer entry of any width, a boolean entry: false when absent or of another type. */
bool amqp_table_find_string(struct slice table, const char *key, struct slice *text);
bool amqp_table_find_integer(struct slice table, const char *key, int64_t *integer);
bool amqp_table_find_bool(struct slice table, const char *key, bool *boolean);

/* Any integer type; false for all others. */
bool amqp_value_integer(const struct amqp_value *v, int64_t *integer);
/* By value: integers of any width are equal when their numbers are, f and d alike; tables whatever their order. */
bool amqp_value_equal(const struct amqp_value *a, const struct amqp_value *b);
bool amqp_table_equal(struct slice a, struct slice b);

/* --- builder: entries are appended to the buf, one after the other. Keys are at most 255 bytes (CHECK). --- */
void amqp_table_put_value(struct buf *b, struct slice key, const struct amqp_value *value);
void amqp_table_put_bool(struct buf *b, const char *key, bool v);
void amqp_table_put_integer(struct buf *b, const char *key, int64_t v); /* I if it fits, else l */
void amqp_table_put_string(struct buf *b, const char *key, struct slice text);
void amqp_table_put_timestamp(struct buf *b, const char *key, uint64_t seconds);
/* Nested: put entries (or items) between open and close; `at` is what open returned. */
size_t amqp_table_open_table(struct buf *b, const char *key);
size_t amqp_table_open_array(struct buf *b, const char *key);
size_t amqp_array_open_table(struct buf *b);
void amqp_array_put_value(struct buf *b, const struct amqp_value *value);
void amqp_array_put_string(struct buf *b, struct slice text);
void amqp_nested_close(struct buf *b, size_t at);

/* One line for people: {key: value, ...}; bytes that are not printable are escaped. */
void amqp_table_print(struct buf *b, struct slice table);

#endif
