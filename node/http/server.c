/* Requests in, answers out: credentials, bodies, and libmicrohttpd. Which path goes to whom: route_table.c.
 *
 * Each connection has a thread, because a request may wait for a majority or for a peer; health checks must not. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/auth/guess.h"
#include "node/http/boot.h"
#include "node/http/lobby.h"
#include "node/http/local.h"
#include "node/http/metrics.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

/* Values come escaped, as paths do (keep_escapes()): each is decoded once and kept with the request. */
const char *request_query(struct request *r, const char *name)
{
    for (unsigned i = 0; i < r->query_count; i++)
        if (!strcmp(r->query[i].name, name)) return r->query[i].value;
    const char *raw = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
    if (!raw || r->query_count == HTTP_QUERY_MAX) return NULL;
    char *value = mem_strdup(raw);
    value[http_unescape(value, strlen(value)).size] = '\0';
    r->query[r->query_count].name = name;
    r->query[r->query_count++].value = value;
    return value;
}

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct gathering {
    const char *name;
    char *text;
    size_t size, used;
};

static enum MHD_Result gather(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct gathering *g = arg;
    (void)kind;
    if (strcmp(name, g->name) != 0 || !value) return MHD_YES;
    int size = snprintf(g->text + g->used, g->size - g->used, "%s%s", g->used ? "," : "", value);
    if ((size_t)size < g->size - g->used) g->used += (size_t)size;
    return MHD_YES;
}

void request_query_all(struct request *r, const char *name, char *text, size_t size)
{
    struct gathering g = {name, text, size, 0};
    *text = '\0';
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, gather, &g);
    text[g.used] = '\0';
    text[http_unescape(text, g.used).size] = '\0';
}

bool request_flag(struct request *r, const char *name)
{
    const char *value = request_query(r, name);
    return value && !strcmp(value, "true");
}

static enum MHD_Result send_answer(const struct request *r, const struct answer *a)
{
    struct MHD_Response *response =
        a->stream.self ? stream_response(&a->stream, stream_takes_gzip(request_header(r, "Accept-Encoding")))
                       : MHD_create_response_from_buffer(a->body.size, a->body.data, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    headers_add(r, a, response);
    enum MHD_Result result = MHD_queue_response(r->connection, a->status, response);
    MHD_destroy_response(response);
    return result;
}

/* What is beyond the bound is read and forgotten: the answer at the end says so. Who sends it, is asked when it counts. */
static void take_body(struct request *r, const char *data, size_t size)
{
    size_t whole = r->bytes.size + size;
    bool much = whole > HTTP_STRANGER_BODY_MAX && !routes_know_caller(r);
    r->too_large = r->too_large || much || whole > (uint64_t)r->http->params.management->body_max;
    if (!r->too_large) buf_put(&r->bytes, data, size);
    else buf_close(&r->bytes);
}

static void be_served(const struct request *r, bool served)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context) lobby_serve(r->http->lobby, info->socket_context, served);
}

/* On the connection's own thread; the node does not wait for it when it stops. */
static void let_wait(const struct request *r)
{
    enum { STEP_MS = 50 };
    for (uint32_t waited = 0; waited < r->refused_after_ms && !atomic_load(&r->http->closing); waited += STEP_MS)
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

static enum MHD_Result answer_request(struct request *r, const char *method)
{
    struct answer a = {.status = 200, .content_type = "application/json"};
    be_served(r, true);
    routes_answer(r, method, &a);
    be_served(r, false);
    let_wait(r);
    enum MHD_Result result = send_answer(r, &a);
    buf_close(&a.body);
    mem_free(a.location);
    return result;
}

/* Called when the head was read, for each piece of the body, and at its end. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **state)
{
    (void)version;
    struct request *r = *state;
    if (!r) {
        *state = r = mem_zalloc(sizeof *r);
        r->http = self;
        r->connection = connection;
        return MHD_YES;
    }
    routes_look(r, method, path);
    if (!*data_size) return answer_request(r, method);
    take_body(r, data, *data_size);
    *data_size = 0;
    return MHD_YES;
}

/* The port of metrics alone, as RabbitMQ's 15692. Its paths may have another beginning (prometheus.path). */
static enum MHD_Result on_metrics(void *self, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **state)
{
    const struct http *h = self;
    char known[512] = "/";
    bool first = !*state;
    size_t size = strlen(h->params.metrics_path);
    while (size && h->params.metrics_path[size - 1] == '/') size--;
    if (!strncmp(path, h->params.metrics_path, size) && (!path[size] || path[size] == '/'))
        snprintf(known, sizeof known, "/metrics%s", path + size + (path[size] == '/' && !path[size + 1]));
    enum MHD_Result result = on_request(self, connection, known, method, version, data, data_size, state);
    if (first && *state) ((struct request *)*state)->metrics_only = true;
    return result;
}

/* The socket of this machine. */
static enum MHD_Result on_local(void *self, struct MHD_Connection *connection, const char *path, const char *method,
                                const char *version, const char *data, size_t *data_size, void **state)
{
    bool first = !*state;
    enum MHD_Result result = on_request(self, connection, path, method, version, data, data_size, state);
    if (first && *state) ((struct request *)*state)->local = true;
    return result;
}

static void on_completed(void *self, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)self;
    (void)connection;
    (void)code;
    struct request *r = *state;
    if (!r) return;
    json_decref(r->body);
    buf_close(&r->bytes);
    mem_free(r->caller.user);
    mem_free(r->caller.password);
    json_decref(r->caller.vhosts);
    mem_free(r->path);
    for (unsigned i = 0; i < r->query_count; i++) mem_free(r->query[i].value);
    mem_free(r);
    *state = NULL;
}

