/* The queue machine once more, as simply as can be: arrays, no pages, no timers, no caches, nothing stored. The
 * property test compares what both say.
 *
 * Every effect becomes a piece of text in a bucket: one bucket per port and, because the order in which time runs out
 * for several queues is the machine's own affair, one per queue for dead letters and unused queues. */
#ifndef WARREN_TESTS_UNIT_NODE_QUEUE_MODEL_H
#define WARREN_TESTS_UNIT_NODE_QUEUE_MODEL_H

#include "base/buf.h"
#include "base/mem.h"
#include "node/queue/command.h"
#include "node/queue/effect.h"
#include "node/queue/queue_machine.h"

enum {
    MODEL_PORTS = 4,
    MODEL_QUEUES = 3,
    MODEL_CONSUMERS = 4 /* of a port */,
    MODEL_LEVELS = 10,
    MODEL_KEYS = 6,      /* 1 .. MODEL_KEYS; 0 is no key */
    MODEL_WINDOWS = 3,   /* that of the queue itself, and of two exchanges */
    MODEL_PRODUCERS = 3, /* 1 .. ; 0 is none */
    MODEL_OVERHEAD = 8   /* content beyond body */
};

/* What a message brings along. */
struct model_marks {
    unsigned key, window; /* window 0: past all exchanges */
    unsigned producer, sequence;
    uint64_t window_size, window_ttl_ms, key_ttl_ms;
};

struct model_window {
    struct {
        unsigned key;
        uint64_t expires_ms;
    } entries[MODEL_KEYS];
    unsigned count;
};

struct model_message {
    uint64_t id; /* its body says so */
    unsigned key;
    uint64_t expires_ms;
    uint64_t waits_until_ms; /* for its next try; 0: it does not wait */
    uint32_t body, delivery_count;
    uint8_t level;
    bool redelivered, unacked;
};

struct model_consumer {
    bool there;
    unsigned port, queue;
    uint32_t id, prefetch, unacked;
    int32_t priority;
    uint64_t timeout_ms;
    uint8_t flags;
};

struct model_queue {
    bool there, had_consumers, unused_told;
    uint64_t id, used_ms;
    struct model_window windows[MODEL_WINDOWS];
    unsigned heard[MODEL_PRODUCERS + 1]; /* one more than the highest sequence */
    struct queue_settings settings;
    struct model_message *messages; /* highest level first, then as they came */
    size_t count, capacity;
    struct model_consumer *consumers[MODEL_PORTS * MODEL_CONSUMERS]; /* whose turn it is first */
    unsigned consumer_count;
    struct model_consumer *active;
};

struct model_item {
    uint64_t dseq, queue_id, message, delivered_ms;
    uint32_t consumer;
    unsigned queue;
};

struct model_port {
    struct model_consumer consumers[MODEL_CONSUMERS];
    struct model_consumer *order[MODEL_CONSUMERS]; /* as attached */
    unsigned consumer_count;
    struct model_item *items; /* unacked, rising dseqs */
    size_t count, capacity;
    uint32_t *sizes; /* of each delivery */
    size_t sizes_capacity;
    uint64_t next_dseq, received;
    uint32_t limit;
};

/* Kept back by an exchange. */
struct model_postponed {
    uint64_t due_ms, id;
};

struct model {
    uint64_t now_ms;
    struct model_postponed *postponed; /* by time, then as they came */
    size_t postponed_count, postponed_capacity;
    struct buf machine_said; /* of no queue */
    struct model_queue queues[MODEL_QUEUES];
    struct model_port ports[MODEL_PORTS];
    struct buf port_said[MODEL_PORTS], queue_said[MODEL_QUEUES];
    unsigned stirred[MODEL_QUEUES], stirred_count;
};

