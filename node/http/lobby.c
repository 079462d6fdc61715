#include "node/http/lobby.h"

#include <pthread.h>

#include "base/list.h"
#include "base/mem.h"

struct guest {
    struct list link; /* lobby.waiting */
    int fd;
    bool waits; /* it is among those who may be sent away */
};

struct lobby {
    pthread_mutex_t lock;
    struct list waiting; /* the one that has waited longest at the front */
    unsigned places, guests;
    void (*send_away)(int fd);
};

struct lobby *lobby_create(unsigned places, void (*send_away)(int fd))
{
    struct lobby *l = mem_zalloc(sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    list_init(&l->waiting);
    l->places = places;
    l->send_away = send_away;
    return l;
}

void lobby_destroy(struct lobby *l)
{
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static void stop_waiting(struct guest *g)
{
    g->waits = false;
    list_remove(&g->link);
}

static void wait(struct lobby *l, struct guest *g)
{
    g->waits = true;
    list_append(&l->waiting, &g->link);
}

/* Each is told once; it counts until it has left. */
static void make_room(struct lobby *l)
{
    if (l->guests < l->places || list_empty(&l->waiting)) return;
    struct guest *g = LIST_ITEM(l->waiting.next, struct guest, link);
    stop_waiting(g);
    l->send_away(g->fd);
}

struct guest *lobby_enter(struct lobby *l, int fd)
{
    struct guest *g = mem_zalloc(sizeof *g);
    g->fd = fd;
    list_init(&g->link);
    pthread_mutex_lock(&l->lock);
    make_room(l);
    l->guests++;
    wait(l, g);
    pthread_mutex_unlock(&l->lock);
    return g;
}

void lobby_serve(struct lobby *l, struct guest *g, bool served)
{
    pthread_mutex_lock(&l->lock);
    if (served && g->waits) stop_waiting(g);
    else if (!served && !g->waits) wait(l, g);
    pthread_mutex_unlock(&l->lock);
}

void lobby_leave(struct lobby *l, struct guest *g)
{
    pthread_mutex_lock(&l->lock);
    if (g->waits) stop_waiting(g);
    l->guests--;
    pthread_mutex_unlock(&l->lock);
    mem_free(g);
}
