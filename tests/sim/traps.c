/* --trap: courses of events that chance hardly ever finds, each to a place where a fault of the Raft library waits. The
 * product's repairs (replication/group/README.md) keep the promises there; without the repair the course fails.
 *
 *     lost-answers  a follower's answers do not come through while it goes on and trims its log: it has trimmed further
 *                   than its leader knows (R2)
 *     old-disk      a node starts with what its disk held some time ago, while all others are well: it refuses what it
 *                   had acknowledged (R3)
 *     old-term      the only log that can win is on a node whose term is old: it was cut off while the others went
 *                   through elections in which nobody won (R5)
 *
 * A course that does not come about in time is given up and tried again. */
#include "tests/sim/sim.h"

enum {
    PAUSE_MS = 1500,   /* between two tries */
    PATIENCE_MS = 500, /* for a step to come about */
    DEAF_MS = 800,     /* the leader has given its peer up, the link has not broken */
    DOWN_MS = 2500,    /* the others have leaders by then, and all have the same */
    CATCH_UP_MS = 8000,
    RISE_MS = 6000,
    TERMS_AHEAD = 3,
};

static const char *const words[] = {"", "lost-answers", "old-disk", "old-term"};

int trap_of_word(const char *word)
{
    for (int i = 1; i < (int)(sizeof words / sizeof *words); i++)
        if (!strcmp(word, words[i])) return i;
    return 0;
}

const char *trap_word(enum sim_trap trap)
{
    return words[trap];
}

/* --- words --- */

static void next_step(struct world *w, unsigned step, uint64_t wait_ms)
{
    w->trap.step = step;
    w->trap.at_ms = w->now_ms + wait_ms;
}

static void start_again(struct world *w)
{
    world_heal(w);
    for (uint8_t node = 1; node <= w->node_count; node++)
        if (!w->nodes[node]->running) w->nodes[node]->start_at_ms = w->now_ms;
    if (w->trap.image) disk_destroy(w->trap.image);
    w->trap.image = NULL;
    next_step(w, 0, PAUSE_MS + random_below(&w->random, PAUSE_MS));
}

static bool late(const struct world *w)
{
    return w->now_ms >= w->trap.at_ms;
}

static void cut(struct world *w, uint8_t node, bool one_way)
{
    fleeting_cut_off(w, node);
    for (uint8_t other = 1; other <= w->node_count; other++)
        if (other != node) net_cut(w, node, other, one_way, true);
}

static void stop(struct world *w, uint8_t node)
{
    node_crash(w->nodes[node]);
    w->nodes[node]->start_at_ms = UINT64_MAX;
}

static struct group_status status_of(const struct world *w, uint8_t node, uint32_t group)
{
    struct group_status s = {0};
    if (node_group(w->nodes[node], group)) group_status(node_group(w->nodes[node], group), &s);
    return s;
}

/* --- lost-answers --- */

static void lost_answers(struct world *w)
{
    struct trap *t = &w->trap;
    if (!late(w)) return;
    if (t->step == 0) {
        t->node = (uint8_t)(1 + random_below(&w->random, w->node_count));
        cut(w, t->node, true);
        next_step(w, 1, DEAF_MS);
        return;
    }
    for (uint8_t other = 1; other <= w->node_count; other++)
        if (other != t->node) net_break(w, t->node, other);
    t->sprung++;
    start_again(w);
}

/* --- old-disk --- */

static bool caught_up(const struct world *w, uint8_t node)
{
    for (uint32_t g = 0; g < SIM_GROUPS; g++) {
        struct group_status leads, own = status_of(w, node, g);
        if (!node_group(w->nodes[node], g)) continue;
        if (!world_leader_of(w, g, &leads) || own.applied_index + 20 < leads.applied_index) return false;
    }
    return true;
}