static inline void model_pump(struct model *m, struct model_queue *q);
static inline void model_drop_heads(struct model *m, struct model_queue *q);
static inline void model_stir(struct model *m, unsigned queue);
static inline void model_pump_stirred(struct model *m);
static inline void model_settle_range(struct model *m, unsigned port, uint8_t outcome, uint64_t first, uint64_t last);
static inline void model_remove_consumer(struct model *m, struct model_consumer *c);

static inline bool model_is_ready(const struct model_message *message)
{
    return !message->unacked && !message->waits_until_ms;
}

static inline uint64_t model_ready(const struct model_queue *q, uint64_t *bytes)
{
    uint64_t ready = 0;
    *bytes = 0;
    for (size_t i = 0; i < q->count; i++) {
        if (!model_is_ready(&q->messages[i])) continue;
        ready++;
        *bytes += q->messages[i].body;
    }
    return ready;
}

static inline unsigned model_index(const struct model *m, const struct model_queue *q)
{
    return (unsigned)(q - m->queues);
}

static inline struct model_message *model_front(struct model_queue *q)
{
    for (size_t i = 0; i < q->count; i++)
        if (model_is_ready(&q->messages[i])) return &q->messages[i];
    return NULL;
}

static inline struct model_message *model_find(struct model_queue *q, uint64_t id)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->messages[i].id == id) return &q->messages[i];
    return NULL;
}

static inline void model_remove(struct model_queue *q, struct model_message *message)
{
    size_t at = (size_t)(message - q->messages);
    memmove(message, message + 1, (q->count - at - 1) * sizeof *message);
    q->count--;
}

static inline void model_bury(struct model *m, struct model_queue *q, struct model_message *message, uint8_t reason)
{
    if (q->settings.has_dead_letter_exchange)
        buf_printf(&m->queue_said[model_index(m, q)], "dead %u %llu; ", reason, (unsigned long long)message->id);
    model_remove(q, message);
}

static inline void model_unused(struct model *m, struct model_queue *q)
{
    q->unused_told = true;
    buf_printf(&m->queue_said[model_index(m, q)], "unused; ");
}

/* --- time --- */

static inline uint64_t model_timeout(const struct model *m, const struct model_consumer *c)
{
    const struct queue_settings *s = &m->queues[c->queue].settings;
    if (c->flags & ATTACH_NO_ACK) return 0;
    if (!(c->flags & ATTACH_TIMEOUT_OWN) && s->consumer_timeout_ms >= 0) return (uint64_t)s->consumer_timeout_ms;
    return c->timeout_ms;
}

static inline bool model_holds(const struct model *m, const struct model_consumer *c, const struct model_item *item)
{
    return item->consumer == c->id && item->queue_id == m->queues[c->queue].id;
}

static inline bool model_is_overdue(const struct model *m, const struct model_consumer *c)
{
    const struct model_port *p = &m->ports[c->port];
    uint64_t timeout = model_timeout(m, c);
    for (size_t i = 0; timeout && i < p->count; i++)
        if (model_holds(m, c, &p->items[i])) return p->items[i].delivered_ms + timeout <= m->now_ms;
    return false;
}

static inline void model_time_out(struct model *m, struct model_consumer *c)
{
    struct model_consumer gone = *c;
    struct model_port *p = &m->ports[c->port];
    buf_printf(&m->port_said[c->port], "cancelled c%u after %llu; ", c->id, (unsigned long long)model_timeout(m, c));
    model_remove_consumer(m, c);
    for (size_t i = 0; i < p->count;) {
        uint64_t dseq = p->items[i].dseq;
        if (model_holds(m, &gone, &p->items[i])) model_settle_range(m, gone.port, SETTLE_REQUEUE, dseq, dseq);
        else i++;
    }
    model_stir(m, gone.queue);
    for (unsigned i = 0; i < p->consumer_count; i++) model_stir(m, p->order[i]->queue);
}

