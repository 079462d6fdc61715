/* /api/parameters, /api/global-parameters, /api/policies, /api/operator-policies */
#include <stdlib.h>

#include "node/http/definitions.h"

static void answer_one(struct request *r, struct item_name n, struct answer *a)
{
    json_t *value = item_get(r->http, n);
    if (!value) {
        answer_not_found(a);
        return;
    }
    json_t *item = json_object();
    json_put(item, "vhost", json_slice(n.vhost));
    json_put(item, "name", json_slice(n.name));
    json_put(item, "detail", json_slice(n.detail));
    json_put(item, "value", value);
    answer_json(a, item_json(n.kind, item));
    json_decref(item);
}

/* --- policies: {vhost} {name} --- */

json_t *policy_value(const json_t *body)
{
    static const char *const members[] = {"pattern", "definition", "priority", "apply-to"};
    json_t *value = json_object();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_object_get(body, members[i])) json_object_set(value, members[i], json_object_get(body, members[i]));
    const char *text = json_string_value(json_object_get(value, "priority"));
    char *rest = NULL;
    long long number = text ? strtoll(text, &rest, 10) : 0;
    if (!json_object_get(value, "priority")) json_put(value, "priority", json_integer(0));
    else if (text && *text && !*rest) json_put(value, "priority", json_integer(number)); /* from a form */
    if (!json_object_get(value, "apply-to")) json_put(value, "apply-to", json_string("all"));
    return value;
}

static void list_policies(struct request *r, enum registry_kind kind, struct answer *a)
{
    struct slice vhost = r->captures[0];
    if (!vhost.data || vhost_answer(r, vhost, a))
        listing_answer_all(r, caller_filter(r, items_shown(r->http, kind, vhost)), "vhost,name", a);
}

static struct item_name policy_of(const struct request *r, enum registry_kind kind)
{
    return (struct item_name){kind, r->captures[0], r->captures[1], {0}};
}

static void put_policy(struct request *r, enum registry_kind kind, struct answer *a)
{
    static const char *const needed[] = {"pattern", "definition", NULL};
    if (vhost_answer(r, r->captures[0], a) && name_fits(r->captures[1], a) && body_requires(r, needed, a))
        item_put(r, policy_of(r, kind), policy_value(r->body), a);
}

void api_policies_list(struct request *r, struct answer *a)
{
    list_policies(r, REGISTRY_POLICY, a);
}

void api_policy_get(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) answer_one(r, policy_of(r, REGISTRY_POLICY), a);
}

void api_policy_put(struct request *r, struct answer *a)
{
    put_policy(r, REGISTRY_POLICY, a);
}

void api_policy_delete(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) item_delete(r, policy_of(r, REGISTRY_POLICY), a);
}

void api_operator_policies_list(struct request *r, struct answer *a)
{
    list_policies(r, REGISTRY_OPERATOR_POLICY, a);
}

void api_operator_policy_get(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) answer_one(r, policy_of(r, REGISTRY_OPERATOR_POLICY), a);
}

void api_operator_policy_put(struct request *r, struct answer *a)
{
    put_policy(r, REGISTRY_OPERATOR_POLICY, a);
}

void api_operator_policy_delete(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) item_delete(r, policy_of(r, REGISTRY_OPERATOR_POLICY), a);
}

/* --- parameters: {component} {vhost} {name} --- */

void api_parameters_list(struct request *r, struct answer *a)
{
    struct slice component = r->captures[0], vhost = r->captures[1];
    if (vhost.data && !vhost_answer(r, vhost, a)) return;
    json_t *items = items_shown(r->http, REGISTRY_PARAMETER, vhost);
    for (size_t i = json_array_size(items); i-- > 0 && component.data;)
        if (!slice_equal(slice_json(json_object_get(json_array_get(items, i), "component")), component))
            json_array_remove(items, i);
    listing_answer_all(r, caller_filter(r, items), "component,vhost,name", a);
}

static struct item_name parameter_of(const struct request *r)
{
    return (struct item_name){REGISTRY_PARAMETER, r->captures[1], r->captures[0], r->captures[2]};
}

void api_parameter_get(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[1], a)) answer_one(r, parameter_of(r), a);
}

/* What nobody reads is a misspelling. Definitions may bring others: files of other brokers come in as they are. */
static bool component_answer(struct slice component, struct answer *a)
{
    static const char *const known[] = {"shovel", "federation-upstream", "federation-upstream-set"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_is(component, known[i])) return true;
    answer_bad(a, "component %.*s not found", (int)component.size, (const char *)component.data);
    return false;
}

void api_parameter_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"value", NULL};
    if (vhost_answer(r, r->captures[1], a) && component_answer(r->captures[0], a) && name_fits(r->captures[2], a) &&
        body_requires(r, needed, a))
        item_put(r, parameter_of(r), json_incref(json_object_get(r->body, "value")), a);
}

void api_parameter_delete(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[1], a)) item_delete(r, parameter_of(r), a);
}

/* --- global parameters --- */

static struct item_name global_of(const struct request *r)
{
    return (struct item_name){.kind = REGISTRY_GLOBAL_PARAMETER, .name = r->captures[0]};
}

void api_global_parameters_list(struct request *r, struct answer *a)
{
    struct listing listing;
    json_t *items = items_shown(r->http, REGISTRY_GLOBAL_PARAMETER, (struct slice){0});
    if (listing_open(&listing, r, a)) listing_answer(&listing, items, json_array_size(items), "name", a);
    else json_decref(items);
}

void api_global_parameter_get(struct request *r, struct answer *a)
{
    answer_one(r, global_of(r), a);
}

void api_global_parameter_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"value", NULL};
    if (name_fits(r->captures[0], a) && body_requires(r, needed, a))
        item_put(r, global_of(r), json_incref(json_object_get(r->body, "value")), a);
}

void api_global_parameter_delete(struct request *r, struct answer *a)
{
    item_delete(r, global_of(r), a);
}
