/* Inside the router: the records with their links. */
#ifndef WARREN_ROUTER_TOPOLOGY_INTERNAL_H
#define WARREN_ROUTER_TOPOLOGY_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "router/lives.h"
#include "router/registry.h"

struct table_index;
struct topic_index;
struct choices;
struct route;
struct route_query;
struct policies;

enum exchange_kind {
    EXCHANGE_DIRECT,
    EXCHANGE_FANOUT,
    EXCHANGE_TOPIC,
    EXCHANGE_HEADERS,
    EXCHANGE_FEDERATION_UPSTREAM,
    EXCHANGE_CONSISTENT_HASH,
    EXCHANGE_MODULUS_HASH,
    EXCHANGE_RANDOM,
    EXCHANGE_LOCAL_RANDOM,
    EXCHANGE_KIND_COUNT,
    EXCHANGE_CHOOSES_FROM = EXCHANGE_CONSISTENT_HASH, /* from here on: one of the bindings gets the message */
};

/* What the type and the arguments of an exchange say (exchange_type.c). */
struct exchange_traits {
    uint8_t kind;            /* how it chooses bindings */
    bool delays;             /* x-delayed-message: keeps messages with a delay back */
    bool deduplicates;       /* x-message-deduplication: its messages pass a window of this size and age */
    uint32_t history_length; /* x-recent-history: so many messages for those who bind later; 0: none */
    uint64_t window_size;
    uint64_t window_ttl_ms; /* 0: by number only */
};

/* Records in the order they were made; holes left by removal are squeezed out when they are half of it. */
struct ordered {
    struct ordered_item {
        uint64_t serial;
        void *record; /* NULL: removed */
    } * items;
    size_t count, capacity, live;
};

struct exchange_record {
    struct exchange base;
    struct vhost *vhost;
    struct exchange_traits traits;
    uint8_t kind;
    uint64_t serial;
    uint64_t era;               /* lives.c: the last one that it was declared in */
    struct list from;           /* binding_record.source_link: it is the source */
    struct list to;             /* binding_record.destination_link: it is the destination */
    struct map_str by_key;      /* direct: routing key -> struct binding_record (chained by same_key) */
    struct topic_index *topics; /* topic */
    struct choices *choices;    /* kinds that choose one binding; else NULL */
    struct slice alternate;     /* name, owned: the argument's or a policy's; data NULL: none */
    uint64_t visited;           /* route.c: the walk that saw it last ... */
    bool windowed;              /* ... and whether a window lay on its way there */
    size_t binding_count;
};

struct queue_entry {
    struct queue_record base;
    struct vhost *vhost;
    uint64_t era;           /* lives.c: the last one that it was declared in */
    struct list to;         /* binding_record.destination_link */
    struct list owned_link; /* topology.owned, for exclusive ones */
};

struct binding_record {
    struct exchange_record *source;
    struct exchange_record *to_exchange; /* one of these two */
    struct queue_entry *to_queue;
    struct slice routing_key, arguments;
    struct slice identity; /* key in vhost.bindings */
    uint64_t serial;
    struct list source_link, destination_link;
    /* the next and the one before with the same routing key (direct, or in a topic node); both ways, because a client may
     * bind one key a hundred thousand times and take all of it away at once */
    struct binding_record *same_key, *same_key_before;
};

struct vhost {
    struct slice name;
    uint64_t serial;
    struct map_str exchanges, queues, bindings;
    size_t reply_queues; /* among its queues */
};

/* Items of one kind, sorted by vhost, name, detail. */
struct registry_list {
    struct registry_item **items;
    size_t count, capacity;
};

/* lives.c */
struct life {
    uint32_t epoch; /* 0: none */
    bool carries;   /* else it is a newcomer */
};

struct topology {
    uint32_t group_count, spare_count; /* spare groups have the numbers above */
    uint64_t index, version, last_queue_id, serial, walk;
    struct map_str vhosts;
    struct map_u64 queues_by_id;
    struct ordered queues, exchanges, bindings, vhost_order;
    uint32_t *group_queues; /* per group: how many queues */
    size_t reply_queues;
    struct list owned; /* exclusive queues */
    struct registry_list registry[REGISTRY_KIND_COUNT];
    uint64_t registry_version, policy_version;
    struct policies *policies; /* decoded; policy.c */
    bool seeded;
    struct members *members;
    uint64_t era; /* grows when there is a newcomer, and was none */
    struct life lives[LIVES_MAX];
    struct exchange_record **pending; /* route.c: found by the walk under way, not visited yet; kept for the next one */
    size_t pending_count, pending_capacity;
};

/* topology.c */
void topology_clear(struct topology *t);
void ordered_add(struct ordered *o, uint64_t serial, void *record);
void ordered_remove(struct ordered *o, uint64_t serial);
void *ordered_next(const struct ordered *o, uint64_t *cursor);
struct slice slice_keep(struct slice s); /* copies into memory of its own */
void slice_drop(struct slice s);

