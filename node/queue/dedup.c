#include "node/queue/dedup.h"

#include "base/mem.h"

struct dedup *dedup_create(void)
{
    struct dedup *d = mem_zalloc(sizeof *d);
    list_init(&d->exchanges);
    recall_init(&d->producers);
    recall_init(&d->held);
    return d;
}

static void drop_exchange(struct dedup *d, struct dedup_exchange *x)
{
    list_remove(&x->link);
    d->exchange_count--;
    recall_close(&x->window);
    mem_free((void *)x->name.data);
    mem_free(x);
}

void dedup_destroy(struct dedup *d)
{
    if (!d) return;
    while (!list_empty(&d->exchanges)) drop_exchange(d, LIST_ITEM(d->exchanges.next, struct dedup_exchange, link));
    recall_close(&d->producers);
    recall_close(&d->held);
    map_u64_close(&d->places);
    mem_free(d);
}

static struct dedup_exchange *find_exchange(const struct dedup *d, struct slice name)
{
    for (struct list *link = d->exchanges.previous; link != &d->exchanges; link = link->previous) {
        struct dedup_exchange *x = LIST_ITEM(link, struct dedup_exchange, link);
        if (slice_equal(x->name, name)) return x;
    }
    return NULL;
}

static struct dedup_exchange *add_exchange(struct dedup *d, struct slice name)
{
    if (d->exchange_count == DEDUP_EXCHANGES_MAX)
        drop_exchange(d, LIST_ITEM(d->exchanges.next, struct dedup_exchange, link));
    struct dedup_exchange *x = mem_zalloc(sizeof *x);
    x->name = slice_of(mem_strndup((const char *)name.data, name.size), name.size);
    recall_init(&x->window);
    list_append(&d->exchanges, &x->link);
    d->exchange_count++;
    return x;
}

/* --- looking --- */

static bool in_window(const struct dedup *d, struct slice name, struct slice key, uint64_t now_ms)
{
    const struct dedup_exchange *x = find_exchange(d, name);
    const struct recall_entry *e = x ? recall_find(&x->window, key) : NULL;
    return e && e->value > now_ms;
}

static bool has_own_window(const struct queue_settings *s)
{
    return s->deduplicates && (s->window_size > 0 || s->window_ttl_ms > 0);
}

bool dedup_knows(const struct dedup *d, const struct queue_settings *s, const struct enqueue_marks *m, bool windowed,
                 uint64_t now_ms)
{
    if (m->producer.data) {
        const struct recall_entry *e = recall_find(&d->producers, m->producer);
        if (e && m->sequence <= e->value) return true;
    }
    if (!m->key.data) return false;
    if (windowed && in_window(d, m->window, m->key, now_ms)) return true;
    if (s->deduplicates && recall_find(&d->held, m->key)) return true;
    return has_own_window(s) && in_window(d, slice_str(""), m->key, now_ms);
}

/* --- remembering --- */

/* What is too old goes from the front, then what is too much. */
static void make_room(struct recall *w, uint64_t size, uint64_t now_ms)
{
    struct recall_entry *e;
    while ((e = recall_oldest(w)) && (e->value <= now_ms || recall_count(w) >= size)) recall_remove(w, e);
}

static void remember_key(struct dedup *d, struct slice name, struct slice key, uint64_t size, uint64_t ttl_ms,
                         uint64_t now_ms)
{
    struct dedup_exchange *x = find_exchange(d, name);
    if (!x) x = add_exchange(d, name);
    list_remove(&x->link);
    list_append(&d->exchanges, &x->link);
    struct recall_entry *e = recall_find(&x->window, key);
    if (e) recall_remove(&x->window, e); /* its time was over */
    make_room(&x->window, size && size < DEDUP_WINDOW_MAX ? size : DEDUP_WINDOW_MAX, now_ms);
    recall_add(&x->window, key, ttl_ms ? now_ms + ttl_ms : UINT64_MAX);
}

static void remember_producer(struct dedup *d, struct slice producer, uint64_t sequence)
{
    struct recall_entry *e = recall_find(&d->producers, producer);
    if (e) {
        e->value = sequence;
        recall_touch(&d->producers, e);
        return;
    }
    if (recall_count(&d->producers) >= DEDUP_PRODUCERS_MAX) recall_remove(&d->producers, recall_oldest(&d->producers));
    recall_add(&d->producers, producer, sequence);
}

static uint64_t limit(int64_t setting)
{
    return setting > 0 ? (uint64_t)setting : 0;
}

void dedup_note(struct dedup *d, const struct queue_settings *s, const struct enqueue_marks *m, bool windowed,
                uint64_t place, uint64_t now_ms)
{
    if (m->producer.data) remember_producer(d, m->producer, m->sequence);
    if (!m->key.data) return;
    if (windowed)
        remember_key(d, m->window, m->key, m->window_size, m->key_ttl_ms ? m->key_ttl_ms : m->window_ttl_ms, now_ms);
    if (has_own_window(s))
        remember_key(d, slice_str(""), m->key, limit(s->window_size),
                     m->key_ttl_ms ? m->key_ttl_ms : limit(s->window_ttl_ms), now_ms);
    if (s->deduplicates) map_u64_set(&d->places, place, recall_add(&d->held, m->key, place));
}

void dedup_gone(struct dedup *d, uint64_t place)
{
    struct recall_entry *e = d->places.count ? map_u64_remove(&d->places, place) : NULL;
    if (e) recall_remove(&d->held, e);
}

size_t dedup_count(const struct dedup *d)
{
    size_t count = recall_count(&d->producers) + recall_count(&d->held);
    LIST_FOR(&d->exchanges, link) count += recall_count(&LIST_ITEM(link, struct dedup_exchange, link)->window);
    return count;
}

/* --- manifest --- */

void dedup_encode(const struct dedup *d, struct buf *b)
{
    buf_put_varint(b, d->exchange_count);
    LIST_FOR(&d->exchanges, link)
    {
        const struct dedup_exchange *x = LIST_ITEM(link, struct dedup_exchange, link);
        buf_put_counted(b, x->name);
        recall_encode(&x->window, b);
    }
    recall_encode(&d->producers, b);
    recall_encode(&d->held, b);
}

static void decode_exchanges(struct dedup *d, struct reader *r)
{
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        struct slice name = reader_counted(r);
        if (!name.data) name = slice_str("");
        if (r->failed || d->exchange_count == DEDUP_EXCHANGES_MAX || find_exchange(d, name)) {
            reader_fail(r);
            return;
        }
        recall_decode(&add_exchange(d, name)->window, r);
    }
}

struct dedup *dedup_decode(struct reader *r)
{
    struct dedup *d = dedup_create();
    decode_exchanges(d, r);
    recall_decode(&d->producers, r);
    recall_decode(&d->held, r);
    LIST_FOR(&d->held.order, link)
    {
        struct recall_entry *e = LIST_ITEM(link, struct recall_entry, link);
        if (map_u64_set(&d->places, e->value, e)) reader_fail(r); /* two keys of one message */
    }
    if (!r->failed) return d;
    dedup_destroy(d);
    return NULL;
}
