/* Paths that RabbitMQ's tools call now and then, and that ask for little here. */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/items.h"

void api_cluster_name_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"name", NULL};
    struct item_name name = {.kind = REGISTRY_GLOBAL_PARAMETER, .name = slice_str("cluster_name")};
    if (body_requires(r, needed, a) && item_set(r, name, json_incref(json_object_get(r->body, "name")), a))
        answer_done(a, false);
}

/* Counters are not collected in a database that could be reset. */
void api_reset(struct request *r, struct answer *a)
{
    (void)r;
    answer_done(a, false);
}

/* name=value&name=value; new, NULL when it is not there. */
static char *form_value(const struct request *r, const char *name)
{
    size_t size = strlen(name);
    const char *at = (const char *)r->bytes.data, *end = at + r->bytes.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop) stop = end;
        if ((size_t)(stop - at) > size && at[size] == '=' && !memcmp(at, name, size)) {
            char *value = mem_strndup(at + size + 1, (size_t)(stop - at) - size - 1);
            for (char *c = value; *c; c++)
                if (*c == '+') *c = ' ';
            value[http_unescape(value, strlen(value)).size] = '\0';
            return value;
        }
        at = stop + 1;
    }
    return NULL;
}

void api_login(struct request *r, struct answer *a)
{
    char *user = form_value(r, "username"), *password = form_value(r, "password");
    if (user && password && caller_check(r, user, password)) answer_json(a, json_string("ok"));
    else answer_error(a, 401, "not_authorised", "Login failed");
    mem_free(user);
    mem_free(password);
}

void api_auth_get(struct request *r, struct answer *a)
{
    (void)r;
    answer_json(a, json_pack("{s:b, s:s, s:s, s:b, s:s, s:s}", "oauth_enabled", 0, "oauth_client_id", "",
                             "oauth_provider_url", "", "enable_uaa", 0, "uaa_client_id", "", "uaa_location", ""));
}

/* What later versions of RabbitMQ ask for before they enable something; here all of it has always been on. */
static const char *const features[] = {"classic_mirrored_queue_version",
                                       "classic_queue_type_delivery_support",
                                       "direct_exchange_routing_v2",
                                       "drop_unroutable_metric",
                                       "empty_basic_get_metric",
                                       "feature_flags_v2",
                                       "implicit_default_bindings",
                                       "maintenance_mode_status",
                                       "message_containers",
                                       "quorum_queue",
                                       "quorum_queue_non_voters",
                                       "stream_queue",
                                       "user_limits",
                                       "virtual_host_metadata"};

void api_feature_flags_list(struct request *r, struct answer *a)
{
    (void)r;
    json_t *array = json_array();
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", features[i], "desc", "", "doc_url",
                                        "", "state", "enabled", "stability", "required", "provided_by", "rabbit"));
    answer_json(a, array);
}

void api_feature_flag_enable(struct request *r, struct answer *a)
{
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (slice_is(r->captures[0], features[i])) {
            answer_done(a, false);
            return;
        }
    answer_bad(a, "unsupported");
}

/* Nothing that works is deprecated. */
void api_deprecated_features_list(struct request *r, struct answer *a)
{
    (void)r;
    answer_json(a, json_array());
}

void api_deprecated_features_used(struct request *r, struct answer *a)
{
    (void)r;
    answer_json(a, json_array());
}