static void old_disk(struct world *w)
{
    struct trap *t = &w->trap;
    struct sim_node *n = w->nodes[t->node ? t->node : 1];
    switch (t->step) {
    case 0:
        if (!late(w)) return;
        t->node = (uint8_t)(1 + random_below(&w->random, w->node_count));
        t->image = disk_after_crash(w->nodes[t->node]->disk, random_u64(&w->random));
        next_step(w, 1, 100 + random_below(&w->random, PAUSE_MS));
        return;
    case 1:
        if (!late(w)) return;
        stop(w, t->node);
        disk_destroy(n->disk);
        n->disk = t->image;
        t->image = NULL;
        world_say(w, "node %u gets its disk of some time ago", t->node);
        n->start_at_ms = w->now_ms + DOWN_MS;
        next_step(w, 2, DOWN_MS + CATCH_UP_MS);
        return;
    default:
        if (n->running && caught_up(w, t->node)) {
            t->sprung++;
            start_again(w);
        } else if (late(w)) {
            world_fail(w, "node %u came back with an old disk and does not catch up", t->node);
        }
    }
}

/* --- old-term --- */

static bool is_longer(const struct world *w, uint8_t node, uint8_t than, uint32_t group)
{
    return status_of(w, node, group).durable_index > status_of(w, than, group).last_index;
}

static void choose_leader(struct world *w)
{
    struct trap *t = &w->trap;
    struct group_status s;
    t->group = 1 + (uint32_t)random_below(&w->random, SIM_QUEUE_GROUPS);
    t->node = world_leader_of(w, t->group, &s);
    if (!t->node) return;
    t->term = s.term;
    t->other = t->node % 3 + 1;
    t->third = t->other % 3 + 1;
    cut(w, t->node, true);
    next_step(w, 1, PATIENCE_MS - 100);
}

/* The first of the others that stands for election goes on alone: the one that would elect it dies. */
static void leave_one_candidate(struct world *w)
{
    struct trap *t = &w->trap;
    uint64_t a = status_of(w, t->other, t->group).term, b = status_of(w, t->third, t->group).term;
    struct group_status s;
    if (late(w) || world_leader_of(w, t->group, &s) == t->other || (a > t->term && b > t->term)) {
        start_again(w);
        return;
    }
    if (a <= t->term && b <= t->term) return;
    if (b > t->term) {
        uint8_t swap = t->other;
        t->other = t->third;
        t->third = swap;
    }
    world_say(w, "trap: node %u stands for election, node %u dies", t->other, t->third);
    stop(w, t->third);
    next_step(w, 3, RISE_MS);
}

static void old_term(struct world *w)
{
    struct trap *t = &w->trap;
    struct group_status s;
    switch (t->step) {
    case 0:
        if (late(w)) choose_leader(w);
        return;
    case 1: /* it goes on alone until it has more than the others */
        if (late(w)) start_again(w);
        else if (is_longer(w, t->node, t->other, t->group) && is_longer(w, t->node, t->third, t->group)) {
            cut(w, t->node, false);
            next_step(w, 2, 3 * PATIENCE_MS);
        }
        return;
    case 2:
        leave_one_candidate(w);
        return;
    case 3:
        if (late(w)) start_again(w);
        else if (status_of(w, t->other, t->group).term >= t->term + TERMS_AHEAD) {
            stop(w, t->other); /* it forgets that it is a candidate, not the term */
            w->nodes[t->other]->start_at_ms = w->now_ms + 50;
            next_step(w, 4, 200);
        }
        return;
    case 4:
        if (!late(w)) return;
        if (status_of(w, t->node, t->group).term != t->term || !is_longer(w, t->node, t->other, t->group)) {
            start_again(w);
            return;
        }
        world_say(w, "trap: nodes %u and %u are left", t->node, t->other);
        world_heal(w);
        next_step(w, 5, CATCH_UP_MS);
        return;
    default:
        if (world_leader_of(w, t->group, &s)) {
            t->sprung++;
            start_again(w);
        } else if (late(w)) {
            world_fail(w, "group %u: nodes %u and %u are well, and nobody leads", t->group, t->node, t->other);
        }
    }
}

/* --- */

void trap_tick(struct world *w)
{
    static void (*const courses[])(struct world *) = {NULL, lost_answers, old_disk, old_term};
    courses[w->options.trap](w);
}

/* Where no disk went back, nobody is to be taken for one that lost data. */
void trap_note(struct world *w, uint8_t node, const char *line)
{
    if (w->options.trap && w->options.trap != TRAP_OLD_DISK && strstr(line, "member_lost_its_data"))
        world_fail(w, "node %u accuses a member wrongly: %s", node, line);
}

void trap_end(struct world *w)
{
    if (!w->options.trap) return;
    world_say(w, "the trap was reached %u times", w->trap.sprung);
    start_again(w);
}
