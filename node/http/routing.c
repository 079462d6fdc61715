/* POST /api/exchanges/{vhost}/{name}/route: where a message would go, without one. Not RabbitMQ's. */
#include "node/http/http_internal.h"
#include "router/route.h"

struct question {
    struct slice vhost, exchange, routing_key, headers;
    json_t *answer;
};

static json_t *stores_json(const struct route *route)
{
    json_t *array = json_array();
    for (size_t i = 0; i < route->store_count; i++) {
        json_t *o = json_object();
        json_put(o, "exchange", json_slice(route->stores[i].exchange));
        json_put(o, "kind", json_string(route->stores[i].kind == ROUTE_STORE_DELAY ? "delay" : "history"));
        json_array_append_new(array, o);
    }
    return array;
}

static void ask(struct shard *s, void *arg)
{
    struct question *q = arg;
    struct topology *t = broker_topology(shard_broker(s));
    struct route route = {0};
    json_t *queues = json_array();
    route_message(t, q->vhost, q->exchange, q->routing_key, q->headers, &route);
    for (size_t i = 0; i < route.count; i++) {
        const struct queue_record *record = topology_queue_by_id(t, route.targets[i].queue);
        if (record) json_array_append_new(queues, json_slice(record->name));
    }
    json_put(q->answer, "routed", json_boolean(!route_goes_nowhere(&route)));
    json_put(q->answer, "queues", queues);
    json_put(q->answer, "kept_by", stores_json(&route));
    json_put(q->answer, "by_chance", json_boolean(route.depends_on_chance));
    json_put(q->answer, "by_properties", json_boolean(route.depends_on_properties));
    route_close(&route);
}

/* {"routing_key": "a.b", "headers": {}} */
void api_exchange_route(struct request *r, struct answer *a)
{
    struct buf headers = {0};
    if (exchange_answer(r, a) && body_table(r, "headers", &headers, a)) {
        struct question q = {.vhost = r->captures[0],
                             .exchange = exchange_name_of(r->captures[1]),
                             .routing_key = body_text(r, "routing_key", ""),
                             .headers = buf_slice(&headers),
                             .answer = json_object()};
        shard_call_any(node_shard(r->http->params.node, 0), ask, &q);
        answer_json(a, q.answer);
    }
    buf_close(&headers);
}
