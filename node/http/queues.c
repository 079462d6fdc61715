/* /api/queues and /api/connections. Counts come from this node's replica; it follows the leader within a heartbeat. */
#include "node/amqp/table.h"
#include "node/http/http_internal.h"

struct query {
    struct slice vhost, name;
    json_t *array;
};

static json_t *node_names(struct shard *s, uint32_t group, bool online_only)
{
    struct group_member members[GROUP_MEMBERS_MAX];
    uint32_t count = placement_members(&shard_settings(s)->placement, group, members);
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        if (!online_only || shard_peer_connected(s, members[i].node))
            json_array_append_new(array, json_string(shard_node_name(s, members[i].node)));
    return array;
}

static json_t *queue_json(struct shard *s, const struct queue_record *record)
{
    struct broker *b = shard_broker(s);
    struct queue_machine *m = broker_queues(b, record->group);
    struct queue_stat stat = {0};
    bool known = m && queue_machine_stat(m, record->id, &stat);
    uint8_t leader = broker_leader(b, record->group);
    struct slice type = slice_str("classic");
    amqp_table_find_string(record->arguments, "x-queue-type", &type);
    json_t *o = json_object();
    json_object_set_new(o, "name", json_slice(record->name));
    json_object_set_new(o, "vhost", json_slice(record->vhost));
    json_object_set_new(o, "type", json_slice(type));
    json_object_set_new(o, "durable", json_boolean(record->durable));
    json_object_set_new(o, "auto_delete", json_boolean(record->auto_delete));
    json_object_set_new(o, "exclusive", json_boolean(record->exclusive));
    json_object_set_new(o, "arguments", json_table(record->arguments));
    json_object_set_new(o, "node", json_string(leader ? shard_node_name(s, leader) : ""));
    json_object_set_new(o, "leader", json_string(leader ? shard_node_name(s, leader) : ""));
    json_object_set_new(o, "leader_id", json_integer(leader));
    json_object_set_new(o, "group", json_integer(record->group));
    json_object_set_new(o, "state", json_string(leader ? "running" : "minority"));
    json_object_set_new(o, "members", node_names(s, record->group, false));
    json_object_set_new(o, "online", node_names(s, record->group, true));
    json_object_set_new(o, "messages", json_integer((json_int_t)(stat.ready + stat.unacked)));
    json_object_set_new(o, "messages_ready", json_integer((json_int_t)stat.ready));
    json_object_set_new(o, "messages_unacknowledged", json_integer((json_int_t)stat.unacked));
    json_object_set_new(o, "message_bytes", json_integer((json_int_t)(stat.ready_bytes + stat.unacked_bytes)));
    json_object_set_new(o, "message_bytes_ready", json_integer((json_int_t)stat.ready_bytes));
    json_object_set_new(o, "message_bytes_unacknowledged", json_integer((json_int_t)stat.unacked_bytes));
    json_object_set_new(o, "consumers", json_integer((json_int_t)stat.consumers));
    json_object_set_new(o, "here", json_boolean(known));
    return o;
}

static bool wanted(const struct query *q, const struct queue_record *record)
{
    return !q->vhost.data || slice_equal(q->vhost, record->vhost);
}

/* Each shard shows the queues of its groups. */
static void list_queues(struct shard *s, void *arg)
{
    struct query *q = arg;
    struct topology *t = broker_topology(shard_broker(s));
    uint16_t count = shard_settings(s)->shard_count;
    const struct queue_record *record;
    if (q->name.data) {
        record = topology_queue(t, q->vhost, q->name);
        if (record && record->group % count == shard_id(s)) json_array_append_new(q->array, queue_json(s, record));
        return;
    }
    for (uint64_t cursor = 0; (record = topology_next_queue(t, &cursor));)
        if (record->group % count == shard_id(s) && wanted(q, record)) json_array_append_new(q->array, queue_json(s, record));
}

void queues_answer(struct http *h, struct slice vhost, struct slice name, struct answer *a)
{
    struct query q = {vhost, name, json_array()};
    each_shard(h, list_queues, &q);
    if (!name.data) {
        answer_json(a, q.array);
    } else if (json_array_size(q.array)) {
        json_t *one = json_incref(json_array_get(q.array, 0));
        json_decref(q.array);
        answer_json(a, one);
    } else {
        json_decref(q.array);
        answer_error(a, 404, "Object Not Found", "Not Found");
    }
}

static void list_connections(struct shard *s, void *arg)
{
    struct shard_connection_info i;
    for (uint64_t cursor = 0; shard_next_connection(s, &cursor, &i);) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(i.session.peer));
        json_object_set_new(o, "user_provided_name", json_slice(i.session.connection_name));
        json_object_set_new(o, "node", json_string(shard_settings(s)->name));
        json_object_set_new(o, "shard", json_integer(shard_id(s)));
        json_object_set_new(o, "vhost", json_slice(i.session.vhost));
        json_object_set_new(o, "user", json_slice(i.session.user));
        json_object_set_new(o, "state", json_string(i.session.open ? "running" : "starting"));
        json_object_set_new(o, "protocol", json_string("AMQP 0-9-1"));
        json_object_set_new(o, "auth_mechanism", json_slice(i.session.mechanism));
        json_object_set_new(o, "channels", json_integer(i.session.channels));
        json_object_set_new(o, "channel_max", json_integer(i.session.channel_max));
        json_object_set_new(o, "frame_max", json_integer(i.session.frame_max));
        json_object_set_new(o, "timeout", json_integer(i.session.heartbeat_s));
        json_object_set_new(o, "connected_at", json_integer((json_int_t)i.connected_at_ms));
        json_object_set_new(o, "recv_oct", json_integer((json_int_t)i.bytes_in));
        json_object_set_new(o, "send_oct", json_integer((json_int_t)i.bytes_out));
        json_object_set_new(o, "recv_cnt", json_integer((json_int_t)i.session.received_frames));
        json_object_set_new(o, "send_cnt", json_integer((json_int_t)i.session.sent_frames));
        json_object_set_new(o, "client_properties", json_table(i.session.client_properties));
        json_object_set_new(o, "type", json_string("network"));
        json_array_append_new(arg, o);
    }
}

void connections_answer(struct http *h, struct answer *a)
{
    json_t *array = json_array();
    each_shard(h, list_connections, array);
    answer_json(a, array);
}
