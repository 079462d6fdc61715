/* Members as RabbitMQ's peer discovery names them. Warren's members have numbers that stay, so only ways that give
 * each member a lasting place are there: a list, the pods of a StatefulSet, and the addresses of a name as they are at
 * the first start (node/shard/discovery.h). */
#include <stdlib.h>

#include "config/config_internal.h"

enum { HOST_MAX = 200, FORMATION_NODES_MAX = 63 };

static const char *host_of(const char *node)
{
    const char *at = strchr(node, '@');
    return at ? at + 1 : node;
}

static bool same_host(const char *a, const char *b)
{
    size_t size = strcspn(a, ".");
    return size == strcspn(b, ".") && !strncasecmp(a, b, size) && (!a[size] || !b[size] || !strcasecmp(a, b));
}

static int put_peer(struct config *c, int64_t id, const char *host, struct err *err)
{
    if (strlen(host) > HOST_MAX)
        return (int)err_set(err, ERR_INVALID, "cluster_formation: %.40s... is longer than %d bytes", host, HOST_MAX);
    snprintf(c->cluster_peers[id], CONFIG_TEXT_MAX, "%s:%lld", host, (long long)c->formation_port);
    return 0;
}

/* The place of this node in the list: by its whole name; if there is none, by its host. 0: none. */
static int64_t own_place(const struct config *c)
{
    for (int64_t id = 1; id <= FORMATION_NODES_MAX; id++)
        if (!strcmp(c->formation_nodes[id], c->node_name)) return id;
    int64_t found = 0, count = 0;
    for (int64_t id = 1; id <= FORMATION_NODES_MAX; id++)
        if (*c->formation_nodes[id] && same_host(host_of(c->formation_nodes[id]), host_of(c->node_name)))
            found = id, count++;
    return count == 1 ? found : 0;
}

static int form_by_list(struct config *c, struct err *err)
{
    int count = 0, code = 0;
    for (int64_t id = 1; id <= FORMATION_NODES_MAX; id++) count += *c->formation_nodes[id] != 0;
    int64_t own = own_place(c);
    if (!count) return 0;
    if (!own)
        return (int)err_set(
            err, ERR_INVALID,
            "cluster_formation.classic_config.nodes has no %s: set node.name (RABBITMQ_NODENAME) to one "
            "of them, or add this node",
            c->node_name);
    c->node_id = own;
    if (count == 1) return 0; /* alone */
    for (int64_t id = 1; id <= FORMATION_NODES_MAX && !code; id++)
        if (*c->formation_nodes[id]) code = put_peer(c, id, host_of(c->formation_nodes[id]), err);
    return code;
}

enum { POD_SIZE = HOST_MAX + 2 * CONFIG_TEXT_MAX };

static void pod_name(const struct config *c, const char *set, int64_t number, char to[POD_SIZE])
{
    bool suffix = *c->formation_k8s_suffix;
    snprintf(to, POD_SIZE, "%s-%lld%s%s", set, (long long)number, suffix ? "" : ".",
             suffix ? c->formation_k8s_suffix : c->formation_k8s_service);
}

/* A pod beyond those that the cluster started with asks the first two. */
static int join_pods(struct config *c, const char *set, struct err *err)
{
    char first[POD_SIZE], second[POD_SIZE];
    pod_name(c, set, 0, first);
    pod_name(c, set, 1, second);
    long long port = c->formation_port;
    int size = c->formation_size > 1
                   ? snprintf(c->cluster_join, CONFIG_TEXT_MAX, "%s:%lld,%s:%lld", first, port, second, port)
                   : snprintf(c->cluster_join, CONFIG_TEXT_MAX, "%s:%lld", first, port);
    if (size >= CONFIG_TEXT_MAX)
        return (int)err_set(err, ERR_INVALID, "cluster_formation by k8s: the names of pods are too long");
    if (!*c->cluster_listen) snprintf(c->cluster_listen, CONFIG_TEXT_MAX, "%lld", port);
    return 0;
}

