/* A queue in RabbitMQ's shape. */
#ifndef WARREN_NODE_HTTP_QUEUE_JSON_H
#define WARREN_NODE_HTTP_QUEUE_JSON_H

#include "node/http/queue_facts.h"

#define OWNER "owner_token" /* of an exclusive queue, until owners_put() says who that is */

/* New. With as many figures as the view wants. */
json_t *queue_json(struct http *h, const struct view *v, const struct members *m, const struct queue_list *l,
                   const struct queue_facts *q);

/* owners.c: gives exclusive queues their owner_pid_details, whichever node the connection is on. */
void owners_put(struct request *r, json_t *queues);

#endif
