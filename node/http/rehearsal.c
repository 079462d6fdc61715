#include "node/http/rehearsal.h"

#include <stdio.h>

#include "base/mem.h"
#include "node/http/rehearsal_backend.h"

struct rehearsal {
    struct http *http;
    struct rehearsal_stage stage;
};

struct rehearsal *rehearsal_open(struct http *h)
{
    struct rehearsal *r = mem_zalloc(sizeof *r);
    r->http = h;
    rehearsal_stage_open(&r->stage, &node_settings(h->params.node)->session);
    return r;
}

void rehearsal_close(struct rehearsal *r)
{
    rehearsal_stage_close(&r->stage);
    mem_free(r);
}

/* --- what is there comes along --- */

struct look {
    struct item_name name; /* of an item; else vhost and name of: */
    bool queue, exchange;
    struct buf command; /* makes it; empty: it is not there */
};

static void look_up(struct shard *s, void *arg)
{
    struct look *l = arg;
    struct topology *t = broker_topology(shard_broker(s));
    struct item_name n = l->name;
    const struct queue_record *q = l->queue ? topology_queue(t, n.vhost, n.name) : NULL;
    const struct exchange *x = l->exchange ? topology_exchange(t, n.vhost, n.name) : NULL;
    const struct registry_item *item =
        l->queue || l->exchange ? NULL : registry_find(t, n.kind, n.vhost, n.name, n.detail);
    struct topology_command c = {0};
    if (q)
        c = (struct topology_command){.type = TOPOLOGY_QUEUE_DECLARE,
                                      .vhost = q->vhost,
                                      .name = q->name,
                                      .durable = q->durable,
                                      .auto_delete = q->auto_delete,
                                      .arguments = q->arguments};
    else if (x)
        c = (struct topology_command){.type = TOPOLOGY_EXCHANGE_DECLARE,
                                      .vhost = x->vhost,
                                      .name = x->name,
                                      .kind = x->type,
                                      .durable = x->durable,
                                      .auto_delete = x->auto_delete,
                                      .internal = x->internal,
                                      .arguments = x->arguments};
    else if (item) c = registry_set_command(n.kind, n.vhost, n.name, n.detail, item->value);
    if (c.type) topology_command_encode(&l->command, &c);
}

static void bring(struct rehearsal *r, struct look *l)
{
    struct topology_command c;
    struct refusal ignored; /* then what needs it is refused */
    shard_call_any(node_shard(r->http->params.node, 0), look_up, l);
    if (l->command.size && topology_command_decode(buf_slice(&l->command), &c))
        rehearsal_stage_apply(&r->stage, &c, &ignored);
    buf_close(&l->command);
}

static void bring_vhost(struct rehearsal *r, struct slice vhost)
{
    struct look l = {.name = {.kind = REGISTRY_VHOST, .name = vhost}};
    if (vhost.size && !topology_has_vhost(r->stage.topology, vhost)) bring(r, &l);
}

static void bring_user(struct rehearsal *r, struct slice user)
{
    struct slice none = {0};
    struct look l = {.name = {.kind = REGISTRY_USER, .name = user}};
    if (user.size && !registry_find(r->stage.topology, REGISTRY_USER, none, user, none)) bring(r, &l);
}

bool rehearsal_has_queue(struct rehearsal *r, struct slice vhost, struct slice name)
{
    struct look l = {.name = {.vhost = vhost, .name = name}, .queue = true};
    bring_vhost(r, vhost);
    if (!topology_queue(r->stage.topology, vhost, name)) bring(r, &l);
    return topology_queue(r->stage.topology, vhost, name) != NULL;
}

bool rehearsal_has_exchange(struct rehearsal *r, struct slice vhost, struct slice name)
{
    struct look l = {.name = {.vhost = vhost, .name = name}, .exchange = true};
    bring_vhost(r, vhost);
    if (!topology_exchange(r->stage.topology, vhost, name)) bring(r, &l);
    return topology_exchange(r->stage.topology, vhost, name) != NULL;
}

/* --- trying --- */

static bool patterns_compile(struct item_name n, struct slice value, struct refusal *why)
{
    struct registry_item item = {n.kind, n.vhost, n.name, n.detail, value};
    struct topology_result result = {0};
    if (registry_check_patterns(&item, &result)) return true;
    why->code = result.reply_code;
    snprintf(why->text, sizeof why->text, "%s", result.text);
    return false;
}

bool rehearsal_set(struct rehearsal *r, struct item_name name, json_t *value, struct refusal *why)
{
    bring_vhost(r, name.vhost);
    if (name.kind == REGISTRY_PERMISSION || name.kind == REGISTRY_TOPIC_PERMISSION || name.kind == REGISTRY_USER_LIMIT)
        bring_user(r, name.name);
    struct buf canonical = {0};
    struct topology_command c;
    bool ok = item_command(r->http, name, value, &canonical, &c, why) &&
              patterns_compile(name, buf_slice(&canonical), why) && rehearsal_stage_apply(&r->stage, &c, why);
    buf_close(&canonical);
    return ok;
}

bool rehearsal_tell(struct rehearsal *r, struct slice vhost, const struct amqp_method *m, struct refusal *why)
{
    unsigned number = amqp_method_number(m);
    bring_vhost(r, vhost);
    if (number == AMQP_QUEUE_BIND) {
        rehearsal_has_queue(r, vhost, m->queue_bind.queue);
        rehearsal_has_exchange(r, vhost, m->queue_bind.exchange);
    } else if (number == AMQP_EXCHANGE_BIND) {
        rehearsal_has_exchange(r, vhost, m->exchange_bind.destination);
        rehearsal_has_exchange(r, vhost, m->exchange_bind.source);
    }
    return rehearsal_stage_tell(&r->stage, vhost, m, why);
}
