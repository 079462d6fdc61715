/* Inside ha/runner: the runner's parts. */
#ifndef WARREN_HA_RUNNER_RUNNER_INTERNAL_H
#define WARREN_HA_RUNNER_RUNNER_INTERNAL_H

#include <pthread.h>

#include "ha/runner/runner.h"
#include "ha/runner/worker.h"
#include "router/registry.h"

/* A link that this node does not run yet, though it should: since when. */
struct candidate {
    uint64_t key;
    uint64_t since_ms;
    bool seen;
};

struct runner {
    struct node *node;
    const struct node_settings *settings;
    struct worker_host worker_host;
    char cluster_name[REGISTRY_CLUSTER_NAME_SIZE]; /* as of registry_version */
    struct loop_thread *thread;
    struct loop_timer *timer;
    struct plan fixed;   /* static shovels */
    struct plan dynamic; /* of the versions below */
    uint64_t registry_version, topology_version;
    uint64_t *replicas;  /* by group: the nodes that hold one, as bits */
    bool bindings_stale; /* exchange links are to be told their bindings */
    struct worker **workers;
    size_t worker_count, worker_capacity;
    struct candidate *candidates;
    size_t candidate_count, candidate_capacity;
    uint16_t next_shard; /* that gets the next local connection */
    pthread_mutex_t lock;
    struct buf status;    /* guarded by lock */
    struct plan restarts; /* guarded by lock: text is the kind that was asked for */
};

/* look.c: what the shards know. From the runner's thread; each waits for a shard. */
/* The nodes that may run links, a bit each: all that are connected, if they are a majority. Makes the plan anew when it
 * changed. */
uint64_t look_around(struct runner *r);
void look_for_bindings(struct runner *r); /* tells exchange links, if there is news */
void look_at_queues(struct runner *r);    /* tells queue links whether their queue wants messages */

#endif
