/* Exchanges: declare, delete, auto-delete. */
#include "router/topology_internal.h"

#include "base/field_table.h"
#include "router/exchange_type.h"

struct exchange_record *exchange_create(struct topology *t, struct vhost *v, const struct exchange *what)
{
    struct exchange_record *x = mem_zalloc(sizeof *x);
    x->base = *what;
    x->base.vhost = v->name;
    x->base.name = slice_keep(what->name);
    x->base.type = slice_keep(what->type);
    x->base.arguments = slice_keep(what->arguments);
    x->vhost = v;
    struct topology_result ignored = {0};
    exchange_traits_of(x->base.type, x->base.arguments, &x->traits, &ignored);
    x->kind = x->traits.kind;
    x->choices = choice_open(x);
    x->serial = ++t->serial;
    x->era = t->era;
    list_init(&x->from);
    list_init(&x->to);
    map_str_guard(&x->by_key);
    policy_lay_over_exchange(t, x);
    map_str_set(&v->exchanges, x->base.name, x);
    ordered_add(&t->exchanges, x->serial, x);
    t->version++;
    return x;
}

void exchange_remove(struct topology *t, struct exchange_record *x)
{
    /* No auto-delete of itself while its bindings go. */
    x->base.auto_delete = false;
    while (!list_empty(&x->from)) binding_remove(t, LIST_ITEM(x->from.next, struct binding_record, source_link));
    while (!list_empty(&x->to)) binding_remove(t, LIST_ITEM(x->to.next, struct binding_record, destination_link));
    map_str_remove(&x->vhost->exchanges, x->base.name);
    ordered_remove(&t->exchanges, x->serial);
    map_str_close(&x->by_key);
    topic_free(x->topics);
    choice_close(x->choices);
    slice_drop(x->base.name);
    slice_drop(x->base.type);
    slice_drop(x->base.arguments);
    slice_drop(x->alternate);
    mem_free(x);
    t->version++;
}

/* RabbitMQ prints a type as Erlang's atom, with quotes of its own around a hyphen. */
static const char *atom_quote(struct slice type)
{
    return memchr(type.data, '-', type.size) ? "'" : "";
}

static bool same_exchange(const struct exchange_record *x, const struct topology_command *c, struct topology_result *r)
{
    static const char *const usual[] = {"alternate-exchange", NULL};
    static const char *const upstream[] = {"alternate-exchange", "x-max-hops", NULL};
    const char *const *keys = x->kind == EXCHANGE_FEDERATION_UPSTREAM ? upstream : usual;
    if (!slice_equal(x->base.type, c->kind)) {
        const char *mine = atom_quote(c->kind), *its = atom_quote(x->base.type);
        refuse(r, 406,
               "PRECONDITION_FAILED - inequivalent arg 'type' for exchange '%.*s' in vhost '%.*s': received "
               "'%s%.*s%s' but current is '%s%.*s%s'",
               SLICE_FORMAT(c->name), SLICE_FORMAT(c->vhost), mine, SLICE_FORMAT(c->kind), mine, its,
               SLICE_FORMAT(x->base.type), its);
        return false;
    }
    return equivalent_flag(r, "exchange", c->name, c->vhost, "durable", c->durable, x->base.durable) &&
           equivalent_flag(r, "exchange", c->name, c->vhost, "auto_delete", c->auto_delete, x->base.auto_delete) &&
           equivalent_flag(r, "exchange", c->name, c->vhost, "internal", c->internal, x->base.internal) &&
           equivalent_arguments(r, "exchange", c->name, c->vhost, keys, c->arguments, x->base.arguments);
}

static bool default_exchange(struct slice name, struct topology_result *r)
{
    if (name.size) return false;
    refuse(r, 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    return true;
}

void exchange_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct vhost *v = vhost_find(t, c->vhost);
    if (!v) {
        refuse(r, 530, "NOT_ALLOWED - vhost %.*s not found", SLICE_FORMAT(c->vhost));
        return;
    }
    int kind = exchange_kind_of(c->kind);
    if (kind < 0) {
        refuse(r, 503, "COMMAND_INVALID - unknown exchange type '%.*s'", SLICE_FORMAT(c->kind));
        return;
    }
    if (default_exchange(c->name, r)) return;
    struct exchange_record *x = map_str_get(&v->exchanges, c->name);
    if (x) {
        if (same_exchange(x, c, r)) life_renew(t, x->base.durable, &x->era, change, r);
        return;
    }
    if (reserved_name(c->name)) {
        refuse(r, 403, "ACCESS_REFUSED - exchange name '%.*s' contains reserved prefix 'amq.*'", SLICE_FORMAT(c->name));
        return;
    }
    struct exchange_traits traits;
    if (!exchange_traits_of(c->kind, c->arguments, &traits, r)) return;
    r->created = true;
    if (!change) return;
    exchange_create(t, v,
                    &(struct exchange){.name = c->name,
                                       .type = c->kind,
                                       .durable = c->durable,
                                       .auto_delete = c->auto_delete,
                                       .internal = c->internal,
                                       .arguments = c->arguments});
}

void exchange_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct vhost *v = vhost_find(t, c->vhost);
    if (default_exchange(c->name, r)) return;
    if (reserved_name(c->name)) {
        refuse(r, 403, "ACCESS_REFUSED - exchange name '%.*s' contains reserved prefix 'amq.*'", SLICE_FORMAT(c->name));
        return;
    }
    struct exchange_record *x = v ? map_str_get(&v->exchanges, c->name) : NULL;
    if (!x) return; /* deleting what is not there succeeds */
    if (c->if_unused && !list_empty(&x->from)) {
        refuse(r, 406, "PRECONDITION_FAILED - exchange '%.*s' in vhost '%.*s' in use", SLICE_FORMAT(c->name),
               SLICE_FORMAT(c->vhost));
        return;
    }
    if (change) exchange_remove(t, x);
}