static inline void model_expire_queue(struct model *m, struct model_queue *q)
{
    for (size_t i = 0; i < q->count; i++) {
        struct model_message *message = &q->messages[i];
        if (!message->waits_until_ms || message->waits_until_ms > m->now_ms) continue;
        message->waits_until_ms = 0;
        model_stir(m, model_index(m, q));
    }
    for (unsigned i = 0; i < q->consumer_count;) {
        if (model_is_overdue(m, q->consumers[i])) model_time_out(m, q->consumers[i]);
        else i++;
    }
    for (int level = 0; level < MODEL_LEVELS; level++) { /* lowest first, as the machine does */
        for (size_t i = 0; i < q->count; i++) {
            struct model_message *message = &q->messages[i];
            if (message->level != level || !model_is_ready(message)) continue;
            if (!message->expires_ms || message->expires_ms > m->now_ms) continue;
            model_bury(m, q, message, DEAD_EXPIRED);
            i--;
        }
    }
    bool due = q->settings.expires_ms >= 0 && !q->consumer_count && !q->unused_told &&
               q->used_ms + (uint64_t)q->settings.expires_ms <= m->now_ms;
    if (due) model_unused(m, q);
}

static inline void model_postpone(struct model *m, uint64_t id, uint64_t delay_ms)
{
    struct model_postponed p = {m->now_ms + delay_ms, id};
    m->postponed = mem_grow(m->postponed, &m->postponed_capacity, m->postponed_count + 1, sizeof *m->postponed);
    size_t at = m->postponed_count++;
    for (; at && m->postponed[at - 1].due_ms > p.due_ms; at--) m->postponed[at] = m->postponed[at - 1];
    m->postponed[at] = p;
}

/* What is due, then the queues in the order of their ids. */
static inline void model_expire(struct model *m)
{
    uint64_t last = 0;
    size_t due = 0;
    while (due < m->postponed_count && m->postponed[due].due_ms <= m->now_ms)
        buf_printf(&m->machine_said, "dead %u %llu; ", DEAD_DUE, (unsigned long long)m->postponed[due++].id);
    m->postponed_count -= due;
    if (due) memmove(m->postponed, m->postponed + due, m->postponed_count * sizeof *m->postponed);
    for (;;) {
        struct model_queue *next = NULL;
        for (struct model_queue *q = m->queues; q < m->queues + MODEL_QUEUES; q++)
            if (q->there && q->id > last && (!next || q->id < next->id)) next = q;
        if (!next) break;
        last = next->id;
        model_expire_queue(m, next);
    }
    for (unsigned i = 1; i < m->stirred_count; i++) /* by ids, too */
        for (unsigned k = i; k && m->queues[m->stirred[k]].id < m->queues[m->stirred[k - 1]].id; k--) {
            unsigned other = m->stirred[k];
            m->stirred[k] = m->stirred[k - 1];
            m->stirred[k - 1] = other;
        }
    model_pump_stirred(m);
}

/* --- deliveries --- */

static inline bool model_must_yield(const struct model_queue *q)
{
    return q->consumers[0]->priority > q->active->priority;
}

static inline bool model_can_take(const struct model *m, const struct model_queue *q, const struct model_consumer *c)
{
    const struct model_port *p = &m->ports[c->port];
    uint64_t held = 0, bytes = 0;
    if (q->settings.single_active_consumer && (q->active != c || model_must_yield(q))) return false;
    if (c->prefetch && c->unacked >= c->prefetch) return false;
    for (size_t i = 0; i < p->count; i++) held += p->items[i].consumer != 0;
    if (p->limit && held >= p->limit) return false;
    for (uint64_t d = p->received + 1; d < p->next_dseq; d++) bytes += p->sizes[d];
    uint64_t outstanding = p->next_dseq - 1 - p->received;
    return outstanding < PORT_WINDOW_MESSAGES && (outstanding == 0 || bytes < PORT_WINDOW_BYTES);
}

