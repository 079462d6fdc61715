/* One field table, asked for many keys. Clients send tables with tens of thousands of keys, and looking through all of
 * one for each key of another would hold the thread up for seconds. So from the TABLE_INDEX_PATIENCE-th question on, the
 * keys of a table that is not small are kept in order. Of a key that comes again the first one counts, as in
 * table_find().
 *
 * Pure; its owner's thread. Lifetime: table_index_open() .. table_index_close(); the table is borrowed. */
#ifndef WARREN_BASE_TABLE_INDEX_H
#define WARREN_BASE_TABLE_INDEX_H

#include "base/field_table.h"

enum {
    TABLE_INDEX_PATIENCE = 16, /* questions that are answered by looking through the table */
    TABLE_INDEX_SMALL = 512,   /* bytes of a table that is always looked through */
};

struct table_place;

struct table_index {
    struct slice table;
    unsigned asked;
    struct table_place *places; /* NULL: not in order yet */
    size_t count, capacity;
};

void table_index_open(struct table_index *x, struct slice table);
bool table_index_find(struct table_index *x, struct slice key, struct table_value *value);
void table_index_close(struct table_index *x);

#endif
