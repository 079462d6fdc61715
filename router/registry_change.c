/* The commands of the registry: set, clear, seed, and what goes with a vhost or a user. */
#include "router/registry.h"

#include "router/topology_internal.h"

struct topology_command registry_set_command(enum registry_kind kind, struct slice vhost, struct slice name,
                                             struct slice detail, struct slice value)
{
    return (struct topology_command){.type = TOPOLOGY_SET,
                                     .kind = slice_str(registry_kind_word(kind)),
                                     .vhost = vhost,
                                     .name = name,
                                     .source = detail,
                                     .arguments = value};
}

struct topology_command registry_clear_command(enum registry_kind kind, struct slice vhost, struct slice name,
                                               struct slice detail)
{
    struct topology_command c = registry_set_command(kind, vhost, name, detail, (struct slice){0});
    c.type = TOPOLOGY_CLEAR;
    return c;
}

struct topology_command registry_seed_command(struct slice items)
{
    return (struct topology_command){.type = TOPOLOGY_SEED, .arguments = items};
}

static bool item_of(const struct topology_command *c, struct registry_item *item, struct topology_result *r)
{
    int kind = registry_kind_of(c->kind);
    if (kind < 0) {
        refuse(r, 400, "unknown kind of item: '%.*s'", SLICE_FORMAT(c->kind));
        return false;
    }
    *item = (struct registry_item){(enum registry_kind)kind, c->vhost, c->name, c->source, c->arguments};
    return true;
}

static bool is_policy(enum registry_kind kind)
{
    return kind == REGISTRY_POLICY || kind == REGISTRY_OPERATOR_POLICY;
}

void registry_set(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct registry_item item;
    if (!item_of(c, &item, r)) return;
    if (item.kind != REGISTRY_VHOST && !registry_check_names(t, &item, r)) return;
    if (!registry_check_name_sizes(&item, r) || !registry_check_value(&item, r)) return;
    r->created = !registry_find(t, item.kind, item.vhost, item.name, item.detail);
    if (!change) return;
    if (item.kind == REGISTRY_VHOST && r->created) vhost_create_predeclared(t, item.name);
    bool new_words =
        !r->created && !slice_equal(registry_find(t, item.kind, item.vhost, item.name, item.detail)->value, item.value);
    registry_put(t, &item);
    if ((r->created || new_words) && is_policy(item.kind)) policy_changed(t);
}

static void not_there(struct topology_result *r, const struct registry_item *item)
{
    if (item->kind == REGISTRY_VHOST) refuse(r, 404, "Virtual host '%.*s' does not exist", SLICE_FORMAT(item->name));
    else if (item->kind == REGISTRY_USER) refuse(r, 404, "User '%.*s' does not exist", SLICE_FORMAT(item->name));
    else
        refuse(r, 404, "no %s '%.*s%s%.*s'%s%.*s%s", registry_kind_word(item->kind), SLICE_FORMAT(item->name),
               item->detail.size ? "/" : "", SLICE_FORMAT(item->detail), item->vhost.size ? " in vhost '" : "",
               SLICE_FORMAT(item->vhost), item->vhost.size ? "'" : "");
}

static bool is_in_vhost(const struct registry_item *item, struct slice vhost)
{
    return slice_equal(item->vhost, vhost);
}

static bool is_of_user(const struct registry_item *item, struct slice user)
{
    return slice_equal(item->name, user);
}

static void clear_vhost(struct topology *t, struct slice name)
{
    static const enum registry_kind kinds[] = {REGISTRY_PERMISSION, REGISTRY_TOPIC_PERMISSION, REGISTRY_VHOST_LIMIT,
                                               REGISTRY_POLICY,     REGISTRY_OPERATOR_POLICY,  REGISTRY_PARAMETER};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) registry_remove_where(t, kinds[i], is_in_vhost, name);
    vhost_remove(t, vhost_find(t, name));
}

static void clear_user(struct topology *t, struct slice name)
{
    static const enum registry_kind kinds[] = {REGISTRY_PERMISSION, REGISTRY_TOPIC_PERMISSION, REGISTRY_USER_LIMIT};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) registry_remove_where(t, kinds[i], is_of_user, name);
}

void registry_clear(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct registry_item key;
    if (!item_of(c, &key, r)) return;
    const struct registry_item *item = registry_find(t, key.kind, key.vhost, key.name, key.detail);
    if (!item) {
        not_there(r, &key);
        return;
    }
    if (key.kind == REGISTRY_VHOST && vhost_is_protected(item)) {
        refuse(r, 412, "Refused to delete virtual host '%.*s' because it is protected from deletion",
               SLICE_FORMAT(key.name));
        return;
    }
    if (!change) return;
    if (key.kind == REGISTRY_VHOST) clear_vhost(t, key.name);
    if (key.kind == REGISTRY_USER) clear_user(t, key.name);
    registry_remove(t, &key);
    if (is_policy(key.kind) || key.kind == REGISTRY_VHOST) policy_changed(t);
}

void registry_seed(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    if (t->seeded) {
        refuse(r, 409, "the cluster has been set up before");
        return;
    }
    if (!change) return;
    t->seeded = true;
    t->registry_version++;
    struct reader items = reader_of(c->arguments);
    for (int i = 0; i < REGISTRY_SEED_ITEMS_MAX && reader_left(&items); i++) {
        struct topology_command item;
        struct topology_result result = {0};
        if (!topology_command_decode(reader_counted(&items), &item)) continue;
        if (item.type == TOPOLOGY_SET) registry_set(t, &item, true, &result);
        if (item.type == TOPOLOGY_CLEAR) registry_clear(t, &item, true, &result);
    }
}
