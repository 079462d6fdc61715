/* What single keys cannot say: which of them go together, and what follows from others. */
#include <stdlib.h>
#include <unistd.h>

#include "config/config_internal.h"

static bool any(char (*list)[CONFIG_TEXT_MAX])
{
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        if (*list[i]) return true;
    return false;
}

static int check_tls(struct config *c, struct err *err)
{
    if (any(c->listeners_ssl) && !*c->ssl.certfile)
        return (int)err_set(err, ERR_INVALID, "ssl_options.certfile is needed because there are listeners.ssl");
    if (c->ssl_options.client_renegotiation)
        return (int)err_set(err, ERR_INVALID,
                            "ssl_options.client_renegotiation = true: renegotiation is never allowed");
    if (c->management_ssl_port && !*c->management_ssl.certfile)
        return (int)err_set(err, ERR_INVALID, "management.ssl.certfile is needed because of management.ssl.port");
    if (!strcmp(c->proxy_protocol, "auto") && !any(c->proxy_trusted))
        return (int)err_set(err, ERR_INVALID,
                            "proxy_protocol = auto: name the proxies, as in proxy_protocol.trusted.1 = 10.0.0.0/8");
    bool link = *c->cluster_ssl.cacertfile || *c->cluster_ssl.certfile || *c->cluster_ssl.keyfile;
    if (link && !(*c->cluster_ssl.cacertfile && *c->cluster_ssl.certfile))
        return (int)err_set(err, ERR_INVALID, "cluster.ssl: give both cluster.ssl.cacertfile and cluster.ssl.certfile");
    return 0;
}