static inline void model_insert_consumer(struct model_queue *q, struct model_consumer *c)
{
    unsigned at = q->consumer_count;
    while (at && q->consumers[at - 1]->priority < c->priority) at--;
    for (unsigned i = q->consumer_count; i > at; i--) q->consumers[i] = q->consumers[i - 1];
    q->consumers[at] = c;
    q->consumer_count++;
}

static inline void model_drop_consumer(struct model_queue *q, const struct model_consumer *c)
{
    unsigned at = 0;
    while (q->consumers[at] != c) at++;
    q->consumer_count--;
    for (; at < q->consumer_count; at++) q->consumers[at] = q->consumers[at + 1];
}

static inline void model_hand_out(struct model *m, struct model_queue *q, unsigned port, struct model_consumer *c,
                                  struct model_message *message)
{
    struct model_port *p = &m->ports[port];
    uint64_t bytes, dseq = p->next_dseq++;
    p->items = mem_grow(p->items, &p->capacity, p->count + 1, sizeof *p->items);
    p->items[p->count++] = (struct model_item){dseq, q->id, message->id, m->now_ms, c ? c->id : 0, model_index(m, q)};
    p->sizes = mem_grow(p->sizes, &p->sizes_capacity, dseq + 1, sizeof *p->sizes);
    p->sizes[dseq] = message->body + MODEL_OVERHEAD;
    message->unacked = true;
    if (c) c->unacked++;
    buf_printf(&m->port_said[port], "deliver c%u #%llu %llu%s left %llu count %u; ", c ? c->id : 0,
               (unsigned long long)dseq, (unsigned long long)message->id, message->redelivered ? " again" : "",
               (unsigned long long)model_ready(q, &bytes), message->delivery_count);
}

static inline void model_pump(struct model *m, struct model_queue *q)
{
    struct model_message *message;
    if (q->settings.single_active_consumer && q->active && !q->active->unacked && model_must_yield(q))
        q->active = q->consumers[0];
    while ((message = model_front(q))) {
        struct model_consumer *c = NULL;
        for (unsigned i = 0; i < q->consumer_count && !c; i++)
            if (model_can_take(m, q, q->consumers[i])) c = q->consumers[i];
        if (!c) return;
        if (message->expires_ms && message->expires_ms < m->now_ms) {
            model_bury(m, q, message, DEAD_EXPIRED);
            continue;
        }
        model_hand_out(m, q, c->port, c, message);
        model_drop_consumer(q, c);
        model_insert_consumer(q, c);
    }
}

static inline void model_port_may_take_more(struct model *m, struct model_port *p)
{
    uint64_t bytes;
    for (unsigned i = 0; i < p->consumer_count; i++) {
        struct model_queue *q = &m->queues[p->order[i]->queue];
        if (model_ready(q, &bytes)) model_pump(m, q);
    }
}

static inline void model_stir(struct model *m, unsigned queue)
{
    for (unsigned i = 0; i < m->stirred_count; i++)
        if (m->stirred[i] == queue) return;
    m->stirred[m->stirred_count++] = queue;
}

static inline void model_trim_stirred(struct model *m)
{
    for (unsigned i = 0; i < m->stirred_count; i++)
        if (m->queues[m->stirred[i]].there) model_drop_heads(m, &m->queues[m->stirred[i]]);
}

static inline void model_pump_stirred(struct model *m)
{
    model_trim_stirred(m);
    for (unsigned i = 0; i < m->stirred_count; i++)
        if (m->queues[m->stirred[i]].there) model_pump(m, &m->queues[m->stirred[i]]);
    m->stirred_count = 0;
}

static inline void model_received(struct model *m, unsigned port, uint64_t received)
{
    struct model_port *p = &m->ports[port];
    if (received <= p->received) return;
    p->received = received < p->next_dseq ? received : p->next_dseq - 1;
    model_port_may_take_more(m, p);
}

/* --- commands --- */

static inline void model_reply(struct model *m, unsigned port, uint8_t code, uint64_t a, uint64_t b)
{
    buf_printf(&m->port_said[port], "reply %u %llu %llu; ", code, (unsigned long long)a, (unsigned long long)b);
}

