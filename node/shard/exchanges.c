/* What connections published to each exchange, kept when they go: counters of exchanges only rise. */
#include "node/shard/shard_internal.h"

enum {
    EXCHANGES_MAX = 65536, /* that are kept; beyond, what gone connections did with others is forgotten */
    PAIRS_MAX = 262144,    /* of an exchange and a queue that got messages from it, all in all */
};

struct closed_exchange {
    struct session_exchange_counts counts;
    struct session_routed *routed;
    size_t routed_count, routed_capacity;
    struct map_u64 places; /* queue -> its number in `routed` + 1 */
    size_t vhost_size, name_size;
    uint8_t key[]; /* vhost, zero, name */
};

static struct closed_exchange *find(struct shard *s, struct slice vhost, struct slice name)
{
    struct buf key = {0};
    buf_put_slice(&key, vhost);
    buf_put_u8(&key, 0);
    buf_put_slice(&key, name);
    struct closed_exchange *x = map_str_get(&s->closed_exchanges, buf_slice(&key));
    if (!x && s->closed_exchanges.count < EXCHANGES_MAX) {
        x = mem_zalloc(sizeof *x + key.size);
        x->vhost_size = vhost.size;
        x->name_size = name.size;
        memcpy(x->key, key.data, key.size);
        map_str_set(&s->closed_exchanges, slice_of(x->key, key.size), x);
    }
    buf_close(&key);
    return x;
}

static void keep_routed(struct shard *s, struct closed_exchange *x, struct session_routed routed)
{
    size_t place = (size_t)(uintptr_t)map_u64_get(&x->places, routed.queue);
    if (!place && s->closed_pairs == PAIRS_MAX) return;
    if (!place) {
        x->routed = mem_grow(x->routed, &x->routed_capacity, x->routed_count + 1, sizeof *x->routed);
        x->routed[x->routed_count++] = (struct session_routed){routed.queue, 0};
        place = x->routed_count;
        map_u64_set(&x->places, routed.queue, (void *)(uintptr_t)place);
        s->closed_pairs++;
    }
    x->routed[place - 1].count += routed.count;
}

void exchanges_keep(struct shard *s, const struct session *session, struct slice vhost)
{
    struct session_exchange_info info;
    for (uint64_t cursor = 0; session_next_exchange(session, &cursor, &info);) {
        struct closed_exchange *x = find(s, vhost, info.name);
        if (!x) continue;
        for (size_t i = 0; i < sizeof info.counts / sizeof(uint64_t); i++)
            ((uint64_t *)&x->counts)[i] += ((const uint64_t *)&info.counts)[i];
        for (size_t i = 0; i < info.routed_count; i++) keep_routed(s, x, info.routed[i]);
    }
}

bool shard_next_closed_exchange(const struct shard *s, size_t *cursor, struct slice *vhost,
                                struct session_exchange_info *info)
{
    struct slice key;
    const struct closed_exchange *x = map_str_next(&s->closed_exchanges, cursor, &key);
    if (!x) return false;
    *vhost = slice_of(x->key, x->vhost_size);
    *info = (struct session_exchange_info){slice_of(x->key + x->vhost_size + 1, x->name_size), x->counts, x->routed,
                                           x->routed_count};
    return true;
}

void exchanges_close(struct shard *s)
{
    size_t at = 0;
    struct slice key;
    struct closed_exchange *x;
    while ((x = map_str_next(&s->closed_exchanges, &at, &key))) {
        map_u64_close(&x->places);
        mem_free(x->routed);
        mem_free(x);
    }
    map_str_close(&s->closed_exchanges);
}
