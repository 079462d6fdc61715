/* /api/this-node: what an operator changes about the node that answers, until it stops. Not RabbitMQ's: its tools do
 * this over Erlang's distribution. Each change leaves an audit line in the log. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/http/http_internal.h"

enum { LOG_LINES_DEFAULT = 50 };

static void audit(struct request *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void audit(struct request *r, const char *format, ...)
{
    char change[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(change, sizeof change, format, arguments);
    va_end(arguments);
    logger_printf(node_settings(r->http->params.node)->logger, LOG_INFO, -1, "audit %s by=\"%s\"", change,
                  r->caller.user ? r->caller.user : "");
}

/* --- the log --- */

static void put_line(void *arg, uint64_t number, const struct log_line *line)
{
    struct buf text = {0};
    line_json(line, &text);
    json_t *o = json_loadb((const char *)text.data, text.size, 0, NULL);
    buf_close(&text);
    if (!o) return;
    json_put(o, "number", json_number(number));
    json_array_append_new(arg, o);
}

/* ?lines=50 of the last lines in memory, ?after=N: those that came later. */
void api_log_get(struct request *r, struct answer *a)
{
    const char *lines = request_query(r, "lines"), *after = request_query(r, "after");
    unsigned long max = lines ? strtoul(lines, NULL, 10) : after ? LOGGER_RECENT_MAX : LOG_LINES_DEFAULT;
    json_t *o = json_object(), *array = json_array();
    uint64_t last = logger_recent(node_settings(r->http->params.node)->logger, after ? strtoull(after, NULL, 10) : 0,
                                  max < LOGGER_RECENT_MAX ? (unsigned)max : LOGGER_RECENT_MAX, put_line, array);
    json_put(o, "last", json_number(last));
    json_put(o, "lines", array);
    answer_json(a, o);
}

void api_log_levels_get(struct request *r, struct answer *a)
{
    json_t *o = json_object();
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++)
        json_put(o, line_category_name((enum log_category)c),
                 json_string(line_level_name(
                     logger_get_level(node_settings(r->http->params.node)->logger, (enum log_category)c))));
    answer_json(a, o);
}

static bool is_level(const char *name)
{
    return logger_level(name) != LOG_NONE || !strcmp(name, "none");
}

void api_log_levels_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"level", NULL};
    if (!body_requires(r, needed, a)) return;
    const char *level = json_string_value(json_object_get(r->body, "level"));
    const char *category = json_string_value(json_object_get(r->body, "category"));
    int number = category ? line_category_of_name(category) : -1;
    if (!level || !is_level(level)) {
        answer_bad(a, "this level is not supported. Try one of debug, info, warning, error, none");
    } else if (category && number < 0) {
        answer_bad(a, "there is no category %s; GET shows all", category);
    } else {
        logger_set_level(node_settings(r->http->params.node)->logger, number, logger_level(level));
        audit(r, "log_level category=%s level=%s", category ? category : "all", level);
        answer_done(a, false);
    }
}

void api_log_rotate(struct request *r, struct answer *a)
{
    struct err err;
    if (logger_rotate(node_settings(r->http->params.node)->logger, &err)) {
        answer_error(a, 500, "internal_error", err.text);
        return;
    }
    audit(r, "log_rotated");
    answer_done(a, false);
}

/* --- limits --- */

static json_t *limit_json(struct request *r, enum node_limit which)
{
    return json_number(node_limit_any(r->http->params.node, which));
}

void api_limits_get(struct request *r, struct answer *a)
{
    json_t *o = json_object();
    json_put(o, "vm_memory_high_watermark", limit_json(r, NODE_LIMIT_MEMORY));
    json_put(o, "disk_free_limit", limit_json(r, NODE_LIMIT_DISK));
    json_put(o, "disk_monitoring", json_boolean(node_limit_any(r->http->params.node, NODE_LIMIT_DISK_WATCHED)));
    json_put(o, "memory_total", json_number(node_settings(r->http->params.node)->memory_total));
    answer_json(a, o);
}

