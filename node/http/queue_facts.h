/* What shards know of queues, copied out so that JSON is made on the request's thread and not on theirs.
 *
 * Thread: the request's. Counts come from this node's replica; it follows the leader within a heartbeat. */
#ifndef WARREN_NODE_HTTP_QUEUE_FACTS_H
#define WARREN_NODE_HTTP_QUEUE_FACTS_H

#include "node/http/http_internal.h"

struct queue_facts {
    uint64_t id;
    uint32_t group;
    uint8_t leader; /* node; 0: unknown */
    bool durable, exclusive, auto_delete;
    bool here; /* the group has a replica on this node: `stat` is known */
    struct queue_stat stat;
    uint64_t head_timestamp; /* of the oldest message that is ready; 0: it has none, or is in segments only */
    uint64_t *priorities;    /* ready messages of each, owned; NULL: it has no priorities */
    unsigned priority_count;
    uint64_t owner;                                     /* exclusive: whose connection */
    char *policy, *operator_policy;                     /* names, owned; NULL: none fits */
    json_t *definition;                                 /* effective, owned; NULL: empty */
    uint8_t replicas[GROUP_MEMBERS_MAX], replica_count; /* members of the group's configuration, where it is known */
    uint64_t synchronised; /* bits of nodes: the leader knows who has (nearly) everything, others only who is voting */
    size_t vhost_at, name_at, arguments_at, end; /* in queue_list.texts, back to back */
};

struct queue_list {
    struct queue_facts *items;
    size_t count, capacity;
    size_t shown; /* the first so many are for the caller's eyes; the owner of the list sets it */
    struct buf texts;
    size_t total; /* before names were looked at */
};

/* All queues, or those of a vhost (data not NULL), or one. Shards are asked in slices. */
void queue_list_open(struct queue_list *l, struct http *h, struct slice vhost, struct slice name,
                     const struct listing *listing);
void queue_list_close(struct queue_list *l);
void queue_list_sort(struct queue_list *l, bool reverse); /* those shown, by vhost and name */
struct slice queue_vhost(const struct queue_list *l, const struct queue_facts *q);
struct slice queue_name(const struct queue_list *l, const struct queue_facts *q);
struct slice queue_arguments_of(const struct queue_list *l, const struct queue_facts *q);

/* Of the oldest message that is ready; 0: it has none, or is in segments only. Thread: the shard's. */
uint64_t queue_head_timestamp(const struct queue_machine *m, uint64_t queue);

#endif
