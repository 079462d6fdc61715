#include "node/http/rehearsal_backend.h"

#include <stdio.h>

#include "base/mem.h"
#include "router/registry.h"

enum { CHANNEL = 1, CONNECTION = 7 /* owner of what is exclusive; definitions have none */ };

/* --- the backend --- */

static struct rehearsal_stage *stage_of(void *self)
{
    return self;
}

static struct topology *stage_topology(void *self)
{
    return stage_of(self)->topology;
}

static struct auth *stage_auth(void *self)
{
    return stage_of(self)->auth;
}

static uint32_t stage_logged_in(void *self, struct slice address, struct slice user, bool welcome)
{
    (void)self, (void)address, (void)user, (void)welcome;
    return 0;
}

static uint64_t stage_count(void *self, enum backend_census what, struct slice name)
{
    (void)self, (void)what, (void)name;
    return 0;
}

static void stage_entered(void *self, struct slice user, struct slice vhost)
{
    (void)self, (void)user, (void)vhost;
}

static struct backend_channel *stage_channel_open(void *self, uint16_t channel)
{
    (void)channel;
    return self; /* there is one at most, and nothing to know of it */
}

static void stage_channel_close(void *self, struct backend_channel *c)
{
    (void)self, (void)c;
}

static void stage_stat(void *self, struct backend_channel *c, uint32_t group, uint64_t queue)
{
    (void)c, (void)group, (void)queue;
    session_reply(stage_of(self)->session, CHANNEL, &(struct backend_reply){0});
}

static void stage_change(void *self, struct backend_channel *c, const struct topology_command *command,
                         uint8_t delete_flags)
{
    struct rehearsal_stage *s = self;
    struct topology_result result;
    (void)c, (void)delete_flags;
    topology_apply(s->topology, topology_index(s->topology) + 1, command, &result);
    struct backend_reply reply = {.reply_code = result.reply_code,
                                  .code = result.reply_code ? REPLY_REFUSED : REPLY_OK,
                                  .queue_id = result.queue_id,
                                  .group = result.group,
                                  .created = result.created,
                                  .text = slice_str(result.reply_code ? result.text : "")};
    session_reply(s->session, CHANNEL, &reply);
}

static bool stage_is_fresh(void *self)
{
    (void)self;
    return true;
}

static bool stage_leads(void *self, uint32_t group)
{
    (void)self, (void)group;
    return false;
}

static uint64_t stage_connection_token(void *self)
{
    (void)self;
    return CONNECTION;
}

/* For names only: each another. */
static void stage_random_bytes(void *self, void *bytes, size_t size)
{
    uint64_t number = ++stage_of(self)->random;
    memset(bytes, 0, size);
    memcpy(bytes, &number, size < sizeof number ? size : sizeof number);
}

/* --- life --- */

void rehearsal_stage_open(struct rehearsal_stage *s, const struct session_settings *settings)
{
    *s = (struct rehearsal_stage){.topology = topology_create(1), .settings = *settings};
    s->auth = auth_create(s->topology, true);
    s->settings.way_count = 0;
    s->settings.node_connection_max = s->settings.node_channel_max = 0;
    s->settings.cluster_queue_max = s->settings.cluster_exchange_max = 0;
    s->backend = (struct backend){.self = s,
                                  .topology = stage_topology,
                                  .auth = stage_auth,
                                  .logged_in = stage_logged_in,
                                  .count = stage_count,
                                  .entered = stage_entered,
                                  .channel_open = stage_channel_open,
                                  .channel_close = stage_channel_close,
                                  .stat = stage_stat,
                                  .change = stage_change,
                                  .topology_is_fresh = stage_is_fresh,
                                  .leads = stage_leads,
                                  .connection_token = stage_connection_token,
                                  .random_bytes = stage_random_bytes};
    struct slice none = {0};
    struct topology_command root = registry_clear_command(REGISTRY_VHOST, none, slice_str("/"), none);
    struct topology_result ignored;
    topology_apply(s->topology, 1, &root, &ignored);
}

static void hang_up(struct rehearsal_stage *s)
{
    if (s->session) session_destroy(s->session);
    s->session = NULL;
    buf_close(&s->vhost);
}

void rehearsal_stage_close(struct rehearsal_stage *s)
{
    hang_up(s);
    auth_destroy(s->auth);
    topology_destroy(s->topology);
}

