/* Transactions: publishes and settlements of a channel that wait for tx.commit.
 *
 * A publish is checked and routed when it comes, as in RabbitMQ: its faults are told at once, a binding made later does
 * not concern it. At commit the publishes leave first, then the settlements, so that no message is acked away before
 * its successor is under way:
 *
 *   settlements of groups that also get publishes   leave with these: a group's share is one chunk and so one entry of
 *                                                   its log, all there or not at all (while it is smaller than
 *                                                   BROKER_CHUNK_SIZE_MAX)
 *   settlements of other groups                     leave when all publishes are confirmed
 *
 * What commit-ok promises: every publish is on a majority of its group, and so are the settlements in a chunk with
 * publishes, because a confirm speaks for the whole chunk. The other settlements have left: their ports repeat them
 * until they are applied, but if this node dies first, their messages are delivered again. RabbitMQ promises no more.
 *
 * A refused publish (x-overflow=reject-publish) ends the channel with RabbitMQ's 406 "partial tx completion". What was
 * sent is not taken back; settlements that were not sent yet are dropped, and their messages
 * requeued with the channel. */
#include <stdlib.h>

#include "node/session/channel_internal.h"

/* One block: the struct, the targets, the stores, the marks, the bytes. */
struct tx_publish {
    struct list link;
    struct outgoing message; /* points into this block */
    struct route route;
    struct route_target targets[];
};

static bool is_selected(struct channel *ch);
static void drop_publish(struct tx_publish *p);
static void send_publishes(struct channel *ch, struct map_u64 *groups);
static void send_settles(struct channel *ch, const struct map_u64 *groups);
static void sort_settles(struct tx *tx);

void channel_tx_init(struct tx *tx)
{
    *tx = (struct tx){0};
    list_init(&tx->publishes);
}

void channel_tx_close(struct tx *tx)
{
    LIST_FOR_SAFE(&tx->publishes, link)
    drop_publish(LIST_ITEM(link, struct tx_publish, link));
    mem_free(tx->settles);
    channel_tx_init(tx);
}

void channel_tx_select(struct channel *ch)
{
    if (ch->confirms.enabled) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "cannot switch from confirm to tx mode");
        return;
    }
    ch->tx.selected = true;
    channel_send_empty(ch, AMQP_TX_SELECT_OK);
}

void channel_tx_commit(struct channel *ch)
{
    struct tx *tx = &ch->tx;
    struct map_u64 groups = {0};
    if (!is_selected(ch)) return;
    channel_question_open(ch, QUESTION_TX_COMMIT, slice_of(NULL, 0), false);
    tx->refused = false;
    tx->first = ch->confirms.next;
    tx->bytes = 0;
    sort_settles(tx);
    send_publishes(ch, &groups);
    send_settles(ch, &groups);
    map_u64_close(&groups);
    channel_tx_continue(ch);
}

void channel_tx_continue(struct channel *ch)
{
    struct session *s = ch->session;
    if (ch->question.kind != QUESTION_TX_COMMIT || ch->confirms.first < ch->confirms.next) return;
    channel_question_close(&ch->question);
    if (s->stalled_channel == ch->number) s->stalled = false;
    s->class_id = AMQP_CLASS_TX;
    s->method_id = (uint16_t)AMQP_TX_COMMIT;
    if (ch->tx.refused) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "partial tx completion");
        return;
    }
    send_settles(ch, NULL);
    channel_send_empty(ch, AMQP_TX_COMMIT_OK);
    channel_held_show(ch);
}

void channel_tx_answered(struct channel *ch, uint64_t tag, bool refused)
{
    if (refused && ch->question.kind == QUESTION_TX_COMMIT && tag >= ch->tx.first) ch->tx.refused = true;
}

void channel_tx_rollback(struct channel *ch)
{
    struct tx *tx = &ch->tx;
    if (!is_selected(ch)) return;
    channel_unacked_restore(&ch->unacked, tx->settles, tx->settle_count);
    channel_tx_close(tx);
    tx->selected = true;
    channel_send_empty(ch, AMQP_TX_ROLLBACK_OK);
}

static bool is_selected(struct channel *ch)
{
    if (!ch->tx.selected) channel_fail(ch, AMQP_PRECONDITION_FAILED, "channel is not transactional");
    return ch->tx.selected;
}

bool channel_tx_fits(struct channel *ch)
{
    if (ch->tx.bytes <= SESSION_TX_BYTES_MAX) return true;
    channel_fail(ch, AMQP_PRECONDITION_FAILED, "a transaction may hold %u bytes until it is committed",
                 (unsigned)SESSION_TX_BYTES_MAX);
    return false;
}

