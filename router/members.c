#include "router/members.h"

#include "router/members_internal.h"

struct members *members_create(uint32_t group_count)
{
    struct members *m = mem_zalloc(sizeof *m);
    m->groups = mem_zalloc((group_count + 1) * sizeof *m->groups);
    return m;
}

void members_destroy(struct members *m)
{
    mem_free(m->groups);
    mem_free(m);
}

/* --- reads --- */

const struct member *topology_member(const struct topology *t, uint8_t node)
{
    return &t->members->of[node < MEMBERS_MAX ? node : 0];
}

uint8_t topology_member_by_name(const struct topology *t, struct slice name)
{
    for (uint8_t node = 1; node < MEMBERS_MAX; node++)
        if (member_counts(&t->members->of[node]) && slice_is(name, t->members->of[node].name)) return node;
    return 0;
}

struct slice member_tag(const struct member *m, const char *tag)
{
    size_t size = strlen(tag);
    for (const char *line = m->tags; *line;) {
        const char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) : strlen(line);
        if (length > size && line[size] == '=' && !memcmp(line, tag, size))
            return slice_of(line + size + 1, length - size - 1);
        line += length + (end != NULL);
    }
    return (struct slice){0};
}

uint32_t topology_usual_replicas(const struct topology *t)
{
    return t->members->replicas;
}

bool topology_members_seeded(const struct topology *t)
{
    return t->members->seeded;
}

uint16_t topology_level(const struct topology *t)
{
    return t->members->level;
}

uint16_t topology_level_of_members(const struct topology *t)
{
    uint16_t lowest = UINT16_MAX;
    for (unsigned node = 1; node < MEMBERS_MAX; node++) {
        const struct member *m = &t->members->of[node];
        bool there = m->state != MEMBER_UNKNOWN && m->state != MEMBER_GONE;
        if (there && m->level < lowest) lowest = m->level;
    }
    return lowest == UINT16_MAX ? 0 : lowest;
}

bool member_counts(const struct member *m)
{
    return m->state == MEMBER_IN || m->state == MEMBER_DRAINING;
}

/* --- commands --- */

struct topology_command member_tell_command(uint8_t node, struct slice name, struct slice address, struct slice zone,
                                            struct slice data_id)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS,
                                     .epoch = ACTION_TELL,
                                     .node = node,
                                     .name = name,
                                     .source = address,
                                     .routing_key = zone,
                                     .arguments = data_id};
}

struct topology_command member_state_command(uint8_t node, enum member_state state)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS, .epoch = ACTION_STATE, .node = node, .group = state};
}

struct topology_command members_seeded_command(uint32_t replicas)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS, .epoch = ACTION_SEEDED, .group = replicas};
}

struct topology_command members_level_command(uint16_t level)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS, .epoch = ACTION_LEVEL, .group = level};
}

/* --- carrying them out --- */

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

static void keep_text(char *to, size_t size, struct slice text)
{
    size_t length = text.size < size - 1 ? text.size : size - 1;
    if (length) memcpy(to, text.data, length);
    to[length] = 0;
}

/* Each member has a replica of the meta group, which has so many at most. */
static uint32_t member_count(const struct topology *t)
{
    uint32_t count = 0;
    for (unsigned node = 1; node < MEMBERS_MAX; node++) {
        uint8_t state = t->members->of[node].state;
        count += state != MEMBER_UNKNOWN && state != MEMBER_GONE;
    }
    return count;
}

static void tell(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct member *m = &t->members->of[c->node];
    bool knows = c->arguments.size == MEMBER_DATA_ID_SIZE;
    bool known = !is_zero(m->data_id, sizeof m->data_id);
    if (m->state == MEMBER_GONE) {
        refuse(r, 403, "ACCESS_REFUSED - node %u was removed from the cluster; its number is not used again", c->node);
    } else if (knows && known && memcmp(m->data_id, c->arguments.data, sizeof m->data_id) != 0) {
        refuse(r, 403,
               "ACCESS_REFUSED - node %u is a member with other data: the number is taken, or the member lost its disk",
               c->node);
    } else if (m->state == MEMBER_UNKNOWN && member_count(t) >= PLACED_MAX) {
        refuse(r, 406, "PRECONDITION_FAILED - the cluster has %d members, and cannot have more", PLACED_MAX);
    } else if (c->group && c->group < t->members->level) {
        refuse(r, 406, "PRECONDITION_FAILED - the cluster works at level %u, and the program of node %u knows %u",
               t->members->level, c->node, c->group);
    } else if (change) {
        if (m->state == MEMBER_UNKNOWN) m->state = MEMBER_IN;
        if (c->group) m->level = c->group < UINT16_MAX ? (uint16_t)c->group : UINT16_MAX - 1;
        if (knows) memcpy(m->data_id, c->arguments.data, sizeof m->data_id);
        if (c->name.size) keep_text(m->name, sizeof m->name, c->name);
        if (c->source.size) keep_text(m->address, sizeof m->address, c->source);
        keep_text(m->zone, sizeof m->zone, c->routing_key);
        keep_text(m->tags, sizeof m->tags, c->kind);
    }
}

