/* warrend: reads the configuration, builds the node, starts services, waits. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "ha/runner/runner.h"
#include "node/auth/defaults.h"
#include "node/http/http.h"
#include "node/shard/discovery.h"
#include "node/shard/aside.h"
#include "node/shard/force.h"
#include "node/shard/logging.h"
#include "node/shard/resources.h"
#include "node/shard/security.h"
#include "node/shard/service.h"
#include "replication/group/group.h"
#include "router/pattern.h"

enum { EXIT_USAGE = 64, EXIT_SOFTWARE = 70, EXIT_CONFIG = 78 }; /* sysexits.h */
enum { BEGIN_ANEW = -1 /* serve() and run(): somebody has asked for a reset */ };
enum { STOP_ANSWER_MS = 100 /* the request that asked for the stop gets its answer */ };

static const char help[] =
    "usage: warrend --config FILE|FOLDER [--set KEY=VALUE ...]\n"
    "\n"
    "Runs one node of a Warren cluster: an AMQP 0-9-1 broker whose queues are mirrored by Raft.\n"
    "\n"
    "  --config FILE      configuration, `key = value` a line, # comments; conf.d/*.conf beside it is read after it\n"
    "  --config FOLDER    its *.conf in the order of their names; --config may be repeated\n"
    "                     Without one: RABBITMQ_CONFIG_FILE and RABBITMQ_CONFIG_FILES of the environment\n"
    "  --set KEY=VALUE    one more line, after the file; may be repeated\n"
    "  --check-config     read the configuration, say what is wrong, and leave\n"
    "  --print-keys       every key with its default, range and meaning, as an example file\n"
    "  --reset            moves what is in data_dir aside first, and starts as a new node (which needs a new node.id)\n"
    "  --force-lost-majority TEXT [--groups 3,7]\n"
    "                     when most nodes are lost for good: makes this one, stopped, the only member of all groups (or of\n"
    "                     these) that it has a replica of. docs/operate.md says what that loses; TEXT must be\n"
    "                     \"confirmed messages may be lost\"\n"
    "  --version, --help\n"
    "\n"
    "A broker on its own, for a first try:\n"
    "  warrend --set data_dir=./data --set listeners.tcp.default=127.0.0.1:5672 --set management.tcp=127.0.0.1:15672\n"
    "A cluster of three on this machine: ha/cluster up\n"
    "\n"
    "SIGTERM stops in order: leaderships are handed over, clients are told (320), everything is synced.\n";

struct options {
    bool check_only, reset;
    const char *force, *force_groups;
    struct config config;
};

static int usage(const char *word)
{
    fprintf(stderr, "warrend: %s\nTry: warrend --help\n", word);
    return EXIT_USAGE;
}

enum { WORDS_MAX = 256 };

/* What is given by words of the command line, in their order. */
struct words {
    const char *words[WORDS_MAX];
    int count;
};

static bool add_word(struct words *w, const char *word)
{
    if (w->count == WORDS_MAX) return false;
    w->words[w->count++] = word;
    return true;
}

/* The environment, files over it, --set over both. All that is wrong is told at once. */
static int read_config(struct config *c, const struct words *files, const struct words *sets)
{
    struct err err;
    bool found = files->count > 0;
    config_environment(c, NULL);
    for (int i = 0; i < files->count; i++) config_load_path(c, files->words[i], NULL);
    if (!found) config_load_environment_files(c, &found, NULL);
    for (int i = 0; i < sets->count; i++) config_set(c, sets->words[i], NULL);
    if (!found && !sets->count) return usage("give --config FILE, or --set KEY=VALUE");
    if (!c->error_count && config_check(c, &err)) config_keep_error(c, err.text);
    for (size_t i = 0; i < c->warning_count; i++) fprintf(stderr, "warrend: warning: %s\n", c->warnings[i]);
    for (size_t i = 0; i < c->error_count; i++) fprintf(stderr, "warrend: configuration: %s\n", c->errors[i]);
    return c->error_count ? EXIT_CONFIG : -1;
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"set", required_argument, NULL, 's'},
                                          {"check-config", no_argument, NULL, 'k'},
                                          {"print-keys", no_argument, NULL, 'p'},
                                          {"reset", no_argument, NULL, 'r'},
                                          {"force-lost-majority", required_argument, NULL, 'f'},
                                          {"groups", required_argument, NULL, 'g'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct words files = {0}, sets = {0};
    int option;
    config_init(&o->config);
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            if (!add_word(&files, optarg)) return usage("too many --config");
            break;
        case 's':
            if (!add_word(&sets, optarg)) return usage("too many --set: put them into the file");
            break;
        case 'k':
            o->check_only = true;
            break;
        case 'p':
            config_print_keys(stdout);
            return 0;
        case 'f':
            o->force = optarg;
            break;
        case 'g':
            o->force_groups = optarg;
            break;
        case 'r':
            o->reset = true;
            break;
        case 'v':
            printf("warrend %s\n", WARREN_VERSION);
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return usage("an option is not known");
        }
    }
    if (optind < argc) return usage("only options are expected");
    return read_config(&o->config, &files, &sets);
}

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

