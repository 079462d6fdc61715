/* The table of keys: name, type, place in struct config, default, range and a sentence. */
#ifndef WARREN_CONFIG_KEYS_H
#define WARREN_CONFIG_KEYS_H

#include "config/config.h"

enum key_type {
    KEY_INTEGER, /* units k, M, G (1000) and KiB, MiB, GiB, KB, MB, GB are understood */
    KEY_DECIMAL, /* 0.4; a double */
    KEY_TEXT,
    KEY_BOOLEAN,
    KEY_ADDRESS, /* host:port, or port alone */
    KEY_LIST,    /* name.N = address */
    KEY_WORDS,   /* name.N = text, or name.N.suffix */
    KEY_PAIRS, /* everything that begins so is kept as it is: name and value, in struct config_pair[CONFIG_PAIRS_MAX] */
};

struct key {
    const char *name; /* KEY_LIST, KEY_WORDS: up to the dot in front of the number */
    enum key_type type;
    size_t offset;
    const char *initial;
    int64_t low, high; /* of the value, or of a list's number */
    const char *sentence;
    const char *choices; /* KEY_TEXT, KEY_WORDS: "this|that"; NULL: any text */
    const char *suffix;  /* KEY_WORDS: what follows the number, ".hostname" */
    const char *example; /* NULL: the initial value */
    bool clamped;        /* KEY_INTEGER: for more than `high`, and for 0, `high` is taken with a warning */
};

extern const struct key keys[];
extern const size_t key_count;

#endif
