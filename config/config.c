/* Parses files and assignments against the table of keys. */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/keys.h"

enum { CONFIG_FILE_MAX = 1 << 20, PORT_MAX = 65535 };

/* --- values --- */

static int parse_integer(const char *value, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"", 1},
                 {"k", 1000},
                 {"KB", 1000},
                 {"kB", 1000},
                 {"M", 1000000},
                 {"MB", 1000000},
                 {"G", 1000000000},
                 {"GB", 1000000000},
                 {"KiB", 1 << 10},
                 {"MiB", 1 << 20},
                 {"GiB", INT64_C(1) << 30}};
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (end == value || errno) return ERR_INVALID;
    while (isspace((unsigned char)*end)) end++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strcmp(end, units[i].name))
            return __builtin_mul_overflow((int64_t)number, units[i].factor, out) ? ERR_INVALID : 0;
    return ERR_INVALID;
}

/* Digits alone: strtol would let blanks and signs pass. */
static bool parse_digits(const char *text, int64_t high, int64_t *out)
{
    *out = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text)) return false;
        *out = *out * 10 + (*text - '0');
        if (*out > high) return false;
    }
    return true;
}

static bool is_address(const char *value)
{
    const char *colon = strrchr(value, ':');
    int64_t port;
    return colon != value && parse_digits(colon ? colon + 1 : value, PORT_MAX, &port);
}

static int set_text(char *to, const char *value, struct err *err, const char *name)
{
    if (strlen(value) >= CONFIG_TEXT_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: longer than %d bytes", name, CONFIG_TEXT_MAX - 1);
    strcpy(to, value);
    return 0;
}

/* "this|that" has the value as one of its words. */
static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);
    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (size && !strncmp(at, value, size) && (at[size] == '|' || !at[size])) return true;
    }
    return false;
}

static int set_words(char *to, const struct key *key, const char *value, struct err *err, const char *name)
{
    if (key->choices && *value && !is_choice(key->choices, value))
        return (int)err_set(err, ERR_INVALID, "%s = %s: give one of %s", name, value, key->choices);
    return set_text(to, value, err, name);
}

static int set_list(struct config *c, const struct key *key, const char *name, const char *value, struct err *err)
{
    char number[CONFIG_TEXT_MAX];
    int64_t at = 0;
    const char *start = name + strlen(key->name);
    size_t size = strlen(start) - (key->suffix ? strlen(key->suffix) : 0);
    snprintf(number, sizeof number, "%.*s", (int)size, start);
    bool found = key->low == 0 && !strcmp(number, "default");
    if (!found && (!parse_digits(number, key->high, &at) || at < key->low))
        return (int)err_set(err, ERR_INVALID, "%s: %s must be a number from %lld to %lld", name,
                            key->suffix ? number : "the last part", (long long)key->low, (long long)key->high);
    char *place = (char *)c + key->offset + (size_t)at * CONFIG_TEXT_MAX;
    if (key->type == KEY_WORDS) return set_words(place, key, value, err, name);
    if (*value && !is_address(value))
        return (int)err_set(err, ERR_INVALID, "%s = %s: give host:port, or a port alone", name, value);
    return set_text(place, value, err, name);
}

static int set_pair(struct config_pair *pairs, const char *name, const char *value, struct err *err)
{
    size_t at = 0;
    while (at < CONFIG_PAIRS_MAX && *pairs[at].name && strcmp(pairs[at].name, name)) at++;
    if (at == CONFIG_PAIRS_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: more than %d keys of this kind", name, CONFIG_PAIRS_MAX);
    if (strlen(value) >= CONFIG_PAIR_VALUE_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: longer than %d bytes", name, CONFIG_PAIR_VALUE_MAX - 1);
    strcpy(pairs[at].name, name);
    strcpy(pairs[at].value, value);
    return 0;
}

static int set_key(struct config *c, const struct key *key, const char *name, const char *value, struct err *err)
{
    void *place = (char *)c + key->offset;
    int64_t number;
    switch (key->type) {
    case KEY_INTEGER:
        if (parse_integer(value, &number))
            return (int)err_set(err, ERR_INVALID, "%s = %s: give a whole number (units KB, MB, GB, KiB, MiB, GiB)",
                                name, value);
        if (number < key->low || number > key->high)
            return (int)err_set(err, ERR_INVALID, "%s = %s: allowed is %lld to %lld", name, value, (long long)key->low,
                                (long long)key->high);
        *(int64_t *)place = number;
        return 0;
    case KEY_BOOLEAN:
        if (strcmp(value, "true") && strcmp(value, "false"))
            return (int)err_set(err, ERR_INVALID, "%s = %s: give true or false", name, value);
        *(bool *)place = *value == 't';
        return 0;
    case KEY_ADDRESS:
        if (*value && !is_address(value))
            return (int)err_set(err, ERR_INVALID, "%s = %s: give host:port, or a port alone", name, value);
        return set_text(place, value, err, name);
    case KEY_LIST:
    case KEY_WORDS:
        return set_list(c, key, name, value, err);
    case KEY_PAIRS:
        return set_pair(place, name, value, err);
    case KEY_TEXT:
        break;
    }
    return set_words(place, key, value, err, name);
}

/* --- names --- */

static bool is_list(const struct key *key)
{
    return key->type == KEY_LIST || key->type == KEY_WORDS;
}

static bool names(const struct key *key, const char *name)
{
    size_t start = strlen(key->name), size = strlen(name), end = key->suffix ? strlen(key->suffix) : 0;
    if (key->type == KEY_PAIRS) return !strncmp(name, key->name, start);
    if (!is_list(key)) return !strcmp(name, key->name);
    return size >= start + end && !strncmp(name, key->name, start) && (!end || !strcmp(name + size - end, key->suffix));
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < key_count; i++)
        if (names(&keys[i], name)) return &keys[i];
    return NULL;
}

static size_t distance(const char *a, const char *b)
{
    size_t row[CONFIG_TEXT_MAX + 1], length = strlen(b);
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t before = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t change = before + (a[i] != b[j]);
            before = row[j + 1];
            if (row[j] + 1 < change) change = row[j] + 1;
            if (row[j + 1] + 1 < change) change = row[j + 1] + 1;
            row[j + 1] = change;
        }
    }
    return row[length];
}