/* NAME-N: the host of a StatefulSet's pod, as node.name has it; that is the machine's if nobody said otherwise. */
static int form_by_pods(struct config *c, struct err *err)
{
    char host[HOST_MAX + 1] = "", peer[POD_SIZE];
    snprintf(host, sizeof host, "%.*s", HOST_MAX, host_of(c->node_name));
    host[strcspn(host, ".")] = '\0';
    char *dash = strrchr(host, '-');
    size_t digits = dash ? strspn(dash + 1, "0123456789") : 0;
    if (!digits || digits > 2 || dash[1 + digits])
        return (int)err_set(err, ERR_INVALID,
                            "cluster_formation by k8s: the host %s has no name of a StatefulSet, NAME-N", host);
    if (c->formation_size < 1)
        return (int)err_set(err, ERR_INVALID,
                            "cluster_formation by k8s: set cluster_formation.target_cluster_size_hint to the number of "
                            "pods that the cluster starts with");
    if (!*c->formation_k8s_service && !*c->formation_k8s_suffix)
        return (int)err_set(err, ERR_INVALID,
                            "cluster_formation by k8s: set cluster_formation.k8s.service_name or .hostname_suffix");
    int64_t own = atoi(dash + 1);
    if (own >= FORMATION_NODES_MAX)
        return (int)err_set(err, ERR_INVALID, "cluster_formation by k8s: %s is beyond node %d", host,
                            FORMATION_NODES_MAX);
    *dash = '\0';
    c->node_id = own + 1;
    if (own >= c->formation_size) return join_pods(c, host, err);
    int code = 0;
    for (int64_t id = 0; id < c->formation_size && c->formation_size > 1 && !code; id++) {
        pod_name(c, host, id, peer);
        code = put_peer(c, id + 1, peer, err);
    }
    return code;
}

/* The name is looked up by whoever starts the node. */
static int form_by_dns(struct config *c, struct err *err)
{
    if (!*c->formation_dns)
        return (int)err_set(err, ERR_INVALID, "cluster_formation by dns: set cluster_formation.dns.hostname");
    if (c->formation_size < 1)
        return (int)err_set(err, ERR_INVALID,
                            "cluster_formation by dns: set cluster_formation.target_cluster_size_hint to the number of "
                            "addresses of %s that the cluster starts with",
                            c->formation_dns);
    if (!*c->cluster_secret_file && !*c->cluster_secret)
        return (int)err_set(err, ERR_INVALID,
                            "cluster.secret_file is needed because of cluster_formation.dns.hostname");
    if (!*c->cluster_listen) snprintf(c->cluster_listen, CONFIG_TEXT_MAX, "%lld", (long long)c->formation_port);
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), wanted = strlen(end);
    return size >= wanted && !strcmp(text + size - wanted, end);
}

int config_form(struct config *c, struct err *err)
{
    const char *backend = c->formation_backend;
    bool named = *c->cluster_join; /* Warren's own keys count more; and checking twice is checking once */
    int code;
    for (int i = 0; i < CONFIG_LIST_MAX; i++) named = named || *c->cluster_peers[i];
    if (!ends_with(backend, "dns") || named) *c->formation_dns = '\0';
    if (named) return 0;
    if (!*backend || ends_with(backend, "classic_config")) code = form_by_list(c, err);
    else if (ends_with(backend, "k8s") || ends_with(backend, "kubernetes")) code = form_by_pods(c, err);
    else if (ends_with(backend, "dns")) return form_by_dns(c, err);
    else
        code = (int)err_set(
            err, ERR_INVALID,
            "cluster_formation.peer_discovery_backend = %s: give classic_config, k8s or dns, or name the members "
            "in cluster.peers.N",
            backend);
    for (int i = 0; i < CONFIG_LIST_MAX && !code && !*c->cluster_listen; i++)
        if (*c->cluster_peers[i]) snprintf(c->cluster_listen, CONFIG_TEXT_MAX, "%lld", (long long)c->formation_port);
    return code;
}
