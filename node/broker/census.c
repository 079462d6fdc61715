/* How many connections a vhost or a user has, and how many channels, in the whole cluster: what limits are held
 * against.
 *
 * Each shard counts its own and tells all others what it has of those that a limit names, when that changes and every
 * few seconds (which heals what was lost). So a limit is as exact as news are fresh: two nodes that let the last one in
 * at the same moment make it one too many, as in RabbitMQ. */
#include "node/broker/broker_internal.h"

enum { CENSUS_REPEAT_MS = 5000, CENSUS_BYTES_MAX = 1 << 20 };

struct tally {
    struct slice key; /* owned: a byte of enum backend_census, the name */
    uint64_t count;
};

/* What another shard has told last. */
struct report {
    struct list link;
    uint8_t node;
    uint16_t shard;
    struct buf bytes; /* as in census_report() */
};

void census_init(struct census *c)
{
    list_init(&c->reports);
}

static void report_free(struct report *r)
{
    list_remove(&r->link);
    buf_close(&r->bytes);
    mem_free(r);
}

void census_close(struct census *c)
{
    size_t at = 0;
    struct slice key;
    struct tally *tally;
    LIST_FOR_SAFE(&c->reports, link) report_free(LIST_ITEM(link, struct report, link));
    while ((tally = map_str_next(&c->own, &at, &key))) {
        mem_free((void *)tally->key.data);
        mem_free(tally);
    }
    map_str_close(&c->own);
}

static bool is_limited(const struct topology *t, uint8_t what, struct slice name)
{
    struct slice none = {0};
    switch (what) {
    case BACKEND_CONNECTIONS_OF_VHOST:
        return registry_limit(t, REGISTRY_VHOST_LIMIT, name, slice_str("max-connections"), none) >= 0;
    case BACKEND_CONNECTIONS_OF_NODE:
    case BACKEND_CHANNELS_OF_NODE: /* counted only where there is such a limit */
        return true;
    case BACKEND_CONNECTIONS_OF_USER:
        return registry_limit(t, REGISTRY_USER_LIMIT, none, name, slice_str("max-connections")) >= 0;
    default:
        return registry_limit(t, REGISTRY_USER_LIMIT, none, name, slice_str("max-channels")) >= 0;
    }
}

void census_add(struct broker *b, uint8_t what, struct slice name, int difference)
{
    struct census *c = &b->census;
    struct buf key = {0};
    buf_put_u8(&key, what);
    buf_put_slice(&key, name);
    struct tally *tally = map_str_get(&c->own, buf_slice(&key));
    if (!tally) {
        tally = mem_zalloc(sizeof *tally);
        tally->key = buf_slice(&key);
        map_str_set(&c->own, tally->key, tally);
    } else {
        buf_close(&key);
    }
    tally->count += (uint64_t)(int64_t)difference;
    c->news = c->news || is_limited(b->params.topology, what, name);
    if (tally->count) return;
    map_str_remove(&c->own, tally->key);
    mem_free((void *)tally->key.data);
    mem_free(tally);
}

static uint64_t count_in(const struct report *r, uint8_t what, struct slice name)
{
    struct reader reader = reader_of(buf_slice(&r->bytes));
    while (reader_left(&reader)) {
        uint8_t kind = reader_u8(&reader);
        struct slice other = reader_counted(&reader);
        uint64_t count = reader_varint(&reader);
        if (!reader.failed && kind == what && slice_equal(other, name)) return count;
    }
    return 0;
}

uint64_t census_count(struct broker *b, uint8_t what, struct slice name)
{
    struct buf key = {0};
    buf_put_u8(&key, what);
    buf_put_slice(&key, name);
    struct tally *tally = map_str_get(&b->census.own, buf_slice(&key));
    buf_close(&key);
    uint64_t count = tally ? tally->count : 0;
    LIST_FOR(&b->census.reports, link) count += count_in(LIST_ITEM(link, struct report, link), what, name);
    return count;
}

/* --- news --- */

static struct mail *census_report(struct broker *b)
{
    struct buf bytes = {0};
    size_t at = 0;
    struct slice key;
    struct tally *tally;
    while ((tally = map_str_next(&b->census.own, &at, &key)) && bytes.size < CENSUS_BYTES_MAX) {
        struct slice name = slice_of(key.data + 1, key.size - 1);
        if (!is_limited(b->params.topology, key.data[0], name)) continue;
        buf_put_u8(&bytes, key.data[0]);
        buf_put_counted(&bytes, name);
        buf_put_varint(&bytes, tally->count);
    }
    struct mail *m = mail_create(MAIL_CENSUS);
    m->node = b->params.node;
    m->shard = b->params.shard;
    if (bytes.size) {
        m->part.blob = blob_copy(bytes.data, bytes.size);
        m->part.size = (uint32_t)bytes.size;
    }
    buf_close(&bytes);
    return m;
}

static struct mail *copy_of(const struct mail *m)
{
    struct mail *copy = mail_create(m->type);
    copy->node = m->node;
    copy->shard = m->shard;
    copy->a = m->shard;
    copy->b = m->node;
    if (m->part.size) {
        copy->part.blob = blob_copy(part_slice(m->part).data, m->part.size); /* blobs are one shard's */
        copy->part.size = m->part.size;
    }
    return copy;
}

static void tell_siblings(struct broker *b, const struct mail *m)
{
    for (uint16_t shard = 0; shard < b->params.shard_count; shard++)
        if (shard != b->params.shard) b->io->post(b->io->self, shard, copy_of(m));
}

void census_turn(struct broker *b)
{
    struct census *c = &b->census;
    const struct session_settings *own = b->params.session_settings;
    bool limits = registry_count(b->params.topology, REGISTRY_VHOST_LIMIT) ||
                  registry_count(b->params.topology, REGISTRY_USER_LIMIT) || own->node_connection_max ||
                  own->node_channel_max;
    if (!limits || (!c->news && b->now_ms < c->repeat_at_ms)) return;
    c->news = false;
    c->repeat_at_ms = b->now_ms + CENSUS_REPEAT_MS;
    struct mail *m = census_report(b);
    tell_siblings(b, m);
    for (unsigned node = 1; node < BROKER_NODES_MAX; node++)
        if (node != b->params.node && b->io->connected(b->io->self, (uint8_t)node))
            broker_send_mail(b, (uint8_t)node, copy_of(m));
    mail_destroy(m);
}

void census_heard(struct broker *b, struct mail *m, bool from_sibling)
{
    uint8_t node = from_sibling ? (uint8_t)m->b : m->node;
    uint16_t shard = from_sibling ? (uint16_t)m->a : m->shard;
    struct report *known = NULL;
    LIST_FOR(&b->census.reports, link)
    {
        struct report *r = LIST_ITEM(link, struct report, link);
        if (r->node == node && r->shard == shard) known = r;
    }
    if (!known) {
        known = mem_zalloc(sizeof *known);
        known->node = node;
        known->shard = shard;
        list_init(&known->link);
        list_append(&b->census.reports, &known->link);
    }
    buf_clear(&known->bytes);
    if (m->part.size) buf_put_slice(&known->bytes, part_slice(m->part));
    if (!from_sibling) tell_siblings(b, m);
}

void census_node_down(struct broker *b, uint8_t node)
{
    LIST_FOR_SAFE(&b->census.reports, link)
    {
        struct report *r = LIST_ITEM(link, struct report, link);
        if (r->node == node) report_free(r);
    }
}