static void warn_unknown(struct config *c, const char *name, const char *where)
{
    if (c->warning_count == CONFIG_WARNINGS_MAX) return;
    const char *nearest = NULL;
    size_t best = 6;
    for (size_t i = 0; i < key_count; i++)
        if (distance(name, keys[i].name) < best) best = distance(name, keys[i].name), nearest = keys[i].name;
    snprintf(c->warnings[c->warning_count++], sizeof c->warnings[0], "%s: unknown key %s%s%s%s", where, name,
             nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) *--end = '\0';
    return text;
}

static int assign(struct config *c, char *line, const char *where, struct err *err)
{
    char *equals = strchr(line, '=');
    if (!equals) return (int)err_set(err, ERR_FORMAT, "%s: expected `key = value`, found \"%.80s\"", where, line);
    *equals = '\0';
    char *name = trim(line), *value = trim(equals + 1);
    size_t size = strlen(value);
    if (size >= 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0]) {
        value[size - 1] = '\0';
        value++;
    }
    if (strlen(name) >= CONFIG_TEXT_MAX)
        return (int)err_set(err, ERR_FORMAT, "%s: the key is longer than %d bytes", where, CONFIG_TEXT_MAX - 1);
    const struct key *key = find_key(name);
    if (!key) {
        warn_unknown(c, name, where);
        return 0;
    }
    int code = set_key(c, key, name, value, err);
    return code ? (int)err_wrap(err, "%s", where) : 0;
}

/* --- the door --- */

void config_init(struct config *c)
{
    *c = (struct config){0};
    struct err err;
    for (size_t i = 0; i < key_count; i++)
        if (!is_list(&keys[i]) && *keys[i].initial && set_key(c, &keys[i], keys[i].name, keys[i].initial, &err))
            abort();
}

/* The closing quote of a value in quotes that begins behind `equals`; `equals` if there is none. */
static char *closing_quote(char *equals)
{
    char *value = equals + 1;
    while (isspace((unsigned char)*value)) value++;
    char *closing = *value == '"' || *value == '\'' ? strchr(value + 1, *value) : NULL;
    return closing ? closing : equals;
}

/* A `#` begins a comment at the start of a line or after white space, so that a password may hold one; within quotes it
 * may stand after white space, too. */
static void strip_comment(char *line)
{
    bool in_value = false;
    for (char *at = line; *at; at++) {
        if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
            *at = '\0';
            return;
        }
        if (*at != '=' || in_value) continue;
        in_value = true;
        at = closing_quote(at);
    }
}

int config_parse(struct config *c, struct slice text, const char *origin, struct err *err)
{
    char *copy = mem_strndup(text.size ? (const char *)text.data : "", text.size), *next = copy;
    int code = 0;
    if (text.size && memchr(text.data, 0, text.size))
        code = (int)err_set(err, ERR_FORMAT, "%s: has a zero byte", origin);
    for (unsigned number = 1; next && !code; number++) {
        char *line = next, where[CONFIG_TEXT_MAX + 32];
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        strip_comment(line);
        line = trim(line);
        snprintf(where, sizeof where, "%s:%u", origin, number);
        if (*line) code = assign(c, line, where, err);
    }
    mem_free(copy);
    return code;
}

