/* Who calls: basic authentication. */
#include <microhttpd.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "node/http/items.h"
#include "node/http/local.h"

static const struct sockaddr *address_of(const struct request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static bool is_local(const struct request *r)
{
    const struct sockaddr *address = address_of(r);
    if (r->local) return true;
    if (address && address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (!address || address->sa_family != AF_INET6) return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* Counts the attempt, too. */
static bool check(struct request *r, const char *user, const char *password, unsigned *has)
{
    bool fits = node_authenticate(r->http->params.node, slice_str(user), slice_str(password), is_local(r), has);
    r->refused_after_ms = attempts_note(r->http, address_of(r), user, fits);
    return fits;
}

bool caller_check(struct request *r, const char *user, const char *password)
{
    unsigned has = 0;
    return check(r, user, password, &has) && has;
}

/* Root, or the user that the node runs as, with no other name. What it asks for is done as the node itself. */
static bool login_of_machine(struct request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info || !local_is_ours(info->connect_fd)) return false;
    r->caller = (struct caller){
        .user = mem_strdup("local socket"), .password = mem_strdup(""), .tags = 1u << TAG_ADMINISTRATOR};
    r->trusted = true;
    return true;
}

static bool login(struct request *r)
{
    static const struct {
        unsigned has;
        enum http_tag tag;
    } tags[] = {{AUTH_TAG_MANAGEMENT, TAG_MANAGEMENT},
                {AUTH_TAG_POLICYMAKER, TAG_POLICYMAKER},
                {AUTH_TAG_MONITORING, TAG_MONITORING},
                {AUTH_TAG_ADMINISTRATOR, TAG_ADMINISTRATOR}};
    char *password = NULL;
    if (r->local && !request_header(r, "Authorization")) return login_of_machine(r);
    char *user = MHD_basic_auth_get_username_password(r->connection, &password);
    unsigned has = 0;
    bool ok = user && password && check(r, user, password, &has);
    if (ok) {
        r->caller = (struct caller){.user = mem_strdup(user), .password = mem_strdup(password)};
        for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
            if (has & tags[i].has) r->caller.tags |= 1u << tags[i].tag;
    }
    if (user) MHD_free(user);
    if (password) MHD_free(password);
    return ok;
}

bool caller_login(struct request *r)
{
    if (r->login == LOGIN_NOT_TRIED) r->login = login(r) ? LOGIN_DONE : LOGIN_REFUSED;
    return r->login == LOGIN_DONE;
}

bool caller_has(const struct request *r, enum http_tag tag)
{
    uint32_t tags = r->caller.tags;
    return tag == TAG_NONE || tags >> tag & 1 || tags >> TAG_ADMINISTRATOR & 1 || (tag == TAG_MANAGEMENT && tags);
}

bool caller_monitors(const struct request *r)
{
    return caller_has(r, TAG_MONITORING);
}

static void learn_vhosts(struct request *r)
{
    json_t *permissions = items_list(r->http, REGISTRY_PERMISSION, (struct slice){0});
    r->caller.vhosts = json_object();
    for (size_t i = 0; i < json_array_size(permissions); i++) {
        const json_t *item = json_array_get(permissions, i);
        if (slice_is(slice_json(json_object_get(item, "name")), r->caller.user))
            json_put(r->caller.vhosts, json_string_value(json_object_get(item, "vhost")), json_true());
    }
    json_decref(permissions);
}

bool caller_sees(struct request *r, struct slice vhost)
{
    if (caller_monitors(r)) return true;
    if (!r->caller.vhosts) learn_vhosts(r);
    return json_object_getn(r->caller.vhosts, (const char *)vhost.data, vhost.size) != NULL;
}

json_t *caller_filter(struct request *r, json_t *items)
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

json_t *find_or_answer(struct request *r, json_t *(*find)(struct request *r), struct answer *a)
{
    if (!vhost_answer(r, r->captures[0], a)) return NULL;
    json_t *found = find(r);
    if (!found) answer_not_found(a);
    return found;
}
