/* HTTPS beside the plain management port. libmicrohttpd takes certificates as text when it starts, so new ones mean a
 * new daemon on the same listening socket; then the old one ends.
 *
 * OpenSSL reads the files first, for its clear errors and to know when they change; GnuTLS (in
 * libmicrohttpd) serves. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/http/http_internal.h"
#include "replication/sys/fs.h"
#include "replication/sys/socket.h"
#include "replication/sys/tls.h"

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct https {
    struct http *http;
    struct tls_context *files; /* borrowed */
    struct MHD_Daemon *daemon;
    struct sockaddr_storage address;
    int listener;             /* each daemon has a copy of it */
    char *certificates, *key; /* PEM; the daemon's as long as it runs */
};

static int append_file(struct buf *text, const char *path, struct err *err)
{
    uint8_t *data;
    size_t size;
    int code = *path ? fs_read_file(fs_posix(), path, &data, &size, err) : 0;
    if (code || !*path) return code;
    buf_put(text, data, size);
    buf_put_u8(text, '\n');
    explicit_bzero(data, size);
    mem_free(data);
    return 0;
}

static void forget(char *secret)
{
    if (secret) explicit_bzero(secret, strlen(secret));
    mem_free(secret);
}

/* The authorities follow the certificate, as RabbitMQ sends them. */
static int read_files(const struct config_tls *c, char **certificates, char **key, struct err *err)
{
    struct buf chain = {0}, secret = {0};
    int code = append_file(&chain, c->certfile, err);
    if (!code) code = append_file(&chain, c->cacertfile, err);
    if (!code) code = append_file(&secret, *c->keyfile ? c->keyfile : c->certfile, err);
    if (!code) {
        *certificates = mem_strndup((char *)chain.data, chain.size);
        *key = mem_strndup((char *)secret.data, secret.size);
    }
    if (secret.size) explicit_bzero(secret.data, secret.size);
    buf_close(&chain);
    buf_close(&secret);
    return code;
}

/* The listening socket is taken away first: MHD might shut it down for all who have it. */
static void stop(struct https *s)
{
    if (!s->daemon) return;
    close(MHD_quiesce_daemon(s->daemon));
    MHD_stop_daemon(s->daemon);
    mem_free(s->certificates);
    forget(s->key);
}

/* The daemon in force stays when this fails. */
static int start(struct https *s, struct err *err)
{
    const struct config_tls *c = s->http->params.tls;
    char *certificates, *key;
    int listener = dup(s->listener);
    int code = read_files(c, &certificates, &key, err);
    if (code) {
        close(listener);
        return (int)err_wrap(err, "management.ssl");
    }
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, certificates},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities},
        {*c->password ? MHD_OPTION_HTTPS_KEY_PASSWORD : MHD_OPTION_END, 0, (void *)c->password},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = http_start(s->http, &s->address, listener, options, true);
    if (!daemon) {
        close(listener);
        mem_free(certificates);
        forget(key);
        return (int)err_set(err, ERR_IO, "management.ssl: HTTPS cannot be started on %s", s->http->params.tls_address);
    }
    stop(s);
    s->certificates = certificates;
    s->key = key;
    s->daemon = daemon;
    return 0;
}

int https_open(struct http *h, struct err *err)
{
    struct https *s = mem_zalloc(sizeof *s);
    s->http = h;
    s->listener = -1;
    s->files = h->params.tls_files;
    int code = 0;
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        code = (int)err_set(err, ERR_INVALID, "management.ssl: this libmicrohttpd was built without TLS");
    if (!code) code = socket_listen(h->params.tls_address, HTTP_BACKLOG, &s->listener, err);
    if (!code) {
        socket_end(s->listener, false, &s->address);
        code = start(s, err);
    }
    if (!code) {
        h->https = s;
        return 0;
    }
    if (s->listener >= 0) close(s->listener);
    mem_free(s);
    return code;
}

void https_reload(struct https *s, bool all)
{
    struct logger *logger = node_settings(s->http->params.node)->logger;
    struct err err;
    if (!all && !tls_context_changed(s->files)) return;
    int code = tls_context_reload(s->files, &err);
    if (!code) code = start(s, &err);
    if (code)
        logger_printf(logger, LOG_ERROR, -1,
                      "http certificates_kept error=\"%s\" action=\"the old ones stay in force\"", err.text);
    else logger_printf(logger, LOG_INFO, -1, "http certificates_read key=management.ssl");
}

int64_t https_not_after(struct https *s)
{
    return tls_context_not_after(s->files);
}

void https_close(struct https *s)
{
    stop(s);
    close(s->listener);
    mem_free(s);
}

void http_reload(struct http *h, bool all)
{
    if (h->https) https_reload(h->https, all);
}