static inline void model_drop_heads(struct model *m, struct model_queue *q)
{
    for (;;) {
        uint64_t bytes, ready = model_ready(q, &bytes);
        const struct queue_settings *s = &q->settings;
        bool over = (s->max_length >= 0 && ready > (uint64_t)s->max_length) ||
                    (s->max_length_bytes >= 0 && bytes > (uint64_t)s->max_length_bytes);
        if (!over || s->overflow != OVERFLOW_DROP_HEAD) return;
        model_bury(m, q, model_front(q), DEAD_MAXLEN);
    }
}

static inline bool model_in_window(const struct model *m, const struct model_window *w, unsigned key)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->entries[i].key == key) return w->entries[i].expires_ms > m->now_ms;
    return false;
}

static inline bool model_has_own_window(const struct queue_settings *s)
{
    return s->deduplicates && (s->window_size > 0 || s->window_ttl_ms > 0);
}

static inline bool model_knows(const struct model *m, const struct model_queue *q, const struct model_marks *marks)
{
    if (marks->producer && marks->sequence < q->heard[marks->producer]) return true;
    if (!marks->key) return false;
    if (marks->window && model_in_window(m, &q->windows[marks->window], marks->key)) return true;
    for (size_t i = 0; q->settings.deduplicates && i < q->count; i++)
        if (q->messages[i].key == marks->key) return true;
    return model_has_own_window(&q->settings) && model_in_window(m, &q->windows[0], marks->key);
}

static inline void model_forget_entry(struct model_window *w, unsigned at)
{
    for (w->count--; at < w->count; at++) w->entries[at] = w->entries[at + 1];
}

static inline void model_remember(const struct model *m, struct model_window *w, unsigned key, uint64_t size,
                                  uint64_t ttl_ms)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->entries[i].key == key) model_forget_entry(w, i);
    while (w->count && (w->entries[0].expires_ms <= m->now_ms || (size && w->count >= size))) model_forget_entry(w, 0);
    w->entries[w->count].key = key;
    w->entries[w->count++].expires_ms = ttl_ms ? m->now_ms + ttl_ms : UINT64_MAX;
}

static inline void model_note(const struct model *m, struct model_queue *q, const struct model_marks *marks)
{
    const struct queue_settings *s = &q->settings;
    if (marks->producer) q->heard[marks->producer] = marks->sequence + 1;
    if (!marks->key) return;
    uint64_t own_ttl = s->window_ttl_ms > 0 ? (uint64_t)s->window_ttl_ms : 0;
    if (marks->window)
        model_remember(m, &q->windows[marks->window], marks->key, marks->window_size,
                       marks->key_ttl_ms ? marks->key_ttl_ms : marks->window_ttl_ms);
    if (model_has_own_window(s))
        model_remember(m, &q->windows[0], marks->key, s->window_size > 0 ? (uint64_t)s->window_size : 0,
                       marks->key_ttl_ms ? marks->key_ttl_ms : own_ttl);
}

