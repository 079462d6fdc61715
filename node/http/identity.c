/* Small facts: who asks, what this is, how the cluster is called. */
#include "node/http/items.h"

void api_whoami_get(struct request *r, struct answer *a)
{
    json_t *user = item_get(r->http, (struct item_name){.kind = REGISTRY_USER, .name = slice_str(r->caller.user)});
    json_t *tags = r->trusted ? json_pack("[s]", "administrator") : json_incref(json_object_get(user, "tags"));
    answer_json(
        a, json_pack("{s:o, s:o}", "name", json_slice(slice_str(r->caller.user)), "tags", tags ? tags : json_array()));
    json_decref(user);
}

void api_version_get(struct request *r, struct answer *a)
{
    answer_json(a, json_string(r->http->params.version));
}

void api_extensions_get(struct request *r, struct answer *a)
{
    (void)r;
    answer_json(a, json_pack("[{s:s}]", "javascript", "dispatcher.js"));
}

/* The global parameter of that name, if somebody has set it; else as configured. */
json_t *cluster_name_json(struct http *h)
{
    json_t *name =
        item_get(h, (struct item_name){.kind = REGISTRY_GLOBAL_PARAMETER, .name = slice_str("cluster_name")});
    if (json_is_string(name)) return name;
    json_decref(name);
    return json_slice(slice_str(h->params.cluster_name));
}

void api_cluster_name_get(struct request *r, struct answer *a)
{
    answer_json(a, json_pack("{s:o}", "name", cluster_name_json(r->http)));
}
