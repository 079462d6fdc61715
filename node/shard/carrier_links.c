/* A shard's links to other nodes: how they are opened, and where what comes by them goes. */
#include "node/shard/shard_internal.h"

#include "router/members.h"

static void on_up(void *self, uint8_t node, uint32_t epoch, const char *name)
{
    struct shard *s = self;
    if (s->id == 0)
        logger_printf(s->settings->logger, LOG_INFO, s->id, "link up node=%u name=%s epoch=%u", node, name, epoch);
    mem_free(s->peer_names[node & 63]);
    s->peer_names[node & 63] = mem_strdup(name);
    s->peer_up_since_ms[node & 63] = uv_hrtime() / 1000000;
    broker_node_up(s->broker, node, epoch);
    alarm_node_up(s, node);
    turn_soon(s);
}

static void on_down(void *self, uint8_t node, bool dead)
{
    struct shard *s = self;
    if (s->phase >= SHARD_CLOSING) return;
    if (s->id == 0)
        logger_printf(s->settings->logger, LOG_WARN, s->id, "link down node=%u dead=%s", node,
                      dead ? "yes" : "unknown");
    s->peer_up_since_ms[node & 63] = 0;
    broker_node_down(s->broker, node, dead);
    alarm_node_down(s, node);
    question_node_down(s, node);
    uint64_t now = uv_hrtime() / 1000000;
    for (uint32_t g = 0; dead && g < s->settings->placement.group_count; g++)
        if (s->groups[g].group) group_node_dead(s->groups[g].group, node, now);
    turn_soon(s);
}

static void on_frame(void *self, uint8_t node, uint8_t type, struct blob *blob, uint32_t offset, uint32_t size)
{
    struct shard *s = self;
    if (s->phase >= SHARD_CLOSING) return;
    if (type == LINK_FRAME_MAIL) {
        broker_frame(s->broker, node, blob, offset, size);
        return;
    }
    if (type == LINK_FRAME_QUESTION || type == LINK_FRAME_ANSWER)
        question_frame(s, node, type, slice_of(blob->data + offset, size));
    if (type == LINK_FRAME_ALARM && size == 1) alarm_set(s, node, blob->data[offset]);
    uint32_t group = UINT32_MAX;
    if (type == LINK_FRAME_GROUP && size >= 5) memcpy(&group, blob->data + offset, 4);
    if (group >= s->settings->placement.group_count || group % s->settings->shard_count != s->id) return;
    struct slice bytes = slice_of(blob->data + offset + 5, size - 5);
    if (!s->groups[group].group && group_message_opens(blob->data[offset + 4], bytes)) replica_open(s, group);
    if (!s->groups[group].group) return;
    group_receive(s->groups[group].group, node, blob->data[offset + 4], blob, offset + 5, size - 5,
                  uv_hrtime() / 1000000);
}

static void on_address(void *self, uint8_t node, const char *address)
{
    struct shard *s = self;
    if (s->id == 0)
        logger_printf(s->settings->logger, LOG_INFO, s->id, "link address_learnt node=%u address=%s", node, address);
}

static void on_links_closed(void *self)
{
    struct shard *s = self;
    s->links_closed = true;
    s->links = NULL; /* it frees itself */
    turn_soon(s);
}

int carrier_open_links(struct shard *s, uint32_t epoch, struct err *err)
{
    const struct node_settings *settings = s->settings;
    if (!settings->cluster_listen) return 0;
    struct link_params params = {
        .loop = &s->loop,
        .node = settings->node,
        .epoch = epoch,
        .shard = s->id,
        .shard_count = settings->shard_count,
        .group_count = settings->placement.group_count,
        .node_name = settings->name,
        .listen_address = settings->cluster_listen,
        .data_id = settings->data_id,
        .level = LEVEL_NOW,
        .joins = settings->join[0] != NULL,
        .secret = settings->secret,
        .secret_size = settings->secret_size,
        .tls_listener = settings->link_listener_tls,
        .tls_dialler = settings->link_dialler_tls,
        .self = s,
        .up = on_up,
        .down = on_down,
        .frame = on_frame,
        .address = on_address,
        .note = carrier_note,
        .closed = on_links_closed,
    };
    int code = link_open(&s->links, &params, err);
    if (code) return code;
    for (unsigned node = 1; node < 64; node++)
        if (node != settings->node && settings->peers[node])
            link_add_peer(s->links, (uint8_t)node, settings->peers[node]);
    for (int i = 0; i < 2; i++)
        if (settings->join[i]) link_join(s->links, settings->join[i]);
    link_set_open(s->links, settings->join[0] != NULL); /* until the members are known */
    return 0;
}
