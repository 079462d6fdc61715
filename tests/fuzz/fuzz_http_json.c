// room: node_http
/* What comes in over HTTP and is not asked of the broker: paths, field tables as JSON, base64, how a list is sorted and
 * thinned out. The first byte says what the rest is. */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "node/amqp/table.h"
#include "node/http/base64.h"
#include "node/http/definitions.h"
#include "node/http/http_internal.h"
#include "router/json.h"

static void table(const json_t *value)
{
    struct buf made = {0}, again = {0};
    if (table_of_json(&made, value)) {
        CHECK(amqp_table_validate(buf_slice(&made)) == 0);
        json_t *back = json_table(buf_slice(&made));
        CHECK(json_is_object(back));
        CHECK(table_of_json(&again, back));
        CHECK(slice_equal(buf_slice(&made), buf_slice(&again)));
        json_decref(back);
    }
    buf_close(&made);
    buf_close(&again);
}

static void base64(struct slice text)
{
    struct buf bytes = {0}, back = {0}, again = {0};
    base64_encode(&back, text);
    CHECK(base64_decode(&bytes, buf_slice(&back)));
    CHECK(slice_equal(buf_slice(&bytes), text));
    buf_clear(&bytes);
    buf_clear(&back);
    if (base64_decode(&bytes, text)) {
        base64_encode(&back, buf_slice(&bytes));
        CHECK(base64_decode(&again, buf_slice(&back)));
        CHECK(slice_equal(buf_slice(&again), buf_slice(&bytes)));
    }
    buf_close(&bytes);
    buf_close(&back);
    buf_close(&again);
}

static void path(struct slice text)
{
    char *copy = mem_strndup((const char *)text.data, text.size);
    size_t size = strlen(copy);
    struct slice plain = http_unescape(copy, size);
    CHECK(plain.size <= size);
    mem_free(copy);
}

/* "order", a zero, and a list. */
static void list(struct slice bytes)
{
    char *order = mem_strndup((const char *)bytes.data, bytes.size);
    size_t size = strlen(order) + 1;
    json_t *items = size < bytes.size ? json_of(slice_of(bytes.data + size, bytes.size - size), NULL) : NULL;
    if (json_is_array(items)) {
        size_t count = json_array_size(items);
        items = listing_sort(items, order);
        CHECK(json_array_size(items) == count);
        for (size_t i = 0; i < count; i++) json_decref(columns_of(json_array_get(items, i), order));
    }
    json_decref(items);
    mem_free(order);
}

/* What bodies and definitions become before the registry looks at them. */
static void values(const json_t *body)
{
    if (!json_is_object(body)) return;
    json_decref(policy_value(body));
    json_decref(vhost_value(body, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    json_t *value;
    switch (data[0] % 4) {
    case 0:
        if (!(value = json_of(rest, NULL))) return 0;
        table(value);
        values(value);
        json_decref(value);
        return 0;
    case 1:
        base64(rest);
        return 0;
    case 2:
        path(rest);
        return 0;
    default:
        list(rest);
        return 0;
    }
}