static inline bool model_put(struct model *m, struct model_queue *q, struct model_message message,
                             const struct model_marks *marks, uint64_t ttl_ms)
{
    const struct queue_settings *s = &q->settings;
    if (model_knows(m, q, marks)) return true;
    uint64_t bytes, ready = model_ready(q, &bytes);
    bool full = (s->max_length >= 0 && ready + 1 > (uint64_t)s->max_length) ||
                (s->max_length_bytes >= 0 && bytes + message.body > (uint64_t)s->max_length_bytes);
    if (full && s->overflow != OVERFLOW_DROP_HEAD) {
        if (s->overflow == OVERFLOW_REJECT_PUBLISH_DLX && s->has_dead_letter_exchange)
            buf_printf(&m->queue_said[model_index(m, q)], "dead %u %llu; ", DEAD_MAXLEN,
                       (unsigned long long)message.id);
        return false;
    }
    uint64_t ttl =
        s->message_ttl_ms >= 0 && (uint64_t)s->message_ttl_ms < ttl_ms ? (uint64_t)s->message_ttl_ms : ttl_ms;
    if (ttl != UINT64_MAX) message.expires_ms = m->now_ms + ttl;
    if (message.level > s->max_priority) message.level = s->max_priority;
    q->messages = mem_grow(q->messages, &q->capacity, q->count + 1, sizeof *q->messages);
    size_t at = q->count++;
    for (; at && q->messages[at - 1].level < message.level; at--) q->messages[at] = q->messages[at - 1];
    model_note(m, q, marks);
    if (s->deduplicates) message.key = marks->key;
    q->messages[at] = message;
    model_pump(m, q);
    model_drop_heads(m, q);
    return true;
}

static inline uint64_t model_retry_delay(const struct queue_settings *s, const struct model_message *message,
                                         uint8_t outcome)
{
    uint8_t concerned = outcome == SETTLE_FAIL ? DELAYED_RETRY_FAILED : DELAYED_RETRY_RETURNED;
    if (s->delayed_retry != DELAYED_RETRY_ALL && s->delayed_retry != concerned) return 0;
    if (s->delayed_retry_min_ms <= 0) return 0;
    uint64_t delay = (uint64_t)s->delayed_retry_min_ms * message->delivery_count;
    return s->delayed_retry_max_ms >= 0 && delay > (uint64_t)s->delayed_retry_max_ms ? (uint64_t)s->delayed_retry_max_ms
                                                                                     : delay;
}

static inline void model_settle_item(struct model *m, struct model_port *p, size_t at, uint8_t outcome)
{
    struct model_item item = p->items[at];
    p->count--;
    memmove(&p->items[at], &p->items[at + 1], (p->count - at) * sizeof item);
    for (unsigned i = 0; i < p->consumer_count; i++)
        if (p->order[i]->id == item.consumer && m->queues[p->order[i]->queue].id == item.queue_id)
            p->order[i]->unacked--;
    struct model_queue *q = &m->queues[item.queue];
    if (!q->there || q->id != item.queue_id) return;
    struct model_message *message = model_find(q, item.message);
    if (outcome == SETTLE_ACK) {
        model_remove(q, message);
        return;
    }
    message->unacked = false;
    if (outcome == SETTLE_REJECT) {
        model_bury(m, q, message, DEAD_REJECTED);
        return;
    }
    message->redelivered = true;
    message->delivery_count++;
    bool too_often = q->settings.delivery_limit >= 0 && message->delivery_count > (uint64_t)q->settings.delivery_limit;
    uint64_t delay = model_retry_delay(&q->settings, message, outcome);
    if (too_often) {
        model_bury(m, q, message, DEAD_DELIVERY_LIMIT);
    } else if (delay) {
        message->waits_until_ms = m->now_ms + delay;
        if (message->expires_ms && message->expires_ms < message->waits_until_ms)
            message->waits_until_ms = message->expires_ms;
        return;
    }
    model_stir(m, item.queue);
}

static inline void model_settle_range(struct model *m, unsigned port, uint8_t outcome, uint64_t first, uint64_t last)
{
    struct model_port *p = &m->ports[port];
    for (size_t i = 0; i < p->count;) {
        if (p->items[i].dseq >= first && p->items[i].dseq <= last) model_settle_item(m, p, i, outcome);
        else i++;
    }
}

static inline void model_settle(struct model *m, unsigned port, uint8_t outcome, uint64_t first, uint64_t last)
{
    struct model_port *p = &m->ports[port];
    if (last < p->next_dseq && last > p->received) p->received = last;
    model_settle_range(m, port, outcome, first, last);
    model_trim_stirred(m);
    model_port_may_take_more(m, p);
    model_pump_stirred(m);
}

