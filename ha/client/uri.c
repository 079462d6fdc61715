#include "ha/client/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

enum { PORT_AMQP = 5672, PORT_AMQPS = 5671, TIMEOUT_MS = 60000, DEPTH = 10 };

static int bad(struct err *err, const char *what)
{
    return (int)err_set(err, ERR_INVALID, "%s", what);
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A copy with %XX decoded; NULL: a percent sign without two digits, or a zero byte. */
static char *unescape(struct slice s)
{
    char *text = mem_alloc(s.size + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.size; i++) {
        int c = s.data[i];
        if (c == '%') {
            int high = i + 2 < s.size ? hex(s.data[i + 1]) : -1, low = high < 0 ? -1 : hex(s.data[i + 2]);
            c = low < 0 ? 0 : high << 4 | low;
            i += 2;
        }
        if (!c) {
            mem_free(text);
            return NULL;
        }
        text[n++] = (char)c;
    }
    text[n] = 0;
    return text;
}

/* What stands before `mark` goes to `head` and `s` keeps what is behind it; false (and no change)
 * when there is none. */
static bool cut(struct slice *s, char mark, struct slice *head)
{
    const uint8_t *at = s->size ? memchr(s->data, mark, s->size) : NULL;
    if (!at) return false;
    *head = slice_of(s->data, (size_t)(at - s->data));
    *s = slice_of(at + 1, s->size - head->size - 1);
    return true;
}

static int take(struct slice s, char **text, struct err *err)
{
    mem_free(*text);
    *text = unescape(s);
    return *text ? 0 : bad(err, "a percent sign is not followed by two hexadecimal digits");
}

static int read_port(struct slice s, struct client_uri *uri, struct err *err)
{
    unsigned port = 0;
    if (!s.size || s.size > 5) return bad(err, "the port is not a number from 1 to 65535");
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return bad(err, "the port is not a number from 1 to 65535");
        port = port * 10 + (unsigned)(s.data[i] - '0');
    }
    if (!port || port > UINT16_MAX) return bad(err, "the port is not a number from 1 to 65535");
    uri->port = (uint16_t)port;
    return 0;
}

static int read_host(struct slice s, struct client_uri *uri, struct err *err)
{
    struct slice host = s;
    if (s.size && s.data[0] == '[') {
        if (!cut(&s, ']', &host)) return bad(err, "an IPv6 address has no closing bracket");
        host = slice_of(host.data + 1, host.size - 1);
        if (s.size && s.data[0] != ':') return bad(err, "something stands between the address and the port");
        if (s.size) s = slice_of(s.data + 1, s.size - 1);
        else s = slice_of(NULL, 0);
        if (!host.size) return bad(err, "the address in brackets is empty");
    } else if (!cut(&s, ':', &host)) {
        s = slice_of(NULL, 0);
    } else if (!host.size) {
        return bad(err, "a port without a host");
    } else if (!s.size) {
        return bad(err, "the port is not a number from 1 to 65535");
    }
    uri->local = !host.size;
    int code = take(host, &uri->host, err);
    return code || !s.size ? code : read_port(s, uri, err);
}

static int read_user(struct slice s, struct client_uri *uri, struct err *err)
{
    struct slice user;
    if (!cut(&s, ':', &user)) return take(s, &uri->user, err);
    int code = take(user, &uri->user, err);
    return code ? code : take(s, &uri->password, err);
}

static int read_number(const char *key, const char *text, int *number, struct err *err)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (!*text || *end || value < 0 || value > INT32_MAX)
        return (int)err_set(err, ERR_INVALID, "%s is not a number: %s", key, text);
    *number = (int)value;
    return 0;
}

static int read_mechanism(const char *text, struct client_uri *uri, struct err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"plain", CLIENT_PLAIN}, {"amqplain", CLIENT_AMQPLAIN}, {"external", CLIENT_EXTERNAL}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(names[i].name, text)) continue;
        uri->mechanisms |= names[i].bit;
        return 0;
    }
    return (int)err_set(err, ERR_INVALID, "auth_mechanism %s is not known: plain, amqplain or external", text);
}

static int read_verify(const char *text, struct client_uri *uri, struct err *err)
{
    uri->verify = !strcmp(text, "verify_peer");
    if (uri->verify || !strcmp(text, "verify_none")) return 0;
    return (int)err_set(err, ERR_INVALID, "verify is verify_peer or verify_none, not %s", text);
}

