/* The heartbeat. Socket and link callbacks have parsed what arrived and filled inboxes; one turn empties them all:
 *
 *   1 mail from siblings    2 timers    3 ports post their chunks, groups seal one entry each, submit, send, apply;
 *   effects reach sessions  4 one log write   5 one write per link   6 one write per connection   7 wake siblings
 *
 * That is where batches come from: per turn at most one entry per group, one sync per shard, one
 * write per connection. */
#include "node/shard/outside.h"
#include "node/shard/shard_internal.h"

enum {
    CONNECTIONS_LOOK_MS = 200, /* how late a deadline of a session may be noticed */
    TURN_ROUNDS_MAX = 4,       /* what sessions ask while answering goes out in the same turn, up to so many times */
    LOG_SHRINK_MS = 10000,
    LEAD_CHECK_MS = 2000,
    LEAD_DRAIN_MS = 500,
    LEAD_PREFERRED_AFTER_MS = 10000, /* a node must be linked for so long before leaderships go back to it */
    OVERFLOW_LOOK_MS = 1,            /* between two tries to push mail into a sibling's full ring */
    PHASE_LOOK_MS = 5,               /* between two looks of a shard that stops */
};

static void groups_turn(struct shard *s, uint64_t clock)
{
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++)
        if (s->groups[g].group) group_turn(s->groups[g].group, s->now_ms, clock);
}

/* Groups with little traffic would keep files of the log for ever. */
static void relieve_log(struct shard *s)
{
    uint64_t limit = s->settings->log_bytes_max;
    if (log_total_bytes(s->log) <= limit) return;
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++)
        if (s->groups[g].group && log_group_reach(s->log, g) > limit / 2) group_relieve(s->groups[g].group);
}

/* Groups go back to the node that placement prefers, one at a time, when that node is here for good and has everything:
 * so leaders stay spread over the nodes after restarts. */
static void spread_leaders(struct shard *s)
{
    const struct placement *placement = &s->settings->placement;
    if (s->phase != SHARD_RUNNING || s->now_ms < s->lead_check_at_ms) return;
    bool drains = shard_drains(s);
    for (uint32_t g = 0; g < placement->group_count; g++) {
        uint8_t preferred = broker_preferred_leader(s->broker, g);
        uint64_t since = preferred ? s->peer_up_since_ms[preferred & 63] : 0;
        bool settled = since && (drains || s->now_ms - since >= LEAD_PREFERRED_AFTER_MS);
        if (!s->groups[g].group || preferred == s->settings->node || (!settled && !drains)) continue;
        struct group_status status;
        group_status(s->groups[g].group, &status);
        if (!status.leads) continue;
        int code = settled ? group_transfer(s->groups[g].group, preferred, s->now_ms) : ERR_BUSY;
        if (code && drains) code = group_transfer(s->groups[g].group, 0, s->now_ms);
        if (code) continue;
        s->lead_check_at_ms = s->now_ms + (drains ? LEAD_DRAIN_MS : LEAD_CHECK_MS);
        return;
    }
}

static void timers(struct shard *s)
{
    if (s->now_ms >= s->connections_at_ms) {
        s->connections_at_ms = s->now_ms + CONNECTIONS_LOOK_MS;
        connections_look(s);
    }
    if (s->now_ms < s->second_at_ms) return;
    s->second_at_ms = s->now_ms + 1000;
    if (s->now_ms >= s->log_shrink_at_ms) {
        s->log_shrink_at_ms = s->now_ms + LOG_SHRINK_MS;
        log_shrink(s->log);
    }
    busy_second(s);
    alarm_second(s);
    relieve_log(s);
    membership_second(s);
    spread_leaders(s);
    replicas_ask(s);
}

static uint64_t next_deadline(struct shard *s)
{
    uint64_t at = s->second_at_ms < s->connections_at_ms ? s->second_at_ms : s->connections_at_ms;
    if (s->overflow_count && s->now_ms + OVERFLOW_LOOK_MS < at) at = s->now_ms + OVERFLOW_LOOK_MS;
    if (s->phase != SHARD_RUNNING && s->now_ms + PHASE_LOOK_MS < at) at = s->now_ms + PHASE_LOOK_MS;
    if (broker_deadline_ms(s->broker) < at) at = broker_deadline_ms(s->broker);
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++)
        if (s->groups[g].group && group_deadline_ms(s->groups[g].group) < at)
            at = group_deadline_ms(s->groups[g].group);
    return at;
}

static void on_timer(uv_timer_t *timer);

static void sleep_until_next(struct shard *s)
{
    uint64_t at = next_deadline(s), now = uv_hrtime() / 1000000;
    uv_update_time(&s->loop);
    uv_timer_start(&s->timer, on_timer, at > now ? at - now : 1, 0);
}

void shard_phase_turn(struct shard *s); /* shard.c */

static void turn(struct shard *s)
{
    if (s->phase == SHARD_CLOSED) return;
    s->in_turn = true;
    uv_idle_stop(&s->idle);
    s->now_ms = uv_hrtime() / 1000000;
    uint64_t clock = s->broker_io.clock_ms(s);
    carrier_take(s);
    outside_take(s);
    timers(s);
    for (int round = 0; round < TURN_ROUNDS_MAX; round++) {
        broker_turn(s->broker, s->now_ms);
        groups_turn(s, clock);
        connections_turn(s);
        if (!broker_has_work(s->broker)) break;
    }
    replicas_found(s);
    replicas_turn(s);
    log_flush(s->log);
    if (s->links && !s->links_closed) link_flush(s->links);
    connections_write(s);
    carrier_wake(s);
    shard_phase_turn(s);
    s->in_turn = false;
    if (s->phase == SHARD_CLOSED) return;
    if (broker_has_work(s->broker) || !list_empty(&s->dirty)) turn_soon(s);
    sleep_until_next(s);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* stays active until the turn: libuv asks after this call whether it may block */
}

/* The loop does not block while an idle handle is active, and comes to on_check() at once. */
void turn_soon(struct shard *s)
{
    uv_idle_start(&s->idle, on_idle);
}

static void on_check(uv_check_t *check)
{
    turn(check->data);
}

/* Usually the poll ends when it is time, and the turn sets the timer anew before it fires. When it does fire (the
 * thread was held up), there is a poll before the next turn, and nothing else that ends it. */
static void on_timer(uv_timer_t *timer)
{
    turn_soon(timer->data);
}

static void run_calls(struct shard *s)
{
    pthread_mutex_lock(&s->calls_lock);
    struct call *call = s->calls;
    s->calls = NULL;
    pthread_mutex_unlock(&s->calls_lock);
    while (call) {
        struct call *next = call->next;
        call->run(s, call->arg);
        pthread_mutex_lock(&s->calls_lock);
        call->done = true;
        pthread_cond_broadcast(&s->calls_done);
        pthread_mutex_unlock(&s->calls_lock);
        call = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    run_calls(wake->data);
}

void turn_setup(struct shard *s)
{
    uv_loop_init(&s->loop);
    uv_async_init(&s->loop, &s->wake, on_wake);
    uv_check_init(&s->loop, &s->check);
    uv_timer_init(&s->loop, &s->timer);
    uv_idle_init(&s->loop, &s->idle);
    s->wake.data = s->check.data = s->timer.data = s->idle.data = s;
    uv_check_start(&s->check, on_check);
}