/* The meta group is on every node, and a group has so many members at most. */
static int check_members(const struct node_settings *s, struct err *err)
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

static void fill_settings(struct node_settings *s, const struct config *c)
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
                    .consumer_max = (uint32_t)c->consumer_max_per_channel,
                    .initial_frame_max = (uint32_t)c->initial_frame_max,
                    .cluster_queue_max = (uint64_t)c->cluster_queue_limit,
                    .cluster_exchange_max = (uint64_t)c->cluster_exchange_limit,
                    .message_size_max = (uint64_t)c->max_message_size,
                    .publish_timeout_ms = (uint64_t)c->publish_timeout_ms,
                    .consumer_timeout_ms = (uint64_t)c->consumer_timeout_ms,
                    .default_queue_type = c->default_queue_type,
                    .product = c->product_name,
                    .version = c->product_version,
                    .cluster_name = c->cluster_name,
                    .node_name = c->node_name,
                    .output_high_water = 1 << 20},
        .zone = c->node_zone,
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

static int read_secret(struct node_settings *s, const struct config *c, struct err *err)
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

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* SIGHUP: the log file was moved away, certificates were replaced. */
static void reload(struct logger *logger, struct security *security)
{
    struct err err;
    service_reloading();
    if (logger_reopen(logger, &err)) logger_printf(logger, LOG_ERROR, -1, "node log_kept error=\"%s\"", err.text);
    security_reload(security, true, logger);
    logger_printf(logger, LOG_INFO, -1, "node reloaded");
    service_ready();
}

/* Nobody can be asked any more: a stop that costs a majority is only told. */
static void announce_stop(struct node *node, const siginfo_t *signal, struct logger *logger)
{
    const struct timespec answer = {.tv_nsec = STOP_ANSWER_MS * 1000000};
    uint32_t critical = node_critical_groups(node);
    service_stopping();
    logger_printf(logger, LOG_INFO, -1, "node stopping signal=%d", signal->si_signo);
    if (critical)
        logger_printf(logger, LOG_WARN, -1,
                      "node stop_costs_majority groups=%u action=\"they serve nobody until another node is back; "
                      "warrenctl shutdown asks before\"",
                      critical);
    if (signal->si_code == SI_USER && signal->si_pid == getpid()) nanosleep(&answer, NULL);
}

/* Until the node is to stop. Meanwhile changed certificates are read, and the service manager hears that we live. */
static void wait_for_signal(struct node *node, sigset_t *signals, struct logger *logger, struct security *security,
                            struct http *http)
{
    unsigned alive_ms = service_alive_ms(), look_ms = SECURITY_LOOK_S * 1000;
    if (alive_ms && alive_ms < look_ms) look_ms = alive_ms;
    struct timespec look = {.tv_sec = look_ms / 1000, .tv_nsec = (long)(look_ms % 1000) * 1000000};
    for (;;) {
        siginfo_t signal;
        int number = sigtimedwait(signals, &signal, &look);
        if (number == SIGTERM || number == SIGINT) {
            announce_stop(node, &signal, logger);
            return;
        }
        if (number == SIGHUP) reload(logger, security);
        else security_reload(security, false, logger);
        if (http) http_reload(http, number == SIGHUP);
        logger_flush(logger);
        if (alive_ms) service_alive(node);
    }
}

static void links_status(void *self, struct buf *json)
{
    runner_status_any(self, json);
}

static void link_restart(void *self, const char *kind, const char *vhost, const char *name, const char *upstream)
{
    runner_restart_any(self, kind, vhost, name, upstream);
}

static int links_check(void *self, const char *component, const char *name, struct slice value, struct err *err)
{
    (void)self;
    return runner_check_parameter(component, name, value, err);
}

