/* Small facts: who asks, what this is, how the cluster is called. */
#include "node/http/http_internal.h"

static const char *const tag_names[] = {"", "management", "policymaker", "monitoring", "administrator"};

void api_whoami_get(struct request *r, struct answer *a)
{
    json_t *tags = json_array();
    for (unsigned tag = TAG_MANAGEMENT; tag <= TAG_ADMINISTRATOR; tag++)
        if (r->caller.tags >> tag & 1) json_array_append_new(tags, json_string(tag_names[tag]));
    answer_json(a, json_pack("{s:o, s:o}", "name", json_slice(slice_str(r->caller.user)), "tags", tags));
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

void api_cluster_name_get(struct request *r, struct answer *a)
{
    answer_json(a, json_pack("{s:o}", "name", json_slice(slice_str(r->http->params.cluster_name))));
}
