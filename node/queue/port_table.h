/* Which commands were applied: the part of a machine's replicated state that makes retries harmless.
 *
 * A port's first chunk (previous == 0) makes it known. A chunk is taken when its `previous` is the last number applied;
 * commands at or below that number are dropped; a gap gives RESYNC; a port of a node that was declared down, or one
 * unknown with previous > 0, gives GONE. For ports of groups (PORT_NODE_GROUP) numbers may leap (SPARSE). Used by the
 * queue machine and by the meta machine. Pure. */
#ifndef WARREN_NODE_QUEUE_PORT_TABLE_H
#define WARREN_NODE_QUEUE_PORT_TABLE_H

#include "base/list.h"
#include "base/map.h"
#include "node/queue/command.h"
#include "node/queue/effect.h"

enum {
    PORT_REFUSED_KEPT =
        65536, /* numbers behind the newest whose refusal may still be asked for: a session's open publishes */
    PORT_REFUSED_KEPT_OF_GROUP = 1024 /* a group takes up fewer dead letters at once */
};

/* What every port has; the queue machine embeds it in its own struct. */
struct port_base {
    uint64_t id;
    uint64_t applied;      /* highest command number applied */
    uint64_t received;     /* highest dseq the port has in hand */
    uint64_t reply_number; /* the last replied command, for HELLO */
    uint8_t reply_code;
    uint64_t reply_a, reply_b;
    uint8_t *reply_text; /* NULL or reply_text_size bytes */
    uint32_t reply_text_size;
    uint64_t *refused; /* numbers refused that are > refused_floor; trimmed as `received` chunks come */
    uint32_t refused_count;
    uint32_t refused_capacity;
    struct list link; /* in port_table.order: order of first sight, the same on every replica */
};

struct port_table_ops {
    struct port_base *(*create)(void *machine);
    /* The port will go, and others with it: nothing more may be handed to it. May be NULL. */
    void (*leave)(void *machine, struct port_base *port, struct effects *effects);
    void (*destroy)(void *machine, struct port_base *port, struct effects *effects); /* requeues, detaches, frees */
    /* One command of a port, in order and once; of the system with `port` NULL. */
    void (*apply)(void *machine, struct port_base *port, const struct command *command, struct part chunk,
                  struct effects *effects);
    void (*received)(void *machine, struct port_base *port, struct effects *effects); /* `received` grew; may be NULL */
};

struct port_table {
    struct map_u64 ports;
    struct list order;
    uint32_t floor[256]; /* per node: epochs below this are closed for ever */
    const struct port_table_ops *ops;
    void *machine;
};

void port_table_init(struct port_table *t, const struct port_table_ops *ops, void *machine);
void port_table_close(struct port_table *t);
struct port_base *port_table_find(struct port_table *t, uint64_t id);
/* Applies one chunk: decides what is new, calls ops->apply for it, ends with APPLIED. `effects` may be NULL. */
void port_table_apply(struct port_table *t, struct part chunk, struct effects *effects);
/* Remembers the reply and emits it. Text is copied. */
void port_table_reply(struct port_base *port, uint64_t number, uint8_t code, uint64_t a, uint64_t b, struct slice text,
                      struct effects *effects);
void port_table_refuse(struct port_base *port, uint64_t number, struct effects *effects);
void port_table_node_down(struct port_table *t, uint8_t node, uint32_t epoch, struct effects *effects);
void port_table_remove(struct port_table *t, struct port_base *port,
                       struct effects *effects); /* COMMAND_CLOSE; later chunks of it give GONE */

/* The part of a HELLO's answer that every machine shares: GONE (false), or last reply, refused numbers and APPLIED into
 * `effects`. */
bool port_table_hello(struct port_table *t, uint64_t port, bool known, struct effects *effects);
/* Calls back each node that has ports here, with its lowest and highest epoch. */
void port_table_nodes(const struct port_table *t,
                      void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg);

/* The common part of a port in a manifest, and in a digest. */
void port_base_encode(const struct port_base *port, struct buf *b);
bool port_base_decode(struct reader *r, struct port_base *port);
void port_table_encode(const struct port_table *t, struct buf *b); /* floors; the machine writes the ports, in order */
bool port_table_decode(struct port_table *t, struct reader *r);
void port_table_insert(struct port_table *t, struct port_base *port); /* restore: appends to the order */

#endif
