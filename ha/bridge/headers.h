/* The properties of a message that travels on: the same bytes with a few of them changed.
 *
 * Pure; any thread. */
#ifndef WARREN_HA_BRIDGE_HEADERS_H
#define WARREN_HA_BRIDGE_HEADERS_H

#include "node/amqp/properties.h"
#include "node/amqp/table.h"

/* Appends `headers` to `b` with `info` (a table's entries) put in front of the array that stands under `key`, as
 * RabbitMQ's links mark where a message has been. What stood there and is no array is kept under
 * "x-invalid-headers". */
void headers_prepend(struct buf *b, struct slice headers, const char *key, struct slice info);
/* Appends all entries of `headers` but the one under `key`. */
void headers_without(struct buf *b, struct slice headers, const char *key);
/* The items of the array under `key`; false: there is none. */
bool headers_array(struct slice headers, const char *key, struct slice *items);

#endif
