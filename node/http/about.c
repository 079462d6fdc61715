/* What this node consists of: ports, exchange types, mechanisms, plugins as RabbitMQ's tools know them. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "node/http/http_internal.h"

static const char *const exchange_types[][2] = {
    {"direct", "AMQP direct exchange, as per the AMQP specification"},
    {"fanout", "AMQP fanout exchange, as per the AMQP specification"},
    {"headers", "AMQP headers exchange, as per the AMQP specification"},
    {"topic", "AMQP topic exchange, as per the AMQP specification"},
    {"x-consistent-hash", "Consistent Hashing Exchange"},
    {"x-modulus-hash", "Modulus Hashing Exchange"},
    {"x-random", "Random Exchange"},
    {"x-local-random", "Random Exchange that prefers queues led by this node"},
    {"x-recent-history", "Recent History Exchange"},
    {"x-delayed-message", "Delayed Message Exchange"},
    {"x-message-deduplication", "Message Deduplication Exchange"},
    {"x-federation-upstream", "Federation helper"},
};

json_t *exchange_types_json(void)
{
    json_t *types = json_array();
    for (size_t i = 0; i < sizeof exchange_types / sizeof exchange_types[0]; i++)
        if (topology_knows_exchange_type(slice_str(exchange_types[i][0])))
            json_array_append_new(types, json_pack("{s:s, s:s, s:b}", "name", exchange_types[i][0], "description",
                                                   exchange_types[i][1], "enabled", 1));
    return types;
}

/* --- ports --- */

static json_t *listener_json(const char *node, const char *protocol, const char *address)
{
    const char *colon = strrchr(address, ':');
    char host[256];
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    return json_pack("{s:s, s:s, s:s, s:i, s:{}}", "node", node, "protocol", protocol, "ip_address",
                     *host ? host : "::", "port", atoi(colon ? colon + 1 : address), "socket_opts");
}

static json_t *listeners_json(struct http *h)
{
    const struct node_settings *settings = node_settings(h->params.node);
    const struct node_listeners *amqp = node_listener_addresses(h->params.node);
    json_t *array = json_array();
    for (size_t i = 0; i < amqp->count; i++)
        json_array_append_new(
            array, listener_json(settings->name, settings->entrances[i].tls ? "amqp/ssl" : "amqp", amqp->addresses[i]));
    if (settings->cluster_listen)
        json_array_append_new(array, listener_json(settings->name, "clustering", settings->cluster_listen));
    if (h->daemon) json_array_append_new(array, listener_json(settings->name, "http", h->address));
    if (h->https) json_array_append_new(array, listener_json(settings->name, "https", h->params.tls_address));
    if (h->metrics)
        json_array_append_new(array, listener_json(settings->name, "http/prometheus", h->params.metrics_address));
    return array;
}

/* A web port: port as text, as RabbitMQ has it. */
static void add_context(json_t *array, struct http *h, const char *what, const char *path, const char *address,
                        bool tls)
{
    const char *colon = strrchr(address, ':');
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "node", node_settings(h->params.node)->name, "description", what,
                          "path", *path ? path : "/", "port", colon ? colon + 1 : address, "cowboy_opts", "[]");
    if (tls) json_put(o, "ssl", json_string("true"));
    json_array_append_new(array, o);
}

static json_t *contexts_json(struct http *h)
{
    json_t *array = json_array();
    const char *prefix = h->params.management->path_prefix;
    if (h->daemon) add_context(array, h, "RabbitMQ Management", prefix, h->address, false);
    if (h->https) add_context(array, h, "RabbitMQ Management", prefix, h->params.tls_address, true);
    if (h->metrics) add_context(array, h, "RabbitMQ Prometheus", "", h->params.metrics_address, false);
    return array;
}

/* --- what it can do --- */

static json_t *mechanisms_json(const struct config *c)
{
    static const char *const known[][2] = {{"PLAIN", "SASL PLAIN authentication mechanism"},
                                           {"AMQPLAIN", "QPid AMQPLAIN mechanism"},
                                           {"EXTERNAL", "TLS peer verification-based authentication plugin"},
                                           {"RABBIT-CR-DEMO", "RabbitMQ Demo challenge-response authentication "
                                                              "mechanism"}};
    json_t *array = json_array();
    bool named = false;
    for (int i = 0; i < CONFIG_LIST_MAX; i++) named |= *c->auth_mechanisms[i] != '\0';
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        bool on = !named && k < 2; /* the built-in ones */
        for (int i = 0; i < CONFIG_LIST_MAX; i++) on |= !strcmp(c->auth_mechanisms[i], known[k][0]);
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:b}", "name", known[k][0], "description", known[k][1], "enabled", on));
    }
    return array;
}

/* RabbitMQ's plugins whose work this node does. */
static json_t *plugins_json(struct http *h)
{
    static const struct {
        const char *name;
        const char *type; /* of exchanges that it would bring; NULL: something else */
        bool links;
    } plugins[] = {{"rabbitmq_consistent_hash_exchange", "x-consistent-hash", false},
                   {"rabbitmq_delayed_message_exchange", "x-delayed-message", false},
                   {"rabbitmq_federation", NULL, true},
                   {"rabbitmq_federation_management", NULL, true},
                   {"rabbitmq_management", NULL, false},
                   {"rabbitmq_management_agent", NULL, false},
                   {"rabbitmq_message_deduplication", "x-message-deduplication", false},
                   {"rabbitmq_prometheus", NULL, false},
                   {"rabbitmq_random_exchange", "x-random", false},
                   {"rabbitmq_recent_history_exchange", "x-recent-history", false},
                   {"rabbitmq_sharding", "x-modulus-hash", false},
                   {"rabbitmq_shovel", NULL, true},
                   {"rabbitmq_shovel_management", NULL, true}};
    json_t *array = json_array();
    for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++) {
        if (plugins[i].type && !topology_knows_exchange_type(slice_str(plugins[i].type))) continue;
        if (plugins[i].links && !atomic_load(&h->links)) continue;
        json_array_append_new(array, json_string(plugins[i].name));
    }
    return array;
}

/* --- where it is --- */

static json_t *config_files_json(const struct config *c)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < c->origin_count; i++)
        if (strchr(c->origins[i], '/') || strstr(c->origins[i], ".conf"))
            json_array_append_new(array, json_string(c->origins[i]));
    return array;
}

static json_t *log_files_json(const struct logger *l)
{
    json_t *array = json_array();
    if (logger_file(l)) json_array_append_new(array, json_string(logger_file(l)));
    return array;
}

void about_put(json_t *o, struct http *h)
{
    const struct node_settings *settings = node_settings(h->params.node);
    json_put(o, "config_files", config_files_json(h->params.config));
    json_put(o, "log_files", log_files_json(settings->logger));
    json_put(o, "db_dir", json_string(settings->data_dir));
    json_put(o, "enabled_plugins", plugins_json(h));
    json_put(o, "applications",
             json_pack("[{s:s, s:s, s:s}]", "name", "rabbit", "description", h->params.product, "version",
                       h->params.version));
    json_put(o, "auth_mechanisms", mechanisms_json(h->params.config));
    json_put(o, "exchange_types", exchange_types_json());
    json_put(o, "contexts", contexts_json(h));
    json_put(o, "listeners", listeners_json(h));
}

static void put_key(void *arg, const char *name, const char *value)
{
    json_put(arg, name, json_slice(slice_str(value)));
}

/* /api/config/effective: of the node that is asked. */
void api_effective_config(struct request *r, struct answer *a)
{
    json_t *o = json_object();
    config_show(r->http->params.config, put_key, o);
    answer_json(a, o);
}
