#include "node/amqp/marks.h"

#include <stdio.h>

#include "base/hash.h"
#include "node/amqp/table.h"

/* A letter for the type, then the value: integers of any width are one. Two hashes stand for what is too long: 128 bits
 * are enough for what nobody chose to collide. */
static void take(struct amqp_mark *m, const struct amqp_value *v)
{
    int64_t n;
    uint64_t hashes[2];
    m->size = 0;
    if (amqp_value_integer(v, &n)) {
        m->size = (uint8_t)snprintf((char *)m->bytes, sizeof m->bytes, "i%lld", (long long)n);
    } else if (v->type == 't') {
        m->size = (uint8_t)snprintf((char *)m->bytes, sizeof m->bytes, "t%d", v->boolean);
    } else if (v->type == 'f' || v->type == 'd') {
        m->bytes[0] = 'd';
        memcpy(m->bytes + 1, &v->real, sizeof v->real);
        m->size = 1 + sizeof v->real;
    } else if ((v->type == 'S' || v->type == 'x') && v->bytes.size < sizeof m->bytes) {
        m->bytes[0] = 'S';
        if (v->bytes.size) memcpy(m->bytes + 1, v->bytes.data, v->bytes.size);
        m->size = (uint8_t)(1 + v->bytes.size);
    } else if (v->type == 'S' || v->type == 'x') {
        hashes[0] = hash_bytes(v->bytes.data, v->bytes.size, 1);
        hashes[1] = hash_bytes(v->bytes.data, v->bytes.size, 2);
        m->bytes[0] = 'h';
        memcpy(m->bytes + 1, hashes, sizeof hashes);
        m->size = 1 + sizeof hashes;
    }
}

static uint64_t positive(const struct amqp_value *v)
{
    int64_t n;
    if (v->type == 'f' || v->type == 'd') return v->real > 0 && v->real <= AMQP_DELAY_MS_MAX ? (uint64_t)v->real : 0;
    return amqp_value_integer(v, &n) && n > 0 ? (uint64_t)n : 0;
}

bool amqp_marks_find(struct slice headers, struct amqp_marks *m)
{
    struct reader r = reader_of(headers);
    struct slice key;
    struct amqp_value v;
    int64_t sequence = -1;
    m->key.size = m->producer.size = 0;
    m->key_ttl_ms = m->sequence = m->delay_ms = 0;
    m->no_store = false;
    while (amqp_table_next(&r, &key, &v)) {
        if (key.size < 7 || key.data[0] != 'x' || key.data[1] != '-') continue;
        if (slice_is(key, "x-deduplication-header")) take(&m->key, &v);
        else if (slice_is(key, "x-cache-ttl")) m->key_ttl_ms = positive(&v);
        else if (slice_is(key, "x-producer-id")) take(&m->producer, &v);
        else if (slice_is(key, "x-producer-sequence")) amqp_value_integer(&v, &sequence);
        else if (slice_is(key, "x-delay")) m->delay_ms = positive(&v);
        else if (slice_is(key, "x-recent-history-no-store")) m->no_store = v.type == 't' && v.boolean;
    }
    if (m->delay_ms > AMQP_DELAY_MS_MAX) m->delay_ms = 0;
    if (sequence < 0) m->producer.size = 0;
    else m->sequence = (uint64_t)sequence;
    return m->key.size || m->producer.size || m->delay_ms || m->no_store;
}
