/* The description of every method, shared by decoder, encoder and printer. Inside node/amqp only. */
#ifndef WARREN_NODE_AMQP_METHOD_INTERNAL_H
#define WARREN_NODE_AMQP_METHOD_INTERNAL_H

#include "node/amqp/method.h"

enum amqp_field_type {
    AMQP_FIELD_OCTET,
    AMQP_FIELD_SHORT,
    AMQP_FIELD_LONG,
    AMQP_FIELD_LONGLONG,
    AMQP_FIELD_BIT, /* neighbours share an octet, lowest bit first */
    AMQP_FIELD_SHORTSTR,
    AMQP_FIELD_LONGSTR,
    AMQP_FIELD_SECRET, /* a longstr that is never printed */
    AMQP_FIELD_TABLE,
};

struct amqp_field {
    const char *name; /* NULL ends the list */
    uint8_t type;     /* enum amqp_field_type */
    uint16_t offset;  /* in struct amqp_method */
};

struct amqp_method_description {
    unsigned number;
    const char *name;
    unsigned flags;
    const struct amqp_field *fields; /* NULL: none */
};

/* Sorted by number. NULL: no such method. */
const struct amqp_method_description *amqp_method_describe(unsigned number);

#endif