/* members.c */
struct members *members_create(uint32_t group_count);
void members_destroy(struct members *m);
void members_change(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void members_encode(const struct topology *t, struct buf *b);
bool members_restore(struct topology *t, struct reader *r);

/* lives.c */
void life_seen(struct topology *t, const struct topology_command *c, bool change);
void life_gone(struct topology *t, uint8_t node, uint32_t epoch);
/* Something is declared that is there: it lives on, even if all that was before goes. */
void life_renew(const struct topology *t, bool durable, uint64_t *era, bool change, struct topology_result *r);
void lives_encode(const struct topology *t, struct buf *b);
bool lives_restore(struct topology *t, struct reader *r);

/* vhost.c */
struct vhost *vhost_find(const struct topology *t, struct slice name);
struct vhost *vhost_create(struct topology *t, struct slice name); /* empty: a manifest fills it */
struct vhost *vhost_create_predeclared(struct topology *t, struct slice name);
void vhost_remove(struct topology *t, struct vhost *v); /* with all exchanges, queues, bindings; not its items */
void vhost_free(struct topology *t, struct vhost *v);

/* registry.c */
bool registry_put(struct topology *t, const struct registry_item *what); /* copies; true: it is new */
bool registry_remove(struct topology *t, const struct registry_item *key);
void registry_remove_where(struct topology *t, enum registry_kind kind,
                           bool (*goes)(const struct registry_item *item, struct slice name), struct slice name);
void registry_close(struct topology *t);
void registry_encode(const struct topology *t, struct buf *b);
bool registry_restore(struct topology *t, struct reader *r);
/* registry_check.c. `r` may be NULL. Which names a kind has, how long they are, and that its vhost
 * and user are there */
bool registry_check_name_sizes(const struct registry_item *item, struct topology_result *r);
bool registry_check_names(const struct topology *t, const struct registry_item *item, struct topology_result *r);
bool vhost_is_protected(const struct registry_item *vhost);
/* registry_change.c: the commands */
void registry_set(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void registry_clear(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void registry_seed(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);

/* policy.c */
struct policies *policies_create(void);
void policies_destroy(struct policies *p);
void policy_lay_over_exchange(struct topology *t, struct exchange_record *x);
void policy_changed(struct topology *t); /* an item came, went, or has another value */

/* exchange.c, queue_record.c, binding.c: make and remove records, whatever the rules say */
struct exchange_record *exchange_create(struct topology *t, struct vhost *v, const struct exchange *what);
void exchange_remove(struct topology *t, struct exchange_record *x);
int exchange_kind_of(struct slice type); /* -1: no such type */
struct queue_entry *queue_create(struct topology *t, struct vhost *v, const struct queue_record *what);
void queue_remove(struct topology *t, struct queue_entry *q);
struct binding_record *binding_find(struct vhost *v, struct slice source, struct slice destination, bool to_exchange,
                                    struct slice key, struct slice arguments);
struct binding_record *binding_create(struct topology *t, struct exchange_record *source,
                                      struct exchange_record *to_exchange, struct queue_entry *to_queue,
                                      struct slice key, struct slice arguments);
void binding_remove(struct topology *t, struct binding_record *b);

/* The commands' rules; `change` false: only say what would be answered. */
void exchange_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void exchange_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void queue_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void queue_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void owners_gone(struct topology *t, const struct topology_command *c, bool change);
void binding_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void binding_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);

/* equivalence.c, texts of refusals */
void refuse(struct topology_result *r, uint16_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void refuse_not_found(struct topology_result *r, const char *what, struct slice name, struct slice vhost);
/* True: the re-declare may stand. `keys`: which arguments are compared, NULL-terminated. */
bool equivalent_flag(struct topology_result *r, const char *what, struct slice name, struct slice vhost,
                     const char *flag, bool given, bool current);
bool equivalent_arguments(struct topology_result *r, const char *what, struct slice name, struct slice vhost,
                          const char *const *keys, struct slice given, struct slice current);
bool reserved_name(struct slice name);

/* binding.c: chains of bindings with the same key. `after` may be NULL: the chain begins with `b`. */
void same_key_insert(struct binding_record *b, struct binding_record *before, struct binding_record *after);
void same_key_remove(struct binding_record *b);

/* topic.c: a trie over words */
void topic_insert(struct topic_index **index, struct binding_record *b);
void topic_remove(struct topic_index **index, struct binding_record *b);
void topic_free(struct topic_index *index);
void topic_match(struct topic_index *index, struct slice key, void (*each)(void *arg, struct binding_record *b),
                 void *arg);

/* choice.c. The checks are of a new exchange or binding; false: `r` says why. */
bool choice_check_exchange(int kind, struct slice arguments, struct topology_result *r);
bool choice_check_binding(int kind, bool to_exchange, struct slice routing_key, struct topology_result *r);
struct choices *choice_open(const struct exchange_record *x); /* NULL: a kind that does not choose */
void choice_close(struct choices *c);
void choice_insert(struct choices *c, int kind, struct binding_record *b);
void choice_remove(struct choices *c, struct binding_record *b);
/* NULL: nothing is bound. Notes in `route` what the choice depends on. */
struct binding_record *choice_make(const struct choices *c, int kind, const struct route_query *query,
                                   struct route *route);

/* headers.c */
bool headers_match(struct slice arguments, struct table_index *headers);
bool headers_check(struct slice arguments, struct topology_result *r); /* of a new binding; false: `r` says why */

#define SLICE_FORMAT(s) (int)(s).size, (const char *)(s).data

#endif
