/* Runs this node's share of the cluster's links: shovels and federation links.
 *
 * Every node makes the same plan from the same replicated parameters, and each link has one owner among the nodes that
 * see each other (plan_owner()). A node that sees no majority runs none. A link that moves is stopped by its old owner
 * as soon as that one notices, and started by the new one a little later; while two nodes disagree on who is there both
 * may run it for a while, which costs order, but with ack-mode on-confirm neither loses a message.
 *
 * Links live on one thread beside the shards, so that they take nothing from the queues but what any client takes.
 *
 * Thread:   main, except functions ending in `_any`. Lifetime: runner_open() after node_start() .. runner_close()
 * before node_stop(). */
#ifndef WARREN_HA_RUNNER_RUNNER_H
#define WARREN_HA_RUNNER_RUNNER_H

#include "config/config.h"
#include "node/shard/node.h"

struct runner;

enum {
    RUNNER_LOOK_MS = 250,    /* how often parameters and nodes are looked at */
    RUNNER_SETTLE_MS = 1500, /* how long a node must be the owner before it starts a link */
};

/* Are the static shovels sound? ERR_INVALID, and what is wrong with one. */
int runner_check_config(const struct config *config, struct err *err);

int runner_open(struct runner **out, struct node *node, const struct config *config, struct err *err);
void runner_close(struct runner *r);

/* A JSON array with the state of each link that this node runs. */
void runner_status_any(struct runner *r, struct buf *json);
/* Restarts a link if this node runs it. `kind`: "shovel", or "federation": then with its upstream, else "". */
void runner_restart_any(struct runner *r, const char *kind, const char *vhost, const char *name, const char *upstream);
/* Is this a sound value for a parameter? Components that are not ours are. ERR_INVALID, and RabbitMQ's sentence. */
int runner_check_parameter(const char *component, const char *name, struct slice value, struct err *err);

#endif