static struct slice keep(uint8_t **at, struct slice bytes)
{
    struct slice kept = slice_of(*at, bytes.size);
    if (bytes.size) memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

static size_t names_size(const struct route *route)
{
    size_t size = route->window.exchange.size;
    for (size_t i = 0; i < route->store_count; i++) size += route->stores[i].exchange.size;
    return size;
}

/* Routes borrow names from the topology, which may change until the commit. */
static void keep_route(struct tx_publish *p, const struct route *route, struct route_store *stores, uint8_t **at)
{
    p->route = *route;
    p->route.targets = p->targets;
    p->route.stores = stores;
    if (route->count) memcpy(p->targets, route->targets, route->count * sizeof *p->targets);
    for (size_t i = 0; i < route->store_count; i++) {
        stores[i] = route->stores[i];
        stores[i].exchange = keep(at, stores[i].exchange);
    }
    if (route->window.exchange.data) p->route.window.exchange = keep(at, route->window.exchange);
}

void channel_tx_publish(struct channel *ch, const struct outgoing *m)
{
    const struct content *c = &m->publish.content;
    const struct amqp_marks *marks = m->publish.marks;
    size_t targets_size = m->route->count * sizeof(struct route_target);
    size_t stores_size = m->route->store_count * sizeof(struct route_store);
    size_t marks_size = marks ? sizeof *marks : 0;
    size_t size = sizeof(struct tx_publish) + targets_size + stores_size + marks_size + names_size(m->route) +
                  c->exchange.size + c->routing_key.size + c->properties.size + c->body.size + c->bcc.size;
    ch->tx.bytes += size;
    if (!channel_tx_fits(ch)) return;
    struct tx_publish *p = mem_alloc(size);
    struct route_store *stores = (struct route_store *)((uint8_t *)p->targets + targets_size);
    struct amqp_marks *own_marks = (struct amqp_marks *)((uint8_t *)stores + stores_size);
    uint8_t *at = (uint8_t *)own_marks + marks_size;
    if (marks) *own_marks = *marks;
    p->message = *m;
    p->message.route = &p->route;
    p->message.publish.marks = marks ? own_marks : NULL;
    p->message.publish.content = (struct content){keep(&at, c->exchange), keep(&at, c->routing_key),
                                                  keep(&at, c->properties), keep(&at, c->body), keep(&at, c->bcc)};
    keep_route(p, m->route, stores, &at);
    list_append(&ch->tx.publishes, &p->link);
}

static void drop_publish(struct tx_publish *p)
{
    list_remove(&p->link);
    mem_free(p);
}

void channel_tx_settle(struct channel *ch, const struct unacked_entry *e, uint8_t outcome)
{
    struct tx *tx = &ch->tx;
    if (tx->settle_count == tx->settle_capacity)
        tx->settles = mem_grow(tx->settles, &tx->settle_capacity, tx->settle_count + 1, sizeof *tx->settles);
    tx->settles[tx->settle_count++] = (struct tx_settle){e->tag, e->dseq, e->group, e->counts, e->counted, outcome};
    tx->bytes += sizeof *tx->settles;
}

/* Queues may be gone since the publish came; a mandatory message without any is returned, as in RabbitMQ. */
static void forget_deleted_queues(struct channel *ch, struct route *route)
{
    const struct backend *backend = ch->session->backend;
    const struct topology *topology = backend->topology(backend->self);
    size_t kept = 0;
    for (size_t i = 0; i < route->count; i++)
        if (topology_queue_by_id(topology, route->targets[i].queue)) route->targets[kept++] = route->targets[i];
    route->count = kept;
}

/* Each is freed as it leaves, so that a commit does not hold everything twice. */
static void send_publishes(struct channel *ch, struct map_u64 *groups)
{
    LIST_FOR_SAFE(&ch->tx.publishes, link)
    {
        struct tx_publish *p = LIST_ITEM(link, struct tx_publish, link);
        forget_deleted_queues(ch, &p->route);
        for (size_t i = 0; i < p->route.count; i++) map_u64_set(groups, p->route.targets[i].group, ch);
        for (size_t i = 0; i < p->route.store_count; i++) map_u64_set(groups, p->route.stores[i].group, ch);
        channel_publish_send(ch, &p->message);
        drop_publish(p);
    }
}

static int by_tag(const void *left, const void *right)
{
    const struct tx_settle *a = left, *b = right;
    return a->tag < b->tag ? -1 : a->tag > b->tag;
}

/* Those of one kind that follow each other, in the order of their messages: so RabbitMQ's dead letters leave. */
static void sort_settles(struct tx *tx)
{
    for (size_t first = 0, end; first < tx->settle_count; first = end) {
        for (end = first + 1; end < tx->settle_count && tx->settles[end].outcome == tx->settles[first].outcome;) end++;
        if (end - first > 1) qsort(&tx->settles[first], end - first, sizeof *tx->settles, by_tag);
    }
}

/* The settlements of these groups, or of all (NULL); the others stay. */
static void send_settles(struct channel *ch, const struct map_u64 *groups)
{
    struct tx *tx = &ch->tx;
    size_t kept = 0;
    for (size_t i = 0; i < tx->settle_count; i++) {
        struct tx_settle *settle = &tx->settles[i];
        if (groups && !map_u64_get(groups, settle->group)) {
            tx->settles[kept++] = *settle;
            continue;
        }
        if (settle->outcome == SETTLE_ACK) channel_acks_count(ch, settle->counts);
        ch->counted -= settle->counted;
        channel_settle_add(ch, settle->group, settle->dseq, settle->outcome);
    }
    tx->settle_count = kept;
    channel_settle_flush(ch);
    if (kept) return;
    mem_free(tx->settles);
    tx->settles = NULL;
    tx->settle_capacity = 0;
}
