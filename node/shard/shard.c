/* A shard's life: opened by the main thread, run by its own, stopped in phases. */
#include "node/shard/outside.h"
#include "node/shard/shard_internal.h"

#include <stdio.h>

#include "base/check.h"

int shard_open(struct shard **out, struct node *node, const struct node_settings *settings, uint16_t id, uint32_t epoch,
               struct err *err)
{
    struct shard *s = mem_zalloc(sizeof *s);
    s->node = node;
    s->settings = settings;
    s->id = id;
    list_init(&s->connections);
    list_init(&s->dirty);
    list_init(&s->congested);
    s->outside_answers = outside_answers_create();
    pthread_mutex_init(&s->calls_lock, NULL);
    pthread_cond_init(&s->calls_done, NULL);
    s->now_ms = uv_hrtime() / 1000000;
    *out = s;
    turn_setup(s);
    carrier_setup(s);
    int code = recover_groups(s, epoch, err);
    if (code) return (int)err_wrap(err, "shard %u", id);
    return carrier_open_links(s, epoch, err);
}

static void *run(void *arg)
{
    struct shard *s = arg;
    turn_soon(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

void shard_start(struct shard *s)
{
    CHECK(pthread_create(&s->thread, NULL, run, s) == 0);
    char name[16];
    snprintf(name, sizeof name, "shard-%u", s->id);
    pthread_setname_np(s->thread, name);
}

/* --- stopping --- */

static void stop_now(struct shard *s, void *arg)
{
    (void)arg;
    s->phase = SHARD_HANDING_OVER;
    s->phase_until_ms = s->now_ms + SHARD_STOP_TRANSFER_MS;
    s->lead_check_at_ms = 0;
    turn_soon(s);
}

void shard_stop_any(struct shard *s)
{
    shard_call_any(s, stop_now, NULL);
}

static bool leads_any(struct shard *s)
{
    bool transfer = s->now_ms >= s->lead_check_at_ms, leads = false;
    if (transfer) s->lead_check_at_ms = s->now_ms + 200;
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++) {
        if (!s->groups[g].group || broker_leader(s->broker, g) != s->settings->node) continue;
        struct group_status status;
        group_status(s->groups[g].group, &status);
        if (status.member_count < 2) continue;
        leads = true;
        if (transfer) group_transfer(s->groups[g].group, 0, s->now_ms);
    }
    return leads;
}

static void close_handles(struct shard *s)
{
    s->phase = SHARD_CLOSED;
    executor_uv_close(s->log_executor);
    executor_uv_close(s->store_executor);
    executor_uv_close(s->read_executor);
    outside_answers_end(s->outside_answers);
    uv_close((uv_handle_t *)&s->wake, NULL);
    uv_close((uv_handle_t *)&s->check, NULL);
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->idle, NULL);
}

static void begin(struct shard *s, enum shard_phase phase, uint64_t ms)
{
    s->phase = phase;
    s->phase_until_ms = s->now_ms + ms;
}

