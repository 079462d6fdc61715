/* The items in order: find, put, remove, walk, and their bytes in the manifest. */
#include "router/registry.h"

#include "router/topology_internal.h"

static const char *const kind_words[REGISTRY_KIND_COUNT] = {
    "vhost",      "user",   "permission",      "topic-permission", "vhost-limit",
    "user-limit", "policy", "operator-policy", "parameter",        "global-parameter"};

const char *registry_kind_word(enum registry_kind kind)
{
    return kind_words[kind];
}

int registry_kind_of(struct slice word)
{
    for (int kind = 0; kind < REGISTRY_KIND_COUNT; kind++)
        if (slice_is(word, kind_words[kind])) return kind;
    return -1;
}

/* --- the store: one array of pointers per kind, sorted --- */

static int compare(const struct registry_item *a, const struct registry_item *b)
{
    int order = slice_compare(a->vhost, b->vhost);
    if (!order) order = slice_compare(a->name, b->name);
    return order ? order : slice_compare(a->detail, b->detail);
}

/* Where `key` is, or would be put. */
static size_t place_of(const struct registry_list *list, const struct registry_item *key, bool *found)
{
    size_t low = 0, high = list->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(list->items[middle], key);
        if (!order) {
            *found = true;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void item_free(struct registry_item *item)
{
    slice_drop(item->vhost);
    slice_drop(item->name);
    slice_drop(item->detail);
    slice_drop(item->value);
    mem_free(item);
}

bool registry_put(struct topology *t, const struct registry_item *what)
{
    struct registry_list *list = &t->registry[what->kind];
    bool found;
    size_t at = place_of(list, what, &found);
    if (found && slice_equal(list->items[at]->value, what->value)) return false;
    t->registry_version++;
    if (found) {
        slice_drop(list->items[at]->value);
        list->items[at]->value = slice_keep(what->value);
        return false;
    }
    struct registry_item *item = mem_zalloc(sizeof *item);
    *item = (struct registry_item){what->kind, slice_keep(what->vhost), slice_keep(what->name),
                                   slice_keep(what->detail), slice_keep(what->value)};
    list->items = mem_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof *list->items);
    list->items[at] = item;
    list->count++;
    return true;
}

bool registry_remove(struct topology *t, const struct registry_item *key)
{
    struct registry_list *list = &t->registry[key->kind];
    bool found;
    size_t at = place_of(list, key, &found);
    if (!found) return false;
    item_free(list->items[at]);
    list->count--;
    memmove(list->items + at, list->items + at + 1, (list->count - at) * sizeof *list->items);
    t->registry_version++;
    return true;
}

void registry_remove_where(struct topology *t, enum registry_kind kind,
                           bool (*goes)(const struct registry_item *item, struct slice name), struct slice name)
{
    struct registry_list *list = &t->registry[kind];
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (goes(list->items[i], name)) item_free(list->items[i]);
        else list->items[kept++] = list->items[i];
    }
    if (kept < list->count) t->registry_version++;
    list->count = kept;
}

void registry_close(struct topology *t)
{
    for (int kind = 0; kind < REGISTRY_KIND_COUNT; kind++) {
        struct registry_list *list = &t->registry[kind];
        for (size_t i = 0; i < list->count; i++) item_free(list->items[i]);
        mem_free(list->items);
        *list = (struct registry_list){0};
    }
    t->seeded = false;
}

/* --- lookups --- */

const struct registry_item *registry_find(const struct topology *t, enum registry_kind kind, struct slice vhost,
                                          struct slice name, struct slice detail)
{
    struct registry_item key = {kind, vhost, name, detail, {0}};
    bool found;
    size_t at = place_of(&t->registry[kind], &key, &found);
    return found ? t->registry[kind].items[at] : NULL;
}

const struct registry_item *registry_next(const struct topology *t, enum registry_kind kind, uint64_t *cursor)
{
    const struct registry_list *list = &t->registry[kind];
    return *cursor < list->count ? list->items[(*cursor)++] : NULL;
}

size_t registry_count(const struct topology *t, enum registry_kind kind)
{
    return t->registry[kind].count;
}

uint64_t registry_version(const struct topology *t)
{
    return t->registry_version;
}

bool registry_is_seeded(const struct topology *t)
{
    return t->seeded;
}

/* --- bytes --- */

void registry_encode(const struct topology *t, struct buf *b)
{
    buf_put_u8(b, t->seeded);
    for (int kind = 0; kind < REGISTRY_KIND_COUNT; kind++) {
        const struct registry_list *list = &t->registry[kind];
        buf_put_varint(b, list->count);
        for (size_t i = 0; i < list->count; i++) {
            buf_put_counted(b, list->items[i]->vhost);
            buf_put_counted(b, list->items[i]->name);
            buf_put_counted(b, list->items[i]->detail);
            buf_put_counted(b, list->items[i]->value);
        }
    }
}

static bool restore_item(struct topology *t, enum registry_kind kind, struct reader *r)
{
    struct registry_item item = {.kind = kind};
    item.vhost = reader_counted(r);
    item.name = reader_counted(r);
    item.detail = reader_counted(r);
    item.value = reader_counted(r);
    const struct registry_list *list = &t->registry[kind];
    if (r->failed || !registry_check_names(t, &item, NULL) || !registry_check_value(&item, NULL)) return false;
    if (list->count && compare(list->items[list->count - 1], &item) >= 0) return false;
    registry_put(t, &item);
    return true;
}

bool registry_restore(struct topology *t, struct reader *r)
{
    uint8_t seeded = reader_u8(r);
    bool ok = seeded <= 1;
    t->seeded = seeded;
    for (int kind = 0; kind < REGISTRY_KIND_COUNT && ok; kind++)
        for (uint64_t n = reader_varint(r); ok && n; n--) ok = restore_item(t, (enum registry_kind)kind, r);
    /* a vhost is an item and a place for exchanges, and neither without the other */
    return ok && !r->failed && registry_count(t, REGISTRY_VHOST) == t->vhost_order.live;
}
