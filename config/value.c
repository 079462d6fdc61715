/* Finds the key of a name, and puts a value into its place. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "config/config_internal.h"

enum { PORT_MAX = 65535 };

/* --- values --- */

int config_parse_integer(const char *value, int64_t *out)
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
                 {"TB", INT64_C(1000000000000)},
                 {"Ki", 1 << 10},
                 {"kiB", 1 << 10},
                 {"Mi", 1 << 20},
                 {"Gi", INT64_C(1) << 30},
                 {"TiB", INT64_C(1) << 40},
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

/* Digits with a point in them; strtod would let "nan" and "0x1p3" pass. */
static int parse_decimal(const char *value, double *out)
{
    char *end;
    if (!isdigit((unsigned char)*value) || strspn(value, "0123456789.") != strlen(value)) return ERR_INVALID;
    double number = strtod(value, &end);
    if (*end) return ERR_INVALID;
    *out = number;
    return 0;
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

/* Listeners may have names, listeners.tcp.local: they are kept in the last places. */
static bool is_listener_name(const struct key *key, const char *word)
{
    return key->type == KEY_LIST && key->low == 0 && isalpha((unsigned char)*word);
}

static int64_t listener_place(struct config *c, const char *name)
{
    for (int i = 0; i < CONFIG_NAMES_MAX; i++) {
        if (!*c->listener_names[i]) strcpy(c->listener_names[i], name);
        if (!strcmp(c->listener_names[i], name)) return CONFIG_LIST_MAX - 1 - i;
    }
    return -1;
}

static int set_list(struct config *c, const struct key *key, const char *name, const char *value, struct err *err)
{
    char number[CONFIG_TEXT_MAX];
    int64_t at = 0;
    const char *start = name + strlen(key->name);
    size_t size = strlen(start) - (key->suffix ? strlen(key->suffix) : 0);
    snprintf(number, sizeof number, "%.*s", (int)size, start);
    bool found = key->low == 0 && !strcmp(number, "default");
    if (!found && is_listener_name(key, number)) {
        at = listener_place(c, name);
        if (at < 0) return (int)err_set(err, ERR_INVALID, "%s: more than %d names", name, CONFIG_NAMES_MAX);
        found = true;
    }
    if (!found && (!parse_digits(number, key->high, &at) || at < key->low))
        return (int)err_set(err, ERR_INVALID, "%s: %s must be a number from %lld to %lld", name,
                            key->suffix ? number : "the last part", (long long)key->low, (long long)key->high);
    char *place = (char *)c + key->offset + (size_t)at * CONFIG_TEXT_MAX;
    if (key->type == KEY_WORDS) return set_words(place, key, value, err, name);
    if (*value && !is_address(value))
        return (int)err_set(err, ERR_INVALID, "%s = %s: give host:port, or a port alone", name, value);
    return set_text(place, value, err, name);
}

static int set_pair(struct config_pair *pairs, struct config_place place, const char *name, const char *value,
                    struct err *err)
{
    size_t at = 0;
    while (at < CONFIG_PAIRS_MAX && *pairs[at].name && strcmp(pairs[at].name, name)) at++;
    if (at == CONFIG_PAIRS_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: more than %d keys of this kind", name, CONFIG_PAIRS_MAX);
    if (strlen(value) >= CONFIG_PAIR_VALUE_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: longer than %d bytes", name, CONFIG_PAIR_VALUE_MAX - 1);
    strcpy(pairs[at].name, name);
    strcpy(pairs[at].value, value);
    pairs[at].place = place;
    return 0;
}

int config_set_key(struct config *c, const struct key *key, const char *name, const char *value, struct err *err)
{
    void *place = (char *)c + key->offset;
    int64_t number;
    double decimal;
    switch (key->type) {
    case KEY_INTEGER:
        if (!key->low && (!strcmp(value, "infinity") || !strcmp(value, "undefined"))) value = "0";
        if (config_parse_integer(value, &number))
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
    case KEY_DECIMAL:
        if (parse_decimal(value, &decimal) || decimal < (double)key->low || decimal > (double)key->high)
            return (int)err_set(err, ERR_INVALID, "%s = %s: give a number from %lld to %lld", name, value,
                                (long long)key->low, (long long)key->high);
        *(double *)place = decimal;
        return 0;
    case KEY_ADDRESS:
        if (*value && !is_address(value))
            return (int)err_set(err, ERR_INVALID, "%s = %s: give host:port, or a port alone", name, value);
        return set_text(place, value, err, name);
    case KEY_LIST:
    case KEY_WORDS:
        return set_list(c, key, name, value, err);
    case KEY_PAIRS:
        return set_pair(place, c->place, name, value, err);
    case KEY_TEXT:
        break;
    }
    return set_words(place, key, value, err, name);
}

/* --- names --- */

bool config_key_is_list(const struct key *key)
{
    return key->type == KEY_LIST || key->type == KEY_WORDS;
}

static bool names(const struct key *key, const char *name)
{
    size_t start = strlen(key->name), size = strlen(name), end = key->suffix ? strlen(key->suffix) : 0;
    if (key->type == KEY_PAIRS) return !strncmp(name, key->name, start);
    if (!config_key_is_list(key)) return !strcmp(name, key->name);
    if (key->type == KEY_WORDS && !end && size > start && strchr(name + start, '.')) return false;
    return size >= start + end && !strncmp(name, key->name, start) && (!end || !strcmp(name + size - end, key->suffix));
}

const struct key *config_find_key(const char *name)
{
    for (size_t i = 0; i < key_count; i++)
        if (names(&keys[i], name)) return &keys[i];
    return NULL;
}