static inline void model_attach(struct model *m, unsigned port, unsigned queue, struct model_consumer wanted)
{
    struct model_port *p = &m->ports[port];
    struct model_queue *q = &m->queues[queue];
    bool exclusive = wanted.flags & ATTACH_EXCLUSIVE;
    bool held = (q->consumer_count && (exclusive || (q->consumers[0]->flags & ATTACH_EXCLUSIVE))) ||
                (exclusive && q->settings.single_active_consumer);
    uint8_t code = !q->there ? REPLY_NOT_FOUND : held ? REPLY_EXCLUSIVE : REPLY_OK;
    model_reply(m, port, code, 0, 0);
    if (code) return;
    unsigned at = 0;
    while (p->consumers[at].there) at++;
    struct model_consumer *c = &p->consumers[at];
    *c = wanted;
    c->there = true;
    c->port = port;
    c->queue = queue;
    p->order[p->consumer_count++] = c;
    model_insert_consumer(q, c);
    q->had_consumers = true;
    q->unused_told = false;
    if (!q->active) q->active = c;
    q->used_ms = m->now_ms;
    model_pump(m, q);
}

static inline void model_remove_consumer(struct model *m, struct model_consumer *c)
{
    struct model_queue *q = &m->queues[c->queue];
    struct model_port *p = &m->ports[c->port];
    model_drop_consumer(q, c);
    unsigned at = 0;
    while (p->order[at] != c) at++;
    for (p->consumer_count--; at < p->consumer_count; at++) p->order[at] = p->order[at + 1];
    c->there = false;
    if (q->active == c) q->active = q->consumer_count ? q->consumers[0] : NULL;
    if (q->consumer_count) return;
    q->used_ms = m->now_ms;
    if (q->settings.auto_delete && q->had_consumers) model_unused(m, q);
}

static inline void model_detach(struct model *m, unsigned port, uint32_t consumer)
{
    struct model_port *p = &m->ports[port];
    struct model_consumer *c = NULL;
    for (unsigned i = 0; i < p->consumer_count; i++)
        if (p->order[i]->id == consumer) c = p->order[i];
    unsigned queue = c ? c->queue : 0;
    if (c) model_remove_consumer(m, c);
    model_reply(m, port, c ? REPLY_OK : REPLY_NOT_FOUND, 0, 0);
    if (c) model_pump(m, &m->queues[queue]);
}

static inline void model_get(struct model *m, unsigned port, unsigned queue)
{
    struct model_queue *q = &m->queues[queue];
    struct model_message *message;
    uint64_t bytes;
    if (!q->there) {
        model_reply(m, port, REPLY_NOT_FOUND, 0, 0);
        return;
    }
    q->used_ms = m->now_ms;
    while ((message = model_front(q)) && message->expires_ms && message->expires_ms <= m->now_ms)
        model_bury(m, q, message, DEAD_EXPIRED);
    if (!message) {
        model_reply(m, port, REPLY_EMPTY, 0, 0);
        return;
    }
    model_hand_out(m, q, port, NULL, message);
    model_reply(m, port, REPLY_OK, model_ready(q, &bytes), 0);
}

static inline void model_purge(struct model *m, unsigned port, unsigned queue)
{
    struct model_queue *q = &m->queues[queue];
    uint64_t count = 0;
    for (size_t i = 0; q->there && i < q->count; i++) q->messages[i].waits_until_ms = 0;
    if (q->there)
        for (struct model_message *message; (message = model_front(q)); count++) model_remove(q, message);
    model_reply(m, port, q->there ? REPLY_OK : REPLY_NOT_FOUND, count, 0);
}

