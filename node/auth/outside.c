#include "node/auth/outside.h"

#include <openssl/evp.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"

struct answer {
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    enum auth_word word;
    uint64_t until_ms;
    size_t tags_size;
    char tags[];
};

struct auth_outside {
    struct map_str answers; /* struct answer by its key */
};

/* --- questions --- */

static bool stays(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static void field(struct buf *q, const char *name, struct slice value)
{
    buf_printf(q, "%s%s=", q->size > 1 ? "&" : "", name);
    for (size_t i = 0; i < value.size; i++)
        if (stays(value.data[i])) buf_put_u8(q, value.data[i]);
        else buf_printf(q, "%%%02X", value.data[i]);
}

static void begin(struct buf *q, enum auth_path path, struct slice user)
{
    buf_clear(q);
    buf_put_u8(q, (uint8_t)path);
    field(q, "username", user);
}

void auth_ask_user(struct buf *q, struct slice user, const struct slice *password)
{
    begin(q, AUTH_PATH_USER, user);
    if (password) field(q, "password", *password);
}

void auth_ask_vhost(struct buf *q, struct slice user, struct slice tags, struct slice vhost, struct slice address)
{
    begin(q, AUTH_PATH_VHOST, user);
    field(q, "vhost", vhost);
    field(q, "ip", address);
    field(q, "tags", tags);
}

static const char *const permissions[AUTH_PERMISSION_COUNT] = {"configure", "write", "read"};

void auth_ask_resource(struct buf *q, struct slice user, struct slice tags, struct slice vhost, const char *kind,
                       struct slice name, enum auth_permission permission)
{
    begin(q, AUTH_PATH_RESOURCE, user);
    field(q, "vhost", vhost);
    field(q, "resource", slice_str(kind));
    field(q, "name", name.size ? name : slice_str("amq.default"));
    field(q, "permission", slice_str(permissions[permission]));
    field(q, "tags", tags);
}

void auth_ask_topic(struct buf *q, struct slice user, struct slice tags, struct slice vhost, struct slice exchange,
                    enum auth_permission permission, struct slice routing_key)
{
    begin(q, AUTH_PATH_TOPIC, user);
    field(q, "vhost", vhost);
    field(q, "resource", slice_str("topic"));
    field(q, "name", exchange);
    field(q, "permission", slice_str(permissions[permission]));
    field(q, "routing_key", routing_key);
    field(q, "tags", tags);
}

/* --- answers --- */

static struct slice trim(struct slice s)
{
    while (s.size && s.data[0] <= ' ') s = slice_of(s.data + 1, s.size - 1);
    while (s.size && s.data[s.size - 1] <= ' ') s.size--;
    return s;
}

enum auth_word auth_outside_read(int status, struct slice body, struct slice *tags)
{
    static const char allow[] = "allow";
    size_t size = sizeof allow - 1;
    body = trim(body);
    if (tags) *tags = (struct slice){0};
    if (status != 200 || body.size < size || strncasecmp((const char *)body.data, allow, size) != 0) return AUTH_NO;
    struct slice rest = slice_of(body.data + size, body.size - size);
    if (rest.size && rest.data[0] > ' ') return AUTH_NO; /* another word */
    if (tags) *tags = trim(rest);
    return AUTH_YES;
}

unsigned auth_tag_bits(struct slice tags)
{
    static const char *const names[] = {"management", "policymaker", "monitoring", "administrator", "impersonator"};
    unsigned bits = 0;
    for (size_t at = 0, end; at < tags.size; at = end + 1) {
        for (end = at; end < tags.size && tags.data[end] > ' ' && tags.data[end] != ',';) end++;
        for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
            if (slice_is(slice_of(tags.data + at, end - at), names[i])) bits |= 1u << i;
    }
    return bits;
}

struct auth_outside *auth_outside_create(void)
{
    return mem_zalloc(sizeof(struct auth_outside));
}

static void forget(struct auth_outside *o)
{
    size_t at = 0;
    struct slice key;
    struct answer *a;
    while ((a = map_str_next(&o->answers, &at, &key))) mem_free(a);
    map_str_close(&o->answers);
}

void auth_outside_destroy(struct auth_outside *o)
{
    forget(o);
    mem_free(o);
}

void auth_outside_key(struct slice question, uint8_t key[AUTH_OUTSIDE_KEY_SIZE])
{
    CHECK(EVP_Digest(question.data, question.size, key, NULL, EVP_sha256(), NULL));
}

enum auth_word auth_outside_find(const struct auth_outside *o, struct slice question, uint64_t now_ms,
                                 struct slice *tags)
{
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    auth_outside_key(question, key);
    const struct answer *a = map_str_get(&o->answers, slice_of(key, sizeof key));
    if (!a || a->until_ms <= now_ms) return AUTH_UNKNOWN;
    if (tags) *tags = slice_of((const uint8_t *)a->tags, a->tags_size);
    return a->word;
}

static void drop(struct auth_outside *o, const uint8_t *key)
{
    struct answer *a = map_str_remove(&o->answers, slice_of(key, AUTH_OUTSIDE_KEY_SIZE));
    mem_free(a);
}

void auth_outside_put(struct auth_outside *o, const uint8_t key[AUTH_OUTSIDE_KEY_SIZE], enum auth_word word,
                      struct slice tags, uint64_t until_ms)
{
    drop(o, key);
    if (o->answers.count >= AUTH_OUTSIDE_KEPT_MAX) forget(o);
    struct answer *a = mem_alloc(sizeof *a + tags.size);
    *a = (struct answer){.word = word, .until_ms = until_ms, .tags_size = tags.size};
    memcpy(a->key, key, sizeof a->key);
    if (tags.size) memcpy(a->tags, tags.data, tags.size);
    map_str_set(&o->answers, slice_of(a->key, sizeof a->key), a);
}
