/* What connections published to each exchange, kept when they go: counters of exchanges only rise. */
#include "node/shard/shard_internal.h"

enum { EXCHANGES_MAX = 65536 /* that are kept; beyond, what gone connections did with others is forgotten */ };

struct closed_exchange {
    uint64_t in, out;
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

void exchanges_keep(struct shard *s, const struct session *session, struct slice vhost)
{
    struct session_exchange_info info;
    for (size_t cursor = 0; session_next_exchange(session, &cursor, &info);) {
        struct closed_exchange *x = find(s, vhost, info.name);
        if (!x) continue;
        x->in += info.in;
        x->out += info.out;
    }
}

bool shard_next_closed_exchange(const struct shard *s, size_t *cursor, struct slice *vhost,
                                struct session_exchange_info *info)
{
    struct slice key;
    const struct closed_exchange *x = map_str_next(&s->closed_exchanges, cursor, &key);
    if (!x) return false;
    *vhost = slice_of(x->key, x->vhost_size);
    *info = (struct session_exchange_info){slice_of(x->key + x->vhost_size + 1, x->name_size), x->in, x->out};
    return true;
}

void exchanges_close(struct shard *s)
{
    size_t at = 0;
    struct slice key;
    struct closed_exchange *x;
    while ((x = map_str_next(&s->closed_exchanges, &at, &key))) mem_free(x);
    map_str_close(&s->closed_exchanges);
}
