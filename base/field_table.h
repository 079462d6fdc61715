/* A read-only view of AMQP field tables, for matching headers and comparing arguments. Pure; any thread.
 * Types as RabbitMQ reads them: t b B s u I i l L f d D S A T F V x. */
#ifndef WARREN_BASE_FIELD_TABLE_H
#define WARREN_BASE_FIELD_TABLE_H

#include "base/reader.h"

enum { FIELD_TABLE_DEPTH_MAX = 32, TABLE_VALUE_TEXT_MAX = 128 };

struct table_value {
    uint8_t type;
    int64_t integer;    /* b B s u I i l L T t */
    double real;        /* f d */
    struct slice bytes; /* S x: text; F: entries; A: items; D: its five bytes */
};

/* Walks the entries of a table without its length: struct reader r = reader_of(table). False at the end or on damage
 * (r.failed). */
bool table_next(struct reader *r, struct slice *key, struct table_value *value);
bool table_item(struct reader *r, struct table_value *value); /* of an array */
bool table_find(struct slice table, struct slice key, struct table_value *value);
bool table_value_is_integer(const struct table_value *v);
bool table_value_is_number(const struct table_value *v);
/* Numbers by value, texts and tables by content. */
bool table_value_equal(const struct table_value *a, const struct table_value *b);
bool table_equal(struct slice a, struct slice b);
/* For refusals, cut to fit. A term is as Erlang prints it: a text has <<"">> around. */
void table_value_print(const struct table_value *v, char *text, size_t size);
void table_value_print_term(const struct table_value *v, char *text, size_t size);
const char *table_type_name(uint8_t type); /* RabbitMQ's word: "longstr", "signedint" ... */

#endif