/* The socket of this machine is not crowded by strangers. */
static void on_connection(void *self, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = self;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *state = info ? lobby_enter(h->lobby, info->connect_fd) : NULL;
    } else if (*state) {
        lobby_leave(h->lobby, *state);
        *state = NULL;
    }
}

static void send_away(int fd)
{
    shutdown(fd, SHUT_RDWR); /* its thread finds the end, and closes */
}

/* Paths keep their %XX until they are cut into segments: a vhost is "%2F". */
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
    if (colon) snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    snprintf(port, sizeof port, "%s", colon ? colon + 1 : address);
    size_t size = strlen(host);
    char *start = host;
    if (size > 2 && host[0] == '[') {
        host[size - 1] = '\0';
        start++;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM,
                             .ai_family = *start ? AF_UNSPEC : AF_INET},
                    *found;
    int code = getaddrinfo(*start ? start : NULL, port, &hints, &found);
    if (code) return (int)err_set(err, ERR_INVALID, "management.tcp = %s: %s", address, gai_strerror(code));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static struct MHD_Daemon *start(struct http *h, MHD_AccessHandlerCallback handler,
                                const struct sockaddr_storage *address, int listener, struct MHD_OptionItem *more,
                                bool tls)
{
    static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC |
                     (tls ? MHD_USE_TLS : 0) | (address->ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handler, h, MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(HTTP_CONNECTIONS_MAX + HTTP_LEAVING_MAX), MHD_OPTION_NOTIFY_CONNECTION,
        handler == on_local ? NULL : on_connection, h, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)HTTP_THREAD_STACK, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_ARRAY, more ? more : none, MHD_OPTION_END);
}

struct MHD_Daemon *http_start(struct http *h, const struct sockaddr_storage *address, int listener,
                              struct MHD_OptionItem *more, bool tls)
{
    return start(h, on_request, address, listener, more, tls);
}

static int open_plain(struct http *h, const char *text, MHD_AccessHandlerCallback handler, struct MHD_Daemon **daemon,
                      struct err *err)
{
    struct sockaddr_storage address = {0};
    int code = resolve(text, &address, err);
    if (code) return code;
    *daemon = start(h, handler, &address, -1, NULL, false);
    if (*daemon) return 0;
    return (int)err_set(err, ERR_IO, "%s: cannot listen on %s: is the port taken?",
                        handler == on_metrics ? "prometheus.tcp" : "management.tcp", text);
}

static int open_local(struct http *h, struct err *err)
{
    int fd, code = local_listen(h->params.socket, &fd, err);
    if (code) return code;
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    h->local = start(h, on_local, &address, fd, NULL, false);
    if (h->local) return 0;
    close(fd);
    return (int)err_set(err, ERR_IO, "management.socket = %s: cannot serve there", h->params.socket);
}

int http_open(struct http **out, const struct http_params *params, struct err *err)
{
    struct http *h = mem_zalloc(sizeof *h);
    h->params = *params;
    pthread_mutex_init(&h->sources_lock, NULL);
    h->guesses = guess_create();
    h->lobby = lobby_create(HTTP_CONNECTIONS_MAX, send_away);
    snprintf(h->address, sizeof h->address, "%s", *params->address ? params->address : params->tls_address);
    h->telemetry = telemetry_open();
    h->sampler = sampler_open(h); /* before requests come */
    int code = 0;
    if (params->definitions) boot_open(&h->boot, h, params->definitions);
    h->peers = peers_open(h);
    struct MHD_Daemon *plain = NULL;
    if (!code && *params->address) code = open_plain(h, params->address, on_request, &plain, err);
    h->daemon = plain;
    if (!code && params->tls) code = https_open(h, err);
    if (!code && *params->socket) code = open_local(h, err);
    if (!code && *params->metrics_address) code = open_plain(h, params->metrics_address, on_metrics, &h->metrics, err);
    if (!code && h->boot) boot_start(h->boot);
    if (code) http_close(h);
    else *out = h;
    return code;
}

void http_set_links(struct http *h, const struct http_links *links)
{
    atomic_store(&h->links, links);
}

void http_close(struct http *h)
{
    atomic_store(&h->closing, true);
    if (h->daemon) MHD_stop_daemon(h->daemon);
    if (h->metrics) MHD_stop_daemon(h->metrics);
    if (h->local) {
        unlink(h->params.socket);
        MHD_stop_daemon(h->local);
    }
    if (h->https) https_close(h->https);
    if (h->boot) boot_close(h->boot);
    peers_close(h->peers);
    sampler_close(h->sampler);
    telemetry_close(h->telemetry);
    login_sources_clear(&h->sources);
    guess_destroy(h->guesses);
    lobby_destroy(h->lobby);
    pthread_mutex_destroy(&h->sources_lock);
    mem_free(h);
}
