#include "ha/bridge/bridge.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { TOKEN_LOOKED = 1 << 30 /* none of the types' */ };

/* A client's events arrive with its end, so that one callback serves both. */
static void on_source(void *self, const struct client_event *e);
static void on_dest(void *self, const struct client_event *e);

void bridge_init(struct bridge *l, const struct bridge_type *type, const struct bridge_host *host, void *host_self,
                 uint64_t now_ms)
{
    *l = (struct bridge){.host = host, .host_self = host_self, .type = type, .state = BRIDGE_WAITING, .now_ms = now_ms};
    l->since_ms = l->restart_at_ms = now_ms;
    l->wake_ms = UINT64_MAX;
    relay_init(&l->relay, RELAY_ON_CONFIRM, now_ms);
}

static void set_state(struct bridge *l, enum bridge_state state)
{
    if (l->state == state) return;
    l->state = (uint8_t)state;
    l->since_ms = l->now_ms;
}

static void connect_end(struct bridge *l, enum bridge_side side)
{
    struct bridge_end *end = &l->ends[side];
    const struct client_uri *uri = bridge_uri(l, side);
    struct client_settings settings = {
        .user = uri->user    ? uri->user
                : uri->local ? ""
                             : "guest",
        .password = uri->password             ? uri->password
                    : uri->user || uri->local ? ""
                                              : "guest",
        .vhost = uri->vhost,
        .mechanisms = uri->mechanisms,
        .heartbeat_s = uri->heartbeat_s,
        .channel_max = (uint16_t)uri->channel_max,
        .timeout_ms = (uint32_t)uri->timeout_ms,
        .name = l->name,
    };
    end->ready = false;
    end->client = client_create(&settings, side == BRIDGE_SOURCE ? on_source : on_dest, l, l->now_ms);
    l->host->connect(l->host_self, side, end->client, uri);
}

static void start(struct bridge *l)
{
    uint64_t forwarded = l->relay.forwarded, settled = l->relay.settled, refused = l->relay.refused;
    uint64_t dropped = l->relay.dropped;
    relay_close(&l->relay);
    relay_init(&l->relay, l->ack_mode, l->now_ms);
    l->relay.forwarded = forwarded;
    l->relay.settled = settled;
    l->relay.refused = refused;
    l->relay.dropped = dropped;
    l->look_queue = (struct slice){0}; /* the type says it anew when it runs */
    l->look_at_ms = 0;
    l->failed = false;
    l->wake_ms = UINT64_MAX; /* the type's wish was for the time that has ended */
    l->starts++;
    set_state(l, BRIDGE_STARTING);
    connect_end(l, BRIDGE_SOURCE);
    connect_end(l, BRIDGE_DEST);
}

static void disconnect_all(struct bridge *l)
{
    for (int side = 0; side < BRIDGE_SIDES; side++) {
        struct bridge_end *end = &l->ends[side];
        if (!end->client) continue;
        client_mute(end->client);
        client_close(end->client, 200, "Goodbye");
        l->host->disconnect(l->host_self, (enum bridge_side)side);
        end->client = NULL;
        end->ready = false;
    }
}

void bridge_close(struct bridge *l)
{
    disconnect_all(l);
    relay_close(&l->relay);
}

void bridge_fail(struct bridge *l, const char *format, ...)
{
    va_list arguments;
    if (l->failed || l->state == BRIDGE_FINISHED) return;
    l->failed = true;
    va_start(arguments, format);
    vsnprintf(l->reason, sizeof l->reason, format, arguments);
    va_end(arguments);
}

void bridge_finish(struct bridge *l, const char *why)
{
    if (l->state == BRIDGE_FINISHED) return;
    snprintf(l->reason, sizeof l->reason, "%s", why);
    set_state(l, BRIDGE_FINISHED);
}

void bridge_restart(struct bridge *l, const char *why)
{
    if (l->state == BRIDGE_FINISHED) return;
    if (l->state != BRIDGE_WAITING) bridge_fail(l, "%s", why);
    l->restart_at_ms = 0;
}

/* --- the clients' events --- */