int config_load(struct config *c, const char *path, struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return (int)err_set_errno(err, errno, "open %s", path);
    struct buf text = {0};
    size_t got;
    while (text.size <= CONFIG_FILE_MAX && (got = fread(buf_reserve(&text, 4096), 1, 4096, f)) > 0) text.size += got;
    int code = 0;
    if (ferror(f)) code = (int)err_set_errno(err, errno, "read %s", path); /* a directory opens, but does not read */
    else if (text.size > CONFIG_FILE_MAX)
        code = (int)err_set(err, ERR_FORMAT, "%s: longer than %d bytes", path, CONFIG_FILE_MAX);
    else code = config_parse(c, buf_slice(&text), path, err);
    fclose(f);
    buf_close(&text);
    return code;
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    char *copy = mem_strdup(assignment);
    int code = assign(c, copy, "--set", err);
    mem_free(copy);
    return code;
}

static bool any(char (*list)[CONFIG_TEXT_MAX])
{
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        if (*list[i]) return true;
    return false;
}

static int check_tls(struct config *c, struct err *err)
{
    if (any(c->listeners_ssl) && !*c->ssl.certfile)
        return (int)err_set(err, ERR_INVALID, "ssl_options.certfile is needed because there are listeners.ssl");
    if (c->ssl_options.client_renegotiation)
        return (int)err_set(err, ERR_INVALID,
                            "ssl_options.client_renegotiation = true: renegotiation is never allowed");
    if (c->management_ssl_port && !*c->management_ssl.certfile)
        return (int)err_set(err, ERR_INVALID, "management.ssl.certfile is needed because of management.ssl.port");
    if (!strcmp(c->proxy_protocol, "auto") && !any(c->proxy_trusted))
        return (int)err_set(err, ERR_INVALID,
                            "proxy_protocol = auto: name the proxies, as in proxy_protocol.trusted.1 = 10.0.0.0/8");
    bool link = *c->cluster_ssl.cacertfile || *c->cluster_ssl.certfile || *c->cluster_ssl.keyfile;
    if (link && !(*c->cluster_ssl.cacertfile && *c->cluster_ssl.certfile))
        return (int)err_set(err, ERR_INVALID, "cluster.ssl: give both cluster.ssl.cacertfile and cluster.ssl.certfile");
    return 0;
}

/* RabbitMQ has had three names for it. */
static void take_definitions(struct config *c)
{
    const char *other = *c->management_load_definitions ? c->management_load_definitions : c->definitions_local_path;
    if (!*c->load_definitions) snprintf(c->load_definitions, sizeof c->load_definitions, "%s", other);
}

int config_check(struct config *c, struct err *err)
{
    take_definitions(c);
    bool peers = false, listens = false;
    for (int i = 0; i < CONFIG_LIST_MAX; i++) peers |= *c->cluster_peers[i] != 0, listens |= *c->listeners_tcp[i] != 0;
    if (!*c->data_dir) return (int)err_set(err, ERR_INVALID, "data_dir is empty: nothing durable could be kept");
    if (*c->listeners_tcp_none && (listens || !any(c->listeners_ssl)))
        return (int)err_set(err, ERR_INVALID, "listeners.tcp = none, but there %s",
                            listens ? "are listeners.tcp.N" : "is no listeners.ssl: nobody could connect");
    if (!listens && !*c->listeners_tcp_none) strcpy(c->listeners_tcp[0], "5672");
    int code = check_tls(c, err);
    if (code) return code;
    if (!*c->node_name) {
        char host[128] = "localhost";
        gethostname(host, sizeof host - 1);
        snprintf(c->node_name, sizeof c->node_name, "warren@%s", host);
    }
    if (peers && !*c->cluster_listen)
        return (int)err_set(err, ERR_INVALID, "cluster.listen is needed because there are cluster.peers");
    if (peers && !*c->cluster_peers[c->node_id])
        return (int)err_set(err, ERR_INVALID, "cluster.peers has no entry for this node: add cluster.peers.%lld",
                            (long long)c->node_id);
    if (peers && !*c->cluster_secret_file)
        return (int)err_set(err, ERR_INVALID, "cluster.secret_file is needed because there are cluster.peers");
    if (*c->cluster_join && (peers || !*c->cluster_listen || !*c->cluster_secret_file))
        return (int)err_set(
            err, ERR_INVALID,
            "cluster.join: a node that joins has cluster.listen and cluster.secret_file, and no cluster.peers");
    if (c->heartbeat_ms * 3 > c->election_timeout_ms)
        return (int)err_set(err, ERR_INVALID, "raft.heartbeat_ms must be at most a third of raft.election_timeout_ms");
    return 0;
}

void config_print_keys(FILE *out)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &keys[i];
        fprintf(out, "# %s\n", k->sentence);
        if (k->type == KEY_INTEGER) fprintf(out, "# %lld to %lld\n", (long long)k->low, (long long)k->high);
        if (k->choices) fprintf(out, "# %s\n", k->choices);
        if (k->type == KEY_PAIRS) {
            fprintf(out, "# %s\n\n", k->example);
            continue;
        }
        fprintf(out, "# %s%s%s = %s\n\n", k->name, is_list(k) ? "1" : "", k->suffix ? k->suffix : "",
                k->example ? k->example : k->initial);
    }
}
