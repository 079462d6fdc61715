/* warrend: reads the configuration, builds the node, starts services, waits. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ha/runner/runner.h"
#include "node/http/http.h"
#include "node/shard/aside.h"
#include "node/shard/discovery.h"
#include "node/shard/force.h"
#include "node/shard/logging.h"
#include "node/shard/outside.h"
#include "node/shard/security.h"
#include "node/shard/service.h"
#include "node/start/options.h"
#include "node/start/settings.h"
#include "replication/group/group.h"

enum { BEGIN_ANEW = -1 /* serve() and run(): somebody has asked for a reset */ };
enum { STOP_ANSWER_MS = 100 /* the request that asked for the stop gets its answer */ };

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

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigprocmask(SIG_BLOCK, signals, NULL); /* before threads start: they inherit it */
    signal(SIGPIPE, SIG_IGN);
}

/* host:port, empty without a port; the management port borrows them. */
struct addresses {
    char https[CONFIG_TEXT_MAX + 32], metrics[CONFIG_TEXT_MAX + 32];
};

static void print_address(char *text, size_t size, const char *ip, int64_t port)
{
    bool v6 = strchr(ip, ':') != NULL;
    *text = 0;
    if (port) snprintf(text, size, v6 ? "[%s]:%lld" : "%s:%lld", ip, (long long)port);
}

static void fill_addresses(struct addresses *a, const struct config *c)
{
    print_address(a->https, sizeof a->https, c->management_ssl_ip, c->management_ssl_port);
    print_address(a->metrics, sizeof a->metrics, c->prometheus_tcp_ip, c->prometheus_tcp_port);
}

/* The management port, if there is anything for it to do. */
static int open_http(struct http **http, struct node *node, struct security *security,
                     const struct addresses *addresses, const struct http_definitions *definitions,
                     const struct config *c, struct err *err)
{
    struct http_params params = {.node = node,
                                 .address = c->management_tcp,
                                 .socket = c->management_socket,
                                 .tls_address = addresses->https,
                                 .tls = *addresses->https ? &c->management_ssl : NULL,
                                 .tls_files = security->https,
                                 .metrics_address = addresses->metrics,
                                 .metrics_per_object = c->prometheus_per_object,
                                 .metrics_login = c->prometheus_authentication,
                                 .metrics_path = c->prometheus_path,
                                 .definitions = definitions,
                                 .product = c->product_name,
                                 .version = c->product_version,
                                 .cluster_name = c->cluster_name,
                                 .management = &c->management,
                                 .config = c};
    bool wanted = *params.address || *params.socket || params.tls || *addresses->metrics || definitions;
    return wanted ? http_open(http, &params, err) : 0;
}

static void announce_start(const struct node_settings *settings, const struct node_listeners *listeners,
                           const struct addresses *addresses, const struct config *c)
{
    const char *http = *c->management_tcp ? c->management_tcp : *addresses->https ? addresses->https : "none";
    logger_printf(settings->logger, LOG_INFO, -1, "node started id=%u name=%s amqp=%s http=%s shards=%u groups=%u",
                  settings->node, settings->name, listeners->addresses[0], http, settings->shard_count,
                  settings->placement.group_count - 1 - settings->placement.spare_count);
    service_ready();
}

static int serve(struct node_settings *settings, const struct node_listeners *listeners, struct security *security,
                 const struct http_definitions *definitions, const struct config *c, struct err *err)
{
    struct node *node;
    struct http *http = NULL;
    struct runner *runner = NULL;
    struct addresses addresses;
    sigset_t signals;
    block_signals(&signals);
    group_library_init();
    int code = node_open(&node, settings, listeners, err);
    if (!code) code = node_start(node, err);
    if (code) return code;
    fill_addresses(&addresses, c);
    code = open_http(&http, node, security, &addresses, definitions, c, err);
    if (!code) code = runner_open(&runner, node, c, err);
    struct http_links links = {runner, links_status, link_restart, links_check};
    if (http && !code) http_set_links(http, &links);
    if (!code) {
        announce_start(settings, listeners, &addresses, c);
        wait_for_signal(node, &signals, settings->logger, security, http);
    }
    if (http) http_close(http);
    if (runner) runner_close(runner);
    node_stop(node);
    if (!code && node_wants_reset_any(node)) code = BEGIN_ANEW;
    outside_close(settings->outside);
    settings->outside = NULL;
    node_close(node);
    logger_printf(settings->logger, LOG_INFO, -1, "node stopped");
    return code;
}

/* The words are asked for because there is no way back. */
static int force(const struct options *o, struct node_settings *settings, struct err *err)
{
    if (strcmp(o->force, force_confirmation) != 0)
        return (int)err_set(
            err, ERR_REFUSED,
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
    if (code && s->logger && *c->definitions_url &&
        access(path, F_OK) == 0) { /* a node that has run before does not need that server */
        logger_printf(s->logger, LOG_ERROR, -1, "definitions not_loaded reason=\"%s\"", err->text);
        return 0;
    }
    if (http_definitions_have_users(*definitions)) s->user = "";
    return code;
}

/* All that can be wrong is told, not only the first. Returns the exit code. */
static int prepare(struct node_settings *settings, struct node_listeners *listeners, struct security *security,
                   struct http_definitions **definitions, const struct config *c)
{
    struct err err;
    settings_fill(settings, c);
    bool wrong = went_wrong(settings_check_members(settings, &err), c, &err);
    wrong |= went_wrong(runner_check_config(c, &err), c, &err);
    wrong |= went_wrong(settings_read_secret(settings, c, &err), c, &err);
    wrong |= went_wrong(logging_open(&settings->logger, c, &err), c, &err);
    settings_listeners(listeners, c);
    wrong |= went_wrong(settings_read_defaults(settings, c, &err), c, &err);
    struct outside *outside;
    wrong |= went_wrong(outside_open(&outside, c, settings, &err), c, &err);
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
    int code = options_read(argc, argv, o);
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
    outside_close(settings.outside);
    http_definitions_close(definitions);
    security_close(&security);
    if (settings.logger) logger_close(settings.logger);
    settings_free(&settings);
    mem_free(o);
    if (code != BEGIN_ANEW) return code;
    execv("/proc/self/exe", argv); /* the same process for a service manager */
    fprintf(stderr, "warrend: begin anew: %s\n", strerror(errno));
    return EXIT_SOFTWARE;
}
