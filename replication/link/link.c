/* The room's front door: the links of a shard. */
#include "replication/link/link_internal.h"

static void on_tick(void *self);

int link_open(struct links **out, const struct link_params *params, struct err *err)
{
    CHECK(!params->tls_listener == !params->tls_dialler);
    CHECK(params->loop && params->up && params->down && params->frame && params->address && params->note);
    if (params->node == 0 || params->node >= LINK_NODES_MAX)
        return (int)err_set(err, ERR_INVALID, "node id %u is not in 1..%u", params->node, LINK_NODES_MAX - 1);
    if (strlen(params->node_name) > LINK_NAME_MAX || strlen(params->listen_address) > LINK_NAME_MAX)
        return (int)err_set(err, ERR_INVALID, "the node's name or address is longer than %u bytes", LINK_NAME_MAX);
    struct links *l = mem_zalloc(sizeof *l);
    l->params = *params;
    l->node_name = mem_strdup(params->node_name);
    l->listen_address = mem_strdup(params->listen_address);
    if (params->secret_size) buf_put(&l->secret, params->secret, params->secret_size);
    l->params.node_name = l->params.listen_address = NULL; /* the caller's may go away */
    l->params.secret = NULL;
    if (params->data_id) memcpy(l->data_id, params->data_id, sizeof l->data_id);
    l->params.data_id = NULL;
    list_init(&l->conns);
    list_init(&l->gone);
    list_init(&l->dirty);
    l->tick = loop_timer_open(params->loop, on_tick, l);
    loop_timer_start(l->tick, LINK_TICK_MS, LINK_TICK_MS);
    *out = l;
    return 0;
}

static void free_gone(struct links *l)
{
    LIST_FOR_SAFE(&l->gone, link) link_conn_free(LIST_ITEM(link, struct link_conn, link));
}

static void on_closed(void *self)
{
    struct links *l = self;
    void (*closed)(void *) = l->params.closed;
    void *owner = l->params.self;
    free_gone(l);
    for (unsigned node = 0; node < LINK_NODES_MAX; node++) mem_free(l->peers[node]);
    if (l->secret.size) explicit_bzero(l->secret.data, l->secret.size);
    buf_close(&l->secret);
    mem_free(l->node_name);
    mem_free(l->listen_address);
    mem_free(l);
    if (closed) closed(owner);
}

void link_close(struct links *l)
{
    if (l->closing) return;
    l->closing = true;
    link_flush(l);
    LIST_FOR_SAFE(&l->conns, link) link_conn_cut(LIST_ITEM(link, struct link_conn, link), NULL);
    for (unsigned node = 0; node < LINK_NODES_MAX; node++)
        if (l->peers[node]) link_peer_close(l->peers[node]);
    loop_timer_close(l->tick, on_closed, l);
}

void link_set_open(struct links *l, bool open)
{
    l->open = open;
}

void link_demand_level(struct links *l, uint16_t level)
{
    l->level = level;
}

uint16_t link_peer_level(const struct links *l, uint8_t node)
{
    return link_has_peer(l, node) ? l->peers[node]->level : 0;
}

bool link_has_peer(const struct links *l, uint8_t node)
{
    return node && node < LINK_NODES_MAX && l->peers[node] && !l->peers[node]->removed;
}

const char *link_peer_address(const struct links *l, uint8_t node)
{
    return link_has_peer(l, node) ? l->peers[node]->address[0] : "";
}

const uint8_t *link_peer_data_id(const struct links *l, uint8_t node)
{
    return link_has_peer(l, node) && l->peers[node]->ever_up ? l->peers[node]->data_id : NULL;
}

bool link_up(const struct links *l, uint8_t node)
{
    const struct link_peer *p = node < LINK_NODES_MAX ? l->peers[node] : NULL;
    return p && p->up && !p->up->overrun;
}

uint32_t link_peer_epoch(const struct links *l, uint8_t node)
{
    const struct link_peer *p = node < LINK_NODES_MAX ? l->peers[node] : NULL;
    return p ? p->epoch : 0;
}

uint64_t link_queued_bytes(const struct links *l, uint8_t node)
{
    const struct link_peer *p = node < LINK_NODES_MAX ? l->peers[node] : NULL;
    return p && p->up ? p->up->out.bytes : 0;
}

void link_send(struct links *l, uint8_t node, uint8_t type, struct slice head, const struct part *parts,
               uint32_t part_count)
{
    CHECK(type < LINK_OWN_TYPES);
    CHECK(link_frame_size(head, parts, part_count) <= LINK_FRAME_MAX);
    struct link_peer *p = link_peer_get(l, node);
    if (p && p->up && !l->closing) link_conn_put(p->up, type, head, parts, part_count);
}

void link_flush(struct links *l)
{
    while (!list_empty(&l->dirty)) link_conn_flush(LIST_ITEM(l->dirty.next, struct link_conn, dirty_link));
}

void link_set_epoch(struct links *l, uint32_t epoch)
{
    l->params.epoch = epoch;
    for (unsigned node = 0; node < LINK_NODES_MAX; node++)
        if (l->peers[node] && l->peers[node]->up)
            link_conn_put(l->peers[node]->up, LINK_EPOCH, slice_of(&epoch, sizeof epoch), NULL, 0);
}

static void on_tick(void *self)
{
    struct links *l = self;
    free_gone(l);
    LIST_FOR_SAFE(&l->conns, link) link_conn_tick(LIST_ITEM(link, struct link_conn, link));
    for (unsigned node = 0; node < LINK_NODES_MAX; node++) {
        struct link_peer *p = l->peers[node];
        if (p && ++p->noted_ticks >= LINK_NOTE_AGAIN_TICKS) p->noted[0] = 0;
    }
}