/* {"absolute": bytes}, or a multiple of the machine's memory under the other name. False: answered 400. */
static bool bytes_of(struct request *r, const char *name, const char *relative, double most, uint64_t *bytes,
                     struct answer *a)
{
    json_t *value = json_object_get(r->body, name);
    json_t *absolute = json_object_get(value, "absolute"), *share = json_object_get(value, relative);
    double part = json_number_value(share);
    if (json_is_integer(absolute) && json_integer_value(absolute) >= 0) {
        *bytes = (uint64_t)json_integer_value(absolute);
    } else if (json_is_number(share) && part >= 0 && part <= most) {
        *bytes = (uint64_t)(part * (double)node_settings(r->http->params.node)->memory_total);
    } else {
        answer_bad(a, "%s: give {\"absolute\": bytes} or {\"%s\": 0.0 to %.1f}", name, relative, most);
        return false;
    }
    return true;
}

void api_limits_put(struct request *r, struct answer *a)
{
    enum { DISK_RELATIVE_MAX = 100 };
    struct node *n = r->http->params.node;
    uint64_t memory = node_limit_any(n, NODE_LIMIT_MEMORY), disk = node_limit_any(n, NODE_LIMIT_DISK);
    bool watched, has_memory = json_object_get(r->body, "vm_memory_high_watermark") != NULL,
                  has_disk = json_object_get(r->body, "disk_free_limit") != NULL;
    if (has_memory && !bytes_of(r, "vm_memory_high_watermark", "relative", 1, &memory, a)) return;
    if (has_disk && !bytes_of(r, "disk_free_limit", "mem_relative", DISK_RELATIVE_MAX, &disk, a)) return;
    if (!body_bool(r, "disk_monitoring", node_limit_any(n, NODE_LIMIT_DISK_WATCHED), &watched, a)) return;
    if (!has_memory && !has_disk && !json_object_get(r->body, "disk_monitoring")) {
        answer_bad(a, "nothing to change: vm_memory_high_watermark, disk_free_limit, disk_monitoring");
        return;
    }
    node_set_limit(n, NODE_LIMIT_MEMORY, memory);
    node_set_limit(n, NODE_LIMIT_DISK, disk);
    node_set_limit(n, NODE_LIMIT_DISK_WATCHED, watched);
    audit(r, "limits vm_memory_high_watermark=%llu disk_free_limit=%llu disk_monitoring=%s", (unsigned long long)memory,
          (unsigned long long)disk, watched ? "true" : "false");
    answer_done(a, false);
}

/* --- service --- */

void api_listeners_act(struct request *r, struct answer *a)
{
    struct err err;
    struct node *n = r->http->params.node;
    if (slice_is(r->captures[0], "suspend")) {
        node_suspend(n);
    } else if (!slice_is(r->captures[0], "resume")) {
        answer_not_found(a);
        return;
    } else if (node_resume(n, &err)) {
        answer_error(a, 503, "service_unavailable", err.text);
        return;
    }
    audit(r, "listeners %s", node_suspended_any(n) ? "suspended" : "resumed");
    answer_done(a, false);
}

void api_stop(struct request *r, struct answer *a)
{
    bool forced;
    char reason[256];
    if (!body_bool(r, "force", false, &forced, a)) return;
    uint32_t critical = node_critical_groups(r->http->params.node);
    if (critical && !forced) {
        snprintf(reason, sizeof reason,
                 "%u groups of queues would lose their majority if this node stopped: they would serve nobody until "
                 "another node is back",
                 critical);
        answer_error(a, 409, "conflict", reason);
        return;
    }
    audit(r, "stop forced=%s groups_without_majority=%u", forced ? "true" : "false", critical);
    answer_empty(a, 202);
    kill(getpid(), SIGTERM); /* the main thread stops the node when this answer is out */
}

/* Only a node that is alone: the number of one that leaves others is never used again, so it needs
 * a new configuration. */
void api_node_reset(struct request *r, struct answer *a)
{
    struct node *n = r->http->params.node;
    if (members_count(r->http) > 1) {
        answer_error(
            a, 409, "conflict",
            "this node is a member of a cluster: let it leave (warrenctl leave_cluster), then start it with --reset "
            "and a new node.id");
    } else if (!node_suspended_any(n)) {
        answer_error(a, 409, "conflict", "the node serves clients: stop_app first");
    } else {
        audit(r, "reset");
        node_want_reset(n);
        answer_empty(a, 202);
        kill(getpid(), SIGTERM);
    }
}
