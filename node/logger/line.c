#include "node/logger/line.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static const char *const category_names[LOG_CATEGORY_COUNT] = {
    "default", "connection", "channel", "queue", "mirroring", "federation", "shovel", "upgrade", "ra"};

static const struct {
    const char *words;
    enum log_category category;
} beginnings[] = {
    {"connection ", LOG_CATEGORY_CONNECTION},
    {"channel ", LOG_CATEGORY_CHANNEL},
    {"queue ", LOG_CATEGORY_QUEUE},
    {"link exchange-federation", LOG_CATEGORY_FEDERATION},
    {"link queue-federation", LOG_CATEGORY_FEDERATION},
    {"link shovel", LOG_CATEGORY_SHOVEL},
    {"link static-shovel", LOG_CATEGORY_SHOVEL},
    {"link ", LOG_CATEGORY_RA},
    {"group", LOG_CATEGORY_RA},
    {"replica ", LOG_CATEGORY_RA},
    {"log ", LOG_CATEGORY_RA},
    {"store ", LOG_CATEGORY_RA},
};

enum log_category line_category(const char *text)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (!strncmp(text, beginnings[i].words, strlen(beginnings[i].words))) return beginnings[i].category;
    return LOG_CATEGORY_DEFAULT;
}

const char *line_category_name(enum log_category category)
{
    return category_names[category];
}

int line_category_of_name(const char *name)
{
    for (int i = 0; i < LOG_CATEGORY_COUNT; i++)
        if (!strcmp(category_names[i], name)) return i;
    return -1;
}

const char *line_level_name(int level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    return level < 0 ? "none" : names[level > 3 ? 3 : level];
}

void line_time(uint64_t at_ms, char out[32])
{
    struct tm utc;
    time_t seconds = (time_t)(at_ms / 1000);
    gmtime_r(&seconds, &utc);
    size_t size = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + size, 32 - size, ".%03uZ", (unsigned)(at_ms % 1000));
}

/* One event, one line; and names that clients choose must not move the cursor of whoever reads it. */
static void blank_controls(uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool pair = text[i] == 0xc2 && i + 1 < size && text[i + 1] >= 0x80 && text[i + 1] < 0xa0; /* U+0080..U+009F */
        if (pair) text[i + 1] = ' ';
        if (pair || text[i] < ' ' || text[i] == 0x7f) text[i] = ' ';
    }
}

void line_who(const struct log_line *l, struct buf *out)
{
    size_t start = out->size;
    if (l->shard >= 0) buf_printf(out, "shard=%d %s", l->shard, l->text);
    else buf_printf(out, "node %s", l->text);
    blank_controls(out->data + start, out->size - start);
}

void line_plain(const struct log_line *l, struct buf *out)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    char at[32];
    size_t start = out->size;
    line_time(l->at_ms, at);
    buf_printf(out, "%s %-5s ", at, names[l->level > 3 ? 3 : l->level]);
    line_who(l, out);
    if (out->size - start > LINE_TEXT_MAX) out->size = start + LINE_TEXT_MAX;
}

/* How many bytes the character at `at` has; 0: that is no UTF-8. */
static unsigned character(const char *at, size_t left)
{
    unsigned char first = (unsigned char)*at;
    unsigned size = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : first >= 0xe0 && first < 0xf0 ? 3
                    : first >= 0xf0 && first < 0xf5 ? 4
                                                    : 0;
    if (size > left) return 0;
    for (unsigned i = 1; i < size; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80) return 0;
    if (first == 0xe0 && (unsigned char)at[1] < 0xa0) return 0;
    if (first == 0xed && (unsigned char)at[1] > 0x9f) return 0;
    if (first == 0xf0 && (unsigned char)at[1] < 0x90) return 0;
    if (first == 0xf4 && (unsigned char)at[1] > 0x8f) return 0;
    return size;
}

static void quote(struct buf *out, const char *text, size_t size)
{
    buf_put_u8(out, '"');
    for (size_t at = 0; at < size;) {
        unsigned bytes = character(text + at, size - at);
        unsigned char c = (unsigned char)text[at];
        if (!bytes) buf_put(out, "\\ufffd", 6);
        else if (c == '"' || c == '\\') buf_printf(out, "\\%c", c);
        else if (c < 0x20) buf_printf(out, "\\u%04x", c);
        else buf_put(out, text + at, bytes);
        at += bytes ? bytes : 1;
    }
    buf_put_u8(out, '"');
}

static void put(struct buf *out, const char *name, const char *value, size_t size)
{
    buf_printf(out, ",\"%s\":", name);
    quote(out, value, size);
}

static bool is_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* key=value and key="some words", as members of their own. */
static void put_fields(struct buf *out, const char *text)
{
    bool first = true;
    for (const char *at = text; *at;) {
        const char *key = at;
        while (is_key(*at)) at++;
        size_t key_size = (size_t)(at - key);
        if (!key_size || *at != '=') {
            while (*at && *at != ' ') at++;
            while (*at == ' ') at++;
            continue;
        }
        bool quoted = *++at == '"';
        const char *value = at += quoted;
        while (*at && *at != (quoted ? '"' : ' ')) at++;
        buf_printf(out, first ? ",\"fields\":{\"%.*s\":" : ",\"%.*s\":", (int)key_size, key);
        quote(out, value, (size_t)(at - value));
        first = false;
        if (*at) at++;
        while (*at == ' ') at++;
    }
    if (!first) buf_put_u8(out, '}');
}

void line_json(const struct log_line *l, struct buf *out)
{
    char at[32], domain[32];
    size_t size = strnlen(l->text, LINE_TEXT_MAX);
    line_time(l->at_ms, at);
    snprintf(domain, sizeof domain, "rabbitmq%s%s", l->category ? "." : "",
             l->category ? category_names[l->category] : "");
    buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\"", at, line_level_name(l->level));
    put(out, "msg", l->text, size);
    put(out, "domain", domain, strlen(domain));
    put(out, "node", l->node, strlen(l->node));
    if (l->shard >= 0) buf_printf(out, ",\"shard\":%d", l->shard);
    put_fields(out, l->text);
    buf_put_u8(out, '}');
}