static int check_definitions(const struct config *c, struct err *err)
{
    const char *url = c->definitions_url;
    bool https = !strcmp(c->definitions_backend, "https");
    if (https && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return (int)err_set(err, ERR_INVALID, "definitions.import_backend = https: definitions.https.url is needed");
    if (*url && !https)
        return (int)err_set(err, ERR_INVALID, "definitions.https.url: set definitions.import_backend = https");
    return 0;
}

/* host:port from two keys; an address of IPv6 goes into brackets. */
static void join_address(char *to, const char *ip, int64_t port)
{
    if (!*ip) snprintf(to, CONFIG_TEXT_MAX, "%lld", (long long)port);
    else snprintf(to, CONFIG_TEXT_MAX, strchr(ip, ':') ? "[%.240s]:%lld" : "%.240s:%lld", ip, (long long)port);
}

/* Also what RabbitMQ's file of plugins says. */
static int check_management(struct config *c, struct err *err)
{
    enum { MANAGEMENT_PORT = 15672, PROMETHEUS_PORT = 15692 };
    if (c->plugin_prometheus && !c->prometheus_tcp_port) c->prometheus_tcp_port = PROMETHEUS_PORT;
    if (c->plugin_management && !*c->management_tcp && !c->management_tcp_port && !c->management_ssl_port)
        c->management_tcp_port = MANAGEMENT_PORT;
    if (!c->management_tcp_port && !*c->management_tcp_ip) return 0;
    if (*c->management_tcp)
        return (int)err_set(err, ERR_INVALID, "give management.tcp, or management.tcp.port and .ip, not both");
    join_address(c->management_tcp, c->management_tcp_ip,
                 c->management_tcp_port ? c->management_tcp_port : MANAGEMENT_PORT);
    c->management_tcp_port = 0; /* done: checking twice is checking once */
    *c->management_tcp_ip = '\0';
    return 0;
}

/* A path of its own, or one under log.dir. */
static int place_log(struct config *c, struct err *err)
{
    char name[CONFIG_TEXT_MAX];
    if (!strcmp(c->log.file, "false")) {
        *c->log.file = *c->log.dir = '\0';
        return 0;
    }
    if (!*c->log.dir || *c->log.file == '/') return 0;
    snprintf(name, sizeof name, "%s", *c->log.file ? c->log.file : c->node_name);
    int size = snprintf(c->log.file, sizeof c->log.file, "%s/%s%s", c->log.dir, name, *c->log.file ? "" : ".log");
    *c->log.dir = '\0';
    return size < (int)sizeof c->log.file ? 0 : (int)err_set(err, ERR_INVALID, "log.dir: the path is too long");
}

/* "global.minute = 5" behind the key's name. */
static int check_samples(const struct config_pair *pairs, struct err *err)
{
    static const char *const sets[] = {"global.", "basic.", "detailed."};
    for (int i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++) {
        const char *rest = pairs[i].name + strlen("management.sample_retention_policies."), *span = NULL;
        for (size_t k = 0; k < sizeof sets / sizeof sets[0]; k++)
            if (!strncmp(rest, sets[k], strlen(sets[k]))) span = rest + strlen(sets[k]);
        if (!span || !config_sample_span_s(span))
            return (int)err_set(err, ERR_INVALID,
                                "%s: give global, basic or detailed, and minute, hour, day or seconds", pairs[i].name);
        long seconds = strtol(pairs[i].value, NULL, 10);
        if (strspn(pairs[i].value, "0123456789") != strlen(pairs[i].value) || seconds < 1 || seconds > 86400)
            return (int)err_set(err, ERR_INVALID, "%s = %s: give seconds from 1 to 86400", pairs[i].name,
                                pairs[i].value);
    }
    return 0;
}

unsigned config_sample_span_s(const char *span)
{
    if (!strcmp(span, "minute")) return 600; /* RabbitMQ means ten of them */
    if (!strcmp(span, "hour")) return 3600;
    if (!strcmp(span, "day")) return 86400;
    unsigned long seconds = strspn(span, "0123456789") == strlen(span) ? strtoul(span, NULL, 10) : 0;
    return seconds <= 86400 * 7 ? (unsigned)seconds : 0;
}

/* One form of the prefix: a stroke in front, none at the end. */
static int check_prefix(struct config_management *m, struct err *err)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    size_t size = strlen(m->path_prefix);
    while (size && m->path_prefix[size - 1] == '/') m->path_prefix[--size] = '\0';
    if (!size || (*m->path_prefix == '/' && strspn(m->path_prefix, fine) == size)) return 0;
    return (int)err_set(err, ERR_INVALID, "management.path_prefix = %s: give a path as /warren, of letters and digits",
                        m->path_prefix);
}

static int check_pairs(const struct config_pair *pairs, struct err *err)
{
    for (int i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++)
        if (strcmp(pairs[i].value, "true") && strcmp(pairs[i].value, "false"))
            return (int)err_set(err, ERR_INVALID, "%s = %s: give true or false", pairs[i].name, pairs[i].value);
    return 0;
}

enum { NODE_TAGS_MAX = 255 /* all together, as members are told them: NAME=VALUE, a line each */ };

static int check_node_tags(const struct config_pair *tags, const char *placement, struct err *err)
{
    size_t size = 0;
    for (int i = 0; i < CONFIG_PAIRS_MAX && *tags[i].name; i++) {
        const char *name = tags[i].name + strlen("node_tags.");
        if (!*name || strchr(name, '=') || strlen(name) > 63)
            return (int)err_set(err, ERR_INVALID, "%s: the name of a tag has 1 to 63 bytes, and no =", tags[i].name);
        size += strlen(name) + strlen(tags[i].value) + 2;
    }
    if (strlen(placement) > 63 || strchr(placement, '='))
        return (int)err_set(err, ERR_INVALID, "quorum_queue.member_placement_tag: no name of a tag");
    return size <= NODE_TAGS_MAX ? 0
                                 : (int)err_set(err, ERR_INVALID, "node_tags.*: longer than %d bytes", NODE_TAGS_MAX);
}

