/* POST /api/definitions: brings in what a file names. What is there already stays as it is, so a file may come again.
 * The whole is rehearsed first: when something is refused, all that is refused is told, and nothing is done. With
 * ?skip_refused=true the rest is done. */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/definitions.h"
#include "node/http/lanes.h"
#include "node/http/rehearsal.h"
#include "router/json.h"

enum { REPORTED_MAX = 10000 /* refusals that are told one by one */ };

struct import {
    struct request *request;
    struct slice vhost;          /* data not NULL: everything belongs there */
    struct slice version;        /* of RabbitMQ, as the file says */
    struct rehearsal *rehearsal; /* NULL: it is carried out */
    struct lanes *lanes;         /* NULL: it is rehearsed */
    struct buf report;
    size_t done, refused;
};

static struct slice text_of(const json_t *o, const char *name)
{
    return slice_json(json_object_get(o, name));
}

static struct slice vhost_of(const struct import *i, const json_t *o)
{
    return i->vhost.data ? i->vhost : text_of(o, "vhost");
}

static void report(struct import *i, const char *what, struct slice name, const char *why)
{
    if (i->refused++ >= REPORTED_MAX) return;
    buf_printf(&i->report, "%s%s %.*s: %s", i->report.size ? "\n" : "", what, (int)name.size,
               name.data ? (const char *)name.data : "", why);
}

static void set(struct import *i, const char *what, struct item_name name, json_t *value)
{
    struct refusal why;
    bool ok = i->rehearsal ? rehearsal_set(i->rehearsal, name, value, &why)
                           : item_set_quietly(i->request->http, name, value, &why);
    if (ok) i->done++;
    else report(i, what, name.name, why.text);
}

/* --- the registry --- */

/* How hashes were made that do not say it: before 3.6.1 there was one way each. NULL: as the node makes them. */
static const char *hashing_of(struct slice version)
{
    if (slice_is(version, "3.6.0")) return "rabbit_password_hashing_sha256";
    bool old = version.size > 3 && !memcmp(version.data, "3.", 2) && version.data[2] <= '5' && version.data[3] == '.';
    return old ? "rabbit_password_hashing_md5" : NULL;
}

static void import_user(struct import *i, const json_t *o)
{
    const char *hashing = hashing_of(i->version);
    struct slice name = text_of(o, "name");
    const char *limit;
    json_t *value;
    struct err why;
    if (!user_password_is_good(i->request->http, o, &why)) {
        report(i, "user", name, why.text);
        return;
    }
    json_t *user = user_value(i->request->http, o);
    if (hashing && !json_object_get(o, "hashing_algorithm") && json_object_get(o, "password_hash"))
        json_put(user, "hashing_algorithm", json_string(hashing));
    set(i, "user", (struct item_name){.kind = REGISTRY_USER, .name = name}, user);
    json_object_foreach(json_object_get(o, "limits"), limit, value) set(
        i, "limit of user", (struct item_name){REGISTRY_USER_LIMIT, {0}, name, slice_str(limit)}, json_incref(value));
}

static void import_vhost(struct import *i, const json_t *o)
{
    struct item_name name = {.kind = REGISTRY_VHOST, .name = text_of(o, "name")};
    set(i, "vhost", name, vhost_value(o, item_get(i->request->http, name)));
}

static json_t *members_of(const json_t *o, const char *const *members)
{
    json_t *value = json_object();
    for (; *members; members++)
        if (json_object_get(o, *members)) json_object_set(value, *members, json_object_get(o, *members));
    return value;
}

static void import_permission(struct import *i, const json_t *o)
{
    static const char *const members[] = {"configure", "write", "read", NULL};
    set(i, "permission of", (struct item_name){REGISTRY_PERMISSION, vhost_of(i, o), text_of(o, "user"), {0}},
        members_of(o, members));
}

static void import_topic_permission(struct import *i, const json_t *o)
{
    static const char *const members[] = {"write", "read", NULL};
    set(i, "topic permission of",
        (struct item_name){REGISTRY_TOPIC_PERMISSION, vhost_of(i, o), text_of(o, "user"), text_of(o, "exchange")},
        members_of(o, members));
}

static void import_policy(struct import *i, const json_t *o)
{
    set(i, "policy", (struct item_name){REGISTRY_POLICY, vhost_of(i, o), text_of(o, "name"), {0}}, policy_value(o));
}

static void import_vhost_limits(struct import *i, struct slice vhost, const json_t *limits)
{
    const char *limit;
    json_t *value;
    json_object_foreach((json_t *)limits, limit, value)
        set(i, "limit of vhost", (struct item_name){REGISTRY_VHOST_LIMIT, vhost, slice_str(limit), {0}},
            json_incref(value));
}

