/* Messages of the core on their way out: entries are loaded for them, votes are waited for. */
#include "replication/group/group_internal.h"

static struct group_io const *io(const struct group *g)
{
    return g->params.io;
}

static void send_head(struct group *g, uint8_t to, struct slice head)
{
    io(g)->send(io(g)->self, g->params.id, to, GROUP_MESSAGE_RAFT, head, NULL, 0);
}

/* Nothing of a step may be seen by others before its vote is durable. */
static void hold(struct group *g, const struct core_message *m)
{
    g->held = mem_grow(g->held, &g->held_capacity, g->held_count + 1, sizeof *g->held);
    struct held_message *h = &g->held[g->held_count++];
    *h = (struct held_message){.lsn = g->hold_lsn, .to = m->peer};
    message_encode(m, &h->head);
}

void send_held(struct group *g)
{
    size_t sent = 0;
    while (sent < g->held_count && g->held[sent].lsn <= log_durable(g->params.log)) {
        send_head(g, g->held[sent].to, buf_slice(&g->held[sent].head));
        buf_close(&g->held[sent++].head);
    }
    if (!sent) return;
    g->held_count -= sent;
    memmove(g->held, g->held + sent, g->held_count * sizeof *g->held);
}

/* Sends entries first .. first + count - 1 as one message; false when one cannot be loaded. */
static bool send_entries(struct group *g, struct core_message *m, struct entry **entries, uint32_t count)
{
    struct part parts[1024];
    uint32_t part_count = 0;
    struct buf head = {0}, joined = {0};
    bool many = false;
    for (uint32_t i = 0; i < count; i++)
        many |= part_count + entries[i]->part_count > 1024 ? true : (part_count += entries[i]->part_count, false);
    m->entries = entries;
    m->entry_count = count;
    message_encode(m, &head);
    part_count = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t p = 0; p < entries[i]->part_count; p++) {
            if (many) buf_put_slice(&joined, part_slice(entries[i]->parts[p]));
            else parts[part_count++] = entries[i]->parts[p];
        }
    struct blob *blob = NULL;
    if (many) {
        blob = blob_copy(joined.data, joined.size);
        parts[part_count++] = (struct part){blob, 0, blob->size};
    }
    io(g)->send(io(g)->self, g->params.id, m->peer, GROUP_MESSAGE_RAFT, buf_slice(&head), parts, part_count);
    blob_unref(blob);
    buf_close(&head);
    buf_close(&joined);
    m->entries = NULL;
    return true;
}

static void send_append(struct group *g, const struct core_message *given)
{
    struct core_message m = *given;
    struct entry *entries[256];
    uint32_t left = m.entry_count;
    struct err err;
    while (left) {
        uint32_t count = 0;
        uint64_t bytes = 0;
        while (count < left && count < 256 && (!count || bytes < GROUP_MESSAGE_BYTES_MAX)) {
            struct entry *e = log_entry(g->params.log, g->params.id, m.prev_index + 1 + count, &err);
            if (!e) {
                note(g, 0, "entry_unreadable index=%llu error=\"%s\"", (unsigned long long)m.prev_index + 1 + count,
                     err.text);
                break;
            }
            bytes += e->size;
            entries[count++] = e;
        }
        if (!count) return;
        send_entries(g, &m, entries, count);
        m.prev_index += count;
        m.prev_term = entries[count - 1]->term;
        for (uint32_t i = 0; i < count; i++) entry_unref(entries[i]);
        left -= count;
    }
}

void send_core_message(struct group *g, const struct core_message *m)
{
    if (!io(g)->connected(io(g)->self, m->peer)) return; /* the next heartbeat repairs it */
    if (m->type == CORE_REQUEST_VOTE && change_below_floor(g)) return;
    if (m->type == CORE_INSTALL_SNAPSHOT) {
        snapshot_offer(g, m->peer);
        return;
    }
    bool append = m->type == CORE_APPEND_ENTRIES;
    if (append && m->entry_count && io(g)->congestion(io(g)->self, m->peer) > GROUP_CONGESTION_MAX) return;
    if (append && !m->entry_count && g->now_ms - g->sent_at_ms[m->peer & 63] < g->params.heartbeat_ms / 2 && g->leading)
        return;
    if (append) g->sent_at_ms[m->peer & 63] = g->now_ms;
    if (append) g->commit_told[m->peer & 63] = m->commit;
    if (g->held_count || g->hold_lsn > log_durable(g->params.log)) {
        struct core_message bare = *m; /* a leader has entries to send only when its vote was durable long since */
        bare.entry_count = 0;
        bare.entries = NULL;
        hold(g, &bare);
        return;
    }
    if (append && m->entry_count) {
        send_append(g, m);
        return;
    }
    struct buf head = {0};
    message_encode(m, &head);
    send_head(g, m->peer, buf_slice(&head));
    buf_close(&head);
}

/* Followers learn of a commit with the next entry or heartbeat. When nothing follows at once, an empty AppendEntries
 * that names what they are known to have tells them now: declare-ok waits for it, and listings on other nodes are
 * fresh. */
void push_commit(struct group *g)
{
    if (!g->leading || core_last_index(g->core) != g->commit) return;
    for (uint32_t i = 0; i < g->member_count; i++) {
        uint8_t peer = g->members[i].node;
        uint64_t match = peer == g->params.node ? 0 : core_match_index(g->core, peer);
        if (match < g->commit || g->commit_told[peer & 63] >= g->commit || !io(g)->connected(io(g)->self, peer))
            continue;
        uint64_t term = log_entry_term(g->params.log, g->params.id, match);
        if (!term) continue;
        struct core_message m = {.type = CORE_APPEND_ENTRIES,
                                 .peer = peer,
                                 .term = core_term(g->core),
                                 .prev_index = match,
                                 .prev_term = term,
                                 .commit = g->commit};
        struct buf head = {0};
        message_encode(&m, &head);
        send_head(g, peer, buf_slice(&head));
        g->commit_told[peer & 63] = g->commit;
        buf_close(&head);
    }
}
