#include "ha/runner/plan.h"

#include <jansson.h>

#include "base/hash.h"
#include "base/mem.h"
#include "ha/federation/find.h"
#include "ha/shovel/definition.h"
#include "router/registry.h"

void plan_close(struct plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        mem_free(p->items[i].vhost);
        mem_free(p->items[i].name);
        mem_free(p->items[i].upstream);
        mem_free(p->items[i].text);
    }
    mem_free(p->items);
    *p = (struct plan){0};
}

static char *copy(struct slice s)
{
    return mem_strndup(s.size ? (const char *)s.data : "", s.size);
}

void plan_add(struct plan *p, enum plan_kind kind, struct slice vhost, struct slice name, struct slice upstream,
              struct slice text, uint32_t group)
{
    p->items = mem_grow(p->items, &p->capacity, p->count + 1, sizeof *p->items);
    p->items[p->count++] = (struct plan_item){.kind = (uint8_t)kind,
                                              .vhost = copy(vhost),
                                              .name = copy(name),
                                              .upstream = copy(upstream),
                                              .text = copy(text),
                                              .group = group};
}

static void add_federation_link(void *arg, const struct federation_link *link)
{
    plan_add(arg, link->is_queue ? PLAN_QUEUE_LINK : PLAN_EXCHANGE_LINK, link->vhost, link->name,
             slice_str(link->upstream), slice_str(link->text), link->group);
}

void plan_read_topology(struct plan *p, const struct topology *t, const char *cluster_name)
{
    const struct registry_item *item;
    for (uint64_t cursor = 0; (item = registry_next(t, REGISTRY_PARAMETER, &cursor));)
        if (slice_is(item->name, "shovel"))
            plan_add(p, PLAN_SHOVEL, item->vhost, item->detail, slice_str(""), item->value, 0);
    federation_find(t, cluster_name, add_federation_link, p);
}

bool plan_same(const struct plan_item *a, const struct plan_item *b)
{
    return a->kind == b->kind && !strcmp(a->name, b->name) && !strcmp(a->vhost, b->vhost) &&
           !strcmp(a->upstream, b->upstream);
}

const char *plan_kind_word(const struct plan_item *item)
{
    static const char *const words[] = {"shovel", "static-shovel", "exchange-federation", "queue-federation"};
    return words[item->kind];
}

/* --- static shovels --- */

/* shovel.NAME.KEY; NAME may have dots, KEY has none. */
static bool split(const char *pair, char name[static CONFIG_TEXT_MAX], const char **key)
{
    const char *begin = strchr(pair, '.'), *end = strrchr(pair, '.');
    if (!begin || end <= begin + 1 || !end[1]) return false;
    size_t size = (size_t)(end - begin - 1);
    memcpy(name, begin + 1, size);
    name[size] = 0;
    *key = end + 1;
    return true;
}

static int read_pairs(json_t *shovels, const struct config_pair *pairs, struct err *err)
{
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++) {
        char name[CONFIG_TEXT_MAX];
        const char *key;
        if (!split(pairs[i].name, name, &key))
            return (int)err_set(err, ERR_INVALID, "%s: want shovel.NAME.KEY", pairs[i].name);
        json_t *shovel = json_object_get(shovels, name);
        if (!shovel) {
            shovel = json_object();
            json_object_set_new(shovels, name, shovel);
        }
        int code = shovel_definition_add(shovel, key, pairs[i].value, err);
        if (code) return (int)err_wrap(err, "shovel.%s", name);
    }
    return 0;
}

int plan_read_config(struct plan *p, const struct config_pair *pairs, struct err *err)
{
    json_t *shovels = json_object(), *value;
    const char *name;
    int code = read_pairs(shovels, pairs, err);
    json_object_foreach(shovels, name, value)
    {
        struct shovel_definition d;
        if (code) break;
        code = shovel_definition_read(&d, name, value, err);
        if (code) err_wrap(err, "shovel.%s", name);
        else shovel_definition_close(&d);
    }
    if (!code) json_object_foreach(shovels, name, value)
        {
            char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
            plan_add(p, PLAN_STATIC_SHOVEL, slice_str(""), slice_str(name), slice_str(""), slice_str(text), 0);
            free(text);
        }
    json_decref(shovels);
    return code;
}

/* --- owners --- */

/* Rendezvous hashing: when a node comes or goes only the links that it wins or had move. */
uint8_t plan_owner(const struct plan_item *item, uint64_t nodes)
{
    uint64_t best = 0;
    uint8_t owner = 0;
    uint64_t key = hash_bytes(item->upstream, strlen(item->upstream), 0);
    key ^= hash_bytes(item->name, strlen(item->name), hash_bytes(item->vhost, strlen(item->vhost), item->kind));
    for (uint8_t node = 1; node < 64; node++) {
        uint64_t score = hash_u64(key ^ hash_u64(node));
        if (!(nodes >> node & 1) || (owner && score <= best)) continue;
        best = score;
        owner = node;
    }
    return owner;
}