static int serve(struct node_settings *settings, const struct node_listeners *listeners, struct security *security,
                 const struct http_definitions *definitions, const struct config *c, struct err *err)
{
    struct node *node;
    struct http *http = NULL;
    struct runner *runner = NULL;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before threads start: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    group_library_init();
    int code = node_open(&node, settings, listeners, err);
    if (!code) code = node_start(node, err);
    if (code) return code;
    char https[CONFIG_TEXT_MAX + 32];
    bool v6 = strchr(c->management_ssl_ip, ':') != NULL;
    snprintf(https, sizeof https, v6 ? "[%s]:%lld" : "%s:%lld", c->management_ssl_ip,
             (long long)c->management_ssl_port);
    char prometheus[CONFIG_TEXT_MAX + 32] = "";
    if (c->prometheus_tcp_port)
        snprintf(prometheus, sizeof prometheus, strchr(c->prometheus_tcp_ip, ':') ? "[%s]:%lld" : "%s:%lld",
                 c->prometheus_tcp_ip, (long long)c->prometheus_tcp_port);
    struct http_params http_params = {.node = node,
                                      .address = c->management_tcp,
                                      .tls_address = https,
                                      .metrics_address = prometheus,
                                      .metrics_per_object = c->prometheus_per_object,
                                      .metrics_login = c->prometheus_authentication,
                                      .metrics_path = c->prometheus_path,
                                      .definitions = definitions,
                                      .product = c->product_name,
                                      .version = c->product_version,
                                      .cluster_name = c->cluster_name,
                                      .management = &c->management,
                                      .config = c};
    if (c->management_ssl_port) http_params.tls = &c->management_ssl;
    http_params.tls_files = security->https;
    if (*c->management_tcp || http_params.tls || *prometheus || definitions)
        code = http_open(&http, &http_params, err);
    if (!code) code = runner_open(&runner, node, c, err);
    struct http_links links = {runner, links_status, link_restart, links_check};
    if (http && !code) http_set_links(http, &links);
    if (!code) {
        logger_printf(settings->logger, LOG_INFO, -1, "node started id=%u name=%s amqp=%s http=%s shards=%u groups=%u",
                      settings->node, settings->name, listeners->addresses[0],
                      *c->management_tcp       ? c->management_tcp
                      : c->management_ssl_port ? https
                                               : "none",
                      settings->shard_count, settings->placement.group_count - 1 - settings->placement.spare_count);
        service_ready();
        wait_for_signal(node, &signals, settings->logger, security, http);
    }
    if (http) http_close(http);
    if (runner) runner_close(runner);
    node_stop(node);
    if (!code && node_wants_reset_any(node)) code = BEGIN_ANEW;
    node_close(node);
    logger_printf(settings->logger, LOG_INFO, -1, "node stopped");
    return code;
}

/* The words are asked for because there is no way back. */
static int force(const struct options *o, struct node_settings *settings, struct err *err)
{
    if (strcmp(o->force, force_confirmation) != 0)
        return (int)err_set(err, ERR_REFUSED,
                            "--force-lost-majority makes this node go on alone, and what other nodes had beyond it is lost. "
                            "To do that say: --force-lost-majority \"%s\"",
                            force_confirmation);
    group_library_init();
    return force_lost_majority(settings, o->force_groups, err);
}

/* A step of the start that the configuration may have made fail: tells why. */
static bool went_wrong(int code, const struct config *c, struct err *err)
{
    if (code) config_locate(c, err);
    if (code) fprintf(stderr, "warrend: configuration: %s\n", err->text);
    return code != 0;
}

/* As in RabbitMQ: a cluster whose users come from definitions has no default user. */
static int take_definitions(struct node_settings *s, const struct config *c, struct http_definitions **definitions,
                            struct err *err)
{
    char path[CONFIG_TEXT_MAX + 16];
    int code = http_definitions_open(definitions, c, err);
    snprintf(path, sizeof path, "%s/identity", c->data_dir);
    if (code && s->logger && *c->definitions_url && access(path, F_OK) == 0) { /* a node that has run before does not need that server */
        logger_printf(s->logger, LOG_ERROR, -1, "definitions not_loaded reason=\"%s\"", err->text);
        return 0;
    }
    if (http_definitions_have_users(*definitions)) s->user = "";
    return code;
}

static void random_bytes(void *bytes, size_t size)
{
    CHECK(getrandom(bytes, size, 0) == (ssize_t)size);
}

/* What is asked of new vhosts and passwords. */
static int read_defaults(struct node_settings *s, const struct config *c, struct err *err)
{
    struct auth_defaults *defaults;
    struct pattern *p = pattern_create(slice_str(c->credential_regexp), err);
    pattern_destroy(p);
    if (!p) return (int)err_wrap(err, "credential_validator.regexp");
    int code = auth_defaults_create(&defaults, c, random_bytes, err);
    s->vhost_defaults = defaults;
    return code;
}

