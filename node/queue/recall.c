#include "node/queue/recall.h"

#include "base/mem.h"

static struct slice key_of(const struct recall_entry *e)
{
    return slice_of(e->key, e->size);
}

void recall_init(struct recall *w)
{
    *w = (struct recall){0};
    list_init(&w->order);
    map_str_guard(&w->entries);
}

void recall_close(struct recall *w)
{
    LIST_FOR_SAFE(&w->order, link) mem_free(LIST_ITEM(link, struct recall_entry, link));
    map_str_close(&w->entries);
    recall_init(w);
}

struct recall_entry *recall_find(const struct recall *w, struct slice key)
{
    return w->entries.count ? map_str_get(&w->entries, key) : NULL;
}

struct recall_entry *recall_oldest(const struct recall *w)
{
    return list_empty(&w->order) ? NULL : LIST_ITEM(w->order.next, struct recall_entry, link);
}

struct recall_entry *recall_add(struct recall *w, struct slice key, uint64_t value)
{
    struct recall_entry *e = mem_alloc(sizeof *e + key.size);
    e->value = value;
    e->size = (uint32_t)key.size;
    if (key.size) memcpy(e->key, key.data, key.size);
    list_append(&w->order, &e->link);
    CHECK(!map_str_set(&w->entries, key_of(e), e));
    return e;
}

void recall_touch(struct recall *w, struct recall_entry *e)
{
    list_remove(&e->link);
    list_append(&w->order, &e->link);
}

void recall_remove(struct recall *w, struct recall_entry *e)
{
    map_str_remove(&w->entries, key_of(e));
    list_remove(&e->link);
    mem_free(e);
}

void recall_encode(const struct recall *w, struct buf *b)
{
    buf_put_varint(b, recall_count(w));
    LIST_FOR(&w->order, link)
    {
        const struct recall_entry *e = LIST_ITEM(link, struct recall_entry, link);
        buf_put_counted(b, key_of(e));
        buf_put_varint(b, e->value);
    }
}

void recall_decode(struct recall *w, struct reader *r)
{
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        struct slice key = reader_counted(r);
        uint64_t value = reader_varint(r);
        if (r->failed || recall_find(w, key)) {
            reader_fail(r);
            return;
        }
        recall_add(w, key, value);
    }
}
