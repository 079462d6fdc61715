#include "base/table_index.h"

#include <stdlib.h>

#include "base/mem.h"

struct table_place {
    struct slice key;
    struct table_value value;
};

void table_index_open(struct table_index *x, struct slice table)
{
    *x = (struct table_index){.table = table};
}

void table_index_close(struct table_index *x)
{
    mem_free(x->places);
    *x = (struct table_index){0};
}

/* The same key twice: keys lie in the table in the order that they came in. */
static int compare(const void *left, const void *right)
{
    const struct table_place *a = left, *b = right;
    int order = slice_compare(a->key, b->key);
    return order ? order : (a->key.data > b->key.data) - (a->key.data < b->key.data);
}

static void put_in_order(struct table_index *x)
{
    struct reader r = reader_of(x->table);
    struct table_place place;
    while (table_next(&r, &place.key, &place.value)) {
        x->places = mem_grow(x->places, &x->capacity, x->count + 1, sizeof *x->places);
        x->places[x->count++] = place;
    }
    if (x->count > 1) qsort(x->places, x->count, sizeof *x->places, compare);
}

bool table_index_find(struct table_index *x, struct slice key, struct table_value *value)
{
    if (!x->places && (x->table.size <= TABLE_INDEX_SMALL || x->asked++ < TABLE_INDEX_PATIENCE))
        return table_find(x->table, key, value);
    if (!x->places) put_in_order(x);
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(x->places[middle].key, key) < 0) low = middle + 1;
        else high = middle;
    }
    if (low == x->count || !slice_equal(x->places[low].key, key)) return false;
    *value = x->places[low].value;
    return true;
}
