/* The machine of the meta group: a topology behind a port table, so that each change is made once whatever is retried.
 *
 * Thread: the meta group's shard (0). The topology is given: it is this shard's own copy, and the effect
 * EFFECT_TOPOLOGY (emitted on every replica, leader or not, also in replay) lets the node bring the other shards'
 * copies up to date. */
#ifndef WARREN_NODE_META_META_MACHINE_H
#define WARREN_NODE_META_META_MACHINE_H

#include "node/queue/effect.h"
#include "replication/machine.h"
#include "router/topology.h"

struct meta_machine;

/* `applied` is called synchronously for every command that changed the topology (and, after a restore, once with an
 * empty slice: copy the whole topology anew), on every replica. The topology is emptied: a replica that is opened
 * again begins from the group's first entry. */
struct meta_machine *meta_machine_create(struct topology *topology,
                                         void (*applied)(void *arg, uint64_t index, struct slice command), void *arg);
void meta_machine_destroy(struct meta_machine *m);
struct machine meta_machine_as_machine(struct meta_machine *m);
void meta_machine_hello(struct meta_machine *m, uint64_t port, bool known, uint64_t received, struct effects *effects);
/* Nodes with ports or with a life (router/lives.h); a node may come twice. */
void meta_machine_nodes(const struct meta_machine *m,
                        void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg);

/* A reply to COMMAND_TOPOLOGY: code REPLY_OK, a = queue id, b = group << 1 | created; or REPLY_REFUSED, a = AMQP's reply
 * code and the text. */

#endif
