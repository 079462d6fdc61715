/* The last messages of x-recent-history exchanges, in the group that the exchange's name decides. A new binding gets
 * them like dead letters: numbered, sent by the leader's shell to its queue or exchange, and gone
 * when they are there. */
#include "node/queue/machine_internal.h"

static struct history *find(const struct queue_machine *m, struct slice vhost, struct slice exchange)
{
    LIST_FOR(&m->histories, link)
    {
        struct history *h = LIST_ITEM(link, struct history, link);
        if (slice_equal(h->exchange, exchange) && slice_equal(h->vhost, vhost)) return h;
    }
    return NULL;
}

struct history *history_make(struct queue_machine *m, struct slice vhost, struct slice exchange)
{
    struct history *h = mem_zalloc(sizeof *h);
    uint8_t *names = mem_alloc(vhost.size + exchange.size + 1);
    if (vhost.size) memcpy(names, vhost.data, vhost.size);
    if (exchange.size) memcpy(names + vhost.size, exchange.data, exchange.size);
    h->vhost = slice_of(names, vhost.size);
    h->exchange = slice_of(names + vhost.size, exchange.size);
    list_init(&h->messages);
    list_append(&m->histories, &h->link);
    return h;
}

void history_append(struct history *h, struct dead_letter_record *d)
{
    d->reason = DEAD_HISTORY;
    list_append(&h->messages, &d->link);
    h->count++;
}

static void drop_oldest(struct queue_machine *m, struct history *h)
{
    struct dead_letter_record *d = LIST_ITEM(h->messages.next, struct dead_letter_record, link);
    list_remove(&d->link);
    dead_letter_free(m, d);
    h->count--;
}

void history_keep(struct queue_machine *m, struct slice vhost, const struct enqueue_store *store,
                  const struct stored *content)
{
    struct history *h = find(m, vhost, store->exchange);
    if (!h) h = history_make(m, vhost, store->exchange);
    struct dead_letter_record *d = mem_zalloc(sizeof *d);
    d->content = *content;
    blob_ref(content->blob);
    history_append(h, d);
    while (h->count > store->value) drop_oldest(m, h);
}

/* A second reference to a content. While a checkpoint stores the first, the blob is what both have. */
static struct stored copy(struct queue_machine *m, const struct stored *s)
{
    struct stored c = *s;
    if (c.blob) {
        blob_ref(c.blob);
        c.where = (struct location){0};
    } else {
        store_retain(m->store, c.where);
    }
    return c;
}

bool history_bind(struct queue_machine *m, const struct command_history *c, struct effects *effects)
{
    struct history *h = find(m, c->vhost, c->exchange);
    if (!h) return false;
    LIST_FOR(&h->messages, link)
    {
        struct dead_letter_record *d = mem_zalloc(sizeof *d);
        d->reason = DEAD_HISTORY;
        d->target = c->queue;
        d->content = copy(m, &LIST_ITEM(link, struct dead_letter_record, link)->content);
        dead_letter_name(d, c->vhost, c->destination);
        dead_letter_append(m, d, effects);
    }
    return true;
}

static void drop(struct queue_machine *m, struct history *h)
{
    while (h->count) drop_oldest(m, h);
    list_remove(&h->link);
    mem_free((void *)h->vhost.data);
    mem_free(h);
}

void history_forget(struct queue_machine *m, const struct command_history *c)
{
    struct history *h = find(m, c->vhost, c->exchange);
    if (h) drop(m, h);
}

void histories_clear(struct queue_machine *m)
{
    LIST_FOR_SAFE(&m->histories, link)
    {
        struct history *h = LIST_ITEM(link, struct history, link);
        LIST_FOR(&h->messages, item) LIST_ITEM(item, struct dead_letter_record, link)->pending = 0;
        drop(m, h);
    }
}

bool queue_machine_next_history(const struct queue_machine *m, size_t *cursor, struct slice *vhost,
                                struct slice *exchange)
{
    size_t at = 0;
    LIST_FOR(&m->histories, link)
    {
        if (at++ < *cursor) continue;
        const struct history *h = LIST_ITEM(link, struct history, link);
        *cursor = at;
        *vhost = h->vhost;
        *exchange = h->exchange;
        return true;
    }
    return false;
}
