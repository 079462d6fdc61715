/* What listings show of a session. */
#include "node/session/channel_internal.h"

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

/* The closed channels' together, then each open one's: the cursor's upper half says which. */
bool session_next_exchange(const struct session *s, uint64_t *cursor, struct session_exchange_info *info)
{
    for (;;) {
        uint64_t which = *cursor >> 32;
        size_t at = (uint32_t)*cursor;
        if (which > s->channels_capacity) return false;
        const struct channel *ch = which ? s->channels[which - 1] : NULL;
        const struct counts *counts = !which ? &s->gone_counts : ch ? &ch->counts : NULL;
        bool found = counts && counts_next_exchange(counts, &at, info);
        *cursor = found ? which << 32 | at : (which + 1) << 32;
        if (found) return true;
    }
}

bool session_next_channel_exchange(const struct session *s, uint16_t number, size_t *cursor,
                                   struct session_exchange_info *info)
{
    const struct channel *ch = session_channel(s, number);
    return ch && counts_next_exchange(&ch->counts, cursor, info);
}

bool session_next_channel_queue(const struct session *s, uint16_t number, size_t *cursor,
                                struct session_queue_counts *counts)
{
    const struct channel *ch = session_channel(s, number);
    if (!ch || *cursor >= ch->counts.queue_count) return false;
    *counts = ch->counts.queues[(*cursor)++];
    return true;
}
