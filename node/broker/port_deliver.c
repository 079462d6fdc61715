/* Deliveries at the port they are for: taken in their order, without a loss, and told as received in time. */
#include "node/broker/broker_internal.h"

enum { RECEIPT_EVERY = PORT_WINDOW_MESSAGES / 4, RECEIPT_BYTES = PORT_WINDOW_BYTES / 4 };

/* What is in hand is received if the client's socket has room for it. */
static void took(struct port *p)
{
    struct session *session = p->channel->connection->session;
    if (session_wants_deliveries(session) && !session_is_holding(session, p->channel->number)) port_shown(p);
    else p->channel->connection->behind = true;
    port_receipt(p);
    channel_touched(p->channel);
}

/* What never came may have filled the leader's window: it is told at once that there is room. */
static void skip_settled(struct port *p)
{
    if (p->settled <= p->in_hand) return;
    p->in_hand = p->settled;
    p->in_hand_bytes += RECEIPT_BYTES;
}

void port_settled(struct port *p, const struct effect *e)
{
    p->retold = e->dseq;
    p->settled = e->number;
    if (p->in_hand < p->retold) return; /* the last of those that follow ends it */
    skip_settled(p);
    if (p->channel) took(p);
}

void port_deliver(struct port *p, const struct effect *e)
{
    if (e->dseq <= p->in_hand) return;                     /* repeated after a change of leader */
    if (e->dseq > p->in_hand + 1 && e->dseq > p->retold) { /* one was lost: the leader tells again from there */
        if (p->state == PORT_SYNCED) port_hello_soon(p);
        return;
    }
    p->in_hand = e->dseq;
    p->in_hand_bytes += e->content.size;
    if (p->in_hand == p->retold) skip_settled(p);
    if (!p->channel) return;
    struct session *session = p->channel->connection->session;
    struct session_delivery delivery = {.group = p->group,
                                        .consumer = e->consumer,
                                        .dseq = e->dseq,
                                        .redelivered = e->redelivered,
                                        .delivery_count = e->b,
                                        .ready_left = e->a,
                                        .place = e->number};
    if (!content_decode(part_slice(e->content), &delivery.content)) {
        broker_note(p->broker, 0, "broker delivery_unreadable port=%llx queue=%llu", (unsigned long long)p->id,
                    (unsigned long long)e->queue);
        return;
    }
    session_deliver(session, p->channel->number, &delivery);
    took(p);
}

void port_shown(struct port *p)
{
    p->received = p->in_hand;
    p->received_bytes = p->in_hand_bytes;
}

/* The window is one of messages and of bytes: a client that acks nothing yet may have filled either. */
void port_receipt(struct port *p)
{
    bool due =
        p->received - p->received_told >= RECEIPT_EVERY || p->received_bytes - p->received_bytes_told >= RECEIPT_BYTES;
    if (due && !p->writer_open) command_empty_encode(port_write(p), COMMAND_RECEIPT);
}
