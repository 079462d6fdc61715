#include "node/start/settings.h"

#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "node/auth/defaults.h"
#include "node/shard/resources.h"
#include "replication/group/group.h"
#include "router/pattern.h"

static void fill_placement(struct placement *p, const struct config *c)
{
    for (unsigned id = 1; id < 64; id++)
        if (*c->cluster_peers[id]) p->nodes[p->node_count++] = (uint8_t)id;
    if (!p->node_count && !*c->cluster_join) p->nodes[p->node_count++] = (uint8_t)c->node_id;
    p->spare_count = PLACEMENT_SPARE_GROUPS;
    p->group_count = (uint32_t)c->cluster_groups + 1 + p->spare_count;
    p->replicas = (uint32_t)c->cluster_replicas;
}

/* host:port[,host:port]; the parts stay in the configuration's text. */
static void fill_join(struct node_settings *s, const struct config *c)
{
    char *text = (char *)c->cluster_join, *comma = strchr(text, ',');
    if (comma) *comma = 0;
    s->join[0] = *text ? text : NULL;
    s->join[1] = comma && comma[1] ? comma + 1 : NULL;
}

int settings_check_members(const struct node_settings *s, struct err *err)
{
    if (s->placement.node_count <= GROUP_MEMBERS_MAX) return 0;
    return (int)err_set(err, ERR_INVALID, "cluster.peers names %u nodes; a cluster has at most %d",
                        s->placement.node_count, GROUP_MEMBERS_MAX);
}

/* Users that may log in from loopback addresses only; ends with NULL, and is the caller's to free. */
static const char *const *local_users(const struct config *c)
{
    const char **users = mem_zalloc((CONFIG_PAIRS_MAX + 2) * sizeof *users);
    const struct config_pair *more = c->loopback_users_more;
    size_t count = 0;
    if (c->loopback_users_guest) users[count++] = "guest";
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *more[i].name; i++)
        if (!strcmp(more[i].value, "true")) users[count++] = strchr(more[i].name, '.') + 1;
    return users;
}

/* The tags that are switched on, with commas between. */
static const char *default_tags(const struct config *c)
{
    const bool wanted[] = {c->default_tag_administrator, c->default_tag_monitoring, c->default_tag_policymaker,
                           c->default_tag_management, c->default_tag_impersonator};
    static const char *const names[] = {"administrator", "monitoring", "policymaker", "management", "impersonator"};
    struct buf text = {0};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i]) buf_printf(&text, "%s%s", text.size ? "," : "", names[i]);
    const struct config_pair *more = c->default_tags_more;
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *more[i].name; i++)
        if (!strcmp(more[i].value, "true"))
            buf_printf(&text, "%s%s", text.size ? "," : "", strchr(more[i].name, '.') + 1);
    buf_put_u8(&text, 0);
    return (const char *)text.data;
}

/* NAME=VALUE, a line each. */
static const char *node_tags(const struct config *c)
{
    struct buf text = {0};
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *c->node_tags[i].name; i++)
        buf_printf(&text, "%s%s=%s", text.size ? "\n" : "", strchr(c->node_tags[i].name, '.') + 1,
                   c->node_tags[i].value);
    buf_put_u8(&text, 0);
    return (const char *)text.data;
}

