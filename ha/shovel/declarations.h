/* What a shovel declares at one end before it starts: RabbitMQ's static shovels can say this.
 *
 *     [{"method": "exchange.declare", "exchange": "x", "type": "topic", "durable": true},
 *      {"method": "queue.declare", "queue": "", "exclusive": true},
 *      {"method": "queue.bind", "exchange": "x", "routing_key": "#"}]
 *
 * Methods: queue.declare, exchange.declare, queue.bind, exchange.bind, with the names of AMQP's fields. An empty queue
 * name in a later method (and as the shovel's queue) means the last one declared. Pure; any thread. */
#ifndef WARREN_HA_SHOVEL_DECLARATIONS_H
#define WARREN_HA_SHOVEL_DECLARATIONS_H

#include <jansson.h>

#include "base/err.h"
#include "ha/client/client.h"

/* ERR_INVALID, and why. `name` is the key's. */
int shovel_declarations_check(const char *name, const json_t *list, struct err *err);
/* Sends all of them; the answer to the last one brings `token`. The list is not empty and was checked. */
void shovel_declarations_send(struct client *c, uint16_t channel, const json_t *list, uint64_t token);

#endif
