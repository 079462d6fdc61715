/* Which path goes to whom, and what its caller must be. */
#include <stdlib.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/http/http_internal.h"

/* A pattern's {} matches one segment of a path and captures it. */
struct route_entry {
    const char *pattern;
    enum http_tag tag;
    enum http_tag changed_by; /* methods other than GET, when they need more */
    bool figures;             /* GET shows nothing but figures: refused where they are switched off */
    request_handler *handlers[HTTP_METHODS];
};

#define CHANGED_BY .changed_by
#define FIGURES .figures = true

#define GET .handlers[HTTP_GET]
#define PUT .handlers[HTTP_PUT]
#define POST .handlers[HTTP_POST]
#define DELETE .handlers[HTTP_DELETE]

static const struct route_entry table[] = {
    {"/", TAG_NONE, GET = page_index_get},
    {"/page/{}", TAG_NONE, GET = page_file_get},
    {"/cli", TAG_NONE, GET = api_cli_index},
    {"/cli/index.html", TAG_NONE, GET = api_cli_index},
    {"/cli/rabbitmqadmin", TAG_NONE, GET = api_rabbitmqadmin},
    {"/health/{}", TAG_NONE, GET = api_health_get},
    {"/metrics", TAG_MONITORING, GET = api_metrics_get},
    {"/metrics/per-object", TAG_MONITORING, GET = api_metrics_per_object},
    {"/metrics/detailed", TAG_MONITORING, GET = api_metrics_detailed},
    {"/metrics/memory-breakdown", TAG_MONITORING, GET = api_metrics_memory},
    {"/api/overview", TAG_MANAGEMENT, GET = api_overview_get},
    {"/api/whoami", TAG_MANAGEMENT, GET = api_whoami_get},
    {"/api/version", TAG_MANAGEMENT, GET = api_version_get},
    {"/api/extensions", TAG_MANAGEMENT, GET = api_extensions_get},
    {"/api/cluster-name", TAG_MANAGEMENT, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_cluster_name_get,
     PUT = api_cluster_name_put},
    {"/api/nodes", TAG_MONITORING, GET = api_nodes_list},
    {"/api/nodes/{}", TAG_MONITORING, GET = api_node_get},
    {"/api/nodes/{}/memory", TAG_MONITORING, GET = api_node_memory},
    {"/api/nodes/{}/memory/relative", TAG_MONITORING, GET = api_node_memory_relative},
    {"/api/connections", TAG_MANAGEMENT, FIGURES, GET = api_connections_list},
    {"/api/connections/username/{}", TAG_MANAGEMENT, FIGURES, GET = api_connections_of_user,
     DELETE = api_connections_of_user_delete},
    {"/api/connections/{}", TAG_MANAGEMENT, FIGURES, GET = api_connection_get, DELETE = api_connection_delete},
    {"/api/connections/{}/channels", TAG_MANAGEMENT, FIGURES, GET = api_channels_of_connection},
    {"/api/channels", TAG_MANAGEMENT, FIGURES, GET = api_channels_list},
    {"/api/channels/{}", TAG_MANAGEMENT, FIGURES, GET = api_channel_get},
    {"/api/vhosts/{}/connections", TAG_MANAGEMENT, FIGURES, GET = api_connections_of_vhost},
    {"/api/vhosts/{}/channels", TAG_MANAGEMENT, FIGURES, GET = api_channels_of_vhost},
    {"/api/consumers", TAG_MANAGEMENT, FIGURES, GET = api_consumers_list},
    {"/api/consumers/{}", TAG_MANAGEMENT, FIGURES, GET = api_consumers_list},
    {"/api/exchanges", TAG_MANAGEMENT, GET = api_exchanges_list},
    {"/api/exchanges/{}", TAG_MANAGEMENT, GET = api_exchanges_list},
    {"/api/exchanges/{}/{}", TAG_MANAGEMENT, GET = api_exchange_get, PUT = api_exchange_put,
     DELETE = api_exchange_delete},
    {"/api/exchanges/{}/{}/publish", TAG_MANAGEMENT, POST = api_exchange_publish},
    {"/api/exchanges/{}/{}/route", TAG_MANAGEMENT, POST = api_exchange_route},
    {"/api/exchanges/{}/{}/bindings/source", TAG_MANAGEMENT, GET = api_exchange_bindings_source},
    {"/api/exchanges/{}/{}/bindings/destination", TAG_MANAGEMENT, GET = api_exchange_bindings_destination},
    {"/api/queues", TAG_MANAGEMENT, GET = api_queues_list},
    {"/api/queues/detailed", TAG_MANAGEMENT, GET = api_queues_detailed},
    {"/api/queues/quorum/{}/{}/replicas/add", TAG_ADMINISTRATOR, POST = api_replica_add},
    {"/api/queues/quorum/{}/{}/replicas/delete", TAG_ADMINISTRATOR, DELETE = api_replica_delete},
    {"/api/queues/quorum/{}/{}/leader", TAG_ADMINISTRATOR, POST = api_queue_leader},
    {"/api/queues/quorum/{}/{}/status", TAG_MANAGEMENT, GET = api_queue_status},
    {"/api/queues/quorum/replicas/on/{}/grow", TAG_ADMINISTRATOR, POST = api_replicas_grow},
    {"/api/queues/quorum/replicas/on/{}/shrink", TAG_ADMINISTRATOR, DELETE = api_replicas_shrink},
    {"/api/queues/{}", TAG_MANAGEMENT, GET = api_queues_list},
    {"/api/queues/{}/{}", TAG_MANAGEMENT, GET = api_queue_get, PUT = api_queue_put, DELETE = api_queue_delete},
    {"/api/queues/{}/{}/bindings", TAG_MANAGEMENT, GET = api_queue_bindings},
    {"/api/queues/{}/{}/contents", TAG_MANAGEMENT, DELETE = api_queue_purge},
    {"/api/queues/{}/{}/get", TAG_MANAGEMENT, POST = api_queue_messages_get},
    {"/api/queues/{}/{}/actions", TAG_MANAGEMENT, POST = api_queue_actions},
    {"/api/bindings", TAG_MANAGEMENT, GET = api_bindings_list},
    {"/api/bindings/{}", TAG_MANAGEMENT, GET = api_bindings_list},
    {"/api/bindings/{}/e/{}/{}/{}", TAG_MANAGEMENT, GET = api_bindings_between_list, POST = api_binding_post},
    {"/api/bindings/{}/e/{}/{}/{}/{}", TAG_MANAGEMENT, GET = api_binding_get, DELETE = api_binding_delete},
    {"/api/definitions", TAG_ADMINISTRATOR, GET = api_definitions_get, POST = api_definitions_post},
    {"/api/definitions/{}", TAG_POLICYMAKER, GET = api_definitions_get, POST = api_definitions_post},
    {"/api/vhosts", TAG_MANAGEMENT, GET = api_vhosts_list},
    {"/api/vhosts/{}", TAG_MANAGEMENT, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_vhost_get, PUT = api_vhost_put,
     DELETE = api_vhost_delete},
    {"/api/vhosts/{}/permissions", TAG_ADMINISTRATOR, GET = api_permissions_of_vhost},
    {"/api/vhosts/{}/topic-permissions", TAG_ADMINISTRATOR, GET = api_topic_permissions_of_vhost},
    {"/api/vhosts/{}/start/{}", TAG_ADMINISTRATOR, POST = api_vhost_start},
    {"/api/vhosts/{}/deletion/protection", TAG_ADMINISTRATOR, POST = api_vhost_protect, DELETE = api_vhost_unprotect},
    {"/api/users", TAG_ADMINISTRATOR, GET = api_users_list},
    {"/api/users/without-permissions", TAG_ADMINISTRATOR, GET = api_users_without_permissions},
    {"/api/users/bulk-delete", TAG_ADMINISTRATOR, POST = api_users_bulk_delete},
    {"/api/users/{}", TAG_ADMINISTRATOR, GET = api_user_get, PUT = api_user_put, DELETE = api_user_delete},
    {"/api/users/{}/permissions", TAG_ADMINISTRATOR, GET = api_permissions_of_user},
    {"/api/users/{}/topic-permissions", TAG_ADMINISTRATOR, GET = api_topic_permissions_of_user},
    {"/api/auth/hash_password/{}", TAG_ADMINISTRATOR, GET = api_hash_password},
    {"/api/permissions", TAG_ADMINISTRATOR, GET = api_permissions_list},
    {"/api/permissions/{}/{}", TAG_ADMINISTRATOR, GET = api_permission_get, PUT = api_permission_put,
     DELETE = api_permission_delete},
    {"/api/topic-permissions", TAG_ADMINISTRATOR, GET = api_topic_permissions_list},
    {"/api/topic-permissions/{}/{}", TAG_ADMINISTRATOR, GET = api_topic_permission_get, PUT = api_topic_permission_put,
     DELETE = api_topic_permission_delete},
    {"/api/topic-permissions/{}/{}/{}", TAG_ADMINISTRATOR, DELETE = api_topic_permission_delete},
    {"/api/vhost-limits", TAG_MANAGEMENT, GET = api_vhost_limits_list},
    {"/api/vhost-limits/{}", TAG_MANAGEMENT, GET = api_vhost_limits_list},
    {"/api/vhost-limits/{}/{}", TAG_ADMINISTRATOR, PUT = api_vhost_limit_put, DELETE = api_vhost_limit_delete},
    {"/api/user-limits", TAG_MANAGEMENT, GET = api_user_limits_list},
    {"/api/user-limits/{}", TAG_MANAGEMENT, GET = api_user_limits_list},
    {"/api/user-limits/{}/{}", TAG_ADMINISTRATOR, PUT = api_user_limit_put, DELETE = api_user_limit_delete},
    {"/api/policies", TAG_MANAGEMENT, GET = api_policies_list},
    {"/api/policies/{}", TAG_MANAGEMENT, GET = api_policies_list},
    {"/api/policies/{}/{}", TAG_POLICYMAKER, GET = api_policy_get, PUT = api_policy_put, DELETE = api_policy_delete},
    {"/api/operator-policies", TAG_MANAGEMENT, GET = api_operator_policies_list},
    {"/api/operator-policies/{}", TAG_MANAGEMENT, GET = api_operator_policies_list},
    {"/api/operator-policies/{}/{}", TAG_ADMINISTRATOR, GET = api_operator_policy_get, PUT = api_operator_policy_put,
     DELETE = api_operator_policy_delete},
    {"/api/parameters", TAG_POLICYMAKER, GET = api_parameters_list},
    {"/api/parameters/{}", TAG_POLICYMAKER, GET = api_parameters_list},
    {"/api/parameters/{}/{}", TAG_POLICYMAKER, GET = api_parameters_list},
    {"/api/parameters/{}/{}/{}", TAG_POLICYMAKER, GET = api_parameter_get, PUT = api_parameter_put,
     DELETE = api_parameter_delete},
    {"/api/global-parameters", TAG_POLICYMAKER, GET = api_global_parameters_list},
    {"/api/global-parameters/{}", TAG_POLICYMAKER, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_global_parameter_get,
     PUT = api_global_parameter_put, DELETE = api_global_parameter_delete},
    {"/api/aliveness-test/{}", TAG_MANAGEMENT, GET = api_aliveness_test},
    {"/api/healthchecks/node", TAG_MONITORING, GET = api_check_node},
    {"/api/healthchecks/node/{}", TAG_MONITORING, GET = api_check_node},
    {"/api/health/checks/alarms", TAG_MANAGEMENT, GET = api_check_alarms},
    {"/api/health/checks/local-alarms", TAG_MANAGEMENT, GET = api_check_local_alarms},
    {"/api/health/checks/port-listener/{}", TAG_MANAGEMENT, GET = api_check_port},
    {"/api/health/checks/protocol-listener/{}", TAG_MANAGEMENT, GET = api_check_protocol},
    {"/api/health/checks/virtual-hosts", TAG_MANAGEMENT, GET = api_check_vhosts},
    {"/api/health/checks/node-is-quorum-critical", TAG_MANAGEMENT, GET = api_check_quorum_critical},
    {"/api/health/checks/node-is-mirror-sync-critical", TAG_MANAGEMENT, GET = api_check_mirror_critical},
    {"/api/health/checks/is-in-service", TAG_MANAGEMENT, GET = api_check_in_service},
    {"/api/health/checks/ready-to-serve-clients", TAG_MANAGEMENT, GET = api_check_ready},
    {"/api/health/checks/below-node-connection-limit", TAG_MANAGEMENT, GET = api_check_connection_limit},
    {"/api/health/checks/reached-target-cluster-size", TAG_MANAGEMENT, GET = api_check_cluster_size},
    {"/api/health/checks/metadata-store/initialized", TAG_MANAGEMENT, GET = api_check_metadata},
    {"/api/health/checks/metadata-store/initialized/with-data", TAG_MANAGEMENT, GET = api_check_metadata_with_data},
    {"/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts", TAG_MANAGEMENT,
     GET = api_check_leaderless_queues},
    {"/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{}", TAG_MANAGEMENT,
     GET = api_check_leaderless_queues},
    {"/api/health/checks/quorum-queues-without-elected-leaders/vhost/{}", TAG_MANAGEMENT,
     GET = api_check_leaderless_queues},
    {"/api/health/checks/quorum-queues-without-elected-leaders/vhost/{}/pattern/{}", TAG_MANAGEMENT,
     GET = api_check_leaderless_queues},
    {"/api/shovels", TAG_MONITORING, GET = api_shovels_list},
    {"/api/shovels/{}", TAG_MONITORING, GET = api_shovels_list},
    {"/api/shovels/vhost/{}/{}", TAG_MONITORING, CHANGED_BY = TAG_POLICYMAKER, GET = api_shovel_get,
     DELETE = api_shovel_delete},
    {"/api/shovels/vhost/{}/{}/restart", TAG_POLICYMAKER, DELETE = api_shovel_restart},
    {"/api/federation-links", TAG_MONITORING, GET = api_federation_links_list},
    {"/api/federation-links/state/down", TAG_MONITORING, GET = api_federation_links_down},
    {"/api/federation-links/{}", TAG_MONITORING, GET = api_federation_links_list},
    {"/api/federation-links/{}/state/down", TAG_MONITORING, GET = api_federation_links_down},
    {"/api/federation-links/vhost/{}/{}/{}/restart", TAG_POLICYMAKER, DELETE = api_federation_link_restart},
    {"/api/cluster/members", TAG_MONITORING, GET = api_members_list},
    {"/api/cluster/groups", TAG_MONITORING, GET = api_groups_list},
    {"/api/cluster/members/{}", TAG_ADMINISTRATOR, DELETE = api_member_forget},
    {"/api/cluster/members/{}/drain", TAG_ADMINISTRATOR, POST = api_member_drain},
    {"/api/cluster/members/{}/revive", TAG_ADMINISTRATOR, POST = api_member_revive},
    {"/api/cluster/members/{}/leave", TAG_ADMINISTRATOR, POST = api_member_leave},
    {"/api/this-node/log", TAG_ADMINISTRATOR, GET = api_log_get},
    {"/api/this-node/log/levels", TAG_MONITORING, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_log_levels_get,
     PUT = api_log_levels_put},
    {"/api/this-node/log/rotate", TAG_ADMINISTRATOR, POST = api_log_rotate},
    {"/api/this-node/limits", TAG_MONITORING, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_limits_get,
     PUT = api_limits_put},
    {"/api/this-node/listeners/{}", TAG_ADMINISTRATOR, POST = api_listeners_act},
    {"/api/this-node/stop", TAG_ADMINISTRATOR, POST = api_stop},
    {"/api/this-node/reset", TAG_ADMINISTRATOR, POST = api_node_reset},
    {"/api/config/effective", TAG_ADMINISTRATOR, GET = api_effective_config},
    {"/api/rebalance/queues", TAG_ADMINISTRATOR, POST = api_rebalance},
    {"/api/reset", TAG_ADMINISTRATOR, DELETE = api_reset},
    {"/api/reset/{}", TAG_ADMINISTRATOR, DELETE = api_reset},
    {"/api/login", TAG_NONE, POST = api_login},
    {"/api/auth", TAG_NONE, GET = api_auth_get},
    {"/api/auth/attempts/{}", TAG_MONITORING, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_auth_attempts,
     DELETE = api_auth_attempts_reset},
    {"/api/auth/attempts/{}/source", TAG_MONITORING, CHANGED_BY = TAG_ADMINISTRATOR, GET = api_auth_attempts_by_source,
     DELETE = api_auth_attempts_reset},
    {"/api/health/checks/certificate-expiration/{}/{}", TAG_MANAGEMENT, GET = api_check_certificates},
    {"/api/feature-flags", TAG_MANAGEMENT, GET = api_feature_flags_list},
    {"/api/feature-flags/{}/enable", TAG_ADMINISTRATOR, PUT = api_feature_flag_enable},
    {"/api/deprecated-features", TAG_MANAGEMENT, GET = api_deprecated_features_list},
    {"/api/deprecated-features/used", TAG_MANAGEMENT, GET = api_deprecated_features_used},
};