void settings_fill(struct node_settings *s, const struct config *c)
{
    *s = (struct node_settings){
        .node = (uint8_t)c->node_id,
        .name = c->node_name,
        .data_dir = c->data_dir,
        .shard_count = (uint16_t)c->shards,
        .session = {.channel_max = (uint16_t)(c->channel_max ? c->channel_max : UINT16_MAX),
                    .frame_max = (uint32_t)c->frame_max,
                    .heartbeat_s = (uint16_t)c->heartbeat,
                    .handshake_timeout_ms = (uint32_t)c->handshake_timeout_ms,
                    .node_connection_max = (uint64_t)c->connection_max,
                    .node_channel_max = (uint64_t)c->channel_max_per_node,
                    .leaders_local = !strcmp(c->queue_leader_locator, "client-local"),
                    .consumer_max = (uint32_t)c->consumer_max_per_channel,
                    .initial_frame_max = (uint32_t)c->initial_frame_max,
                    .cluster_queue_max = (uint64_t)c->cluster_queue_limit,
                    .cluster_exchange_max = (uint64_t)c->cluster_exchange_limit,
                    .message_size_max = (uint64_t)c->max_message_size,
                    .publish_timeout_ms = (uint64_t)c->publish_timeout_ms,
                    .consumer_timeout_ms = (uint64_t)c->consumer_timeout_ms,
                    .default_queue_type = c->default_queue_type,
                    .compares_labels = !c->relaxed_redeclare,
                    .product = c->product_name,
                    .version = c->product_version,
                    .cluster_name = c->cluster_name,
                    .node_name = c->node_name,
                    .output_high_water = 1 << 20},
        .zone = c->node_zone,
        .placement_tag = c->placement_tag,
        .tags = node_tags(c),
        .cluster_listen = *c->cluster_listen ? c->cluster_listen : NULL,
        .election_timeout_ms = (uint32_t)c->election_timeout_ms,
        .heartbeat_ms = (uint32_t)c->heartbeat_ms,
        .node_timeout_ms = (uint32_t)c->cluster_node_timeout_ms,
        .disconnected_timeout_ms = (uint64_t)c->consumer_disconnected_timeout_ms,
        .disk_free_limit = resources_disk_limit(c),
        .memory_limit = resources_memory_limit(c),
        .memory_total = resources_memory_total(c),
        .log_file_size = (uint64_t)c->wal_file_size,
        .log_bytes_max = (uint64_t)c->wal_size,
        .log_cache_size = (uint64_t)c->wal_cache_size,
        .checkpoint_log_bytes = (uint64_t)c->checkpoint_log_bytes,
        .transfer_rate = (uint64_t)c->cluster_transfer_rate,
        .vhost_max = (uint64_t)c->vhost_max,
        .default_vhost = c->default_vhost,
        .user = c->default_user,
        .password = c->default_pass,
        .default_tags = default_tags(c),
        .default_permissions = {c->default_configure, c->default_write, c->default_read},
        .local_users = local_users(c),
    };
    auth_password_rules_read(&s->password_rules, c);
    for (unsigned id = 1; id < 64; id++) s->peers[id] = *c->cluster_peers[id] ? c->cluster_peers[id] : NULL;
    fill_placement(&s->placement, c);
    fill_join(s, c);
}

enum { SECRET_MIN = 16 };

int settings_read_secret(struct node_settings *s, const struct config *c, struct err *err)
{
    uint8_t *data;
    if (!*c->cluster_secret_file) {
        s->secret_size = strlen(c->cluster_secret);
        s->secret = (const uint8_t *)mem_strdup(c->cluster_secret);
        return !s->secret_size || s->secret_size >= SECRET_MIN
                   ? 0
                   : (int)err_set(err, ERR_INVALID, "cluster.secret (RABBITMQ_ERLANG_COOKIE): fewer than %d bytes",
                                  SECRET_MIN);
    }
    int code = fs_read_file(fs_posix(), c->cluster_secret_file, &data, &s->secret_size, err);
    if (code) return (int)err_wrap(err, "cluster.secret_file");
    while (s->secret_size && (data[s->secret_size - 1] == '\n' || data[s->secret_size - 1] == '\r')) s->secret_size--;
    s->secret = data;
    if (s->secret_size < SECRET_MIN)
        code = (int)err_set(err, ERR_INVALID, "cluster.secret_file: %s has fewer than %d bytes", c->cluster_secret_file,
                            SECRET_MIN);
    return code;
}

static void random_bytes(void *bytes, size_t size)
{
    CHECK(getrandom(bytes, size, 0) == (ssize_t)size);
}

static int check_pattern(const char *text, const char *key, struct err *err)
{
    struct pattern *p = pattern_create(slice_str(text), err);
    pattern_destroy(p);
    return p ? 0 : (int)err_wrap(err, "%s", key);
}

int settings_read_defaults(struct node_settings *s, const struct config *c, struct err *err)
{
    struct auth_defaults *defaults;
    int code = check_pattern(c->credential_regexp, "credential_validator.regexp", err);
    if (!code) code = check_pattern(c->default_configure, "default_permissions.configure", err);
    if (!code) code = check_pattern(c->default_write, "default_permissions.write", err);
    if (!code) code = check_pattern(c->default_read, "default_permissions.read", err);
    if (code) return code;
    code = auth_defaults_create(&defaults, c, random_bytes, err);
    s->vhost_defaults = defaults;
    return code;
}

void settings_listeners(struct node_listeners *l, const struct config *c)
{
    l->backlog = (int)c->tcp_backlog;
    l->agent = *c->agent_tcp ? c->agent_tcp : NULL;
    l->options = (struct net_options){.nodelay = c->tcp_nodelay,
                                      .keepalive = c->tcp_keepalive,
                                      .reset = c->tcp_linger && !c->tcp_linger_s,
                                      .send_buffer = (int)c->tcp_sndbuf,
                                      .receive_buffer = (int)c->tcp_recbuf};
}

void settings_free(struct node_settings *s)
{
    mem_free((void *)s->secret);
    auth_defaults_destroy((struct auth_defaults *)s->vhost_defaults);
    mem_free((void *)s->default_tags);
    mem_free((void *)s->tags);
    mem_free((void *)s->local_users);
}
