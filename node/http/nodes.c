/* /api/nodes */
#include <time.h>
#include <unistd.h>

#include "node/http/http_internal.h"

struct node_list {
    struct http *http;
    json_t *array;
};

static void list_nodes(struct shard *s, void *arg)
{
    struct node_list *list = arg;
    if (shard_id(s) != 0) return;
    const struct node_settings *settings = shard_settings(s);
    for (uint32_t i = 0; i < settings->placement.node_count; i++) {
        uint8_t node = settings->placement.nodes[i];
        json_t *o = json_pack("{s:s, s:i, s:s, s:b, s:[]}", "name", shard_node_name(s, node), "id", node, "type",
                              "disc", "running", shard_peer_connected(s, node), "partitions");
        if (node == settings->node) {
            json_object_set_new(o, "os_pid", json_sprintf("%d", (int)getpid()));
            json_object_set_new(
                o, "uptime",
                json_integer((json_int_t)((uint64_t)time(NULL) * 1000 - node_started_ms(list->http->params.node))));
            json_object_set_new(o, "mem_used", json_integer((json_int_t)process_resident_bytes()));
            json_object_set_new(o, "fd_used", json_integer((json_int_t)process_open_files()));
            json_object_set_new(o, "fd_total", json_integer((json_int_t)process_files_max()));
            json_object_set_new(o, "disk_free", json_integer((json_int_t)disk_free_bytes(settings->data_dir)));
            json_object_set_new(o, "processors", json_integer(settings->shard_count));
            json_object_set_new(o, "disk_free_limit", json_integer((json_int_t)settings->disk_free_limit));
            json_object_set_new(o, "mem_limit", json_integer((json_int_t)settings->memory_limit));
        }
        json_object_set_new(o, "mem_alarm", json_boolean(shard_alarms(s, node) & ALARM_MEMORY));
        json_object_set_new(o, "disk_free_alarm", json_boolean(shard_alarms(s, node) & ALARM_DISK));
        json_array_append_new(list->array, o);
    }
}

void api_nodes_list(struct request *r, struct answer *a)
{
    struct node_list list = {r->http, json_array()};
    struct listing listing;
    if (!listing_open(&listing, r, a)) return;
    each_shard(r->http, list_nodes, &list);
    listing_answer(&listing, list.array, json_array_size(list.array), "name", a);
}

void api_node_get(struct request *r, struct answer *a)
{
    struct node_list list = {r->http, json_array()};
    json_t *found = NULL;
    each_shard(r->http, list_nodes, &list);
    for (size_t i = 0; i < json_array_size(list.array) && !found; i++) {
        json_t *node = json_array_get(list.array, i);
        if (slice_equal(slice_json(json_object_get(node, "name")), r->captures[0])) found = node;
    }
    if (found) answer_json(a, columns_of(found, request_query(r, "columns")));
    else answer_not_found(a);
    json_decref(list.array);
}
