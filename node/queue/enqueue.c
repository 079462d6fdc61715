/* A message comes in: into each of its queues of this group, its content held once. */
#include "node/queue/machine_internal.h"

static uint64_t expiry(const struct queue_machine *m, const struct queue *q, uint64_t ttl_ms)
{
    uint64_t ttl = q->settings.message_ttl_ms >= 0 ? (uint64_t)q->settings.message_ttl_ms : UINT64_MAX;
    if (ttl_ms < ttl) ttl = ttl_ms;
    return ttl >= UINT64_MAX - m->now_ms ? 0 : m->now_ms + ttl;
}

static bool is_full(const struct queue *q, uint32_t body)
{
    const struct queue_settings *s = &q->settings;
    return (s->max_length >= 0 && q->ready + 1 > (uint64_t)s->max_length) ||
           (s->max_length_bytes >= 0 && q->ready_bytes + body > (uint64_t)s->max_length_bytes);
}

static bool over_length(const struct queue *q)
{
    const struct queue_settings *s = &q->settings;
    return (s->max_length >= 0 && q->ready > (uint64_t)s->max_length) ||
           (s->max_length_bytes >= 0 && q->ready_bytes > (uint64_t)s->max_length_bytes);
}

void drop_heads(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    if (q->settings.overflow != OVERFLOW_DROP_HEAD) return; /* what is there stays */
    uint8_t level;
    uint64_t number;
    struct slot *slot;
    while (over_length(q) && queue_front(m, q, &level, &number, &slot))
        bury(m, q, level, number, slot, DEAD_MAXLEN, effects);
}

static uint8_t level_of(const struct queue *q, const struct command_enqueue *c)
{
    return c->priority > q->settings.max_priority ? q->settings.max_priority : c->priority;
}

/* Before anything else happens to it: it may leave again at once. */
static void note_marks(struct queue_machine *m, struct queue *q, const struct command_enqueue *c, bool windowed,
                       uint8_t level, uint64_t number)
{
    const struct enqueue_marks *marks = &c->marks;
    bool keyed = marks->key.data && (windowed || q->settings.deduplicates);
    if (!keyed && !marks->producer.data) return;
    if (!q->dedup) q->dedup = dedup_create();
    dedup_note(q->dedup, &q->settings, marks, windowed, dedup_place(level, number), m->now_ms);
}

static void put(struct queue_machine *m, struct queue *q, const struct command_enqueue *c, const struct stored *content,
                bool windowed, struct effects *effects)
{
    uint64_t number;
    struct level *l = queue_level(q, level_of(q, c));
    struct slot *slot = level_append(l, &number);
    slot->content = *content;
    blob_ref(content->blob);
    level_memory_add(l, slot);
    level_set_expiry(l, number, slot, expiry(m, q, c->ttl_ms));
    q->ready++;
    q->ready_bytes += content->body;
    q->counts.enqueued++;
    if (c->flags & ENQUEUE_MARKED) note_marks(m, q, c, windowed, level_of(q, c), number);
    if (slot->expires_ms) {
        q->expiring++;
        timer_set(m, q);
    }
    if (!q->blocked) pump(m, q, effects);
    drop_heads(m, q, effects);
}

/* False: the queue refuses it. A repeat is taken, and dropped. */
static bool put_or_refuse(struct queue_machine *m, struct queue *q, const struct command_enqueue *c,
                          const struct stored *content, bool windowed, struct effects *effects)
{
    bool marked = c->flags & ENQUEUE_MARKED;
    if (marked && q->dedup && dedup_knows(q->dedup, &q->settings, &c->marks, windowed, m->now_ms)) {
        m->figures.repeats += effects != NULL;
        return true;
    }
    if (level_full(queue_level(q, level_of(q, c)))) return false;
    if (q->settings.overflow == OVERFLOW_DROP_HEAD || !is_full(q, content->body)) {
        put(m, q, c, content, windowed, effects);
        return true;
    }
    if (q->settings.overflow == OVERFLOW_REJECT_PUBLISH_DLX) {
        blob_ref(content->blob);
        bury_content(m, q, *content, DEAD_MAXLEN, effects);
    }
    return false;
}

static bool would_take(struct queue_machine *m, struct queue *q, const struct command_enqueue *c, uint32_t body,
                       bool windowed)
{
    if ((c->flags & ENQUEUE_MARKED) && q->dedup && dedup_knows(q->dedup, &q->settings, &c->marks, windowed, m->now_ms))
        return true;
    return !level_full(queue_level(q, level_of(q, c))) &&
           (q->settings.overflow == OVERFLOW_DROP_HEAD || !is_full(q, body));
}

static bool is_windowed(const struct command_enqueue *c, uint32_t at)
{
    return (c->flags & ENQUEUE_MARKED) && c->marks.window.data && at < c->marks.windowed;
}

static bool all_would_take(struct queue_machine *m, const struct command_enqueue *c, uint32_t body)
{
    struct reader ids = reader_of(c->queue_ids);
    for (uint32_t i = 0; i < c->queue_count; i++) {
        struct queue *q = queue_find(m, reader_le64(&ids));
        if (!q || !would_take(m, q, c, body, is_windowed(c, i))) return false;
    }
    return true;
}

static void keep(struct queue_machine *m, const struct command_enqueue *c, const struct stored *content)
{
    struct reader r = reader_of(c->marks.stores);
    struct enqueue_store store;
    while (enqueue_store_next(&r, &store)) {
        if (store.kind == ENQUEUE_STORE_DELAY) postpone(m, c->marks.vhost, &store, content);
        else history_keep(m, c->marks.vhost, &store, content);
    }
}

void enqueue(struct queue_machine *m, struct machine_port *port, const struct command *command, struct part chunk,
             struct effects *effects)
{
    struct command_enqueue c;
    struct content parsed;
    if (!command_enqueue_decode(command->payload, &c) || !content_decode(c.content, &parsed)) {
        if (port) port_table_refuse(&port->base, command->number, effects); /* a confirm would be a lie */
        return;
    }
    struct stored content = {.blob = chunk.blob,
                             .offset = (uint32_t)(c.content.data - chunk.blob->data),
                             .size = (uint32_t)c.content.size,
                             .body = (uint32_t)parsed.body.size};
    bool refused = false;
    if ((c.flags & ENQUEUE_WHOLE) && !all_would_take(m, &c, content.body)) {
        if (port) port_table_refuse(&port->base, command->number, effects);
        return;
    }
    if (c.marks.store_count) keep(m, &c, &content);
    struct reader ids = reader_of(c.queue_ids);
    for (uint32_t i = 0; i < c.queue_count; i++) {
        struct queue *q = queue_find(m, reader_le64(&ids));
        refused |= !q || !put_or_refuse(m, q, &c, &content, is_windowed(&c, i), effects);
    }
    if (refused && port) port_table_refuse(&port->base, command->number, effects);
}