static void warn_of_backends(struct config *c, char (*list)[CONFIG_TEXT_MAX], const char *suffix)
{
    static const char *const known[] = {"internal", "http", "cache"};
    static const char module[] = "rabbit_auth_backend_";
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        const char *name = list[i];
        bool is_known = !*name;
        if (!strncmp(name, module, sizeof module - 1)) name += sizeof module - 1;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) is_known |= !strcmp(name, known[k]);
        if (!is_known)
            config_warn(
                c,
                "auth_backends.%d%s = %s has no effect: internal, http and cache are there, users of another one "
                "cannot log in",
                i, suffix, name);
    }
}

static int check_users(struct config *c, struct err *err)
{
    if (*c->loopback_users_none) c->loopback_users_guest = false;
    warn_of_backends(c, c->auth_backends, "");
    warn_of_backends(c, c->auth_backends_authn, ".authn");
    warn_of_backends(c, c->auth_backends_authz, ".authz");
    int code = check_pairs(c->default_tags_more, err);
    if (!code) code = check_node_tags(c->node_tags, c->placement_tag, err);
    return code ? code : check_pairs(c->loopback_users_more, err);
}

static int check_cluster(struct config *c, struct err *err)
{
    bool peers = any(c->cluster_peers), secret = *c->cluster_secret_file || *c->cluster_secret;
    if (peers && !*c->cluster_listen)
        return (int)err_set(err, ERR_INVALID, "cluster.listen is needed because there are cluster.peers");
    if (peers && !*c->cluster_peers[c->node_id])
        return (int)err_set(err, ERR_INVALID, "cluster.peers has no entry for this node: add cluster.peers.%lld",
                            (long long)c->node_id);
    if (peers && !secret)
        return (int)err_set(err, ERR_INVALID, "cluster.secret_file is needed because there are cluster.peers");
    if (*c->cluster_join && (peers || !*c->cluster_listen || !secret))
        return (int)err_set(
            err, ERR_INVALID,
            "cluster.join: a node that joins has cluster.listen and cluster.secret_file, and no cluster.peers");
    return 0;
}

static int check(struct config *c, struct err *err)
{
    bool listens = any(c->listeners_tcp);
    if (!*c->data_dir) return (int)err_set(err, ERR_INVALID, "data_dir is empty: nothing durable could be kept");
    if (*c->listeners_ssl_none && any(c->listeners_ssl))
        return (int)err_set(err, ERR_INVALID, "listeners.ssl = none, but there are listeners.ssl.N");
    if (*c->listeners_tcp_none && (listens || !any(c->listeners_ssl)))
        return (int)err_set(err, ERR_INVALID, "listeners.tcp = none, but there %s",
                            listens ? "are listeners.tcp.N" : "is no listeners.ssl: nobody could connect");
    if (!listens && !*c->listeners_tcp_none) join_address(c->listeners_tcp[0], c->node_ip, c->node_port);
    int code = check_tls(c, err);
    if (!code) code = check_management(c, err);
    if (!code) code = check_prefix(&c->management, err);
    if (!code) code = check_samples(c->management.samples, err);
    if (!code) code = check_users(c, err);
    if (!code) code = check_definitions(c, err);
    if (code) return code;
    if (!*c->node_name) {
        char host[128] = "localhost";
        gethostname(host, sizeof host - 1);
        snprintf(c->node_name, sizeof c->node_name, "warren@%s", host);
    }
    code = place_log(c, err);
    if (!code) code = config_form(c, err);
    if (!code) code = check_cluster(c, err);
    if (code) return code;
    if (c->heartbeat_ms * 3 > c->election_timeout_ms)
        return (int)err_set(err, ERR_INVALID, "raft.heartbeat_ms must be at most a third of raft.election_timeout_ms");
    return 0;
}

int config_check(struct config *c, struct err *err)
{
    struct err own;
    int code = config_secrets_read(c, &own);
    if (!code) code = check(c, &own);
    if (!code) return 0;
    config_locate(c, &own);
    if (err) *err = own;
    return code;
}