/* All that can be wrong is told, not only the first. Returns the exit code. */
static int prepare(struct node_settings *settings, struct node_listeners *listeners, struct security *security,
                   struct http_definitions **definitions, const struct config *c)
{
    struct err err;
    fill_settings(settings, c);
    bool wrong = went_wrong(check_members(settings, &err), c, &err);
    wrong |= went_wrong(runner_check_config(c, &err), c, &err);
    wrong |= went_wrong(read_secret(settings, c, &err), c, &err);
    wrong |= went_wrong(logging_open(&settings->logger, c, &err), c, &err);
    listeners->backlog = (int)c->tcp_backlog;
    listeners->agent = *c->agent_tcp ? c->agent_tcp : NULL;
    listeners->options = (struct net_options){.nodelay = c->tcp_nodelay,
                                              .keepalive = c->tcp_keepalive,
                                              .reset = c->tcp_linger && !c->tcp_linger_s,
                                              .send_buffer = (int)c->tcp_sndbuf,
                                              .receive_buffer = (int)c->tcp_recbuf};
    wrong |= went_wrong(read_defaults(settings, c, &err), c, &err);
    wrong |= went_wrong(take_definitions(settings, c, definitions, &err), c, &err);
    wrong |= went_wrong(security_open(security, c, listeners, settings, &err), c, &err);
    return wrong ? EXIT_CONFIG : 0;
}

/* Others wait for the file: it comes when the node is about to start, and goes with it. */
static int write_pid(const char *path, struct err *err)
{
    FILE *f = *path ? fopen(path, "we") : NULL;
    if (!*path) return 0;
    if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f))
        return (int)err_set_errno(err, errno, "pid_file: write %s", path);
    return 0;
}

/* The operator's words, one line each. */
static void log_motd(struct logger *logger, const char *path)
{
    enum { LINES_MAX = 100, LINE_SIZE = 256 };
    char line[LINE_SIZE];
    FILE *f = *path ? fopen(path, "re") : NULL;
    if (*path && !f) logger_printf(logger, LOG_WARN, -1, "node motd_unread file=\"%s\"", path);
    for (int i = 0; f && i < LINES_MAX && fgets(line, sizeof line, f); i++) {
        line[strcspn(line, "\r\n")] = '\0';
        logger_printf(logger, LOG_INFO, -1, "node motd text=\"%s\"", line);
    }
    if (f) fclose(f);
}

static int run(const struct options *o, struct node_settings *settings, const struct node_listeners *listeners,
               struct security *security, const struct http_definitions *definitions)
{
    struct err err;
    const struct config *c = &o->config;
    int code = 0;
    if (o->force) code = force(o, settings, &err);
    else code = write_pid(c->pid_file, &err);
    if (!code && !o->force) {
        raise_file_limit();
        log_motd(settings->logger, c->motd_file);
        code = serve(settings, listeners, security, definitions, c, &err);
        if (*c->pid_file) unlink(c->pid_file);
    }
    if (code == BEGIN_ANEW) code = data_move_aside(c->data_dir, &err) ? EXIT_SOFTWARE : BEGIN_ANEW;
    if (code && code != BEGIN_ANEW) fprintf(stderr, "warrend: %s\n", err.text);
    return code && code != BEGIN_ANEW ? EXIT_SOFTWARE : code;
}

static void tell(const char *text)
{
    fprintf(stderr, "warrend: %s\n", text);
}

/* What is done before the configuration is used. Returns the exit code. */
static int begin(struct options *o)
{
    struct err err;
    int code = o->reset ? data_move_aside(o->config.data_dir, &err) : 0;
    if (!code) code = discovery_run(&o->config, tell, &err);
    if (code) fprintf(stderr, "warrend: %s\n", err.text);
    return code ? EXIT_SOFTWARE : 0;
}

int main(int argc, char **argv)
{
    struct options *o = mem_zalloc(sizeof *o);
    struct node_settings settings;
    struct node_listeners listeners = {0};
    struct security security = {0};
    struct http_definitions *definitions = NULL;
    int code = read_options(argc, argv, o);
    if (code >= 0) {
        mem_free(o);
        return code;
    }
    code = o->check_only ? 0 : begin(o);
    if (code) {
        mem_free(o);
        return code;
    }
    code = prepare(&settings, &listeners, &security, &definitions, &o->config);
    if (!code && o->check_only) puts("the configuration is sound");
    if (!code && !o->check_only) code = run(o, &settings, &listeners, &security, definitions);
    http_definitions_close(definitions);
    security_close(&security);
    if (settings.logger) logger_close(settings.logger);
    mem_free((void *)settings.secret);
    auth_defaults_destroy((struct auth_defaults *)settings.vhost_defaults);
    mem_free((void *)settings.default_tags);
    mem_free((void *)settings.local_users);
    mem_free(o);
    if (code != BEGIN_ANEW) return code;
    execv("/proc/self/exe", argv); /* the same process for a service manager */
    fprintf(stderr, "warrend: begin anew: %s\n", strerror(errno));
    return EXIT_SOFTWARE;
}
