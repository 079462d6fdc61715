/* Who calls: basic authentication. */
#include <microhttpd.h>

#include "base/mem.h"
#include "node/http/http_internal.h"

static bool same_secret(const char *given, const char *expected)
{
    size_t a = strlen(given), b = strlen(expected);
    unsigned difference = a != b;
    for (size_t i = 0; i < a; i++) difference |= (unsigned)(given[i] ^ expected[b ? i % b : 0]);
    return difference == 0;
}

bool caller_login(struct request *r)
{
    const struct node_settings *settings = node_settings(r->http->params.node);
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(r->connection, &password);
    bool ok = user && password && settings->user && *settings->user && !strcmp(user, settings->user) &&
              same_secret(password, settings->password);
    if (ok) {
        r->caller = (struct caller){mem_strdup(user), mem_strdup(password), 1u << TAG_ADMINISTRATOR};
    }
    if (user) MHD_free(user);
    if (password) MHD_free(password);
    return ok;
}

bool caller_monitors(const struct request *r)
{
    return r->caller.tags >> TAG_MONITORING != 0;
}

bool caller_sees(const struct request *r, struct slice vhost)
{
    (void)vhost;
    return r->caller.tags != 0;
}

json_t *caller_filter(const struct request *r, json_t *items)
{
    for (size_t i = json_array_size(items); i-- > 0;)
        if (!caller_sees(r, slice_json(json_object_get(json_array_get(items, i), "vhost"))))
            json_array_remove(items, i);
    return items;
}

bool vhost_answer(struct request *r, struct slice vhost, struct answer *a)
{
    bool exists = vhost_exists(r->http, vhost);
    if (!exists && (r->method == HTTP_PUT || r->method == HTTP_POST))
        answer_error(a, 404, "not_found", "vhost_not_found");
    else if (!exists) answer_not_found(a);
    else if (!caller_sees(r, vhost))
        answer_error(a, 401, "not_authorised", "User not authorised to access virtual host");
    return a->status < 400;
}
