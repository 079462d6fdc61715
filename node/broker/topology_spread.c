/* Every shard's copy of the topology: shard 0 applies what the meta group commits and hands it to its siblings by
 * ring; when all have it, the node tells the meta leader. */
#include "node/broker/broker_internal.h"

static void tell_leader(struct broker *b, bool again)
{
    uint8_t leader = b->leaders[0].node;
    uint64_t index = b->topology_done[0];
    for (uint16_t shard = 1; shard < b->params.shard_count; shard++)
        if (b->topology_done[shard] < index) index = b->topology_done[shard];
    if (!leader || (!again && leader == b->topology_told_to && index <= b->topology_told)) return;
    b->topology_told = index;
    b->topology_told_to = leader;
    if (leader == b->params.node) {
        if (b->hosts[0]) meta_wait_applied(b->hosts[0], leader, index);
        return;
    }
    struct mail *m = mail_create(MAIL_TOPOLOGY_APPLIED);
    m->a = index;
    m->term = b->leaders[0].term;
    broker_send_mail(b, leader, m);
}

void topology_spread_done(struct broker *b, uint16_t shard, uint64_t index)
{
    if (shard < BROKER_NODES_MAX && index > b->topology_done[shard]) b->topology_done[shard] = index;
    tell_leader(b, false);
}

/* Connections of users and vhosts that are gone end. */
static void look_at_connections(struct broker *b)
{
    uint64_t version = registry_version(b->params.topology);
    if (version == b->registry_seen) return;
    b->registry_seen = version;
    LIST_FOR_SAFE(&b->connections, link)
    {
        struct broker_connection *c = LIST_ITEM(link, struct broker_connection, link);
        if (!c->session) continue;
        session_registry_changed(c->session, b->now_ms);
        if (c->touched) c->touched(c->touched_arg);
    }
}

/* What a change means beyond the records. */
static void note_change(struct broker *b, struct slice bytes)
{
    look_at_connections(b);
    struct topology_command command;
    bool deletes = !bytes.size || !topology_command_decode(bytes, &command) || command.type == TOPOLOGY_QUEUE_DELETE ||
                   command.type == TOPOLOGY_EXCHANGE_DELETE || command.type == TOPOLOGY_OWNERS_GONE ||
                   command.type == TOPOLOGY_ALIVE || command.type == TOPOLOGY_CLEAR || command.type == TOPOLOGY_SEED;
    if (!deletes) return;
    b->orphans_wanted = true;
    for (uint32_t group = 1; group < b->params.group_count; group++) {
        struct host *h = b->hosts[group];
        if (!h || !h->leads || h->reconcile_wanted) continue;
        h->reconcile_wanted = true;
        h->reconcile_at_ms = b->now_ms + BROKER_RECONCILE_MS;
    }
}

/* Shard 0: the meta machine applied `command` to this shard's copy. */
void broker_topology_applied(struct broker *b, uint64_t index, struct slice command)
{
    note_change(b, command);
    for (uint16_t shard = 1; shard < b->params.shard_count; shard++) {
        struct mail *m = mail_create(command.size ? MAIL_TOPOLOGY : MAIL_TOPOLOGY_WHOLE);
        m->a = index;
        if (command.size) {
            m->part.blob = blob_copy(command.data, command.size);
        } else {
            struct buf whole = {0};
            topology_encode(b->params.topology, &whole);
            m->part.blob = blob_copy(whole.data, whole.size);
            buf_close(&whole);
        }
        m->part.size = m->part.blob->size;
        b->io->post(b->io->self, shard, m);
    }
    topology_spread_done(b, 0, index);
}

/* A sibling's side, and the meta leader's. */
void topology_spread_mail(struct broker *b, struct mail *m)
{
    if (m->type == MAIL_TOPOLOGY_APPLIED) {
        if (m->node == b->params.node) topology_spread_done(b, m->shard, m->a);
        else if (b->hosts[0] && b->hosts[0]->leads && m->node < BROKER_NODES_MAX)
            meta_wait_applied(b->hosts[0], m->node, m->a);
        return;
    }
    struct topology *t = b->params.topology;
    struct topology_result ignored;
    struct topology_command command;
    if (m->type == MAIL_TOPOLOGY_WHOLE) {
        struct err err;
        if (topology_restore(t, part_slice(m->part), &err))
            broker_note(b, 0, "broker topology_unreadable error=\"%s\"", err.text);
        note_change(b, (struct slice){0});
    } else if (topology_command_decode(part_slice(m->part), &command)) {
        topology_apply(t, m->a, &command, &ignored);
        note_change(b, part_slice(m->part));
    }
    struct mail *done = mail_create(MAIL_TOPOLOGY_APPLIED);
    done->a = m->a;
    b->io->post(b->io->self, 0, done);
}
