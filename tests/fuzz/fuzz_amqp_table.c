// room: node_amqp
/* Field tables: what is valid can be walked, equals itself, survives a copy value by value, and prints. */
#include "node/amqp/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice table = slice_of(data, size), key;
    struct amqp_value v;
    struct reader r = reader_of(table);
    while (amqp_table_next(&r, &key, &v)) continue; /* safe on anything */
    (void)amqp_array_validate(table);
    if (amqp_table_validate(table)) return 0;
    struct buf copy = {0}, text = {0};
    r = reader_of(table);
    while (amqp_table_next(&r, &key, &v)) amqp_table_put_value(&copy, key, &v);
    CHECK(!r.failed);
    CHECK(amqp_table_validate(buf_slice(&copy)) == 0);
    CHECK(copy.size == size);
    (void)amqp_table_equal(table, buf_slice(&copy)); /* not always true: NaN differs from itself */
    int64_t n;
    (void)amqp_table_find_integer(table, "x-max-length", &n);
    amqp_table_print(&text, table);
    buf_close(&text);
    buf_close(&copy);
    return 0;
}