static const char *const method_names[HTTP_METHODS] = {"GET", "PUT", "POST", "DELETE"};

struct slice http_unescape(char *text, size_t size)
{
    size_t to = 0;
    for (size_t at = 0; at < size; at++, to++) {
        char hex[3] = {0}, *end = hex;
        long value = 0;
        if (text[at] == '%' && at + 2 < size) {
            memcpy(hex, text + at + 1, 2);
            value = strtol(hex, &end, 16);
        }
        if (end == hex + 2) at += 2;
        else value = text[at];
        text[to] = (char)value;
    }
    return slice_of(text, to);
}

/* Compares segment by segment; captures point into `path`, still escaped. */
static bool matches(const char *pattern, char *path, struct slice captures[HTTP_CAPTURES_MAX])
{
    unsigned count = 0;
    while (*pattern == '/' && *path == '/') {
        size_t wanted = strcspn(++pattern, "/"), given = strcspn(++path, "/");
        if (wanted == 2 && *pattern == '{') captures[count++] = slice_of(path, given);
        else if (wanted != given || memcmp(pattern, path, given) != 0) return false;
        pattern += wanted;
        path += given;
    }
    if (!strcmp(path, "/")) path++; /* one stroke at the end is forgiven */
    return !*pattern && !*path;
}

