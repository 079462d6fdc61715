/* /api/health/checks, the older health checks, and the aliveness test. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/http/conversation.h"
#include "node/http/families.h"
#include "node/http/queue_facts.h"
#include "node/net/net.h"
#include "replication/sys/tls.h"
#include "router/members.h"

void check_passed(struct answer *a)
{
    answer_json(a, json_pack("{s:s}", "status", "ok"));
}

void check_failed_because(struct answer *a, json_t *details, const char *reason)
{
    a->status = 503;
    json_t *o = json_object();
    json_put(o, "status", json_string("failed"));
    json_put(o, "reason", json_string(reason));
    if (details) json_object_update(o, details);
    json_decref(details);
    answer_json(a, o);
}

/* --- alarms --- */

static void add_alarms(struct shard *s, void *arg)
{
    json_t *array = arg;
    uint8_t nodes[NODE_IDS];
    uint32_t count = shard_members(s, nodes);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t node = nodes[i], bits = shard_alarms(s, node);
        const char *name = member_name(s, node);
        if (bits & ALARM_DISK) json_array_append_new(array, json_pack("{s:s, s:s}", "node", name, "resource", "disk"));
        if (bits & ALARM_MEMORY)
            json_array_append_new(array, json_pack("{s:s, s:s}", "node", name, "resource", "memory"));
    }
}

static void check_alarms(struct request *r, bool local, struct answer *a)
{
    json_t *alarms = json_array();
    const char *own = node_settings(r->http->params.node)->name;
    shard_call_any(node_shard(r->http->params.node, 0), add_alarms, alarms);
    for (size_t i = json_array_size(alarms); i-- > 0 && local;)
        if (!slice_is(slice_json(json_object_get(json_array_get(alarms, i), "node")), own))
            json_array_remove(alarms, i);
    if (!json_array_size(alarms)) check_passed(a);
    else
        check_failed_because(a, json_pack("{s:O}", "alarms", alarms),
                             local ? "There are alarms in effect on the node"
                                   : "There are alarms in effect in the cluster");
    json_decref(alarms);
}

void api_check_alarms(struct request *r, struct answer *a)
{
    check_alarms(r, false, a);
}

void api_check_local_alarms(struct request *r, struct answer *a)
{
    check_alarms(r, true, a);
}

/* --- listeners --- */

void api_check_port(struct request *r, struct answer *a)
{
    char digits[8], *end;
    snprintf(digits, sizeof digits, "%.*s", (int)r->captures[0].size, (const char *)r->captures[0].data);
    long port = strtol(digits, &end, 10);
    json_t *node = node_here(r->http, &r->view), *listeners = json_object_get(node, "listeners"), *ports = json_array();
    bool found = false;
    for (size_t i = 0; i < json_array_size(listeners); i++) {
        json_t *own = json_object_get(json_array_get(listeners, i), "port");
        found |= json_integer_value(own) == port;
        json_array_append(ports, own);
    }
    if (!*digits || *end || port < 0 || port > 65535) answer_bad(a, "Invalid port");
    else if (found) answer_json(a, json_pack("{s:s, s:i}", "status", "ok", "port", (int)port));
    else check_failed_because(a, json_pack("{s:i, s:O}", "missing", (int)port, "ports", ports), "No active listener");
    json_decref(ports);
    json_decref(node);
}

/* What people write for the names of protocols; several with commas between: all must be there. */
static bool is_protocol(struct slice given, const char *ours)
{
    static const char *const aliases[][2] = {{"amqp091", "amqp"},      {"amqp0.9.1", "amqp"},    {"amqp0-9-1", "amqp"},
                                             {"amqps", "amqp/ssl"},    {"amqp/tls", "amqp/ssl"}, {"https", "https"},
                                             {"cluster", "clustering"}};
    if (slice_is(given, ours)) return true;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (slice_is(given, aliases[i][0]) && !strcmp(aliases[i][1], ours)) return true;
    return false;
}

void api_check_protocol(struct request *r, struct answer *a)
{
    json_t *node = node_here(r->http, &r->view), *listeners = json_object_get(node, "listeners"),
           *protocols = json_array();
    struct slice given = r->captures[0], missing = {0};
    for (size_t i = 0; i < json_array_size(listeners); i++)
        json_array_append(protocols, json_object_get(json_array_get(listeners, i), "protocol"));
    for (size_t at = 0; at <= given.size && !missing.data;) {
        const uint8_t *comma = at < given.size ? memchr(given.data + at, ',', given.size - at) : NULL;
        struct slice one = slice_of(given.data + at, comma ? (size_t)(comma - given.data) - at : given.size - at);
        bool found = false;
        for (size_t i = 0; i < json_array_size(protocols) && !found; i++)
            found = is_protocol(one, json_string_value(json_array_get(protocols, i)));
        if (!found) missing = one;
        at += one.size + 1;
    }
    if (!missing.data) answer_json(a, json_pack("{s:s, s:o}", "status", "ok", "protocol", json_slice(given)));
    else
        check_failed_because(a, json_pack("{s:o, s:O}", "missing", json_slice(missing), "protocols", protocols),
                             "No active listener");
    json_decref(protocols);
    json_decref(node);
}

