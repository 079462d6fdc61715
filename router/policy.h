/* Policies: definitions that the registry lays over queues and exchanges by name. Of the policies that fit, the one of
 * the highest priority counts (by name among equals), and so of the operator policies; where both have a number the
 * smaller counts, where both have a word the operator's. Against an argument of the queue's declare, too, the smaller
 * number counts, but the argument's word.
 *
 * Policies are decoded once per change and kept by the topology. Thread: the topology's. Everything is borrowed until
 * the next topology_apply(). */
#ifndef WARREN_ROUTER_POLICY_H
#define WARREN_ROUTER_POLICY_H

#include <jansson.h>

#include "router/queue_arguments.h"
#include "router/registry.h"

struct policies;

struct policy_match {
    const struct registry_item *policy, *operator_policy; /* NULL: none fits */
    const json_t *definition, *operator_definition;       /* NULL: none */
};
void policy_of_queue(const struct topology *t, const struct queue_record *queue, struct policy_match *m);
void policy_of_exchange(const struct topology *t, const struct exchange *exchange, struct policy_match *m);
/* A key's value of the two; NULL: neither has it. */
const json_t *policy_key_value(const struct policy_match *m, const char *key);
/* The two definitions as one object; the caller drops the reference. Empty when nothing fits. */
json_t *policy_effective_definition(const struct policy_match *m);

/* What a queue's arguments and its policies mean together. False: its arguments do not parse. */
bool policy_queue_arguments(const struct topology *t, const struct queue_record *queue, struct queue_arguments *out);
/* Grows when what policies say may have changed; never 0. */
uint64_t policy_version(const struct topology *t);

/* Of a policy that is to be set; false: `r` (may be NULL) has 400 and RabbitMQ's words. */
bool policy_check_definition(const json_t *definition, bool of_operator, struct topology_result *r);

#endif
