/* Parses files and assignments against the table of keys. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config/config_internal.h"

enum { CONFIG_FILE_MAX = 1 << 20, NEAREST_DISTANCE_MAX = 6, NEAREST_SIZE = 2 * CONFIG_TEXT_MAX };

/* --- what people are told --- */

void config_warn(struct config *c, const char *format, ...)
{
    if (c->warning_count == CONFIG_WARNINGS_MAX) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->warnings[c->warning_count++], sizeof c->warnings[0], format, arguments);
    va_end(arguments);
}

void config_keep_error(struct config *c, const char *text)
{
    if (c->error_count < CONFIG_ERRORS_MAX) snprintf(c->errors[c->error_count++], sizeof c->errors[0], "%s", text);
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

/* Where the part of `name` begins that somebody chose, if it is meant as an entry of `key`: its number, what it is
 * for. Other keys have no such part. */
static const char *chosen_part(const char *name, const struct key *key)
{
    if (!config_key_is_list(key) && key->type != KEY_PAIRS) return name + strlen(name);
    for (const char *dot = key->name; (dot = strchr(dot, '.')); dot++) {
        name = strchr(name, '.');
        if (!name) return NULL;
        name++;
    }
    return name;
}

/* How far `name` is from `key`, with what was chosen in it; `meant` becomes the right form. */
static size_t distance_to_key(const char *name, const struct key *key, char meant[NEAREST_SIZE])
{
    char part[CONFIG_TEXT_MAX];
    const char *chosen = chosen_part(name, key), *suffix = key->suffix ? key->suffix : "";
    if (!chosen) return NEAREST_DISTANCE_MAX;
    const char *tail = key->suffix || key->type == KEY_WORDS ? strchr(chosen, '.') : NULL;
    if (!tail) tail = chosen + strlen(chosen);
    snprintf(part, sizeof part, "%.*s", (int)(chosen - name), name);
    snprintf(meant, NEAREST_SIZE, "%s%.*s%s", key->name, (int)(tail - chosen), chosen, suffix);
    return distance(part, key->name) + distance(tail, suffix);
}

/* False: none is near. */
static bool nearest_key(const char *name, char nearest[NEAREST_SIZE])
{
    char meant[NEAREST_SIZE];
    size_t best = NEAREST_DISTANCE_MAX;
    for (size_t i = 0; i < key_count; i++) {
        size_t far = distance_to_key(name, &keys[i], meant);
        if (far >= best) continue;
        best = far;
        memcpy(nearest, meant, NEAREST_SIZE);
    }
    return best < NEAREST_DISTANCE_MAX;
}

static void warn_unused(struct config *c, const char *name, const char *where)
{
    char key[NEAREST_SIZE];
    const char *reason = config_without_effect(name), *nearest = nearest_key(name, key) ? key : NULL;
    if (reason) config_warn(c, "%s: %s has no effect: %s", where, name, reason);
    else
        config_warn(c, "%s: unknown key %s%s%s%s", where, name, nearest ? " (did you mean " : "",
                    nearest ? nearest : "", nearest ? "?)" : "");
}

/* --- lines --- */

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) *--end = '\0';
    return text;
}

/* Without the quotes around it. */
static char *unquote(char *value)
{
    size_t size = strlen(value);
    if (size < 2 || (value[0] != '"' && value[0] != '\'') || value[size - 1] != value[0]) return value;
    value[size - 1] = '\0';
    return value + 1;
}

static int set_value(struct config *c, const struct key *key, const char *name, const char *value, struct err *err)
{
    struct buf expanded = {0};
    int code = config_expand(value, &expanded, err);
    if (code) err_wrap(err, "%s", name);
    else if (config_secret_is((const char *)expanded.data))
        code = config_secret_keep(c, name, (const char *)expanded.data, err);
    else {
        config_secret_forget(c, name);
        code = config_set_key(c, key, name, (const char *)expanded.data, err);
    }
    buf_close(&expanded);
    return code;
}