static int read_parameter(struct slice key, struct slice value, struct client_uri *uri, struct err *err)
{
    const struct {
        const char *key;
        char **text;
        int *number;
    } keys[] = {
        {"heartbeat", NULL, &uri->heartbeat_s},
        {"connection_timeout", NULL, &uri->timeout_ms},
        {"channel_max", NULL, &uri->channel_max},
        {"depth", NULL, &uri->depth},
        {"cacertfile", &uri->cacertfile, NULL},
        {"certfile", &uri->certfile, NULL},
        {"keyfile", &uri->keyfile, NULL},
        {"password", &uri->key_password, NULL},
        {"server_name_indication", &uri->server_name, NULL},
    };
    char *text = unescape(value);
    int code = text ? 0 : bad(err, "a percent sign is not followed by two hexadecimal digits");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !code; i++) {
        if (!slice_is(key, keys[i].key)) continue;
        if (keys[i].number) code = read_number(keys[i].key, text, keys[i].number, err);
        else code = take(value, keys[i].text, err);
    }
    if (!code && slice_is(key, "auth_mechanism")) code = read_mechanism(text, uri, err);
    if (!code && slice_is(key, "verify")) code = read_verify(text, uri, err);
    mem_free(text);
    return code;
}

static int read_query(struct slice s, struct client_uri *uri, struct err *err)
{
    int code = 0;
    while (s.size && !code) {
        struct slice pair, key;
        if (!cut(&s, '&', &pair)) {
            pair = s;
            s = slice_of(NULL, 0);
        }
        if (!pair.size) continue;
        if (!cut(&pair, '=', &key)) return bad(err, "a query parameter has no value");
        code = read_parameter(key, pair, uri, err);
    }
    return code;
}

static int check(struct client_uri *uri, struct err *err)
{
    if (uri->channel_max > UINT16_MAX) return bad(err, "channel_max is more than 65535");
    if (uri->heartbeat_s > UINT16_MAX) return bad(err, "heartbeat is more than 65535 seconds");
    if (uri->local && uri->tls) return bad(err, "amqps needs a host");
    if (!uri->mechanisms) uri->mechanisms = CLIENT_PLAIN | CLIENT_AMQPLAIN;
    if (!uri->timeout_ms) uri->timeout_ms = TIMEOUT_MS;
    return 0;
}

int client_uri_parse(struct slice text, struct client_uri *uri, struct err *err)
{
    struct slice rest = text, authority, user, head;
    *uri = (struct client_uri){
        .port = PORT_AMQP, .heartbeat_s = CLIENT_URI_UNSET, .timeout_ms = TIMEOUT_MS, .verify = true, .depth = DEPTH};
    if (text.size > CLIENT_URI_SIZE_MAX) return bad(err, "the URI is too long");
    if (text.size >= 7 && !strncasecmp((const char *)text.data, "amqp://", 7)) {
        rest = slice_of(text.data + 7, text.size - 7);
    } else if (text.size >= 8 && !strncasecmp((const char *)text.data, "amqps://", 8)) {
        rest = slice_of(text.data + 8, text.size - 8);
        uri->tls = true;
        uri->port = PORT_AMQPS;
    } else {
        return bad(err, "the URI does not begin with amqp:// or amqps://");
    }
    int code = 0;
    if (cut(&rest, '#', &head)) rest = head;
    if (cut(&rest, '?', &head)) {
        code = read_query(rest, uri, err);
        rest = head;
    }
    bool path = cut(&rest, '/', &authority);
    uri->vhost_given = path;
    if (!path) authority = rest;
    else if (!code && rest.size && memchr(rest.data, '/', rest.size))
        code = bad(err, "a slash in a vhost is written %2F");
    if (!code && cut(&authority, '@', &user)) code = read_user(user, uri, err);
    if (!code) code = read_host(authority, uri, err);
    if (!code) code = path ? take(rest, &uri->vhost, err) : take(slice_str("/"), &uri->vhost, err);
    if (!code) code = check(uri, err);
    if (code) client_uri_close(uri);
    return code;
}

void client_uri_close(struct client_uri *uri)
{
    mem_free(uri->host);
    mem_free(uri->user);
    mem_free(uri->password);
    mem_free(uri->vhost);
    mem_free(uri->cacertfile);
    mem_free(uri->certfile);
    mem_free(uri->keyfile);
    mem_free(uri->key_password);
    mem_free(uri->server_name);
    *uri = (struct client_uri){0};
}

static void put_escaped(struct buf *b, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~", c);
        if (plain) buf_put_u8(b, c);
        else buf_printf(b, "%%%02X", c);
    }
}

void client_uri_public(struct buf *b, const struct client_uri *uri)
{
    bool v6 = strchr(uri->host, ':') != NULL;
    buf_printf(b, "%s://", uri->tls ? "amqps" : "amqp");
    if (!uri->local) buf_printf(b, v6 ? "[%s]:%u" : "%s:%u", uri->host, uri->port);
    if (!strcmp(uri->vhost, "/") && uri->local) return; /* amqp:// */
    buf_put_u8(b, '/');
    put_escaped(b, uri->vhost);
}
