#include "node/session/session_internal.h"

enum { RANDOM_SIZE = 16 /* bytes of a generated name, 22 characters */ };

bool session_name_begins(struct slice s, const char *prefix)
{
    size_t size = strlen(prefix);
    return s.size >= size && memcmp(s.data, prefix, size) == 0;
}

bool session_name_is_reserved(struct slice name)
{
    return session_name_begins(name, "amq.");
}

struct slice session_name_strip(struct slice name, uint8_t space[NAME_SIZE_MAX])
{
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '\r' && name.data[i] != '\n') space[size++] = name.data[i];
    return slice_of(space, size);
}

struct slice session_name_generate(struct session *s, const char *prefix, uint8_t space[NAME_SIZE_MAX])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[RANDOM_SIZE];
    size_t size = strlen(prefix);
    s->backend->random_bytes(s->backend->self, random, sizeof random);
    memcpy(space, prefix, size);
    unsigned bits = 0, word = 0; /* six bits at a time, as base64url */
    for (size_t i = 0; i < sizeof random; i++) {
        word = word << 8 | random[i];
        for (bits += 8; bits >= 6; bits -= 6) space[size++] = (uint8_t)digits[word >> (bits - 6) & 63];
    }
    space[size++] = (uint8_t)digits[word << (6 - bits) & 63];
    return slice_of(space, size);
}
