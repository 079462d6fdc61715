/* /api/users */
#include <sys/random.h>

#include "base/mem.h"
#include "node/auth/auth.h"
#include "node/http/base64.h"
#include "node/http/definitions.h"

static struct item_name name_of(struct slice user)
{
    return (struct item_name){.kind = REGISTRY_USER, .name = user};
}

/* --- showing --- */

/* Adds the user's limits. */
static void put_limits(json_t *users, const json_t *limits)
{
    for (size_t i = 0; i < json_array_size(users); i++) {
        json_t *user = json_array_get(users, i), *own = json_object();
        for (size_t k = 0; k < json_array_size(limits); k++) {
            const json_t *limit = json_array_get(limits, k);
            if (json_equal(json_object_get(limit, "name"), json_object_get(user, "name")))
                json_object_set(own, json_string_value(json_object_get(limit, "detail")),
                                json_object_get(limit, "value"));
        }
        json_put(user, "limits", own);
    }
}

json_t *users_shown(struct http *h)
{
    json_t *users = items_shown(h, REGISTRY_USER, (struct slice){0});
    json_t *limits = items_list(h, REGISTRY_USER_LIMIT, (struct slice){0});
    put_limits(users, limits);
    json_decref(limits);
    return users;
}

void api_users_list(struct request *r, struct answer *a)
{
    listing_answer_named(r, users_shown(r->http), "name", a);
}

void api_users_without_permissions(struct request *r, struct answer *a)
{
    json_t *users = users_shown(r->http), *permissions = items_list(r->http, REGISTRY_PERMISSION, (struct slice){0});
    for (size_t i = json_array_size(users); i-- > 0;) {
        bool any = false;
        const json_t *name = json_object_get(json_array_get(users, i), "name");
        for (size_t k = 0; k < json_array_size(permissions) && !any; k++)
            any = json_equal(json_object_get(json_array_get(permissions, k), "name"), name);
        if (any) json_array_remove(users, i);
    }
    json_decref(permissions);
    listing_answer_named(r, users, "name", a);
}

void api_user_get(struct request *r, struct answer *a)
{
    json_t *users = users_shown(r->http), *found = NULL;
    for (size_t i = 0; i < json_array_size(users) && !found; i++)
        if (slice_equal(slice_json(json_object_get(json_array_get(users, i), "name")), r->captures[0]))
            found = json_array_get(users, i);
    if (found) answer_json(a, columns_of(found, request_query(r, "columns")));
    else answer_not_found(a);
    json_decref(users);
}

/* --- changing --- */

static const struct auth_password_rules *rules_of(const struct http *h)
{
    return &node_settings(h->params.node)->password_rules;
}

static json_t *hash_of(const struct http *h, struct slice password)
{
    uint8_t salt[AUTH_SALT_SIZE];
    struct buf hash = {0};
    CHECK(getrandom(salt, sizeof salt, 0) == (ssize_t)sizeof salt);
    auth_password_hash(rules_of(h)->hashing, salt, password, &hash);
    json_t *text = json_slice(buf_slice(&hash));
    buf_close(&hash);
    return text;
}

/* A user with neither password nor hash may not log in by password. */
json_t *user_value(struct http *h, const json_t *body)
{
    const json_t *password = json_object_get(body, "password"), *hash = json_object_get(body, "password_hash"),
                 *algorithm = json_object_get(body, "hashing_algorithm");
    json_t *value = json_object();
    bool hashed_here = !hash && json_string_length(password);
    json_put(value, "password_hash",
             hashed_here            ? hash_of(h, slice_json(password))
             : json_is_string(hash) ? json_string(json_string_value(hash))
                                    : json_string(""));
    json_put(value, "hashing_algorithm",
             !hashed_here && json_is_string(algorithm) ? json_string(json_string_value(algorithm))
                                                       : json_string(rules_of(h)->hashing));
    json_put(value, "tags", words_of(json_object_get(body, "tags")));
    return value;
}

static bool is_base64(const json_t *text)
{
    struct buf bytes = {0};
    bool good = json_is_string(text) && base64_decode(&bytes, slice_json(text));
    buf_close(&bytes);
    return good;
}

bool user_password_is_good(struct http *h, const json_t *body, struct err *why)
{
    const json_t *password = json_object_get(body, "password"), *hash = json_object_get(body, "password_hash");
    if (password && hash) err_set(why, ERR_INVALID, "both_password_and_password_hash_are_provided");
    else if (hash && !is_base64(hash))
        err_set(why, ERR_INVALID, "{not_base64,<<\"%s\">>}", json_is_string(hash) ? json_string_value(hash) : "");
    else return !json_string_length(password) || auth_password_is_good(rules_of(h), slice_json(password), why);
    return false;
}

static bool is_good(struct request *r, struct answer *a)
{
    struct err why;
    if (user_password_is_good(r->http, r->body, &why)) return true;
    if (why.code == ERR_INVALID) {
        answer_bad(a, "%s", why.text);
        return false;
    }
    logger_printf(node_settings(r->http->params.node)->logger, LOG_WARN, -1,
                  "http credential_validation_failed user=\"%.*s\" reason=\"%s\"", (int)r->captures[0].size,
                  (const char *)r->captures[0].data, why.text);
    answer_bad(a, "credential_validation_failed");
    return false;
}

void api_user_put(struct request *r, struct answer *a)
{
    if (!json_object_get(r->body, "tags")) answer_bad(a, "tags_not_present");
    else if (!is_good(r, a)) return;
    else if (name_fits(r->captures[0], a)) item_put(r, name_of(r->captures[0]), user_value(r->http, r->body), a);
}

void api_user_delete(struct request *r, struct answer *a)
{
    item_delete(r, name_of(r->captures[0]), a);
}

void api_users_bulk_delete(struct request *r, struct answer *a)
{
    const json_t *users = json_object_get(r->body, "users");
    size_t i;
    json_t *user;
    if (!json_is_array(users)) {
        answer_bad(a, "[{key_missing,users}]");
        return;
    }
    json_array_foreach(users, i, user)
    {
        if (!item_clear(r, name_of(slice_json(user)), a) && a->status != 404) return;
        a->status = 200;
    }
    answer_done(a, false);
}

void api_hash_password(struct request *r, struct answer *a)
{
    json_t *hash = hash_of(r->http, r->captures[0]);
    answer_json(a, json_pack("{s:o}", "ok", hash));
}