static const struct route_entry *find(struct request *r)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        memset(r->captures, 0, sizeof r->captures);
        if (!matches(table[i].pattern, r->path, r->captures)) continue;
        for (unsigned c = 0; c < HTTP_CAPTURES_MAX; c++)
            if (r->captures[c].data) r->captures[c] = http_unescape((char *)r->captures[c].data, r->captures[c].size);
        return &table[i];
    }
    return NULL;
}

static const char *allowed(const struct route_entry *e)
{
    static const char *const texts[1 << HTTP_METHODS] = {"OPTIONS",
                                                         "HEAD, GET, OPTIONS",
                                                         "PUT, OPTIONS",
                                                         "HEAD, GET, PUT, OPTIONS",
                                                         "POST, OPTIONS",
                                                         "HEAD, GET, POST, OPTIONS",
                                                         "PUT, POST, OPTIONS",
                                                         "HEAD, GET, PUT, POST, OPTIONS",
                                                         "DELETE, OPTIONS",
                                                         "HEAD, GET, DELETE, OPTIONS",
                                                         "PUT, DELETE, OPTIONS",
                                                         "HEAD, GET, PUT, DELETE, OPTIONS",
                                                         "POST, DELETE, OPTIONS",
                                                         "HEAD, GET, POST, DELETE, OPTIONS",
                                                         "PUT, POST, DELETE, OPTIONS",
                                                         "HEAD, GET, PUT, POST, DELETE, OPTIONS"};
    unsigned bits = 0;
    for (unsigned m = 0; m < HTTP_METHODS; m++)
        if (e->handlers[m]) bits |= 1u << m;
    return texts[bits];
}

