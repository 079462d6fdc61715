/* The configuration as it counts, key by key. */
#include "config/config_internal.h"

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), tail = strlen(end);
    return size >= tail && !strcmp(name + size - tail, end);
}

/* URIs have passwords in them, too, and so may URLs of servers that are asked. */
static bool is_secret(const char *name, const char *value)
{
    const char *host = strstr(value, "://");
    return ends_with(name, "password") || ends_with(name, "_pass") || ends_with(name, ".secret") ||
           ends_with(name, ".passphrase") || strstr(name, "uri") || (host && strchr(host, '@'));
}

struct showing {
    void (*each)(void *arg, const char *name, const char *value);
    void *arg;
};

static void show(const struct showing *s, const char *name, const char *value)
{
    s->each(s->arg, name, *value && is_secret(name, value) ? "********" : value);
}

static void show_list(const struct showing *s, const struct config *c, const struct key *k)
{
    const char(*texts)[CONFIG_TEXT_MAX] = (const void *)((const char *)c + k->offset);
    char name[CONFIG_TEXT_MAX * 2];
    for (int64_t i = k->low; i <= k->high; i++) {
        int64_t named = CONFIG_LIST_MAX - 1 - i;
        if (!*texts[i]) continue;
        bool has_name = k->type == KEY_LIST && !k->low && named < CONFIG_NAMES_MAX && *c->listener_names[named];
        if (has_name) snprintf(name, sizeof name, "%s", c->listener_names[named]);
        else if (!i) snprintf(name, sizeof name, "%sdefault", k->name);
        else snprintf(name, sizeof name, "%s%lld%s", k->name, (long long)i, k->suffix ? k->suffix : "");
        show(s, name, texts[i]);
    }
}

static void show_pairs(const struct showing *s, const struct config_pair *pairs)
{
    for (int i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++) show(s, pairs[i].name, pairs[i].value);
}

void config_show(const struct config *c, void (*each)(void *arg, const char *name, const char *value), void *arg)
{
    struct showing s = {each, arg};
    char text[64];
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &keys[i];
        const void *place = (const char *)c + k->offset;
        switch (k->type) {
        case KEY_INTEGER:
            snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)place);
            show(&s, k->name, text);
            break;
        case KEY_DECIMAL:
            snprintf(text, sizeof text, "%g", *(const double *)place);
            show(&s, k->name, text);
            break;
        case KEY_BOOLEAN:
            show(&s, k->name, *(const bool *)place ? "true" : "false");
            break;
        case KEY_TEXT:
        case KEY_ADDRESS:
            show(&s, k->name, place);
            break;
        case KEY_LIST:
        case KEY_WORDS:
            show_list(&s, c, k);
            break;
        case KEY_PAIRS:
            show_pairs(&s, place);
            break;
        }
    }
}