bool rehearsal_stage_apply(struct rehearsal_stage *s, const struct topology_command *c, struct refusal *why)
{
    struct topology_result result;
    topology_apply(s->topology, topology_index(s->topology) + 1, c, &result);
    why->code = result.reply_code;
    snprintf(why->text, sizeof why->text, "%s", result.reply_code ? result.text : "");
    return !result.reply_code;
}

/* --- methods --- */

/* Reads what the session said. False: it closed channel or connection. */
static bool listen(struct rehearsal_stage *s, struct refusal *why)
{
    struct buf *out = session_output(s->session);
    struct amqp_frame f;
    struct amqp_method m;
    bool ok = true;
    while (out->size && amqp_frame_parse(buf_slice(out), 0, &f) == AMQP_PARSE_DONE) {
        unsigned number =
            f.type == AMQP_FRAME_METHOD && !amqp_method_decode(f.payload, &m) ? amqp_method_number(&m) : 0;
        if (number == AMQP_CHANNEL_CLOSE || number == AMQP_CONNECTION_CLOSE) {
            ok = false;
            why->code = m.close.reply_code;
            snprintf(why->text, sizeof why->text, "%.*s", (int)m.close.reply_text.size,
                     (const char *)m.close.reply_text.data);
        }
        buf_consume(out, AMQP_FRAME_OVERHEAD + f.payload.size);
    }
    return ok;
}

static bool say(struct rehearsal_stage *s, struct buf *bytes, struct refusal *why)
{
    size_t used = session_input(s->session, bytes->data, bytes->size, 0);
    session_turn_end(s->session, 0);
    bool ok = listen(s, why);
    if (ok && used < bytes->size) {
        *why = (struct refusal){.code = AMQP_INTERNAL_ERROR, .text = "INTERNAL_ERROR - no answer"};
        ok = false;
    }
    buf_close(bytes);
    if (!ok) hang_up(s); /* a refusal closed the channel */
    return ok;
}

static bool shake_hands(struct rehearsal_stage *s, struct slice vhost, struct refusal *why)
{
    struct buf bytes = {0};
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    amqp_protocol_header_put(&bytes);
    m.connection_start_ok.mechanism = slice_str("PLAIN");
    m.connection_start_ok.response = slice_of("\0\0", 2);
    m.connection_start_ok.locale = slice_str("en_US");
    amqp_method_put(&bytes, 0, &m);
    m = amqp_method_of(AMQP_CONNECTION_TUNE_OK);
    m.connection_tune.channel_max = s->settings.channel_max;
    m.connection_tune.frame_max = s->settings.frame_max;
    amqp_method_put(&bytes, 0, &m);
    m = amqp_method_of(AMQP_CONNECTION_OPEN);
    m.connection_open.virtual_host = vhost;
    amqp_method_put(&bytes, 0, &m);
    m = amqp_method_of(AMQP_CHANNEL_OPEN);
    amqp_method_put(&bytes, CHANNEL, &m);
    return say(s, &bytes, why);
}

static bool enter(struct rehearsal_stage *s, struct slice vhost, struct refusal *why)
{
    if (s->session && slice_equal(buf_slice(&s->vhost), vhost)) return true;
    hang_up(s);
    if (vhost.size > AMQP_SHORTSTR_MAX || !topology_has_vhost(s->topology, vhost)) {
        why->code = AMQP_NOT_ALLOWED;
        snprintf(why->text, sizeof why->text, "NOT_ALLOWED - vhost %.*s not found",
                 vhost.size > AMQP_SHORTSTR_MAX ? AMQP_SHORTSTR_MAX : (int)vhost.size,
                 vhost.data ? (const char *)vhost.data : "");
        return false;
    }
    s->session = session_create(&s->settings, &s->backend, "definitions", true, 0);
    session_trust(s->session);
    buf_put_slice(&s->vhost, vhost);
    return shake_hands(s, vhost, why);
}

bool rehearsal_stage_tell(struct rehearsal_stage *s, struct slice vhost, const struct amqp_method *m,
                          struct refusal *why)
{
    struct buf bytes = {0};
    if (!enter(s, vhost, why)) return false;
    amqp_method_put(&bytes, CHANNEL, m);
    return say(s, &bytes, why);
}
