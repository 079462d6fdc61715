/* Deliveries beyond basic.qos with global, which counts over all queues of the channel.
 *
 * The queues of one group count together (COMMAND_LIMIT), but groups do not know of each other: each may deliver as many
 * as the channel allows in all. What is too much waits here, unseen by the client and unacked in its queue, until acks
 * make room. Consumers without acks wait, too, as with RabbitMQ, though they do not count. A port tells no receipts
 * meanwhile, so its window bounds what can wait. */
#include "node/session/channel_internal.h"

struct held_delivery {
    struct list link;
    struct session_delivery delivery; /* its content points into `bytes` */
    uint8_t bytes[];
};

static bool is_full(const struct channel *ch)
{
    return ch->limited && ch->counted >= ch->global_prefetch;
}

bool channel_must_hold(const struct channel *ch)
{
    return !list_empty(&ch->held) || is_full(ch); /* behind those that wait: order stays */
}

static struct slice copy(uint8_t **at, struct slice bytes)
{
    struct slice kept = slice_of(*at, bytes.size);
    if (bytes.size) memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

void channel_hold(struct channel *ch, const struct session_delivery *d)
{
    const struct content *c = &d->content;
    size_t size = c->exchange.size + c->routing_key.size + c->properties.size + c->body.size;
    struct held_delivery *h = mem_alloc(sizeof *h + size);
    uint8_t *at = h->bytes;
    h->delivery = *d;
    h->delivery.content = (struct content){copy(&at, c->exchange), copy(&at, c->routing_key), copy(&at, c->properties),
                                           copy(&at, c->body)};
    list_append(&ch->held, &h->link);
}

static void drop(struct held_delivery *h)
{
    list_remove(&h->link);
    mem_free(h);
}

void channel_held_show(struct channel *ch)
{
    while (ch->state == CHANNEL_OPEN && !list_empty(&ch->held) && !is_full(ch)) {
        struct held_delivery *h = LIST_ITEM(ch->held.next, struct held_delivery, link);
        channel_deliver(ch, channel_consumer_by_id(ch, h->delivery.consumer), &h->delivery);
        drop(h);
    }
}

void channel_held_give_back(struct channel *ch, const struct consumer *c)
{
    LIST_FOR_SAFE(&ch->held, link)
    {
        struct held_delivery *h = LIST_ITEM(link, struct held_delivery, link);
        if (c && h->delivery.consumer != c->id) continue;
        channel_settle_add(ch, h->delivery.group, h->delivery.dseq, SETTLE_UNSEEN);
        drop(h);
    }
}

bool session_is_holding(const struct session *s, uint16_t number)
{
    const struct channel *ch = session_channel(s, number);
    return ch && ch->state == CHANNEL_OPEN && !list_empty(&ch->held);
}