static void on_event(struct bridge *l, enum bridge_side side, const struct client_event *e)
{
    switch (e->kind) {
    case CLIENT_EVENT_OPENED:
        client_channel_open(l->ends[side].client, BRIDGE_CHANNEL, 0);
        l->type->opened(l, side);
        return;
    case CLIENT_EVENT_CLOSED:
        if (l->type->closed) l->type->closed(l, side, e);
        bridge_fail(l, "%s: %s", side == BRIDGE_SOURCE ? "source" : "destination", client_reason(l->ends[side].client));
        return;
    case CLIENT_EVENT_CONFIRMED:
        if (side == BRIDGE_DEST) relay_confirmed(&l->relay, e->number, e->multiple, e->ok, l->now_ms);
        return;
    case CLIENT_EVENT_BLOCKED: /* bridge_turn() looks at it */
    case CLIENT_EVENT_UNBLOCKED:
    case CLIENT_EVENT_WRITABLE:
        return;
    default:
        if (e->kind == CLIENT_EVENT_ANSWERED && e->token == TOKEN_LOOKED)
            bridge_looked(l, e->method->queue_declare_ok.message_count);
        else if (side == BRIDGE_SOURCE && e->channel == BRIDGE_LOOK_CHANNEL) return; /* no look this time */
        else l->type->event(l, side, e);
    }
}

static void on_source(void *self, const struct client_event *e)
{
    on_event(self, BRIDGE_SOURCE, e);
}

static void on_dest(void *self, const struct client_event *e)
{
    on_event(self, BRIDGE_DEST, e);
}

/* --- the lag --- */

void bridge_looked(struct bridge *l, uint64_t waiting)
{
    l->waiting = waiting;
    lag_looked(&l->lag, waiting + relay_pending(&l->relay), l->now_ms);
}

static bool looks(const struct bridge *l)
{
    return l->look_queue.size && bridge_may_forward(l) &&
           client_channel_max(l->ends[BRIDGE_SOURCE].client) >= BRIDGE_LOOK_CHANNEL;
}

static void look(struct bridge *l)
{
    uint64_t passed = l->relay.settled + l->relay.dropped;
    lag_running(&l->lag, l->state == BRIDGE_RUNNING || l->state == BRIDGE_FLOW, l->now_ms);
    if (passed > l->passed) lag_settled(&l->lag, passed - l->passed, l->now_ms);
    l->passed = passed;
    if (!looks(l) || l->now_ms < l->look_at_ms) return;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = l->look_queue;
    m.queue_declare.passive = true;
    struct client *source = l->ends[BRIDGE_SOURCE].client;
    if (!client_channel_is_open(source, BRIDGE_LOOK_CHANNEL)) client_channel_open(source, BRIDGE_LOOK_CHANNEL, 0);
    client_send(source, BRIDGE_LOOK_CHANNEL, &m, TOKEN_LOOKED);
    l->look_at_ms = l->now_ms + LAG_LOOK_MS;
}

uint64_t bridge_lag_ms(const struct bridge *l, uint64_t now_ms)
{
    return l->state == BRIDGE_FINISHED ? 0 : lag_ms(&l->lag, now_ms);
}

uint64_t bridge_lag_messages(const struct bridge *l)
{
    return l->waiting + relay_pending(&l->relay);
}

/* --- the turn --- */

/* The source is heard only while the destination takes what it says, and no faster than the rate allows. */
static void steer(struct bridge *l)
{
    struct client *source = l->ends[BRIDGE_SOURCE].client, *dest = l->ends[BRIDGE_DEST].client;
    if (l->state != BRIDGE_RUNNING && l->state != BRIDGE_FLOW) return;
    if (l->rate && l->now_ms >= l->rate_at_ms + 1000) {
        l->rate_at_ms = l->now_ms;
        l->rate_left = l->rate;
    }
    bool full = client_is_full(dest);
    client_pause(source, full || (l->rate && !l->rate_left));
    if (l->state == BRIDGE_FLOW && !full) l->relay.progress_ms = l->now_ms; /* it could not confirm meanwhile */
    set_state(l, full ? BRIDGE_FLOW : BRIDGE_RUNNING);
}

static void begin_wait(struct bridge *l)
{
    for (int side = 0; side < BRIDGE_SIDES; side++) /* only the end that failed moves on: all pairs are tried in time */
        if (l->ends[side].client && client_state(l->ends[side].client) == CLIENT_CLOSED) l->ends[side].uri_at++;
    disconnect_all(l);
    l->failed = false;
    l->wake_ms = UINT64_MAX;
    if (l->reconnect_ms == BRIDGE_NEVER) {
        set_state(l, BRIDGE_FINISHED);
        return;
    }
    l->restart_at_ms = l->restart_at_ms ? l->now_ms + l->reconnect_ms : l->now_ms;
    set_state(l, BRIDGE_WAITING);
}

