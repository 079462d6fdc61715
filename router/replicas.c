#include "router/replicas.h"

#include "base/field_table.h"
#include "router/members_internal.h"
#include "router/policy.h"

enum {
    CLASS_QUEUES = 4,    /* queues in each group of a class before it gets another group ... */
    CLASS_GROUPS_MAX = 8 /* ... up to so many, so that one wish for all queues does not put all into one group */
};

/* --- what a queue wants --- */

static uint8_t copies(int64_t count)
{
    return (uint8_t)(count < 0 ? 0 : count > PLACED_MAX ? PLACED_MAX : count);
}

static void at_least(struct replica_wish *wish, int64_t count)
{
    if (copies(count) > wish->count) wish->count = copies(count);
}

static void of_arguments(struct slice arguments, const struct policy_match *policy, struct replica_wish *wish)
{
    static const char *const arguments_of_size[] = {"x-quorum-initial-group-size", "x-quorum-target-group-size",
                                                    "x-initial-cluster-size"};
    static const char *const keys_of_size[] = {"target-group-size", "initial-cluster-size"};
    struct table_value v;
    for (size_t i = 0; i < sizeof arguments_of_size / sizeof *arguments_of_size; i++)
        if (table_find(arguments, slice_str(arguments_of_size[i]), &v) && table_value_is_integer(&v))
            at_least(wish, v.integer);
    for (size_t i = 0; i < sizeof keys_of_size / sizeof *keys_of_size; i++)
        at_least(wish, json_integer_value(policy_key_value(policy, keys_of_size[i])));
}

static void of_nodes(const struct topology *t, const json_t *names, struct replica_wish *wish)
{
    const json_t *name;
    size_t i;
    json_array_foreach((json_t *)names, i, name)
    {
        uint8_t node = json_is_string(name) ? topology_member_by_name(t, slice_str(json_string_value(name))) : 0;
        if (node && !(wish->nodes >> node & 1) && wish->count < PLACED_MAX) {
            wish->nodes |= UINT64_C(1) << node;
            wish->count++;
        }
    }
}

/* A mirrored queue of two went on with one; of two Raft replicas neither goes on alone. So two copies that can lose
 * one are three. */
static void of_ha_mode(const struct topology *t, const struct policy_match *policy, struct replica_wish *wish)
{
    const char *mode = json_string_value(policy_key_value(policy, "ha-mode"));
    const json_t *params = policy_key_value(policy, "ha-params");
    if (!mode) return;
    if (!strcmp(mode, "all")) wish->count = REPLICAS_ALL;
    else if (!strcmp(mode, "nodes")) of_nodes(t, params, wish);
    else if (json_integer_value(params) == 2) wish->count = 3;
    else at_least(wish, json_integer_value(params));
}

static void of_tag(struct slice arguments, const struct policy_match *policy, struct replica_wish *wish)
{
    struct table_value v;
    const char *of_policy = json_string_value(policy_key_value(policy, "member-placement-tag"));
    struct slice tag = slice_str(of_policy ? of_policy : "");
    if (table_find(arguments, slice_str("x-member-placement-tag"), &v) && v.type == 'S') tag = v.bytes;
    if (tag.size && tag.size <= MEMBER_TAG_MAX && !memchr(tag.data, 0, tag.size)) memcpy(wish->tag, tag.data, tag.size);
}

void replica_wish_of_queue(const struct topology *t, const struct queue_record *queue, struct replica_wish *wish)
{
    memset(wish, 0, sizeof *wish);
    struct policy_match policy = {0};
    if (registry_count(t, REGISTRY_POLICY) + registry_count(t, REGISTRY_OPERATOR_POLICY) > 0)
        policy_of_queue(t, queue, &policy);
    else if (!queue->arguments.size) return;
    of_arguments(queue->arguments, &policy, wish);
    if (!wish->count) of_ha_mode(t, &policy, wish);
    of_tag(queue->arguments, &policy, wish);
}

static uint8_t bits(uint64_t nodes)
{
    uint8_t count = 0;
    for (; nodes; nodes &= nodes - 1) count++;
    return count;
}

void replica_wish_add(struct replica_wish *all, const struct replica_wish *one)
{
    all->nodes |= one->nodes;
    if (one->count > all->count) all->count = one->count;
    if (bits(all->nodes) > all->count) all->count = bits(all->nodes);
    if (!*all->tag) memcpy(all->tag, one->tag, sizeof all->tag);
}

