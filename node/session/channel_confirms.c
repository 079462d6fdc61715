/* Publishes without an answer, and publisher confirms: those of a turn leave as one `multiple` wherever the order
 * allows. */
#include "node/session/channel_internal.h"

enum { CONFIRMS_CAPACITY_MIN = 64 };

static void complete(struct channel *ch, uint64_t tag);

void channel_confirms_init(struct confirms *c)
{
    *c = (struct confirms){.first = 1, .next = 1};
}

void channel_confirms_close(struct confirms *c)
{
    mem_free(c->ring);
    mem_free(c->early);
    channel_confirms_init(c);
}

bool channel_confirms_full(const struct confirms *c)
{
    return c->next - c->first >= SESSION_PUBLISHES_MAX || c->bytes >= SESSION_PUBLISH_BYTES_MAX;
}

void channel_confirms_select(struct confirms *c)
{
    if (c->enabled) return;
    c->enabled = true;
    c->base = c->next - 1;
}

static struct pending_publish *slot(const struct confirms *c, uint64_t tag)
{
    return &c->ring[tag & (c->capacity - 1)];
}

static void grow(struct confirms *c)
{
    struct confirms bigger = *c;
    bigger.capacity = c->capacity ? c->capacity * 2 : CONFIRMS_CAPACITY_MIN;
    bigger.ring = mem_alloc(bigger.capacity * sizeof *bigger.ring);
    for (uint64_t tag = c->first; tag < c->next; tag++) *slot(&bigger, tag) = *slot(c, tag);
    mem_free(c->ring);
    *c = bigger;
}

uint64_t channel_confirms_push(struct channel *ch, uint32_t bytes, uint16_t exchange)
{
    struct confirms *c = &ch->confirms;
    struct session *s = ch->session;
    if (c->next - c->first == c->capacity) grow(c);
    uint64_t tag = c->next++;
    *slot(c, tag) = (struct pending_publish){.published_ms = (uint32_t)s->now_ms, .bytes = bytes, .exchange = exchange};
    c->bytes += bytes;
    if (!s->publish_check_ms) s->publish_check_ms = s->now_ms + s->settings->publish_timeout_ms;
    return tag;
}

void channel_confirms_expect(struct channel *ch, uint64_t tag, unsigned groups)
{
    struct confirms *c = &ch->confirms;
    struct pending_publish *p = slot(c, tag);
    p->remaining = (int16_t)(p->remaining + (int)groups);
    if (!p->remaining) complete(ch, tag);
}

void channel_confirms_answer(struct channel *ch, uint64_t tag, bool ok)
{
    struct confirms *c = &ch->confirms;
    if (tag < c->first || tag >= c->next) return;
    struct pending_publish *p = slot(c, tag);
    if (p->state != PUBLISH_WAITING) return;
    if (!ok) p->refused = true;
    if (!--p->remaining) complete(ch, tag);
}

/* All groups have answered. */
static void complete(struct channel *ch, uint64_t tag)
{
    struct confirms *c = &ch->confirms;
    struct pending_publish *p = slot(c, tag);
    p->state = PUBLISH_DONE;
    c->bytes -= p->bytes;
    if (ch->tx.selected) channel_tx_answered(ch, tag, p->refused);
    if (!c->enabled || tag <= c->base) { /* nobody is to be told */
        p->state = PUBLISH_REPORTED;
        while (c->first < c->next && slot(c, c->first)->state == PUBLISH_REPORTED) c->first++;
        session_mark_dirty(ch);
        return;
    }
    session_mark_dirty(ch);
    if (tag == c->first) return; /* found from the front */
    if (c->early_count == c->early_capacity)
        c->early = mem_grow(c->early, &c->early_capacity, c->early_count + 1, sizeof *c->early);
    c->early[c->early_count++] = tag;
}

static void send(struct channel *ch, uint64_t tag, bool refused, bool multiple)
{
    struct session *s = ch->session;
    uint64_t number = tag - ch->confirms.base;
    if (refused) amqp_nack_put(&s->output, ch->number, number, multiple);
    else amqp_ack_put(&s->output, ch->number, number, multiple);
    s->counters.sent_frames++;
}

static void count_confirm(struct channel *ch, const struct pending_publish *p)
{
    struct session_exchange_counts *x = counts_exchange(&ch->counts, p->exchange);
    ch->stats.confirm++;
    if (x) x->confirmed++;
}

void channel_confirms_flush(struct channel *ch)
{
    struct confirms *c = &ch->confirms;
    uint64_t last = 0, count = 0; /* of the run of acks from the front */
    for (; c->first < c->next; c->first++) {
        struct pending_publish *p = slot(c, c->first);
        if (p->state == PUBLISH_WAITING) break;
        if (p->state == PUBLISH_REPORTED) continue;
        if (p->refused) {
            /* A multiple ack speaks for all before it, so the run ends here; the nack stands alone. */
            if (count) send(ch, last, false, count > 1);
            send(ch, c->first, true, false);
            count = 0;
        } else {
            last = c->first;
            count++;
            count_confirm(ch, p);
        }
    }
    if (count) send(ch, last, false, count > 1);
    for (size_t i = 0; i < c->early_count; i++) {
        if (c->early[i] < c->first) continue;
        struct pending_publish *p = slot(c, c->early[i]);
        if (p->state != PUBLISH_DONE) continue;
        p->state = PUBLISH_REPORTED;
        if (!p->refused) count_confirm(ch, p);
        send(ch, c->early[i], p->refused, false);
    }
    c->early_count = 0;
}

bool channel_confirms_expire(struct channel *ch, uint64_t now_ms, uint64_t timeout_ms)
{
    struct confirms *c = &ch->confirms;
    for (uint64_t tag = c->first; tag < c->next; tag++) {
        struct pending_publish *p = slot(c, tag);
        if (p->state != PUBLISH_WAITING) continue;
        if ((uint32_t)((uint32_t)now_ms - p->published_ms) < timeout_ms) break; /* the younger ones too */
        if (!c->enabled || tag <= c->base) return false;
        p->refused = true;
        complete(ch, tag);
    }
    return true;
}

void session_confirm(struct session *s, uint16_t number, uint64_t tag, bool ok)
{
    struct channel *ch = session_channel(s, number);
    if (!ch || ch->state != CHANNEL_OPEN) return;
    channel_confirms_answer(ch, tag, ok);
}
