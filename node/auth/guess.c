#include "node/auth/guess.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct guesser {
    struct list link; /* guesses.order: the last to fail at the end */
    struct slice address;
    uint64_t failed_ms;
    uint32_t failures;
};

struct guesses {
    struct map_str by_address;
    struct list order;
};

struct guesses *guess_create(void)
{
    struct guesses *g = mem_zalloc(sizeof *g);
    list_init(&g->order);
    return g;
}

static void forget(struct guesses *g, struct guesser *who)
{
    map_str_remove(&g->by_address, who->address);
    list_remove(&who->link);
    mem_free((void *)who->address.data);
    mem_free(who);
}

static struct guesser *oldest(struct guesses *g)
{
    return LIST_ITEM(g->order.next, struct guesser, link);
}

void guess_destroy(struct guesses *g)
{
    while (!list_empty(&g->order)) forget(g, oldest(g));
    map_str_close(&g->by_address);
    mem_free(g);
}

static struct guesser *remember(struct guesses *g, struct slice address)
{
    struct guesser *who = mem_zalloc(sizeof *who);
    uint8_t *copy = mem_alloc(address.size + 1);
    if (address.size) memcpy(copy, address.data, address.size);
    who->address = slice_of(copy, address.size);
    list_init(&who->link);
    map_str_set(&g->by_address, who->address, who);
    return who;
}

uint32_t guess_failed(struct guesses *g, struct slice address, uint64_t now_ms)
{
    while (!list_empty(&g->order) && oldest(g)->failed_ms + GUESS_MEMORY_MS <= now_ms) forget(g, oldest(g));
    struct guesser *who = map_str_get(&g->by_address, address);
    if (!who) {
        if (g->by_address.count >= GUESS_ADDRESSES_MAX) forget(g, oldest(g));
        who = remember(g, address);
    }
    list_remove(&who->link);
    list_append(&g->order, &who->link);
    who->failed_ms = now_ms;
    if (++who->failures <= GUESS_FREE) return 0;
    uint32_t steps = who->failures - GUESS_FREE;
    return steps < GUESS_DELAY_MAX_MS / GUESS_STEP_MS ? steps * GUESS_STEP_MS : GUESS_DELAY_MAX_MS;
}

void guess_right(struct guesses *g, struct slice address)
{
    struct guesser *who = map_str_get(&g->by_address, address);
    if (who) forget(g, who);
}
