#include "node/auth/sources.h"

#include <string.h>

#include "base/mem.h"

static void copy(char *to, struct slice text, size_t max)
{
    size_t size = text.size < max ? text.size : max;
    if (size) memcpy(to, text.data, size);
    to[size] = '\0';
}

static struct login_source *find(const struct login_sources *s, const struct login_source *like)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->items[i].address, like->address) && !strcmp(s->items[i].user, like->user)) return &s->items[i];
    return NULL;
}

static struct login_source *make_room(struct login_sources *s)
{
    struct login_source *oldest = s->items;
    if (!s->items) s->items = mem_alloc(LOGIN_SOURCES_MAX * sizeof *s->items);
    if (s->count < LOGIN_SOURCES_MAX) return &s->items[s->count++];
    for (size_t i = 1; i < s->count; i++)
        if (s->items[i].last < oldest->last) oldest = &s->items[i];
    return oldest;
}

void login_sources_note(struct login_sources *s, struct slice address, struct slice user, bool welcome)
{
    struct login_source source = {0};
    copy(source.address, address, LOGIN_ADDRESS_MAX);
    copy(source.user, user, LOGIN_USER_MAX);
    struct login_source *known = find(s, &source);
    if (!known) {
        known = make_room(s);
        *known = source;
    }
    if (welcome) known->succeeded++;
    else known->failed++;
    known->last = ++s->attempts;
}

void login_sources_clear(struct login_sources *s)
{
    mem_free(s->items);
    *s = (struct login_sources){0};
}
