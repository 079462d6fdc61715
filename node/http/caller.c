/* Who calls: basic authentication. */
#include <microhttpd.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "node/http/http_internal.h"

static bool is_local(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (address && address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (!address || address->sa_family != AF_INET6) return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

bool caller_login(struct request *r)
{
    static const struct {
        unsigned has;
        enum http_tag tag;
    } tags[] = {{AUTH_TAG_MANAGEMENT, TAG_MANAGEMENT},
                {AUTH_TAG_POLICYMAKER, TAG_POLICYMAKER},
                {AUTH_TAG_MONITORING, TAG_MONITORING},
                {AUTH_TAG_ADMINISTRATOR, TAG_ADMINISTRATOR}};
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(r->connection, &password);
    unsigned has = 0;
    bool ok =
        user && password &&
        node_authenticate(r->http->params.node, slice_str(user), slice_str(password), is_local(r->connection), &has);
    if (ok) {
        r->caller = (struct caller){mem_strdup(user), mem_strdup(password), 0};
        for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
            if (has & tags[i].has) r->caller.tags |= 1u << tags[i].tag;
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
