/* Which file and line set a key, for errors that are found when all was read. */
#include "config/config_internal.h"

static const char word_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

void config_place_begin(struct config *c, const char *origin, uint32_t line)
{
    const char *last = c->origin_count ? c->origins[c->origin_count - 1] : "";
    if (!c->origin_count || strncmp(last, origin, CONFIG_TEXT_MAX - 1) != 0) {
        if (c->origin_count < CONFIG_ORIGINS_MAX) c->origin_count++; /* beyond, the last ones are taken for one */
        snprintf(c->origins[c->origin_count - 1], CONFIG_TEXT_MAX, "%s", origin);
    }
    c->place = (struct config_place){c->origin_count, line};
}

void config_place_key(struct config *c, const struct key *key)
{
    CHECK(key_count <= CONFIG_KEYS_MAX);
    c->places[key - keys] = c->place;
}

/* Names made up by people: of the word's own line, or of one that begins with it (shovel.NAME). */
static const struct config_place *place_of_pair(const struct config_pair *pairs, const char *word, size_t size)
{
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++)
        if (!strncmp(pairs[i].name, word, size) && (!pairs[i].name[size] || pairs[i].name[size] == '.'))
            return &pairs[i].place;
    return NULL;
}

/* `word` is a key, or a list's key without the number. */
static bool is_named(const struct key *key, const char *word, size_t size)
{
    size_t own = strlen(key->name);
    if (!config_key_is_list(key)) return own == size && !strncmp(key->name, word, own);
    return (own == size + 1 && !strncmp(key->name, word, size)) || (size > own && !strncmp(key->name, word, own));
}

static const struct config_place *place_of_word(const struct config *c, const char *word, size_t size)
{
    for (size_t i = 0; i < key_count; i++) {
        const char *field = (const char *)c + keys[i].offset;
        const struct config_place *found = NULL;
        if (keys[i].type == KEY_PAIRS)
            found = place_of_pair((const struct config_pair *)(const void *)field, word, size);
        else if (c->places[i].origin && is_named(&keys[i], word, size)) found = &c->places[i];
        if (found) return found;
    }
    return NULL;
}

void config_locate(const struct config *c, struct err *err)
{
    for (const char *at = err->text; *at;) {
        size_t size = strspn(at, word_letters), name = size;
        while (name && at[name - 1] == '.') name--; /* the end of a sentence */
        const struct config_place *place = name ? place_of_word(c, at, name) : NULL;
        if (place && place->line) err_wrap(err, "%s:%u", c->origins[place->origin - 1], place->line);
        else if (place) err_wrap(err, "%s", c->origins[place->origin - 1]);
        if (place) return;
        at += size ? size : 1;
    }
}
