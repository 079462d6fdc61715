/* /api/connections */
#include "node/http/http_internal.h"

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

void api_connections_list(struct request *r, struct answer *a)
{
    struct listing listing;
    json_t *array = json_array();
    if (!listing_open(&listing, r, a)) return;
    each_shard(r->http, list_connections, array);
    listing_answer(&listing, array, json_array_size(array), "vhost,name", a);
}
