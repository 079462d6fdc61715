/* Keeps an exchange link's bindings at the upstream like those here, over channels of their own. */
#include "base/mem.h"
#include "ha/federation/exchange_link_internal.h"
#include "ha/federation/marks.h"
#include "node/amqp/table.h"

/* They are opened when there is a binding for them. */
void exchange_link_count_bind_channels(struct exchange_link *l)
{
    uint16_t max = client_channel_max(exchange_link_upstream(l));
    uint16_t room = max > CHANNEL_BIND ? (uint16_t)(max - CHANNEL_BIND) : 0;
    l->bind_channels = 0;
    l->bind_channels_max = room < BIND_CHANNELS ? room : BIND_CHANNELS;
    if (upstream_is_single_channel(&l->federated.upstream)) l->bind_channels_max = 0;
}

static uint16_t bind_channel(struct exchange_link *l)
{
    uint16_t max = l->bind_channels_max;
    if (l->step == STEP_DONE && max > BIND_CHANNELS_KEPT) max = BIND_CHANNELS_KEPT;
    if (!max) return CHANNEL_COMMANDS;
    if (l->bind_channels == max) return (uint16_t)(CHANNEL_BIND + l->next_bind_channel++ % max);
    client_channel_open(exchange_link_upstream(l), (uint16_t)(CHANNEL_BIND + l->bind_channels), TOKEN_NONE);
    return (uint16_t)(CHANNEL_BIND + l->bind_channels++);
}

/* All bindings are there: none of them can be overtaken on another channel any more. */
void exchange_link_close_bind_channels(struct exchange_link *l)
{
    struct mirrored *b;
    size_t at = 0;
    while ((b = map_str_next(&l->bindings, &at, NULL)))
        if (b->channel >= CHANNEL_BIND + BIND_CHANNELS_KEPT)
            b->channel = (uint16_t)(CHANNEL_BIND + (b->channel - CHANNEL_BIND) % BIND_CHANNELS_KEPT);
    for (; l->bind_channels > BIND_CHANNELS_KEPT; l->bind_channels--)
        client_channel_close(exchange_link_upstream(l), (uint16_t)(CHANNEL_BIND + l->bind_channels - 1));
}

/* False: this binding must not travel there. */
static bool send_binding(struct exchange_link *l, struct mirrored *m, bool bind)
{
    const struct federated *f = &l->federated;
    struct buf down = {0}, arguments = {0};
    buf_printf(&down, "%s:%s %c", f->vhost, f->name, l->suffix);
    struct marks_downstream d = {.cluster_name = slice_str(f->cluster_name),
                                 .vhost = slice_str(f->vhost),
                                 .exchange = buf_slice(&down),
                                 .upstream_cluster_name = exchange_link_upstream_cluster(l),
                                 .upstream_vhost = slice_str(bridge_uri(&l->bridge, BRIDGE_SOURCE)->vhost),
                                 .max_hops = f->upstream.max_hops};
    struct slice key = slice_of(m->text + 1, m->text[0]);
    struct slice own = slice_of(m->text + 1 + key.size, m->size - 1 - key.size);
    bool travels = marks_put_binding(&arguments, own, &d);
    if (travels) {
        struct amqp_method method = amqp_method_of(bind ? AMQP_EXCHANGE_BIND : AMQP_EXCHANGE_UNBIND);
        method.exchange_bind = (struct amqp_exchange_bind){.source = federated_upstream_name(f),
                                                           .destination = buf_slice(&l->internal),
                                                           .routing_key = key,
                                                           .no_wait = f->upstream.bind_nowait,
                                                           .arguments = buf_slice(&arguments)};
        if (bind) m->channel = bind_channel(l);
        exchange_link_send(l, m->channel, &method, TOKEN_NONE);
    }
    buf_close(&down);
    buf_close(&arguments);
    return travels;
}

void exchange_link_mirror(struct exchange_link *l)
{
    size_t at = 0, gone_count = 0, gone_capacity = 0;
    struct mirrored *m, **gone = NULL;
    while ((m = map_str_next(&l->bindings, &at, NULL))) {
        if (m->wanted && !m->bound) {
            send_binding(l, m, true);
            m->bound = true;
        } else if (!m->wanted) {
            if (m->bound) send_binding(l, m, false);
            gone = mem_grow(gone, &gone_capacity, gone_count + 1, sizeof *gone);
            gone[gone_count++] = m;
        }
    }
    for (size_t i = 0; i < gone_count; i++) {
        map_str_remove(&l->bindings, slice_of(gone[i]->text, gone[i]->size));
        mem_free(gone[i]);
    }
    mem_free(gone);
}

/* A request behind the bindings of each channel: when all are answered, all bindings are there. */
void exchange_link_setup_bindings(struct exchange_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    struct mirrored *b;
    size_t at = 0;
    l->step = STEP_BIND;
    while ((b = map_str_next(&l->bindings, &at, NULL))) b->bound = false;
    exchange_link_mirror(l);
    l->barriers = 1u + l->bind_channels;
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_BARRIER);
    for (uint16_t i = 0; i < l->bind_channels; i++)
        exchange_link_send(l, (uint16_t)(CHANNEL_BIND + i), &m, TOKEN_BARRIER);
}
