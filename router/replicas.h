/* How many copies queues want, and where: what a queue's arguments and policies say together, and what groups make of
 * it. Queues share groups, so a group has as many copies as the queue that wants the most. Pure.
 *
 * A wish that differs from the usual number (cluster.replicas) is a class of its own: its queues live in spare groups,
 * which are born when the first such queue is declared (decision 10). */
#ifndef WARREN_ROUTER_REPLICAS_H
#define WARREN_ROUTER_REPLICAS_H

#include "router/members.h"

enum { REPLICAS_USUAL = 0, REPLICAS_ALL = 255 };
struct replica_wish {
    uint8_t count;                /* copies; REPLICAS_USUAL, or REPLICAS_ALL: one on each member */
    uint64_t nodes;               /* bits of nodes that must hold one; 0: any */
    char tag[MEMBER_TAG_MAX + 1]; /* copies are spread over nodes by their node_tags.TAG; empty: by node.zone */
};

/* What the queue wants now: policies change, and so do the names of members. */
void replica_wish_of_queue(const struct topology *t, const struct queue_record *queue, struct replica_wish *wish);
/* Makes `all` the largest of both: neither gets fewer copies than it wants. */
void replica_wish_add(struct replica_wish *all, const struct replica_wish *one);

/* No more than every group gives. Of the queue vhost, name and arguments are looked at. */
bool topology_wants_usual(const struct topology *t, const struct queue_record *queue);
/* The group for a new queue that wants this. `given`: a group that the declarer asks for (0: none); it counts if it is
 * a usual one, of the wish's class, or a spare one where nobody lives. `founds`: the group has to become one of this
 * class first. */
uint32_t topology_group_for(const struct topology *t, const struct replica_wish *wish, uint32_t given, bool *founds);
/* For `given`, when the group that a new queue would get does not fit: another of its class, one that nobody lives in,
 * at last a usual one. 0: it does, or none would. Of the queue vhost, name and arguments are looked at. */
uint32_t topology_group_instead(const struct topology *t, const struct queue_record *queue,
                                bool (*fits)(void *arg, uint32_t group), void *arg);

#endif
