/* What listings show of a session. */
#include "node/session/session_internal.h"

void session_stats_add(struct session_stats *to, const struct session_stats *from)
{
    uint64_t *sums = (uint64_t *)to;
    const uint64_t *more = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sums; i++) sums[i] += more[i];
}

void session_info(const struct session *s, struct session_info *info)
{
    *info = s->counters;
    info->peer = s->peer;
    info->token = s->token;
    info->user = buf_slice(&s->user);
    info->vhost = buf_slice(&s->vhost);
    info->client_properties = buf_slice(&s->client_properties);
    info->connection_name = buf_slice(&s->connection_name);
    info->mechanism = buf_slice(&s->mechanism);
    info->channels = s->channel_count;
    info->channel_max = s->channel_max;
    info->heartbeat_s = s->heartbeat_s;
    info->frame_max = s->frame_max;
    info->open = s->phase == PHASE_RUNNING;
    info->tls = s->tls;
    info->ended = s->ended;
    info->blocked = s->blocked && s->blocked_told;
    info->stats = s->gone;
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i]) session_stats_add(&info->stats, &s->channels[i]->stats);
}

bool session_next_channel(const struct session *s, uint64_t *cursor, struct session_channel_info *info)
{
    const struct channel *ch = NULL;
    while (*cursor < s->channels_capacity && !ch) ch = s->channels[(*cursor)++];
    if (!ch) return false;
    *info = (struct session_channel_info){
        .number = ch->number,
        .prefetch = ch->prefetch,
        .global_prefetch = ch->global_prefetch,
        .confirm = ch->confirms.enabled,
        .transactional = ch->tx.selected,
        .consumers = ch->consumers.count,
        .unacked = ch->unacked.live,
        .unconfirmed = ch->confirms.enabled ? ch->confirms.next - ch->confirms.first : 0,
        .acks_uncommitted = ch->tx.settle_count,
        .stats = ch->stats,
    };
    if (ch->tx.selected) LIST_FOR(&ch->tx.publishes, link) info->uncommitted++;
    return true;
}

bool session_next_consumer(const struct session *s, uint16_t number, size_t *cursor, struct session_consumer_info *info)
{
    const struct channel *ch = session_channel(s, number);
    uint64_t id;
    const struct consumer *c = ch ? map_u64_next(&ch->consumers, cursor, &id) : NULL;
    if (!c) return false;
    *info = (struct session_consumer_info){
        .tag = channel_consumer_tag(c),
        .arguments = c->arguments,
        .group = c->group,
        .id = c->id,
        .queue = c->queue,
        .prefetch = c->prefetch,
        .no_ack = c->no_ack,
        .exclusive = c->exclusive,
    };
    return true;
}

struct exchange_count *session_exchange_count(struct session *s, struct slice name)
{
    struct exchange_count *x = map_str_get(&s->exchanges, name);
    if (x || s->exchanges.count >= SESSION_EXCHANGES_MAX) return x;
    x = mem_zalloc(sizeof *x);
    x->name_size = (uint8_t)name.size;
    if (name.size) memcpy(x->name, name.data, name.size);
    map_str_set(&s->exchanges, slice_of(x->name, x->name_size), x);
    return x;
}

void session_exchanges_close(struct session *s)
{
    size_t at = 0;
    struct slice name;
    struct exchange_count *x;
    while ((x = map_str_next(&s->exchanges, &at, &name))) mem_free(x);
    map_str_close(&s->exchanges);
}

bool session_next_exchange(const struct session *s, size_t *cursor, struct session_exchange_info *info)
{
    struct slice name;
    const struct exchange_count *x = map_str_next(&s->exchanges, cursor, &name);
    if (x) *info = (struct session_exchange_info){name, x->in, x->out};
    return x != NULL;
}
