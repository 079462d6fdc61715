/* Inside node/session only: what the files of a channel offer each other.
 *
 * A channel does one thing at a time: while it waits for an answer of the broker (struct question) its next frame stays
 * in the input and the connection is stalled. */
#ifndef WARREN_NODE_SESSION_CHANNEL_INTERNAL_H
#define WARREN_NODE_SESSION_CHANNEL_INTERNAL_H

#include "node/session/channel_state.h"
#include "node/session/session_internal.h"

/* --- connection.c --- */
void session_mark_dirty(struct channel *ch); /* it has news for the end of the turn */

/* --- failure.c --- */
/* Ends the channel, or the connection when the code is a hard one. */
void channel_fail(struct channel *ch, uint16_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the whole text at hand ("NOT_FOUND - no queue ..."). */
void channel_fail_text(struct channel *ch, uint16_t code, struct slice text);
void channel_fail_no_queue(struct channel *ch, struct slice name);
void channel_fail_no_exchange(struct channel *ch, struct slice name);
void channel_fail_locked(struct channel *ch, struct slice name);

/* --- channel.c --- */
/* False: the frame must wait. */
bool channel_frame(struct session *s, const struct amqp_frame *f);
void channel_method(struct channel *ch, const struct amqp_method *m);
struct channel *channel_open(struct session *s, uint16_t number);
void channel_release(struct channel *ch); /* closes it at the backend and empties it; the struct stays */
void channel_free(struct channel *ch);    /* and forgets the number */
void channel_send(struct channel *ch, const struct amqp_method *m);
void channel_send_empty(struct channel *ch, unsigned number); /* an -ok without fields */

/* --- channel_question.c --- */
/* Opens a question of the method in hand. `name` is copied. */
void channel_question_open(struct channel *ch, enum question_kind kind, struct slice name, bool no_wait);
void channel_question_close(struct question *q);
/* The topology may be behind: asks for news and runs `m` again after it. False: it is up to date, judge now. */
bool channel_question_refresh_first(struct channel *ch, const struct amqp_method *m);

/* --- outside.c --- */
void channel_ask_outside(struct channel *ch, const struct amqp_method *m); /* NULL: a held publish waits */

/* --- channel_rights.c --- */
/* May the user? False: the channel failed with 403, or the method waits for a refresh. `kind`: "exchange", "queue". */
bool channel_may(struct channel *ch, const struct amqp_method *m, enum auth_permission permission, const char *kind,
                 struct slice name);
void channel_may_go_on_reading(struct channel *ch, struct slice queue); /* else the channel fails */
bool channel_may_bind_topic(struct channel *ch, const struct amqp_method *m, struct slice exchange, struct slice key);
/* A declare that names another exchange by argument `key` reads from the one and writes to the other. */
bool channel_may_dead_letter(struct channel *ch, const struct amqp_method *m, const char *kind, struct slice name,
                             struct slice arguments, const char *key);
enum channel_publish_right {
    PUBLISH_ALLOWED,
    PUBLISH_NOT_TO_EXCHANGE,
    PUBLISH_NOT_TO_TOPIC,
    PUBLISH_UNKNOWN /* channel_ask_outside() */
};
enum channel_publish_right channel_publish_allowed(struct channel *ch, struct slice exchange, struct slice key);
/* After a yes: the same for the further keys, those of CC and BCC. Else `key` is the first that is not allowed. */
enum channel_publish_right channel_publish_copies_allowed(struct channel *ch, struct slice exchange,
                                                          struct slice headers, struct slice *key);
void channel_publish_refuse(struct channel *ch, enum channel_publish_right right, struct slice exchange,
                            struct slice key);
bool channel_may_claim_user(struct channel *ch, struct slice user_id); /* as the user-id of a message */

/* --- channel_exchange.c, channel_queue.c, channel_basic.c --- */
void channel_exchange_declare(struct channel *ch, const struct amqp_method *m);
void channel_exchange_delete(struct channel *ch, const struct amqp_method *m);
void channel_exchange_bind(struct channel *ch, const struct amqp_method *m, bool unbind);
void channel_queue_declare(struct channel *ch, const struct amqp_method *m);
void channel_queue_bind(struct channel *ch, const struct amqp_method *m);
void channel_queue_unbind(struct channel *ch, const struct amqp_method *m);
void channel_queue_purge(struct channel *ch, const struct amqp_method *m);
void channel_queue_delete(struct channel *ch, const struct amqp_method *m);
void channel_queue_declared(struct channel *ch, const struct question *q, const struct backend_reply *reply);
void channel_basic_qos(struct channel *ch, const struct amqp_method *m);
void channel_basic_consume(struct channel *ch, const struct amqp_method *m);
void channel_basic_attach_reply_consumer(struct channel *ch, const struct question *q,
                                         const struct backend_reply *reply);
void channel_basic_cancel(struct channel *ch, const struct amqp_method *m);
void channel_basic_get(struct channel *ch, const struct amqp_method *m);
void channel_basic_recover(struct channel *ch, const struct amqp_method *m);
/* Submits a change of the topology. What an up-to-date topology refuses, or need not change, is answered without a
 * commit. */
void channel_change_submit(struct channel *ch, enum question_kind kind, const struct topology_command *c, bool no_wait,
                           uint8_t delete_flags);
/* The queue that a method means ("" is the last one declared), looked up and free for this connection. NULL: the
 * channel failed, or the method waits for a refresh. */
const struct queue_record *channel_queue_find(struct channel *ch, const struct amqp_method *m, struct slice name);
/* False: the channel failed (404). An empty name becomes the last declared queue's. */
bool channel_queue_expand_name(struct channel *ch, struct slice *name);

/* --- channel_consumers.c --- */
struct consumer *channel_consumer_create(struct channel *ch, struct slice tag);
struct consumer *channel_consumer_by_id(struct channel *ch, uint32_t id);
struct consumer *channel_consumer_by_tag(struct channel *ch, struct slice tag);
void channel_consumer_destroy(struct channel *ch, struct consumer *c);
void channel_consumers_close(struct channel *ch);
void channel_consumer_announce(struct channel *ch, struct consumer *c); /* consume-ok, once */
static inline struct slice channel_consumer_tag(const struct consumer *c)
{
    return slice_of(c->tag, c->tag_size);
}

/* --- channel_arguments.c --- */
/* Checks a declare's arguments; true: fine. Else the channel failed with 406 or, for what is not there yet, 540. */
bool channel_queue_arguments_check(struct channel *ch, struct slice queue, struct slice arguments);
struct consumer_arguments {
    int32_t priority;
    bool has_timeout;
    uint64_t timeout_ms;
    bool identify;
};
bool channel_consumer_arguments_check(struct channel *ch, struct slice queue, struct slice arguments,
                                      struct consumer_arguments *out);

/* --- channel_publish.c --- */
/* False: too much is under way; the frame must wait. */
bool channel_publish_begin(struct channel *ch, const struct amqp_method *m);
void channel_publish_header(struct channel *ch, const struct amqp_frame *f);
void channel_publish_body(struct channel *ch, struct slice part);
void channel_publish_again(struct channel *ch); /* after a refresh */
void channel_publish_own(struct channel *ch);   /* copies what is borrowed from the input */
void channel_publishing_close(struct channel *ch);
void channel_publish_send(struct channel *ch, const struct outgoing *m); /* to its queues, or back to the client */

/* --- channel_trace.c; in a vhost that is traced --- */
void channel_trace_publish(struct channel *ch, const struct outgoing *m);
void channel_trace_delivery(struct channel *ch, uint64_t queue, const struct session_delivery *d);

/* --- channel_publish_keys.c --- */
bool channel_publish_check_copies(struct channel *ch, struct slice headers);   /* false: the channel ended */
struct slice channel_publish_copies(struct slice headers, const char *header); /* the array of CC or BCC */
/* False: the channel failed. */
bool channel_publish_check_reply_to(struct channel *ch, const struct amqp_properties_brief *brief);
/* The properties as they are delivered: without BCC, with the real address of a direct reply. `properties` points into
 * `rewritten` when something had to change. */
void channel_publish_rewrite_properties(struct channel *ch, const struct amqp_properties_brief *brief,
                                        struct slice *properties, struct buf *rewritten);

/* --- channel_confirms.c --- */
void channel_confirms_init(struct confirms *c);
void channel_confirms_close(struct confirms *c);
bool channel_confirms_full(const struct confirms *c);
void channel_confirms_select(struct confirms *c);
uint64_t
channel_confirms_push(struct channel *ch, uint32_t bytes,
                      uint16_t exchange /* counts_exchange() */); /* the new tag; waits for channel_confirms_expect() */
void channel_confirms_expect(struct channel *ch, uint64_t tag, unsigned groups);
void channel_confirms_answer(struct channel *ch, uint64_t tag, bool ok);
void channel_confirms_flush(struct channel *ch); /* writes acks and nacks */
/* Gives up what was published more than `timeout_ms` ago: nacks, or false when the client did not ask for confirms. */
bool channel_confirms_expire(struct channel *ch, uint64_t now_ms, uint64_t timeout_ms);

/* --- channel_acks.c --- */
void channel_unacked_close(struct unacked *u);
void channel_unacked_push(struct unacked *u, const struct unacked_entry *entry);
/* Puts back what a rollback frees; sorts `settles` by tag. */
void channel_unacked_restore(struct unacked *u, struct tx_settle *settles, size_t count);
/* Settles what the client names, at once or at tx.commit; 406 for an unknown tag. */
void channel_acks_settle(struct channel *ch, uint64_t tag, bool multiple, uint8_t outcome);
void channel_acks_requeue_all(struct channel *ch);
void channel_acks_count(struct channel *ch, uint16_t counts); /* an ack of a message of that queue */
void channel_settle_add(struct channel *ch, uint32_t group, uint64_t dseq, uint8_t outcome);
void channel_settle_flush(struct channel *ch); /* before every question, and at the end of the turn */

/* --- channel_deliver.c --- */
void channel_deliver(struct channel *ch, struct consumer *c, const struct session_delivery *d); /* to the client, now */

/* --- channel_held.c --- */
bool channel_must_hold(const struct channel *ch);
void channel_hold(struct channel *ch, const struct session_delivery *d);   /* copies */
void channel_held_show(struct channel *ch);                                /* what there is room for */
void channel_held_give_back(struct channel *ch, const struct consumer *c); /* it goes; NULL: all go */

/* --- channel_tx.c --- */
void channel_tx_init(struct tx *tx);
void channel_tx_close(struct tx *tx); /* drops all that is held */
void channel_tx_select(struct channel *ch);
void channel_tx_commit(struct channel *ch);
void channel_tx_rollback(struct channel *ch);
void channel_tx_publish(struct channel *ch, const struct outgoing *m); /* copies; may fail the channel */
void channel_tx_settle(struct channel *ch, const struct unacked_entry *e, uint8_t outcome);
bool channel_tx_fits(struct channel *ch); /* false: more is held than may be, and the channel failed */
void channel_tx_answered(struct channel *ch, uint64_t tag, bool refused); /* all groups have, for this tag */
void channel_tx_continue(struct channel *ch); /* at the end of a turn: commit-ok, if nothing is waited for */

#endif
