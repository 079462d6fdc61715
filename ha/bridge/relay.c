#include "ha/bridge/relay.h"

#include "base/mem.h"

enum { RELAY_CAPACITY_MIN = 64 };

void relay_init(struct relay *r, enum relay_ack_mode mode, uint64_t now_ms)
{
    *r = (struct relay){.mode = (uint8_t)mode, .first = 1, .next = 1, .progress_ms = now_ms};
}

void relay_close(struct relay *r)
{
    mem_free(r->entries);
    *r = (struct relay){0};
}

static struct relay_entry *entry(const struct relay *r, uint64_t number)
{
    return &r->entries[number & (r->capacity - 1)];
}

static void grow(struct relay *r)
{
    size_t capacity = r->capacity ? r->capacity * 2 : RELAY_CAPACITY_MIN;
    struct relay_entry *entries = mem_alloc(capacity * sizeof *entries);
    for (uint64_t n = r->first; n < r->next; n++) entries[n & (capacity - 1)] = *entry(r, n);
    mem_free(r->entries);
    r->entries = entries;
    r->capacity = capacity;
}

void relay_published(struct relay *r, uint64_t delivery_tag, uint64_t number, uint64_t now_ms)
{
    r->forwarded++;
    if (r->mode != RELAY_ON_CONFIRM) {
        r->settled++;
        if (r->mode == RELAY_ON_PUBLISH) r->ack_up_to = delivery_tag;
        return;
    }
    CHECK(number == r->next);
    if (r->next - r->first == r->capacity) grow(r);
    if (r->next == r->first) r->progress_ms = now_ms;
    *entry(r, r->next++) = (struct relay_entry){.tag = delivery_tag, .up_to = delivery_tag};
}

void relay_dropped(struct relay *r, uint64_t delivery_tag)
{
    r->dropped++;
    if (r->mode == RELAY_NO_ACK) return;
    if (r->first == r->next) r->ack_up_to = delivery_tag;
    else entry(r, r->next - 1)->up_to = delivery_tag;
}

static void mark(struct relay *r, uint64_t number, bool ok, uint64_t now_ms)
{
    if (number < r->first || number >= r->next) return;
    struct relay_entry *e = entry(r, number);
    if (e->confirmed || e->refused_ms) return;
    if (ok) e->confirmed = true;
    else e->refused_ms = now_ms ? now_ms : 1;
    r->refused += !ok;
}

void relay_confirmed(struct relay *r, uint64_t number, bool multiple, bool ok, uint64_t now_ms)
{
    if (r->mode != RELAY_ON_CONFIRM) return;
    r->progress_ms = now_ms;
    for (uint64_t n = multiple ? r->first : number; n <= number && n < r->next; n++) mark(r, n, ok, now_ms);
}

void relay_settle(struct relay *r, struct client *source, uint16_t channel, uint64_t now_ms)
{
    while (r->first < r->next) {
        const struct relay_entry *e = entry(r, r->first);
        bool refused = e->refused_ms && now_ms >= e->refused_ms + RELAY_REFUSED_MS;
        if (!e->confirmed && !refused) break;
        if (refused) {
            if (r->ack_up_to) client_ack(source, channel, r->ack_up_to, true);
            client_nack(source, channel, e->tag, true);
            r->ack_up_to = e->up_to > e->tag ? e->up_to : 0;
        } else {
            r->ack_up_to = e->up_to;
            r->settled++;
        }
        r->first++;
    }
    if (r->ack_up_to) client_ack(source, channel, r->ack_up_to, true);
    r->ack_up_to = 0;
}

uint64_t relay_pending(const struct relay *r)
{
    return r->next - r->first;
}

bool relay_stalled(const struct relay *r, uint64_t now_ms)
{
    if (r->first == r->next || entry(r, r->first)->refused_ms) return false;
    return now_ms >= r->progress_ms + RELAY_STALL_MS;
}

uint64_t relay_deadline_ms(const struct relay *r)
{
    if (r->first == r->next) return UINT64_MAX;
    const struct relay_entry *e = entry(r, r->first);
    return e->refused_ms ? e->refused_ms + RELAY_REFUSED_MS : r->progress_ms + RELAY_STALL_MS;
}