/* HTTP_METHODS: none that is served. */
static enum http_method method_of(const char *name)
{
    if (!strcmp(name, "HEAD")) return HTTP_GET; /* the server leaves the body out */
    unsigned m = 0;
    while (m < HTTP_METHODS && strcmp(name, method_names[m]) != 0) m++;
    return (enum http_method)m;
}

static enum http_tag tag_of(const struct request *r, const struct route_entry *e)
{
    if (r->metrics_only && !r->http->params.metrics_login) return TAG_NONE;
    return r->method != HTTP_GET && e->changed_by ? e->changed_by : e->tag;
}

static void refuse(struct answer *a, enum http_tag wanted)
{
    static const char *const reasons[] = {"", "Not management user", "Not policymaker user", "Not monitor user",
                                          "Not administrator user"};
    answer_error(a, 401, "not_authorised", reasons[wanted]);
}

static void call(struct request *r, const struct route_entry *e, struct answer *a)
{
    request_handler *handler = r->method < HTTP_METHODS ? e->handlers[r->method] : NULL;
    enum http_tag wanted = tag_of(r, e);
    if (!handler) {
        a->status = 405;
        a->allow = allowed(e);
    } else if (wanted != TAG_NONE && !caller_login(r)) {
        answer_error(a, 401, "not_authorized", "Login failed");
        a->challenge = true;
    } else if (!caller_has(r, wanted)) {
        refuse(a, wanted);
    } else if (!json_is_object(r->body) && handler != api_login && handler != api_definitions_post) {
        answer_error(a, 400, "bad_request", "not_json");
    } else if (view_of_request(r, &r->view, a)) {
        if (e->figures && r->method == HTTP_GET && !r->view.stats)
            answer_bad(a, "Stats in management UI are disabled on this node");
        else handler(r, a);
    }
}