/* --- certificates --- */

static const struct unit {
    const char *name;
    int64_t seconds;
} units[] = {{"days", 86400}, {"weeks", 7 * 86400}, {"months", 30 * 86400}, {"years", 365 * 86400}};

/* When the first certificate ends; INT64_MAX: there is none. */
static int64_t first_end(struct http *h)
{
    const struct node_settings *settings = node_settings(h->params.node);
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < node_listener_addresses(h->params.node)->count; i++) {
        struct tls_context *tls = settings->entrances[i].tls;
        if (tls && tls_context_not_after(tls) < first) first = tls_context_not_after(tls);
    }
    struct tls_context *links = settings->link_listener_tls;
    if (links && tls_context_not_after(links) < first) first = tls_context_not_after(links);
    if (h->https && https_not_after(h->https) < first) first = https_not_after(h->https);
    return first;
}

/* {within} {unit} */
void api_check_certificates(struct request *r, struct answer *a)
{
    char digits[12], *end;
    snprintf(digits, sizeof digits, "%.*s", (int)r->captures[0].size, (const char *)r->captures[0].data);
    long within = strtol(digits, &end, 10);
    const struct unit *unit = NULL;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (slice_is(r->captures[1], units[i].name)) unit = &units[i];
    if (!unit) {
        answer_bad(a, "Time unit not recognised. Supported units: days, weeks, months, years.");
    } else if (!*digits || *end || within < 0) {
        answer_bad(a, "Invalid expiration period.");
    } else {
        int64_t not_after = first_end(r->http);
        int64_t limit = (int64_t)time(NULL) + within * unit->seconds;
        if (not_after > limit) check_passed(a);
        else check_failed_because(a, json_pack("{s:I}", "not_after", (json_int_t)not_after), "Certificates expiring");
    }
}

/* --- limits and sizes --- */

void api_check_connection_limit(struct request *r, struct answer *a)
{
    struct totals t;
    totals_gather(r->http, &t);
    uint64_t limit = process_files_max();
    json_t *details = json_pack("{s:I, s:I}", "current", (json_int_t)t.connections, "limit", (json_int_t)limit);
    if (t.connections < limit) {
        json_put(details, "status", json_string("ok"));
        answer_json(a, details);
    } else {
        check_failed_because(a, details, "node connection limit is reached");
    }
}

void api_check_cluster_size(struct request *r, struct answer *a)
{
    struct members members;
    json_int_t target = members_count(r->http), running = 0;
    members_open(r->http, &members);
    for (unsigned i = 0; i < NODE_IDS; i++) running += members.up[i];
    members_close(&members);
    json_t *details = json_pack("{s:I, s:I}", "running_nodes", running, "target_cluster_size", target);
    if (running >= target) {
        json_put(details, "status", json_string("ok"));
        answer_json(a, details);
    } else {
        check_failed_because(a, details, "target cluster size has not been reached");
    }
}

/* --- the older ones --- */

void api_check_node(struct request *r, struct answer *a)
{
    const char *own = node_settings(r->http->params.node)->name;
    if (r->captures[0].data && !slice_is(r->captures[0], own)) {
        json_t *nodes = nodes_everywhere(r);
        bool runs = false;
        for (size_t i = 0; i < json_array_size(nodes); i++)
            runs |= slice_equal(slice_json(json_object_get(json_array_get(nodes, i), "name")), r->captures[0]) &&
                    json_is_true(json_object_get(json_array_get(nodes, i), "running"));
        json_decref(nodes);
        if (runs) check_passed(a);
        else check_failed_because(a, NULL, "nodedown");
        return;
    }
    check_alarms(r, true, a);
}

/* Declares, publishes, gets and acknowledges, as a client. */
static bool try_it(struct conversation *c, struct refusal *why)
{
    static const char queue[] = "aliveness-test";
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE), reply;
    struct message message = {.body = slice_str("test_message")};
    struct buf properties = {0};
    m.queue_declare.queue = slice_str(queue);
    if (!conversation_call(c, &m, &reply, NULL, why)) return false;
    m = amqp_method_of(AMQP_CONFIRM_SELECT);
    if (!conversation_call(c, &m, &reply, NULL, why)) return false;
    buf_put_be16(&properties, 0);
    message.properties = buf_slice(&properties);
    m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish.routing_key = slice_str(queue);
    conversation_publish(c, &m, &message);
    buf_close(&properties);
    if (!conversation_receive(c, &reply, NULL, why)) return false;
    m = amqp_method_of(AMQP_BASIC_GET);
    m.basic_get.queue = slice_str(queue);
    m.basic_get.no_ack = true;
    return conversation_call(c, &m, &reply, &message, why) && amqp_method_number(&reply) == AMQP_BASIC_GET_OK;
}

void api_aliveness_test(struct request *r, struct answer *a)
{
    struct refusal why;
    if (!vhost_answer(r, r->captures[0], a)) return;
    struct conversation *c = conversation_open(r, r->captures[0], &why);
    if (c && try_it(c, &why)) check_passed(a);
    else check_failed_because(a, NULL, why.text[0] ? why.text : "the message did not come back");
    if (c) conversation_close(c);
}
