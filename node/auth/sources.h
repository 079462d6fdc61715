/* Who tried to log in, from where, and how it went: counts for people who look after attacks.
 *
 * Pure. Thread: its owner's. Bounded: when there is no room, the source that was quiet the longest gives way. */
#ifndef WARREN_NODE_AUTH_SOURCES_H
#define WARREN_NODE_AUTH_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { LOGIN_SOURCES_MAX = 256, LOGIN_ADDRESS_MAX = 64, LOGIN_USER_MAX = 64 /* bytes, longer ones are cut */ };

struct login_source {
    char address[LOGIN_ADDRESS_MAX + 1], user[LOGIN_USER_MAX + 1];
    uint64_t succeeded, failed;
    uint64_t last; /* a count of all attempts, at its last one */
};

struct login_sources {
    struct login_source *items; /* NULL: nobody yet */
    size_t count;
    uint64_t attempts;
};

void login_sources_note(struct login_sources *s, struct slice address, struct slice user, bool welcome);
void login_sources_clear(struct login_sources *s); /* closes it, too; it may be used again */

#endif
