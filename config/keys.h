/* The table of keys: name, type, place in struct config, default, range and a sentence. */
#ifndef WARREN_CONFIG_KEYS_H
#define WARREN_CONFIG_KEYS_H

#include "config/config.h"

enum key_type {
    KEY_INTEGER, /* units k, M, G (1000) and KiB, MiB, GiB, KB, MB, GB are understood */
    KEY_TEXT,
    KEY_BOOLEAN,
    KEY_ADDRESS, /* host:port, or port alone */
    KEY_LIST,    /* name.N = address */
};

struct key {
    const char *name; /* KEY_LIST: up to the last dot */
    enum key_type type;
    size_t offset;
    const char *initial;
    int64_t low, high;
    const char *sentence;
};

extern const struct key keys[];
extern const size_t key_count;

#endif