void bridge_turn(struct bridge *l, uint64_t now_ms)
{
    l->now_ms = now_ms;
    if (l->state <= BRIDGE_FLOW && !l->failed) {
        for (int side = 0; side < BRIDGE_SIDES; side++) client_tick(l->ends[side].client, now_ms);
        if (l->state != BRIDGE_STARTING && !l->failed)
            relay_settle(&l->relay, l->ends[BRIDGE_SOURCE].client, BRIDGE_CHANNEL, now_ms);
        if (relay_stalled(&l->relay, now_ms) && l->state == BRIDGE_RUNNING)
            bridge_fail(l, "destination: no confirm for %d s", RELAY_STALL_MS / 1000);
        if (l->state == BRIDGE_STARTING && now_ms >= l->since_ms + BRIDGE_SETUP_MS)
            bridge_fail(l, "setting up did not end within %d s", BRIDGE_SETUP_MS / 1000);
        if (!l->failed) steer(l);
    }
    look(l);
    if (l->state == BRIDGE_FINISHED) disconnect_all(l);
    else if (l->failed) begin_wait(l);
    if (l->state == BRIDGE_WAITING && now_ms >= l->restart_at_ms) {
        l->restart_at_ms = now_ms; /* not 0: only a person's wish makes it that */
        start(l);
    }
}

uint64_t bridge_deadline_ms(const struct bridge *l)
{
    uint64_t at = UINT64_MAX;
    if (l->failed) return l->now_ms;
    if (l->state == BRIDGE_FINISHED) return at;
    if (l->state == BRIDGE_WAITING) return l->wake_ms < l->restart_at_ms ? l->wake_ms : l->restart_at_ms;
    for (int side = 0; side < BRIDGE_SIDES; side++) {
        uint64_t end_at = client_deadline_ms(l->ends[side].client);
        if (end_at < at) at = end_at;
    }
    if (l->rate && !l->rate_left && l->rate_at_ms + 1000 < at) at = l->rate_at_ms + 1000;
    uint64_t relay_at = relay_deadline_ms(&l->relay);
    if (l->state == BRIDGE_FLOW && relay_at <= l->now_ms) relay_at = UINT64_MAX; /* it cannot confirm now */
    if (l->wake_ms < at) at = l->wake_ms;
    if (looks(l) && l->look_at_ms < at) at = l->look_at_ms;
    if (l->state == BRIDGE_STARTING && l->since_ms + BRIDGE_SETUP_MS < at) at = l->since_ms + BRIDGE_SETUP_MS;
    return relay_at < at ? relay_at : at;
}

/* --- for the types --- */

void bridge_ready(struct bridge *l, enum bridge_side side)
{
    if (l->failed || l->state != BRIDGE_STARTING) return;
    l->ends[side].ready = true;
    if (!l->ends[BRIDGE_SOURCE].ready || !l->ends[BRIDGE_DEST].ready) return;
    l->relay.progress_ms = l->now_ms;
    set_state(l, BRIDGE_RUNNING);
    l->rate_at_ms = l->now_ms;
    l->rate_left = l->rate;
    l->type->running(l);
}

bool bridge_may_forward(const struct bridge *l)
{
    return !l->failed && (l->state == BRIDGE_RUNNING || l->state == BRIDGE_FLOW);
}

void bridge_forward(struct bridge *l, uint64_t delivery_tag, const struct amqp_method *publish, struct slice properties,
                    struct slice body)
{
    struct client *dest = l->ends[BRIDGE_DEST].client, *source = l->ends[BRIDGE_SOURCE].client;
    uint64_t number = client_publish(dest, BRIDGE_CHANNEL, publish, properties, body);
    if (l->ack_mode == RELAY_ON_CONFIRM && !number) return; /* the channel is gone; its event is on the way */
    relay_published(&l->relay, delivery_tag, number, l->now_ms);
    if (l->rate && l->rate_left) l->rate_left--;
    if (client_is_full(dest) || (l->rate && !l->rate_left)) client_pause(source, true);
}

void bridge_drop(struct bridge *l, uint64_t delivery_tag)
{
    relay_dropped(&l->relay, delivery_tag);
}

const struct client_uri *bridge_uri(const struct bridge *l, enum bridge_side side)
{
    const struct bridge_end *end = &l->ends[side];
    return &end->uris[end->uri_at % end->uri_count];
}

const char *bridge_state_name(const struct bridge *l)
{
    static const char *const names[] = {"starting", "running", "flow", "terminated", "terminated"};
    return names[l->starts ? l->state : BRIDGE_STARTING];
}