static inline void model_delete(struct model *m, unsigned port, unsigned queue, uint8_t flags)
{
    struct model_queue *q = &m->queues[queue];
    uint64_t bytes, ready = model_ready(q, &bytes);
    for (size_t i = 0; i < q->count; i++) ready += q->messages[i].waits_until_ms != 0;
    uint8_t code = !q->there                                         ? REPLY_NOT_FOUND
                   : (flags & DELETE_IF_UNUSED) && q->consumer_count ? REPLY_IN_USE
                   : (flags & DELETE_IF_EMPTY) && ready              ? REPLY_NOT_EMPTY
                                                                     : REPLY_OK;
    if (!code) {
        q->settings.auto_delete = false;
        while (q->consumer_count) {
            struct model_consumer *c = q->consumers[0];
            buf_printf(&m->port_said[c->port], "cancelled c%u after 0; ", c->id);
            model_remove_consumer(m, c);
        }
        q->there = false;
        q->count = 0;
    }
    model_reply(m, port, code, code ? 0 : ready, 0);
}

static inline void model_configure(struct model *m, unsigned port, unsigned queue, uint64_t id, struct queue_settings s)
{
    struct model_queue *q = &m->queues[queue];
    uint64_t bytes;
    if (!q->there) {
        struct model_message *messages = q->messages;
        size_t capacity = q->capacity;
        *q = (struct model_queue){.there = true, .id = id, .messages = messages, .capacity = capacity};
    }
    q->settings = s;
    q->used_ms = m->now_ms;
    model_pump(m, q);
    model_drop_heads(m, q);
    uint64_t ready = model_ready(q, &bytes);
    model_reply(m, port, REPLY_OK, ready, q->consumer_count);
}

static inline void model_stat(struct model *m, unsigned port, unsigned queue)
{
    struct model_queue *q = &m->queues[queue];
    uint64_t bytes, ready = model_ready(q, &bytes);
    if (q->there) q->used_ms = m->now_ms;
    model_reply(m, port, q->there ? REPLY_OK : REPLY_NOT_FOUND, q->there ? ready : 0, q->there ? q->consumer_count : 0);
}

static inline void model_limit(struct model *m, unsigned port, uint32_t prefetch)
{
    m->ports[port].limit = prefetch;
    model_port_may_take_more(m, &m->ports[port]);
}

static inline void model_leave(struct model *m, unsigned port)
{
    struct model_port *p = &m->ports[port];
    while (p->consumer_count) {
        model_stir(m, p->order[0]->queue);
        model_remove_consumer(m, p->order[0]);
    }
}

/* The port forgets all and may begin anew under another name. */
static inline void model_close_port(struct model *m, unsigned port)
{
    struct model_port *p = &m->ports[port];
    model_leave(m, port);
    model_settle_range(m, port, SETTLE_FAIL, 1, UINT64_MAX);
    model_pump_stirred(m);
    p->limit = 0;
    p->next_dseq = 1;
    p->received = 0;
}

/* `order`: the ports as they were first seen. */
static inline void model_node_down(struct model *m, const unsigned order[static MODEL_PORTS])
{
    for (unsigned i = 0; i < MODEL_PORTS; i++) model_leave(m, order[i]);
    for (unsigned i = 0; i < MODEL_PORTS; i++) model_close_port(m, order[i]);
}

/* --- life --- */

static inline void model_init(struct model *m)
{
    *m = (struct model){0};
    for (unsigned i = 0; i < MODEL_PORTS; i++) m->ports[i].next_dseq = 1;
}

static inline void model_clear_said(struct model *m)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++) buf_clear(&m->port_said[i]);
    for (unsigned i = 0; i < MODEL_QUEUES; i++) buf_clear(&m->queue_said[i]);
    buf_clear(&m->machine_said);
}

static inline void model_close(struct model *m)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        mem_free(m->ports[i].items);
        mem_free(m->ports[i].sizes);
        buf_close(&m->port_said[i]);
    }
    mem_free(m->postponed);
    buf_close(&m->machine_said);
    for (unsigned i = 0; i < MODEL_QUEUES; i++) {
        mem_free(m->queues[i].messages);
        buf_close(&m->queue_said[i]);
    }
}

#endif
