/* From a request to the family that answers it, by the table of route_table.c. */
#include <stdlib.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/http/route_table.h"
#include "router/json.h"

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
    for (size_t i = 0; i < route_count; i++) {
        memset(r->captures, 0, sizeof r->captures);
        if (!matches(route_table[i].pattern, r->path, r->captures)) continue;
        for (unsigned c = 0; c < HTTP_CAPTURES_MAX; c++)
            if (r->captures[c].data) r->captures[c] = http_unescape((char *)r->captures[c].data, r->captures[c].size);
        return &route_table[i];
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

static long long body_max(const struct request *r)
{
    return r->login == LOGIN_DONE ? r->http->params.management->body_max : HTTP_STRANGER_BODY_MAX;
}

static void parse_body(struct request *r)
{
    if (!r->bytes.size) r->body = json_object();
    else if (!json_nests_too_deep(buf_slice(&r->bytes)))
        r->body = json_loadb((const char *)r->bytes.data, r->bytes.size, 0, NULL);
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
    } else if (r->too_large) {
        answer_bad(a, "the body has more than %lld bytes", body_max(r));
    } else if (parse_body(r), !json_is_object(r->body) && handler != api_login && handler != api_definitions_post &&
                                  handler != api_definitions_check) {
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

void routes_look(struct request *r, const char *method, const char *path)
{
    if (r->looked_at) return;
    r->looked_at = true;
    path = without_prefix(r->http, path);
    if (path) r->path = mem_strdup(path);
    if (!path || !*path) return;
    r->method = method_of(method);
    r->entry = find(r);
    if (r->entry && r->metrics_only && strncmp(r->entry->pattern, "/metrics", 8) != 0) r->entry = NULL;
    r->pattern = r->entry ? r->entry->pattern : NULL;
}

bool routes_know_caller(struct request *r)
{
    return r->entry && tag_of(r, r->entry) != TAG_NONE && caller_login(r);
}

void routes_answer(struct request *r, const char *method, struct answer *a)
{
    if (r->path && !*r->path) redirect_to_prefix(r->http, a);
    else if (!r->entry) answer_not_found(a);
    else if (!strcmp(method, "OPTIONS")) a->allow = allowed(r->entry);
    else call(r, r->entry, a);
}
