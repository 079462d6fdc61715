#include "node/http/lanes.h"

#include "base/mem.h"

struct lane {
    struct conversation *conversation; /* NULL: none */
    char *vhost;                       /* it is with; owned */
    bool waiting;                      /* for the answer to: */
    const char *what;
    struct slice name;
};

struct lanes {
    struct request *request;
    lanes_told *told;
    void *arg;
    struct lane lanes[LANES_MAX];
    unsigned next;
};

struct lanes *lanes_open(struct request *r, lanes_told *told, void *arg)
{
    struct lanes *l = mem_zalloc(sizeof *l);
    l->request = r;
    l->told = told;
    l->arg = arg;
    return l;
}

static void hang_up(struct lane *lane)
{
    if (lane->conversation) conversation_close(lane->conversation);
    mem_free(lane->vhost);
    lane->conversation = NULL;
    lane->vhost = NULL;
}

static void settle(struct lanes *l, struct lane *lane)
{
    struct refusal why = {0};
    struct amqp_method reply;
    if (!lane->waiting) return;
    bool ok = conversation_receive(lane->conversation, &reply, NULL, &why);
    lane->waiting = false;
    if (!ok) hang_up(lane); /* a refusal closed the channel */
    l->told(l->arg, lane->what, lane->name, ok ? NULL : &why);
}

static bool dial(struct lanes *l, struct lane *lane, struct slice vhost, struct refusal *why)
{
    if (lane->conversation && slice_equal(slice_str(lane->vhost), vhost)) return true;
    hang_up(lane);
    lane->conversation = conversation_open(l->request, vhost, why);
    if (lane->conversation) lane->vhost = mem_strndup((const char *)vhost.data, vhost.size);
    return lane->conversation != NULL;
}

void lanes_tell(struct lanes *l, const char *what, struct slice name, struct slice vhost, const struct amqp_method *m)
{
    struct lane *lane = &l->lanes[l->next];
    struct refusal why = {0};
    settle(l, lane);
    if (!dial(l, lane, vhost, &why)) {
        lanes_settle(l); /* those before it first */
        l->told(l->arg, what, name, &why);
        return;
    }
    lane->waiting = true;
    lane->what = what;
    lane->name = name;
    conversation_send(lane->conversation, m);
    conversation_push(lane->conversation);
    l->next = (l->next + 1) % LANES_MAX;
}

void lanes_settle(struct lanes *l)
{
    for (unsigned i = 0; i < LANES_MAX; i++) settle(l, &l->lanes[(l->next + i) % LANES_MAX]);
}

void lanes_close(struct lanes *l)
{
    lanes_settle(l);
    for (unsigned i = 0; i < LANES_MAX; i++) hang_up(&l->lanes[i]);
    mem_free(l);
}
