#include "node/shard/security.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "replication/sys/tls.h"

static const char *const link_key = "cluster.ssl";

static unsigned versions(const struct config_ssl_options *o)
{
    unsigned all = 0;
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        if (!strcmp(o->versions[i], "tlsv1.2")) all |= TLS_VERSION_1_2;
        if (!strcmp(o->versions[i], "tlsv1.3")) all |= TLS_VERSION_1_3;
    }
    return all;
}

static int open_clients(struct security *s, const struct config *c, struct err *err)
{
    const struct config_ssl_options *o = &c->ssl_options;
    struct tls_settings t = {
        .key = "ssl_options",
        .cacertfile = c->ssl.cacertfile,
        .certfile = c->ssl.certfile,
        .keyfile = c->ssl.keyfile,
        .password = c->ssl.password,
        .verify_peer = !strcmp(o->verify, "verify_peer"),
        .fail_if_no_peer_cert = o->fail_if_no_peer_cert,
        .depth = (int)o->depth,
        .versions = versions(o),
        .honor_cipher_order = o->honor_cipher_order || o->honor_ecc_order,
    };
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        if (*o->ciphers[i]) t.ciphers[t.cipher_count++] = o->ciphers[i];
    for (int i = 0; i <= CONFIG_SNI_MAX; i++)
        if (*o->sni_hostname[i] || *o->sni_certfile[i] || *o->sni_keyfile[i])
            t.names[t.name_count++] =
                (struct tls_server_name){o->sni_hostname[i], o->sni_certfile[i], o->sni_keyfile[i]};
    return tls_context_open(&s->clients, &t, err);
}

static int open_https(struct security *s, const struct config *c, struct err *err)
{
    const struct tls_settings t = {
        .key = "management.ssl",
        .cacertfile = c->management_ssl.cacertfile,
        .certfile = c->management_ssl.certfile,
        .keyfile = c->management_ssl.keyfile,
        .password = c->management_ssl.password,
        .depth = 10,
    };
    return tls_context_open(&s->https, &t, err);
}

/* Both ends show a certificate of the cluster's own authority. */
static int open_links(struct security *s, const struct config *c, struct err *err)
{
    struct tls_settings t = {
        .key = link_key,
        .cacertfile = c->cluster_ssl.cacertfile,
        .certfile = c->cluster_ssl.certfile,
        .keyfile = c->cluster_ssl.keyfile,
        .password = c->cluster_ssl.password,
        .verify_peer = true,
        .fail_if_no_peer_cert = true,
        .depth = 10,
        .versions = TLS_VERSION_1_3,
    };
    int code = tls_context_open(&s->link_listener, &t, err);
    t.client = true;
    return code ? code : tls_context_open(&s->link_dialler, &t, err);
}

static int read_trusted(struct security *s, const struct config *c, size_t *count, struct err *err)
{
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        if (!*c->proxy_trusted[i]) continue;
        int code = net_range_parse(c->proxy_trusted[i], &s->trusted[(*count)++], err);
        if (code) return (int)err_wrap(err, "proxy_protocol.trusted.%d", i);
    }
    return 0;
}

static int add_listeners(struct security *s, const char (*addresses)[CONFIG_TEXT_MAX], struct net_entrance entrance,
                         struct node_listeners *listeners, struct err *err)
{
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        if (!*addresses[i]) continue;
        if (listeners->count == NODE_LISTENERS_MAX)
            return (int)err_set(err, ERR_INVALID, "listeners: at most %d", NODE_LISTENERS_MAX);
        s->entrances[listeners->count] = entrance;
        listeners->addresses[listeners->count++] = addresses[i];
    }
    return 0;
}

static void fill_mechanisms(struct security *s, const struct config *c, struct node_settings *settings)
{
    size_t used = 0;
    for (int i = 0; i < CONFIG_LIST_MAX && used < sizeof s->mechanisms; i++)
        if (*c->auth_mechanisms[i])
            used += (size_t)snprintf(s->mechanisms + used, sizeof s->mechanisms - used, "%s%s", used ? " " : "",
                                     c->auth_mechanisms[i]);
    settings->session.mechanisms = used ? s->mechanisms : NULL;
}

static bool any(const char (*list)[CONFIG_TEXT_MAX])
{
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        if (*list[i]) return true;
    return false;
}

int security_open(struct security *s, const struct config *c, struct node_listeners *listeners,
                  struct node_settings *settings, struct err *err)
{
    *s = (struct security){0};
    struct net_entrance entrance = {.trusted = s->trusted};
    if (!strcmp(c->proxy_protocol, "true")) entrance.proxy = NET_PROXY_NEEDED;
    if (!strcmp(c->proxy_protocol, "auto")) entrance.proxy = NET_PROXY_AUTO;
    int code = read_trusted(s, c, &entrance.trusted_count, err);
    if (!code)
        code = certificate_login_parse(&settings->certificate_login, c->ssl_cert_login_from, c->ssl_cert_login_san_type,
                                       (unsigned)c->ssl_cert_login_san_index, err);
    if (!code) code = add_listeners(s, c->listeners_tcp, entrance, listeners, err);
    if (!code && any(c->listeners_ssl)) code = open_clients(s, c, err);
    entrance.tls = s->clients;
    if (!code) code = add_listeners(s, c->listeners_ssl, entrance, listeners, err);
    if (!code && *c->cluster_ssl.certfile) code = open_links(s, c, err);
    if (!code && c->management_ssl_port) code = open_https(s, c, err);
    if (code) security_close(s);
    fill_mechanisms(s, c, settings);
    settings->entrances = s->entrances;
    settings->link_listener_tls = s->link_listener;
    settings->link_dialler_tls = s->link_dialler;
    settings->tls_handshake_timeout_ms = (uint32_t)c->ssl_handshake_timeout_ms;
    return code;
}

static void reload(struct tls_context *c, const char *key, bool all, struct logger *logger)
{
    struct err err;
    char until[32];
    if (!c || (!all && !tls_context_changed(c))) return;
    if (tls_context_reload(c, &err)) {
        logger_printf(logger, LOG_ERROR, -1,
                      "node certificates_kept error=\"%s\" action=\"the old ones stay in force\"", err.text);
        return;
    }
    time_t end = (time_t)tls_context_not_after(c);
    struct tm tm;
    gmtime_r(&end, &tm);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &tm);
    logger_printf(logger, LOG_INFO, -1, "node certificates_read key=%s valid_until=%s", key, until);
}

void security_reload(struct security *s, bool all, struct logger *logger)
{
    reload(s->clients, "ssl_options", all, logger);
    reload(s->link_listener, link_key, all, logger);
    reload(s->link_dialler, link_key, all, logger);
}

void security_close(struct security *s)
{
    if (s->clients) tls_context_close(s->clients);
    if (s->link_listener) tls_context_close(s->link_listener);
    if (s->link_dialler) tls_context_close(s->link_dialler);
    if (s->https) tls_context_close(s->https);
    s->clients = s->link_listener = s->link_dialler = s->https = NULL;
}