/* Moves a stopping shard on; called at the end of each turn. */
void shard_phase_turn(struct shard *s);
void shard_phase_turn(struct shard *s)
{
    bool late = s->now_ms >= s->phase_until_ms;
    switch (s->phase) {
    case SHARD_RUNNING:
    case SHARD_CLOSED:
        return;
    case SHARD_HANDING_OVER:
        if (leads_any(s) && !late) break;
        connections_close_all(s, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'");
        begin(s, SHARD_CLOSING_CLIENTS, SHARD_STOP_CLIENTS_MS);
        break;
    case SHARD_CLOSING_CLIENTS:
        if (s->sockets_open && late) connections_close_all(s, NULL);
        if (s->sockets_open) break;
        begin(s, SHARD_CLOSING, 0);
        if (s->links) link_close(s->links);
        break;
    case SHARD_CLOSING:
        if ((s->links && !s->links_closed) || !recover_idle(s)) break;
        recover_close(s);
        close_handles(s);
        return;
    }
}

void shard_join(struct shard *s)
{
    pthread_join(s->thread, NULL);
}

void shard_close(struct shard *s)
{
    while (uv_run(&s->loop, UV_RUN_NOWAIT)) {
    }
    uv_loop_close(&s->loop);
    for (uint16_t i = 0; i < s->settings->shard_count; i++) {
        struct mail *m;
        while (s->rings_in[i] && (m = ring_pop(s->rings_in[i]))) mail_destroy(m);
        if (s->rings_in[i]) ring_destroy(s->rings_in[i]);
        LIST_FOR_SAFE(&s->overflow[i], link)
        {
            list_remove(link);
            mail_destroy(LIST_ITEM(link, struct mail, link));
        }
    }
    for (unsigned i = 0; i < 64; i++) mem_free(s->peer_names[i]);
    exchanges_close(s);
    mem_free(s->rings_in);
    mem_free(s->overflow);
    mem_free(s->posted);
    outside_answers_destroy(s->outside_answers);
    pthread_mutex_destroy(&s->calls_lock);
    pthread_cond_destroy(&s->calls_done);
    mem_free(s);
}

/* --- from other threads --- */

void shard_call_any(struct shard *s, void (*call)(struct shard *s, void *arg), void *arg)
{
    struct call c = {.run = call, .arg = arg};
    pthread_mutex_lock(&s->calls_lock);
    c.next = s->calls;
    s->calls = &c;
    pthread_mutex_unlock(&s->calls_lock);
    uv_async_send(&s->wake);
    pthread_mutex_lock(&s->calls_lock);
    while (!c.done) pthread_cond_wait(&s->calls_done, &s->calls_lock);
    pthread_mutex_unlock(&s->calls_lock);
}

/* --- small answers --- */

struct broker *shard_broker(struct shard *s)
{
    return s->broker;
}

uint16_t shard_id(const struct shard *s)
{
    return s->id;
}

struct uv_loop_s *shard_loop(struct shard *s)
{
    return &s->loop;
}

uint64_t shard_now_ms(const struct shard *s)
{
    return s->now_ms;
}

bool shard_stopping(const struct shard *s)
{
    return s->phase != SHARD_RUNNING;
}

bool shard_peer_connected(const struct shard *s, uint8_t node)
{
    return node == s->settings->node || (s->links && !s->links_closed && link_up(s->links, node));
}

const struct node_settings *shard_settings(const struct shard *s)
{
    return s->settings;
}

const char *shard_node_name(const struct shard *s, uint8_t node)
{
    static const char *const unmet = "unknown";
    if (node == s->settings->node) return s->settings->name;
    return node && s->peer_names[node & 63] ? s->peer_names[node & 63] : unmet;
}

void shard_store_figures(const struct shard *s, uint32_t group, struct store_figures *f)
{
    *f = (struct store_figures){0};
    if (s->groups[group].store) store_figures(s->groups[group].store, f);
}

void shard_figures(const struct shard *s, struct shard_figures *f)
{
    *f = (struct shard_figures){.connections_opened = s->connections_opened,
                                .connections_closed = s->connections_closed,
                                .logins_failed = broker_login_count(s->broker, false),
                                .logins_succeeded = broker_login_count(s->broker, true),
                                .closed = s->closed_stats,
                                .log_bytes = log_total_bytes(s->log),
                                .log_syncs = log_sync_count(s->log)};
    fs_counted_add(&s->fs, f->files);
    memcpy(f->waits, s->waits, sizeof f->waits);
    for (uint32_t g = 0; g < s->settings->placement.group_count; g++) {
        struct store_figures one;
        shard_store_figures(s, g, &one);
        for (size_t i = 0; i < sizeof one / sizeof(uint64_t); i++) ((uint64_t *)&f->stores)[i] += ((uint64_t *)&one)[i];
    }
}