static void import_parameter(struct import *i, const json_t *o)
{
    struct slice component = text_of(o, "component"), name = text_of(o, "name"), vhost = vhost_of(i, o);
    json_t *value = json_object_get(o, "value");
    if (slice_is(component, "vhost-limits")) import_vhost_limits(i, vhost, value);
    else if (slice_is(component, "operator_policy"))
        set(i, "operator policy", (struct item_name){REGISTRY_OPERATOR_POLICY, vhost, name, {0}}, policy_value(value));
    else if (slice_is(component, "policy"))
        set(i, "policy", (struct item_name){REGISTRY_POLICY, vhost, name, {0}}, policy_value(value));
    else
        set(i, "parameter", (struct item_name){REGISTRY_PARAMETER, vhost, component, name},
            value ? json_incref(value) : json_null());
}

static void import_global_parameter(struct import *i, const json_t *o)
{
    json_t *value = json_object_get(o, "value");
    set(i, "global parameter", (struct item_name){.kind = REGISTRY_GLOBAL_PARAMETER, .name = text_of(o, "name")},
        value ? json_incref(value) : json_null());
}

/* --- exchanges, queues, bindings: in conversations with their vhosts --- */

static void told(void *arg, const char *what, struct slice name, const struct refusal *why)
{
    struct import *i = arg;
    if (why) report(i, what, name, why->text);
    else i->done++;
}

static void tell(struct import *i, const char *what, struct slice name, struct slice vhost, const struct amqp_method *m)
{
    struct refusal why;
    if (i->lanes) lanes_tell(i->lanes, what, name, vhost, m);
    else told(i, what, name, rehearsal_tell(i->rehearsal, vhost, m, &why) ? NULL : &why);
}

static bool is_true(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

struct there {
    struct slice vhost, name;
    bool queue, found;
};

static void look(struct shard *s, void *arg)
{
    struct there *t = arg;
    struct topology *topology = broker_topology(shard_broker(s));
    t->found = t->queue ? topology_queue(topology, t->vhost, t->name) != NULL
                        : topology_exchange(topology, t->vhost, t->name) != NULL;
}

static bool is_there(struct import *i, struct slice vhost, struct slice name, bool queue)
{
    struct there t = {vhost, name, queue, false};
    if (i->rehearsal)
        return queue ? rehearsal_has_queue(i->rehearsal, vhost, name)
                     : rehearsal_has_exchange(i->rehearsal, vhost, name);
    shard_call_any(node_shard(i->request->http->params.node, 0), look, &t);
    return t.found;
}

/* False: reported. */
static bool short_enough(struct import *i, const char *what, struct slice name)
{
    if (name.size <= AMQP_SHORTSTR_MAX) return true;
    report(i, what, slice_of(name.data, 32), "its name is too long");
    return false;
}

static void import_queue(struct import *i, const json_t *o)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    struct buf arguments = {0};
    struct slice vhost = vhost_of(i, o), name = text_of(o, "name");
    if (!short_enough(i, "queue", name) || is_there(i, vhost, name, true)) return;
    m.queue_declare = (struct amqp_queue_declare){
        .queue = name, .durable = is_true(o, "durable"), .auto_delete = is_true(o, "auto_delete")};
    if (table_of_json(&arguments, json_object_get(o, "arguments"))) {
        m.queue_declare.arguments = buf_slice(&arguments);
        tell(i, "queue", name, vhost, &m);
    } else {
        report(i, "queue", name, "its arguments are no table");
    }
    buf_close(&arguments);
}

static void import_exchange(struct import *i, const json_t *o)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    struct buf arguments = {0};
    struct slice vhost = vhost_of(i, o), name = text_of(o, "name"), type = text_of(o, "type");
    if (!short_enough(i, "exchange", name) || !short_enough(i, "type", type) || is_there(i, vhost, name, false)) return;
    m.exchange_declare = (struct amqp_exchange_declare){.exchange = name,
                                                        .type = type,
                                                        .durable = is_true(o, "durable"),
                                                        .auto_delete = is_true(o, "auto_delete"),
                                                        .internal = is_true(o, "internal")};
    if (table_of_json(&arguments, json_object_get(o, "arguments"))) {
        m.exchange_declare.arguments = buf_slice(&arguments);
        tell(i, "exchange", name, vhost, &m);
    } else {
        report(i, "exchange", name, "its arguments are no table");
    }
    buf_close(&arguments);
}

