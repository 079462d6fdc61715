/* RabbitMQ's variables of the environment, each as the line of a file that it stands for. */
#include <errno.h>
#include <stdlib.h>

#include "config/config_internal.h"

enum { VARIABLE_MAX = 64, LINE_SIZE = 4096 };

/* In this order: data_dir needs the name. */
static const struct {
    const char *variable, *assignment; /* NULL: see below */
} variables[] = {
    {"NODENAME", "node.name="},
    {"NODE_IP_ADDRESS", "node_ip="},
    {"NODE_PORT", "node_port="},
    {"DIST_PORT", "cluster_formation.port="},
    {"MNESIA_BASE", NULL},
    {"MNESIA_DIR", "data_dir="},
    {"DATA_DIR", "data_dir="},
    {"LOG_BASE", "log.dir="},
    {"LOGS", NULL},
    {"PID_FILE", "pid_file="},
    {"ERLANG_COOKIE", "cluster.secret="},
    {"DEFAULT_USER", "default_user="},
    {"DEFAULT_PASS", "default_pass="},
    {"DEFAULT_VHOST", "default_vhost="},
};

static const struct {
    const char *variable, *reason;
} without_effect[] = {
    {"USE_LONGNAME", "names of nodes are labels, addresses are in cluster.peers.N"},
    {"FEATURE_FLAGS", "all that this version has is on"},
    {"SERVER_ERL_ARGS", "there is no Erlang in it"},
    {"SERVER_ADDITIONAL_ERL_ARGS", "there is no Erlang in it"},
    {"SERVER_START_ARGS", "there is no Erlang in it"},
    {"IO_THREAD_POOL_SIZE", "there is no Erlang in it"},
    {"DISTRIBUTION_BUFFER_SIZE", "a link to a node has a bound of its own"},
    {"PLUGINS_DIR", "there are no plugins"},
};

static void value_line(const struct config *c, size_t i, const char *value, char *line)
{
    const char *assignment = variables[i].assignment;
    if (assignment) snprintf(line, LINE_SIZE, "%s%s", assignment, value);
    else if (!strcmp(variables[i].variable, "MNESIA_BASE"))
        snprintf(line, LINE_SIZE, "data_dir=%s/%s", value, *c->node_name ? c->node_name : "warren");
    else snprintf(line, LINE_SIZE, "log.file=%s", strcmp(value, "-") ? value : "false");
}

static int take(struct config *c, size_t i, struct err *err)
{
    char name[VARIABLE_MAX], line[LINE_SIZE];
    snprintf(name, sizeof name, "RABBITMQ_%s", variables[i].variable);
    const char *value = getenv(name);
    if (!value || !*value) return 0;
    value_line(c, i, value, line);
    return config_assign(c, line, name, 0, err);
}

/* RABBITMQ_CONF_ENV_FILE: NAME=value lines, as a shell would read them; the environment itself counts more. */
static int read_shell_file(struct config *c, const char *path, struct err *err)
{
    char line[LINE_SIZE];
    FILE *f = fopen(path, "r");
    if (!f) return (int)err_set_errno(err, errno, "RABBITMQ_CONF_ENV_FILE: open %s", path);
    for (unsigned number = 1; fgets(line, sizeof line, f); number++) {
        char *start = line + strspn(line, " \t"), *equals, name[VARIABLE_MAX];
        if (!strncmp(start, "export ", 7)) start += 7;
        start[strcspn(start, "\r\n")] = '\0';
        if (!*start || *start == '#') continue;
        equals = strchr(start, '=');
        if (!equals || strspn(start, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != (size_t)(equals - start)) {
            config_warn(c, "%s:%u: only NAME=value is understood", path, number);
            continue;
        }
        *equals++ = '\0';
        size_t size = strlen(equals);
        if (size >= 2 && (*equals == '"' || *equals == '\'') && equals[size - 1] == *equals)
            equals[size - 1] = '\0', equals++;
        bool whole = !strncmp(start, "RABBITMQ_", 9);
        if (snprintf(name, sizeof name, "%s%s", whole ? "" : "RABBITMQ_", start) < (int)sizeof name)
            setenv(name, equals, 0);
    }
    fclose(f);
    return 0;
}

int config_environment(struct config *c, struct err *err)
{
    const char *file = getenv("RABBITMQ_CONF_ENV_FILE");
    struct err own = {0};
    int code = file ? read_shell_file(c, file, &own) : 0;
    if (code) config_keep_error(c, own.text);
    if (code && err) *err = own;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        int failed = take(c, i, code ? NULL : err);
        if (!code) code = failed;
    }
    for (size_t i = 0; i < sizeof without_effect / sizeof without_effect[0]; i++) {
        char name[VARIABLE_MAX];
        snprintf(name, sizeof name, "RABBITMQ_%s", without_effect[i].variable);
        if (getenv(name)) config_warn(c, "%s has no effect: %s", name, without_effect[i].reason);
    }
    return code;
}