static bool state_may_follow(uint8_t from, uint32_t to)
{
    switch (to) {
    case MEMBER_IN:
        return from == MEMBER_DRAINING;
    case MEMBER_DRAINING:
        return from == MEMBER_IN;
    case MEMBER_LEAVING:
        return from == MEMBER_IN || from == MEMBER_DRAINING;
    case MEMBER_GONE:
        return from == MEMBER_IN || from == MEMBER_DRAINING || from == MEMBER_LEAVING;
    default:
        return false;
    }
}

static void set_state(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct member *m = &t->members->of[c->node];
    uint32_t others = 0;
    for (unsigned node = 1; node < MEMBERS_MAX; node++)
        if (node != c->node && member_counts(&t->members->of[node])) others++;
    if (m->state == c->group) return; /* again */
    if (m->state == MEMBER_UNKNOWN) refuse(r, 404, "NOT_FOUND - there is no node %u", c->node);
    else if (!state_may_follow(m->state, c->group))
        refuse(r, 406, "PRECONDITION_FAILED - node %u is in a state that does not allow it", c->node);
    else if (c->group != MEMBER_IN && !others)
        refuse(r, 406, "PRECONDITION_FAILED - node %u is the last member", c->node);
    else if (change) m->state = (uint8_t)c->group;
}

static void raise_level(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    if (c->group < t->members->level || c->group > topology_level_of_members(t))
        refuse(r, 406, "PRECONDITION_FAILED - not every member knows level %u, or the cluster is beyond it", c->group);
    else if (change) t->members->level = (uint16_t)c->group;
}

void members_change(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    bool of_node = c->epoch == ACTION_TELL || c->epoch == ACTION_STATE;
    if (of_node && (c->node == 0 || c->node >= MEMBERS_MAX)) {
        refuse(r, 406, "PRECONDITION_FAILED - a node's number is 1 to 63");
        return;
    }
    switch (c->epoch) {
    case ACTION_TELL:
        tell(t, c, change, r);
        return;
    case ACTION_STATE:
        set_state(t, c, change, r);
        return;
    case ACTION_SEEDED:
        if (!change) return;
        t->members->seeded = true;
        t->members->replicas = c->group < PLACED_MAX ? (uint8_t)c->group : PLACED_MAX;
        return;
    case ACTION_LEVEL:
        raise_level(t, c, change, r);
        return;
    default:
        if (placed_change(t, c, change, r)) return;
        refuse(r, 540, "NOT_IMPLEMENTED - unknown change of the members");
    }
}

/* --- manifest --- */

void members_encode(const struct topology *t, struct buf *b)
{
    uint64_t count = 0;
    buf_put_u8(b, t->members->seeded);
    buf_put_u8(b, t->members->replicas);
    buf_put_le16(b, t->members->level);
    for (unsigned node = 1; node < MEMBERS_MAX; node++) count += t->members->of[node].state != MEMBER_UNKNOWN;
    buf_put_varint(b, count);
    for (unsigned node = 1; node < MEMBERS_MAX; node++) {
        const struct member *m = &t->members->of[node];
        if (m->state == MEMBER_UNKNOWN) continue;
        buf_put_u8(b, (uint8_t)node);
        buf_put_u8(b, m->state);
        buf_put_le16(b, m->level);
        buf_put(b, m->data_id, sizeof m->data_id);
        buf_put_counted(b, slice_str(m->name));
        buf_put_counted(b, slice_str(m->address));
        buf_put_counted(b, slice_str(m->zone));
        buf_put_counted(b, slice_str(m->tags));
    }
    placed_encode(t, b);
}

static bool restore_member(struct topology *t, struct reader *r)
{
    uint8_t node = reader_u8(r), state = reader_u8(r);
    uint16_t level = reader_le16(r);
    struct slice data_id = reader_bytes(r, MEMBER_DATA_ID_SIZE);
    struct slice name = reader_counted(r), address = reader_counted(r), zone = reader_counted(r);
    struct slice tags = reader_counted(r);
    bool fits = name.size <= TOPOLOGY_NAME_MAX && address.size <= TOPOLOGY_NAME_MAX && zone.size <= MEMBER_ZONE_MAX &&
                tags.size <= MEMBER_TAGS_MAX;
    if (r->failed || !node || node >= MEMBERS_MAX || !state || state > MEMBER_GONE || !fits) return false;
    struct member *m = &t->members->of[node];
    if (m->state != MEMBER_UNKNOWN) return false;
    m->state = state;
    m->level = level;
    memcpy(m->data_id, data_id.data, sizeof m->data_id);
    keep_text(m->name, sizeof m->name, name);
    keep_text(m->address, sizeof m->address, address);
    keep_text(m->zone, sizeof m->zone, zone);
    keep_text(m->tags, sizeof m->tags, tags);
    return true;
}

bool members_restore(struct topology *t, struct reader *r)
{
    uint8_t seeded = reader_u8(r), replicas = reader_u8(r);
    uint16_t level = reader_le16(r);
    uint64_t count = reader_varint(r);
    if (r->failed || seeded > 1 || replicas > PLACED_MAX || count >= MEMBERS_MAX) return false;
    t->members->seeded = seeded;
    t->members->replicas = replicas;
    t->members->level = level;
    for (; count; count--)
        if (!restore_member(t, r)) return false;
    return placed_restore(t, r);
}
