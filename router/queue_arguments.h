/* A queue's arguments as plain values. Pure. What they mean: RabbitMQ's documentation of optional arguments. */
#ifndef WARREN_ROUTER_QUEUE_ARGUMENTS_H
#define WARREN_ROUTER_QUEUE_ARGUMENTS_H

#include "router/topology.h"

#define QUEUE_TIME_MS_MAX INT64_C(315360000000) /* ten years; of x-message-ttl and x-expires, as RabbitMQ's */

/* Limits are -1 when not set. Slices borrow from the arguments. */
struct queue_arguments {
    bool single_active_consumer;
    bool has_dead_letter_exchange;
    bool dead_letters_at_least_once; /* one that a target refuses, or that has no way, is tried again */
    uint8_t max_priority;
    uint8_t overflow;      /* 0 drop-head, 1 reject-publish, 2 reject-publish-dlx */
    uint8_t delayed_retry; /* 0 disabled, 1 all, 2 failed, 3 returned */
    int64_t message_ttl_ms;
    int64_t expires_ms;
    int64_t max_length;
    int64_t max_length_bytes;
    int64_t delivery_limit;
    int64_t delayed_retry_min_ms, delayed_retry_max_ms;
    int64_t consumer_timeout_ms; /* 0: none */
    int64_t disconnected_timeout_ms;
    bool deduplicates;
    int64_t window_size, window_ttl_ms; /* x-cache-size, x-cache-ttl of a queue that deduplicates */
    struct slice dead_letter_exchange;
    struct slice dead_letter_routing_key; /* data NULL: keep the message's */
};

/* By the numbers above; NULL at the end. */
extern const char *const queue_overflow_names[];
extern const char *const queue_retry_names[];

/* False: a value has a type or a range that cannot be meant; `result` (may be NULL) has 406 and the words. */
bool queue_arguments_decode(struct slice arguments, struct queue_arguments *out, struct topology_result *result);

#endif
