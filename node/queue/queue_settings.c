/* The bytes of a queue's settings: docs/formats/command.md. */
#include "node/queue/command.h"

enum {
    SETTING_AUTO_DELETE = 1,
    SETTING_SINGLE_ACTIVE = 2,
    SETTING_DEAD_LETTER_EXCHANGE = 4,
    SETTING_DEAD_LETTER_KEY = 8,
    SETTING_DEDUPLICATES = 16,
    SETTING_DISCONNECTED = 32, /* the timeout follows at the end */
};

void queue_settings_encode(struct buf *b, const struct queue_settings *s)
{
    uint8_t flags =
        (s->auto_delete ? SETTING_AUTO_DELETE : 0) | (s->single_active_consumer ? SETTING_SINGLE_ACTIVE : 0) |
        (s->has_dead_letter_exchange ? SETTING_DEAD_LETTER_EXCHANGE : 0) |
        (s->dead_letter_routing_key.data ? SETTING_DEAD_LETTER_KEY : 0) | (s->deduplicates ? SETTING_DEDUPLICATES : 0) |
        (s->disconnected_timeout_ms >= 0 ? SETTING_DISCONNECTED : 0);
    buf_put_u8(b, flags);
    buf_put_u8(b, s->max_priority);
    buf_put_u8(b, s->overflow);
    buf_put_u8(b, s->delayed_retry);
    buf_put_le64(b, (uint64_t)s->message_ttl_ms);
    buf_put_le64(b, (uint64_t)s->expires_ms);
    buf_put_le64(b, (uint64_t)s->max_length);
    buf_put_le64(b, (uint64_t)s->max_length_bytes);
    buf_put_le64(b, (uint64_t)s->delivery_limit);
    buf_put_le64(b, (uint64_t)s->delayed_retry_min_ms);
    buf_put_le64(b, (uint64_t)s->delayed_retry_max_ms);
    buf_put_le64(b, (uint64_t)s->consumer_timeout_ms);
    buf_put_le64(b, (uint64_t)s->window_size);
    buf_put_le64(b, (uint64_t)s->window_ttl_ms);
    buf_put_counted(b, s->dead_letter_exchange);
    buf_put_counted(b, s->dead_letter_routing_key);
    if (s->disconnected_timeout_ms >= 0) buf_put_le64(b, (uint64_t)s->disconnected_timeout_ms);
}

bool queue_settings_decode(struct reader *r, struct queue_settings *s)
{
    *s = (struct queue_settings){0};
    uint8_t flags = reader_u8(r);
    s->auto_delete = flags & SETTING_AUTO_DELETE;
    s->single_active_consumer = flags & SETTING_SINGLE_ACTIVE;
    s->has_dead_letter_exchange = flags & SETTING_DEAD_LETTER_EXCHANGE;
    s->max_priority = reader_u8(r);
    s->overflow = reader_u8(r);
    s->delayed_retry = reader_u8(r);
    s->message_ttl_ms = (int64_t)reader_le64(r);
    s->expires_ms = (int64_t)reader_le64(r);
    s->max_length = (int64_t)reader_le64(r);
    s->max_length_bytes = (int64_t)reader_le64(r);
    s->delivery_limit = (int64_t)reader_le64(r);
    s->delayed_retry_min_ms = (int64_t)reader_le64(r);
    s->delayed_retry_max_ms = (int64_t)reader_le64(r);
    s->consumer_timeout_ms = (int64_t)reader_le64(r);
    s->window_size = (int64_t)reader_le64(r);
    s->window_ttl_ms = (int64_t)reader_le64(r);
    s->deduplicates = flags & SETTING_DEDUPLICATES;
    s->dead_letter_exchange = reader_counted(r);
    s->dead_letter_routing_key = reader_counted(r);
    if (!(flags & SETTING_DEAD_LETTER_KEY)) s->dead_letter_routing_key = (struct slice){0};
    s->disconnected_timeout_ms = flags & SETTING_DISCONNECTED ? (int64_t)reader_le64(r) : -1;
    if (flags & SETTING_DISCONNECTED && s->disconnected_timeout_ms < 0) return false; /* there is one way to say none */
    return !r->failed && s->overflow <= OVERFLOW_REJECT_PUBLISH_DLX && s->delayed_retry <= DELAYED_RETRY_RETURNED &&
           s->delayed_retry_min_ms <= (int64_t)COMMAND_TIME_MS_MAX &&
           s->delayed_retry_max_ms <= (int64_t)COMMAND_TIME_MS_MAX &&
           s->consumer_timeout_ms <= (int64_t)COMMAND_TIME_MS_MAX && s->window_ttl_ms <= (int64_t)COMMAND_TIME_MS_MAX;
}
