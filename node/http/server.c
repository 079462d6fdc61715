/* Requests in, answers out: credentials, paths, and libmicrohttpd. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "node/http/http_internal.h"

static bool same_secret(const char *given, const char *expected)
{
    size_t a = strlen(given), b = strlen(expected);
    unsigned difference = a != b;
    for (size_t i = 0; i < a; i++) difference |= (unsigned)(given[i] ^ expected[b ? i % b : 0]);
    return difference == 0;
}

static bool welcome(struct http *h, struct MHD_Connection *connection)
{
    const struct node_settings *settings = node_settings(h->params.node);
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    bool ok = user && password && settings->user && *settings->user && !strcmp(user, settings->user) && same_secret(password, settings->password);
    if (user) MHD_free(user);
    if (password) MHD_free(password);
    return ok;
}

/* Decodes %XX in place; returns the new length. */
static size_t unescape(char *text)
{
    size_t to = 0;
    for (size_t at = 0; text[at]; at++, to++) {
        char hex[3] = {0};
        if (text[at] == '%' && text[at + 1] && text[at + 2]) {
            memcpy(hex, text + at + 1, 2);
            char *end;
            long value = strtol(hex, &end, 16);
            if (!*end) {
                text[to] = (char)value;
                at += 2;
                continue;
            }
        }
        text[to] = text[at];
    }
    text[to] = '\0';
    return to;
}

static void queues_path(struct http *h, const char *rest, struct answer *a)
{
    struct slice vhost = {0}, name = {0};
    char *copy = mem_strdup(rest), *second = NULL;
    if (*copy) {
        second = strchr(copy, '/');
        if (second) *second++ = '\0';
        vhost = slice_of(copy, unescape(copy));
        if (second) name = slice_of(second, unescape(second));
    }
    queues_answer(h, vhost, name, a);
    mem_free(copy);
}

static void api_path(struct http *h, const char *path, struct answer *a)
{
    if (!strcmp(path, "/api/overview"))
        overview_answer(h, a);
    else if (!strcmp(path, "/api/nodes"))
        nodes_answer(h, a);
    else if (!strcmp(path, "/api/connections"))
        connections_answer(h, a);
    else if (!strcmp(path, "/api/queues"))
        queues_path(h, "", a);
    else if (!strncmp(path, "/api/queues/", 12))
        queues_path(h, path + 12, a);
    else if (!strcmp(path, "/metrics"))
        metrics_answer(h, a);
    else
        answer_error(a, 404, "Object Not Found", "Not Found");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *a)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(a->body.size, a->body.data, MHD_RESPMEM_MUST_COPY);
    buf_close(&a->body);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", a->content_type);
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    if (a->status == 401) MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"Warren Management\"");
    enum MHD_Result result = MHD_queue_response(connection, a->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_size, void **state)
{
    (void)version;
    (void)data;
    static const char seen; /* its address marks a request whose headers were read */
    if (!*state) {
        *state = (void *)&seen;
        return MHD_YES;
    }
    if (*data_size) { /* bodies are not wanted; read them away */
        *data_size = 0;
        return MHD_YES;
    }
    struct http *h = self;
    struct answer a = {.status = 200, .content_type = "application/json"};
    if (strcmp(method, "GET") && strcmp(method, "HEAD"))
        answer_error(&a, 405, "Method Not Allowed", "only GET and HEAD are served here");
    else if (!strncmp(path, "/health/", 8))
        health_answer(h, path + 8, &a);
    else if (!welcome(h, connection))
        answer_error(&a, 401, "not_authorized", "Login failed");
    else
        api_path(h, path, &a);
    return send_answer(connection, &a);
}

/* Paths keep their %XX: a vhost is "%2F". */
static size_t keep_escapes(void *self, struct MHD_Connection *connection, char *text)
{
    (void)self;
    (void)connection;
    return strlen(text);
}

static int resolve(const char *address, struct sockaddr_storage *out, struct err *err)
{
    char host[96] = "", port[16] = "";
    const char *colon = strrchr(address, ':');
    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    snprintf(port, sizeof port, "%s", colon ? colon + 1 : address);
    size_t size = strlen(host);
    char *start = host;
    if (size > 2 && host[0] == '[') {
        host[size - 1] = '\0';
        start++;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM, .ai_family = *start ? AF_UNSPEC : AF_INET}, *found;
    int code = getaddrinfo(*start ? start : NULL, port, &hints, &found);
    if (code) return (int)err_set(err, ERR_INVALID, "management.tcp = %s: %s", address, gai_strerror(code));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

int http_open(struct http **out, const struct http_params *params, struct err *err)
{
    struct sockaddr_storage address = {0};
    int code = resolve(params->address, &address, err);
    if (code) return code;
    struct http *h = mem_zalloc(sizeof *h);
    h->params = *params;
    snprintf(h->address, sizeof h->address, "%s", params->address);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                                 (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
                                 MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!h->daemon) {
        mem_free(h);
        return (int)err_set(err, ERR_IO, "management.tcp: cannot listen on %s: is the port taken?", params->address);
    }
    *out = h;
    return 0;
}

void http_close(struct http *h)
{
    MHD_stop_daemon(h->daemon);
    mem_free(h);
}