/* --- where it goes --- */

/* What is no more than every group gives, now that the cluster has so many members. */
static bool is_usual(const struct topology *t, const struct replica_wish *wish)
{
    uint32_t members = 0, usual = topology_usual_replicas(t);
    if (wish->nodes || *wish->tag) return false;
    if (wish->count == REPLICAS_USUAL) return true;
    for (uint8_t node = 1; node < MEMBERS_MAX; node++) members += member_counts(topology_member(t, node));
    if (!usual || !members) return false; /* a new cluster that has not written down what is usual */
    return (wish->count < members ? wish->count : members) == (usual < members ? usual : members);
}

static bool is_of_class(const struct topology *t, uint32_t group, const struct replica_wish *wish)
{
    const struct replica_wish *class = topology_class(t, group);
    return class && class->count == wish->count && class->nodes == wish->nodes && !strcmp(class->tag, wish->tag);
}

static uint32_t last_group(const struct topology *t)
{
    return t->group_count + t->spare_count;
}

static bool is_unused(const struct topology *t, uint32_t group)
{
    return group > t->group_count && group <= last_group(t) && !t->group_queues[group] && !topology_class(t, group);
}

static uint32_t unused_group(const struct topology *t)
{
    for (uint32_t g = t->group_count + 1; g <= last_group(t); g++)
        if (is_unused(t, g)) return g;
    return 0;
}

static bool is_empty(const struct topology *t, uint32_t group)
{
    return group > t->group_count && group <= last_group(t) && !t->group_queues[group];
}

/* A spare group nobody lives in: rather one that was never used, and has not to be moved first. */
static uint32_t free_group(const struct topology *t, bool (*fits)(void *arg, uint32_t group), void *arg)
{
    uint32_t found = unused_group(t);
    for (uint32_t g = last_group(t); g > t->group_count && !found; g--)
        if (is_empty(t, g) && (!fits || fits(arg, g))) found = g;
    return found;
}

/* The emptiest of the class; 0: none. */
static uint32_t emptiest_of_class(const struct topology *t, const struct replica_wish *wish,
                                  bool (*fits)(void *arg, uint32_t group), void *arg, uint32_t *count)
{
    uint32_t best = 0;
    *count = 0;
    for (uint32_t g = t->group_count + 1; g <= last_group(t); g++) {
        if (!is_of_class(t, g, wish) || (fits && !fits(arg, g))) continue;
        ++*count;
        if (!best || t->group_queues[g] < t->group_queues[best]) best = g;
    }
    return best;
}

bool topology_wants_usual(const struct topology *t, const struct queue_record *queue)
{
    struct replica_wish wish;
    replica_wish_of_queue(t, queue, &wish);
    return is_usual(t, &wish);
}

uint32_t topology_group_for(const struct topology *t, const struct replica_wish *wish, uint32_t given, bool *founds)
{
    uint32_t count;
    *founds = false;
    if (is_usual(t, wish)) return given && given <= t->group_count ? given : topology_emptiest_group(t, NULL, NULL);
    if (given && (given <= t->group_count || is_of_class(t, given, wish))) return given;
    *founds = is_empty(t, given);
    if (*founds) return given;
    uint32_t best = emptiest_of_class(t, wish, NULL, NULL, &count);
    bool full = !best || (t->group_queues[best] >= CLASS_QUEUES && count < CLASS_GROUPS_MAX);
    uint32_t another = full ? free_group(t, NULL, NULL) : 0;
    *founds = another != 0;
    if (another) return another;
    return best ? best : topology_emptiest_group(t, NULL, NULL); /* its group grows for it */
}

uint32_t topology_group_instead(const struct topology *t, const struct queue_record *queue,
                                bool (*fits)(void *arg, uint32_t group), void *arg)
{
    struct replica_wish wish;
    uint32_t count;
    bool founds;
    replica_wish_of_queue(t, queue, &wish);
    uint32_t usual = topology_group_for(t, &wish, 0, &founds);
    bool unborn = usual > t->group_count && !topology_placed(t, usual)->count;
    if (!usual || unborn || fits(arg, usual)) return 0;
    if (usual <= t->group_count) return topology_emptiest_group(t, fits, arg);
    uint32_t best = emptiest_of_class(t, &wish, fits, arg, &count);
    if (!best) best = free_group(t, fits, arg);
    return best ? best : topology_emptiest_group(t, fits, arg); /* it grows */
}