/* Behind management.path_prefix; health checks and metrics have none. Empty: the prefix alone. NULL: the path is not
 * ours. */
static const char *without_prefix(const struct http *h, const char *path)
{
    const char *prefix = h->params.management->path_prefix;
    size_t size = strlen(prefix);
    if (!size || !strncmp(path, "/health/", 8) || !strncmp(path, "/metrics", 8)) return path;
    if (strncmp(path, prefix, size) != 0 || (path[size] && path[size] != '/')) return NULL;
    return path + size;
}

/* The page's own links are relative: they need the stroke at the end. */
static void redirect_to_prefix(const struct http *h, struct answer *a)
{
    struct buf location = {0};
    answer_empty(a, 302);
    buf_printf(&location, "%s/", h->params.management->path_prefix);
    buf_put_u8(&location, 0);
    a->location = (char *)location.data;
}

void routes_answer(struct request *r, const char *method, const char *path, struct answer *a)
{
    path = without_prefix(r->http, path);
    if (!path || !*path) {
        if (path) redirect_to_prefix(r->http, a);
        else answer_not_found(a);
        return;
    }
    r->path = mem_strdup(path);
    r->method = method_of(method);
    const struct route_entry *e = find(r);
    if (e && r->metrics_only && strncmp(e->pattern, "/metrics", 8) != 0) e = NULL;
    r->pattern = e ? e->pattern : NULL;
    if (!e) {
        answer_not_found(a);
    } else if (!strcmp(method, "OPTIONS")) {
        a->allow = allowed(e);
    } else {
        call(r, e, a);
    }
}
