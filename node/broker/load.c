/* Deliveries whose content lies in a segment: read first, then carried, in the port's order. What comes for the same
 * port meanwhile waits behind them. */
#include "node/broker/broker_internal.h"

#include "base/check.h"

struct backlog {
    struct host *host; /* NULL: abandoned, freed with the last read */
    uint64_t port;
    struct list deferred;
    size_t reads;
};

struct deferred {
    struct list link;
    struct backlog *backlog;
    struct effect effect; /* holds a reference to its content's blob once `ready` */
    bool ready;
    bool unreadable;
};

static void drop(struct deferred *d)
{
    list_remove(&d->link);
    blob_unref(d->effect.content.blob);
    mem_free(d);
}

static void drain(struct backlog *backlog)
{
    struct host *h = backlog->host;
    while (!list_empty(&backlog->deferred)) {
        struct deferred *d = LIST_ITEM(backlog->deferred.next, struct deferred, link);
        if (!d->ready) break;
        if (!d->unreadable) carry_effect(h, &d->effect);
        drop(d);
    }
    if (list_empty(&backlog->deferred)) {
        map_u64_remove(&h->backlogs, backlog->port);
        mem_free(backlog);
    }
}

static void loaded(void *arg, struct part content, const struct err *err)
{
    struct deferred *d = arg;
    struct backlog *backlog = d->backlog;
    backlog->reads--;
    if (!backlog->host) {
        drop(d);
        if (!backlog->reads) mem_free(backlog);
        return;
    }
    d->ready = true;
    if (content.blob) {
        d->effect.content = (struct part){blob_ref(content.blob), content.offset, content.size};
    } else {
        d->unreadable = true;
        broker_note(backlog->host->broker, 0, "store content_unreadable group=%u queue=%llu error=\"%s\"",
                    backlog->host->id, (unsigned long long)d->effect.queue, err ? err->text : "");
    }
    struct host *h = backlog->host;
    drain(backlog);
    carry_flush(h);
}

static struct deferred *defer(struct host *h, struct backlog *backlog, const struct effect *e)
{
    if (!backlog) {
        backlog = mem_zalloc(sizeof *backlog);
        backlog->host = h;
        backlog->port = e->port;
        list_init(&backlog->deferred);
        map_u64_set(&h->backlogs, e->port, backlog);
    }
    struct deferred *d = mem_zalloc(sizeof *d);
    d->backlog = backlog;
    d->effect = *e;
    d->effect.text = (struct slice){0};
    if (e->content.blob) blob_ref(e->content.blob);
    d->ready = true;
    list_append(&backlog->deferred, &d->link);
    return d;
}

bool load_defer(struct host *h, struct effect *e)
{
    if (!h->queues) return false;
    struct backlog *backlog = h->backlogs.count ? map_u64_get(&h->backlogs, e->port) : NULL;
    bool elsewhere = e->type == EFFECT_DELIVER && !e->content.blob;
    if (elsewhere) {
        struct part cached = store_cached(h->store, e->location);
        if (cached.blob) e->content = cached;
    }
    if (!backlog && (!elsewhere || e->content.blob)) return false;
    struct deferred *d = defer(h, backlog, e);
    if (!elsewhere || e->content.blob) return true;
    d->ready = false;
    d->backlog->reads++;
    store_fetch(h->store, e->location, loaded, d);
    return true;
}

void load_abandon(struct host *h)
{
    size_t at = 0;
    struct backlog *backlog;
    while ((backlog = map_u64_next(&h->backlogs, &at, NULL))) {
        backlog->host = NULL;
        LIST_FOR_SAFE(&backlog->deferred, link)
        {
            struct deferred *d = LIST_ITEM(link, struct deferred, link);
            if (d->ready) drop(d);
        }
        if (!backlog->reads) mem_free(backlog);
    }
    map_u64_close(&h->backlogs);
}