static void import_binding(struct import *i, const json_t *o)
{
    bool to_exchange = slice_is(text_of(o, "destination_type"), "exchange");
    struct amqp_method m = amqp_method_of(to_exchange ? AMQP_EXCHANGE_BIND : AMQP_QUEUE_BIND);
    struct slice source = text_of(o, "source"), destination = text_of(o, "destination"),
                 key = text_of(o, "routing_key");
    struct buf arguments = {0};
    if (!source.size || !short_enough(i, "binding", source) || !short_enough(i, "binding", destination) ||
        !short_enough(i, "binding", key))
        return; /* bindings to the default exchange are there by themselves */
    bool sound = table_of_json(&arguments, json_object_get(o, "arguments"));
    if (to_exchange)
        m.exchange_bind = (struct amqp_exchange_bind){
            .destination = destination, .source = source, .routing_key = key, .arguments = buf_slice(&arguments)};
    else
        m.queue_bind = (struct amqp_queue_bind){
            .queue = destination, .exchange = source, .routing_key = key, .arguments = buf_slice(&arguments)};
    if (sound) tell(i, "binding of", source, vhost_of(i, o), &m);
    else report(i, "binding of", source, "its arguments are no table");
    buf_close(&arguments);
}

/* --- the whole --- */

/* In the order in which things need each other. */
static const struct section {
    const char *name;
    void (*import)(struct import *i, const json_t *o);
    bool of_vhost; /* also in a file of one vhost */
} parts[] = {
    {"users", import_user, false},
    {"vhosts", import_vhost, false},
    {"permissions", import_permission, false},
    {"topic_permissions", import_topic_permission, false},
    {"global_parameters", import_global_parameter, false},
    {"parameters", import_parameter, true},
    {"policies", import_policy, true},
    {"queues", import_queue, true},
    {"exchanges", import_exchange, true},
    {"bindings", import_binding, true},
};

/* Gives how many were refused. */
static size_t go_through(struct import *i, const json_t *file, struct buf *reasons)
{
    i->version = text_of(file, "rabbit_version");
    if (!i->version.data) i->version = text_of(file, "rabbitmq_version");
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        const json_t *list = json_object_get(file, parts[p].name);
        for (size_t k = 0; k < json_array_size(list) && (!i->vhost.data || parts[p].of_vhost); k++)
            if (json_is_object(json_array_get(list, k))) parts[p].import(i, json_array_get(list, k));
            else report(i, parts[p].name, (struct slice){0}, "not an object");
        if (i->lanes) lanes_settle(i->lanes); /* the next part needs this one */
    }
    if (i->refused > REPORTED_MAX) buf_printf(&i->report, "\nand %zu more", i->refused - REPORTED_MAX);
    *reasons = i->report;
    return i->refused;
}

size_t definitions_check(struct request *r, const json_t *file, struct slice vhost, struct buf *reasons)
{
    struct import i = {.request = r, .vhost = vhost, .rehearsal = rehearsal_open(r->http)};
    size_t refused = go_through(&i, file, reasons);
    rehearsal_close(i.rehearsal);
    return refused;
}

size_t definitions_import(struct request *r, const json_t *file, struct slice vhost, struct buf *reasons)
{
    struct import i = {.request = r, .vhost = vhost};
    i.lanes = lanes_open(r, told, &i);
    size_t refused = go_through(&i, file, reasons);
    lanes_close(i.lanes);
    return refused;
}

/* A form of the page, or of curl -F file=@...: the JSON stands between its first and last brace. */
static json_t *file_of_form(const struct request *r)
{
    const uint8_t *from = memchr(r->bytes.data, '{', r->bytes.size), *to = memrchr(r->bytes.data, '}', r->bytes.size);
    struct slice json = from && to && to > from ? slice_of(from, (size_t)(to - from) + 1) : (struct slice){0};
    return json_nests_too_deep(json) ? NULL : json_loadb(json.data ? (const char *)json.data : "", json.size, 0, NULL);
}

static void post(struct request *r, struct answer *a, struct slice vhost, bool rehearsed_only)
{
    struct buf reasons = {0};
    r->trusted |= caller_has(r, TAG_ADMINISTRATOR); /* as in RabbitMQ: into vhosts, too, where it has no permissions */
    json_t *file = r->body ? json_incref(r->body) : file_of_form(r);
    if (!json_is_object(file)) {
        answer_bad(a, "not_json");
    } else if (!vhost.data || vhost_answer(r, vhost, a)) {
        bool check = rehearsed_only || !request_flag(r, "skip_refused");
        size_t refused = check ? definitions_check(r, file, vhost, &reasons) : 0;
        if (!refused && !rehearsed_only) refused = definitions_import(r, file, vhost, &reasons);
        buf_put_u8(&reasons, 0);
        if (refused) answer_error(a, 400, "bad_request", (const char *)reasons.data);
        else answer_done(a, false);
    }
    buf_close(&reasons);
    json_decref(file);
}

void api_definitions_post(struct request *r, struct answer *a)
{
    post(r, a, r->captures[0], false);
}

/* Whether all of it would be taken; changes nothing. */
void api_definitions_check(struct request *r, struct answer *a)
{
    post(r, a, (struct slice){0}, true);
}