/* RabbitMQ has no bound for some sizes, and its files must start a node. */
static const char *clamp(struct config *c, const struct key *key, const char *value, const char *where, char space[32])
{
    int64_t number;
    if (!key->clamped || config_parse_integer(value, &number) || number < 0 || (number && number <= key->high))
        return value;
    config_warn(c, "%s: %s = %s: %lld is taken, the most there is", where, key->name, value, (long long)key->high);
    snprintf(space, 32, "%lld", (long long)key->high);
    return space;
}

static int assign(struct config *c, char *line, const char *where, struct err *err)
{
    char space[32];
    char *equals = strchr(line, '=');
    if (!equals || equals == line + strspn(line, " \t"))
        return (int)err_set(err, ERR_FORMAT, "%s: expected `key = value`, found \"%.80s\"", where, line);
    *equals = '\0';
    char *name = trim(line), *value = unquote(trim(equals + 1));
    if (strlen(name) >= CONFIG_TEXT_MAX)
        return (int)err_set(err, ERR_FORMAT, "%s: the key is longer than %d bytes", where, CONFIG_TEXT_MAX - 1);
    const struct key *key = config_find_key(config_other_name(name));
    if (!key) {
        warn_unused(c, name, where);
        return 0;
    }
    config_place_key(c, key);
    int code = set_value(c, key, name, clamp(c, key, value, where, space), err);
    return code ? (int)err_wrap(err, "%s", where) : 0;
}

int config_assign(struct config *c, char *line, const char *origin, uint32_t number, struct err *err)
{
    struct err own;
    char where[CONFIG_TEXT_MAX + 32];
    snprintf(where, sizeof where, number ? "%s:%u" : "%s", origin, number);
    config_place_begin(c, origin, number);
    int code = assign(c, line, where, &own);
    if (!code) return 0;
    config_keep_error(c, own.text);
    if (err) *err = own;
    return code;
}

/* --- the door --- */

void config_init(struct config *c)
{
    *c = (struct config){0};
    struct err err;
    for (size_t i = 0; i < key_count; i++)
        if (!config_key_is_list(&keys[i]) && *keys[i].initial &&
            config_set_key(c, &keys[i], keys[i].name, keys[i].initial, &err))
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
    if (text.size && memchr(text.data, 0, text.size)) {
        struct err zero;
        err_set(&zero, ERR_FORMAT, "%s: has a zero byte", origin);
        config_keep_error(c, zero.text);
        if (err) *err = zero;
        return ERR_FORMAT;
    }
    char *copy = mem_strndup(text.size ? (const char *)text.data : "", text.size), *next = copy;
    int code = 0;
    for (unsigned number = 1; next; number++) {
        char *line = next;
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        strip_comment(line);
        line = trim(line);
        int failed = *line ? config_assign(c, line, origin, number, code ? NULL : err) : 0;
        if (!code) code = failed;
    }
    mem_free(copy);
    return code;
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return (int)err_set_errno(err, errno, "open %s", path);
    size_t got;
    while (text->size <= CONFIG_FILE_MAX && (got = fread(buf_reserve(text, 4096), 1, 4096, f)) > 0) text->size += got;
    int code = 0;
    if (ferror(f)) code = (int)err_set_errno(err, errno, "read %s", path); /* a directory opens, but does not read */
    else if (text->size > CONFIG_FILE_MAX)
        code = (int)err_set(err, ERR_FORMAT, "%s: longer than %d bytes", path, CONFIG_FILE_MAX);
    fclose(f);
    return code;
}

int config_load(struct config *c, const char *path, struct err *err)
{
    struct buf text = {0};
    struct err own;
    int code = read_file(path, &text, &own);
    if (code) {
        config_keep_error(c, own.text);
        if (err) *err = own;
    } else code = config_parse(c, buf_slice(&text), path, err);
    buf_close(&text);
    return code;
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    char *copy = mem_strdup(assignment);
    int code = config_assign(c, copy, "--set", 0, err);
    mem_free(copy);
    return code;
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
        fprintf(out, "# %s%s%s = %s\n\n", k->name, config_key_is_list(k) ? "1" : "", k->suffix ? k->suffix : "",
                k->example ? k->example : k->initial);
    }
}
