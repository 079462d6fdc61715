/* The registry: what people set up beside exchanges and queues. Vhosts, users, permissions, limits, policies and
 * parameters, as items of the topology: replicated with it, changed by its commands, read from any shard's copy.
 *
 * An item is known by its kind and up to three names; its value is one JSON text. What each kind looks like:
 *
 *   kind               vhost  name       detail    value
 *   vhost                     vhost                {"default_queue_type","description","protected_from_deletion","tags":[]}
 *   user                      user                 {"hashing_algorithm","password_hash","tags":[]}
 *   permission         vhost  user                 {"configure","read","write"}: regular expressions
 *   topic-permission   vhost  user       exchange  {"read","write"}
 *   vhost-limit        vhost  limit                number: max-connections, max-queues; negative: none
 *   user-limit                user       limit     number: max-connections, max-channels; negative: none
 *   policy             vhost  policy               {"apply-to","definition":{},"pattern","priority"}
 *   operator-policy    vhost  policy               the same
 *   parameter          vhost  component  name      any JSON
 *   global-parameter          name                 any JSON
 *
 * Names that a kind has no use for are empty. Pure and deterministic, as the topology is.
 * Thread: the owner's shard. Items are borrowed until the next topology_apply(). */
#ifndef WARREN_ROUTER_REGISTRY_H
#define WARREN_ROUTER_REGISTRY_H

#include "router/topology.h"

enum {
    REGISTRY_VALUE_MAX = 256 << 10, /* bytes of one value */
    REGISTRY_SEED_ITEMS_MAX = 4096,
};

/* In the order of a walk over everything; what an item needs (vhost, user) comes before it. */
enum registry_kind {
    REGISTRY_VHOST,
    REGISTRY_USER,
    REGISTRY_PERMISSION,
    REGISTRY_TOPIC_PERMISSION,
    REGISTRY_VHOST_LIMIT,
    REGISTRY_USER_LIMIT,
    REGISTRY_POLICY,
    REGISTRY_OPERATOR_POLICY,
    REGISTRY_PARAMETER,
    REGISTRY_GLOBAL_PARAMETER,
    REGISTRY_KIND_COUNT,
};

struct registry_item {
    enum registry_kind kind;
    struct slice vhost, name, detail;
    struct slice value;
};

const char *registry_kind_word(enum registry_kind kind);
int registry_kind_of(struct slice word); /* -1: no such kind */

/* NULL when absent. */
const struct registry_item *registry_find(const struct topology *t, enum registry_kind kind, struct slice vhost,
                                          struct slice name, struct slice detail);
/* Walks the items of a kind by vhost, name, detail (bytewise). Start with *cursor = 0; NULL at the end. A change in
 * between may make the walk skip or repeat an item. */
const struct registry_item *registry_next(const struct topology *t, enum registry_kind kind, uint64_t *cursor);
size_t registry_count(const struct topology *t, enum registry_kind kind);
/* Grows with every change of an item, never 0: caches of decoded values compare it. */
uint64_t registry_version(const struct topology *t);
bool registry_is_seeded(const struct topology *t);

/* The number of a vhost-limit or user-limit; -1: none. */
int64_t registry_limit(const struct topology *t, enum registry_kind kind, struct slice vhost, struct slice name,
                       struct slice detail);

/* "classic", "quorum" or "stream": what a queue of the vhost is called if it does not say; NULL: the vhost has no
 * default. */
const char *vhost_default_queue_type(const struct topology *t, struct slice vhost);

bool vhost_is_traced(const struct topology *t, struct slice vhost); /* rabbitmqctl trace_on */

/* What the cluster is called: the global parameter cluster_name that somebody has set, or else as configured. Cut to
 * the space, and ends with a zero. */
enum { REGISTRY_CLUSTER_NAME_SIZE = 256 };
void registry_cluster_name(const struct topology *t, const char *configured, char to[REGISTRY_CLUSTER_NAME_SIZE]);

/* --- commands: TOPOLOGY_SET, TOPOLOGY_CLEAR and TOPOLOGY_SEED of topology.h --- */

/* Sets an item, new or not; a vhost is made with its exchanges. The slices are borrowed. */
struct topology_command registry_set_command(enum registry_kind kind, struct slice vhost, struct slice name,
                                             struct slice detail, struct slice value);
/* Removes it (404 when it is not there). With a vhost goes everything in it, with a user its permissions and limits. */
struct topology_command registry_clear_command(enum registry_kind kind, struct slice vhost, struct slice name,
                                               struct slice detail);
/* What a new cluster starts with: carried out once in its life, and refused with 409 ever after. `items`: commands of
 * SET and CLEAR, each counted and encoded (topology_command_encode()), in the order to carry them out. One that is
 * refused is left out. */
struct topology_command registry_seed_command(struct slice items);

/* Checks that look at values only, not at what is there. False: `r` (may be NULL) has 400 and RabbitMQ's words. */
bool registry_check_value(const struct registry_item *item, struct topology_result *r);
/* Regular expressions of a value compile. Not part of applying a command, since nodes may have different versions of
 * the library: asked by whoever takes a change from a client, before it is proposed. */
bool registry_check_patterns(const struct registry_item *item, struct topology_result *r);

/* JSON text in the form that values have in the registry: compact, keys sorted. False: no JSON; `why` says where. */
bool registry_canonical(struct slice json, struct buf *out, struct err *why);

#endif
