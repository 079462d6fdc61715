/* A node: its identity on disk, its shards, its listeners. Built by main.c.
 *
 * Lifetime: node_open() .. node_start() .. node_stop() .. node_close(), all on the main thread. */
#ifndef WARREN_NODE_SHARD_NODE_H
#define WARREN_NODE_SHARD_NODE_H

#include "node/net/net.h"
#include "node/shard/shard.h"

struct node;

enum { NODE_LISTENERS_MAX = 16 };

struct node_listeners {
    const char *addresses[NODE_LISTENERS_MAX]; /* AMQP; the settings' entrances are in the same order */
    size_t count;
    int backlog;
    struct net_options options;
    const char *agent; /* HAProxy's agent check; NULL: none */
};

/* Reads or writes the identity in data_dir (a mismatch refuses to start, in words), takes a new epoch, opens the
 * shards. */
int node_open(struct node **out, struct node_settings *settings, const struct node_listeners *listeners,
              struct err *err);
int node_start(struct node *n, struct err *err); /* threads run, listeners accept */
void node_stop(struct node *n); /* planned: hands over, closes clients, syncs; returns when all is done */
void node_close(struct node *n);

struct shard *node_shard(struct node *n, uint16_t id);
const struct node_settings *node_settings(const struct node *n);
const struct node_listeners *node_listener_addresses(const struct node *n); /* as configured */
bool node_stopping_any(const struct node *n);
uint64_t node_started_ms(const struct node *n); /* wall clock */

/* Its replica of the meta group votes: clients may come. Stays so. */
bool node_serving_any(const struct node *n);
void node_serve(struct shard *s);   /* from shard 0's thread */
void node_removed(struct shard *s); /* from shard 0's thread: the cluster let this node go */

/* --- while it runs: any thread that is no shard's --- */

enum node_limit {
    NODE_LIMIT_MEMORY,       /* bytes of resident memory beyond which the alarm begins; 0: never */
    NODE_LIMIT_DISK,         /* bytes of free disk below which it does */
    NODE_LIMIT_DISK_WATCHED, /* 0: the disk is not looked at */
    NODE_LIMIT_COUNT
};
uint64_t node_limit_any(const struct node *n, enum node_limit which); /* from shards, too */
void node_set_limit(struct node *n, enum node_limit which, uint64_t value);

/* Closes the AMQP listeners; clients that are there stay. */
void node_suspend(struct node *n);
int node_resume(struct node *n, struct err *err); /* an address was taken meanwhile: none is open */
bool node_suspended_any(const struct node *n);
/* The process begins anew, with a new folder of data, when the node has stopped: main.c asks. */
void node_want_reset(struct node *n);
bool node_wants_reset_any(const struct node *n);
/* How many groups would lose their majority, as far as this node sees, if it stopped now. None in a cluster of one. */
uint32_t node_critical_groups(struct node *n);
/* How many groups with a replica on `node` have no leader now: without that replica they may never
 * get a majority back. */
uint32_t node_stuck_groups(struct node *n, uint8_t node);

/* From a shard's thread: the cluster gave this node's `epoch` up. Takes the next one, once, and tells all shards. */
void node_epoch_gone(struct shard *s, uint32_t epoch);

/* --- change.c: from a thread that is no shard's, the management port's for one --- */

struct node_change_result {
    uint16_t reply_code; /* 0: done. Else AMQP's code, or 400, 404, 409, 412 of the registry */
    bool created;
    char text[TOPOLOGY_TEXT_MAX]; /* why not, in RabbitMQ's words */
};
/* Changes the topology (exchanges, bindings, the registry; no queues) and waits until every reachable node has the
 * change, at most for the publish timeout. A registry value must be canonical (registry_canonical()); its expressions
 * are checked here. Returns the reply code. */
int node_change(struct node *n, const struct topology_command *c, struct node_change_result *r);
/* Is the password the user's, and may it log in from where it comes? tags (may be NULL): bits of enum auth_tag. */
bool node_authenticate(struct node *n, struct slice user, struct slice password, bool loopback, unsigned *tags);

#endif
