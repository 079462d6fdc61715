/* What a shovel is to do: the parameter component `shovel`, in RabbitMQ's old and new spellings.
 *
 * Pure; any thread. Lifetime: shovel_definition_read() .. shovel_definition_close(). */
#ifndef WARREN_HA_SHOVEL_DEFINITION_H
#define WARREN_HA_SHOVEL_DEFINITION_H

#include "ha/bridge/json.h"
#include "ha/bridge/relay.h"

enum shovel_delete_after { SHOVEL_NEVER, SHOVEL_QUEUE_LENGTH, SHOVEL_COUNT };

struct shovel_definition {
    struct json_uris src_uris, dest_uris;
    char *src_queue, *src_exchange, *src_exchange_key, *src_consumer_name;
    char *dest_queue, *dest_exchange, *dest_exchange_key;
    struct buf src_queue_args, src_consumer_args, dest_queue_args; /* field tables */
    bool src_predeclared, dest_predeclared, paused;
    bool add_forward_headers, add_timestamp_header, add_deduplication;
    int64_t prefetch, reconnect_delay_s;
    int64_t rate;                                        /* messages a second; 0: no limit */
    int64_t delete_after_count, delete_after_duration_s; /* duration 0: none */
    uint8_t delete_after;                                /* enum shovel_delete_after */
    uint8_t ack_mode;                                    /* enum shovel_ack_mode's order is that of shovel_ack_modes */
    uint8_t src_protocol, dest_protocol;
    json_t *properties;                           /* publish-properties; NULL: none */
    json_t *src_declarations, *dest_declarations; /* declarations.h; NULL: none */
};

/* ERR_INVALID and RabbitMQ's sentence. `name` is the shovel's. */
int shovel_definition_read(struct shovel_definition *d, const char *name, const json_t *value, struct err *err);
/* A value of a static shovel, as it stands in a configuration file: numbers, booleans, lists and maps are written as
 * JSON, everything else is text. Adds it to `object`. ERR_INVALID: no key of a shovel, or no JSON
 * where it is needed. */
int shovel_definition_add(json_t *object, const char *key, const char *text, struct err *err);
void shovel_definition_close(struct shovel_definition *d);
enum relay_ack_mode shovel_ack_mode(const struct shovel_definition *d);
const char *shovel_ack_mode_name(const struct shovel_definition *d);

#endif
