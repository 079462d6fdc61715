// room: router
/* Commands and manifests. The first byte says which: a manifest is restored whole or not at all, and what is restored
 * is encoded to something that is restored alike. Commands (le16 size, bytes) are applied to a topology one after the
 * other, each must answer as it was examined to; then the topology is checked, routed through, and restored from its
 * bytes. */
#include "base/check.h"
#include "base/mem.h"
#include "router/members.h"
#include "router/route.h"
#include "router/topology.h"

enum { GROUPS = 3, SPARE = 2, COMMANDS_MAX = 64 };

static void check_topology(const struct topology *t)
{
    struct err err;
    CHECK(topology_check(t, &err));
}

static bool is_first_group(void *arg, uint32_t group)
{
    (void)arg;
    return group == 1;
}

/* Every exchange, by the keys of its own bindings and one more; `bytes` is whatever a message may carry. */
static void check_routes(struct topology *t, struct slice bytes)
{
    struct route route = {0};
    const struct exchange *x;
    struct binding b;
    for (uint64_t cursor = 0; (x = topology_next_exchange(t, &cursor));)
        CHECK(route_find(t,
                         &(struct route_query){.vhost = x->vhost,
                                               .exchange = x->name,
                                               .routing_key = slice_str("a.b"),
                                               .further = {bytes},
                                               .headers = bytes,
                                               .properties = bytes,
                                               .random = cursor,
                                               .is_local = is_first_group},
                         &route));
    for (uint64_t cursor = 0; topology_next_binding(t, &cursor, &b);) {
        CHECK(route_message(t, b.vhost, b.source, b.routing_key, b.arguments, &route));
        for (size_t i = 0; i < route.count; i++) CHECK(topology_queue_by_id(t, route.targets[i].queue));
        CHECK(route_topic_matches(slice_str("#"), b.routing_key));
        route_topic_matches(b.routing_key, b.routing_key);
    }
    route_close(&route);
}

static void check_restored_alike(const struct topology *t)
{
    struct topology *copy = topology_create_with_spare(GROUPS, SPARE);
    struct buf bytes = {0};
    topology_encode(t, &bytes);
    if (topology_level(t) > LEVEL_NOW) {
        CHECK(topology_restore(copy, buf_slice(&bytes), NULL) == ERR_VERSION); /* the cluster is beyond this program */
    } else {
        CHECK(topology_restore(copy, buf_slice(&bytes), NULL) == 0);
        CHECK(topology_digest(copy) == topology_digest(t));
        check_topology(copy);
    }
    buf_close(&bytes);
    topology_destroy(copy);
}

static void manifest(struct topology *t, struct slice bytes)
{
    uint64_t before = topology_digest(t);
    if (topology_restore(t, bytes, NULL)) CHECK(topology_digest(t) == before);
}

static void commands(struct topology *t, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    for (int i = 0; i < COMMANDS_MAX && reader_left(&r); i++) {
        uint16_t size = reader_le16(&r);
        struct topology_command c;
        struct topology_result said, done;
        if (size > reader_left(&r)) return;
        if (!topology_command_decode(reader_bytes(&r, size), &c)) continue;
        struct buf again = {0};
        topology_command_encode(&again, &c);
        CHECK(topology_command_decode(buf_slice(&again), &c));
        topology_examine(t, &c, &said);
        topology_apply(t, topology_index(t) + 1, &c, &done);
        CHECK(said.reply_code == done.reply_code && said.created == done.created);
        CHECK(!strcmp(said.text, done.text));
        buf_close(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct topology *t = topology_create_with_spare(GROUPS, SPARE);
    struct slice rest = slice_of(data + 1, size - 1);
    if (data[0] & 1) commands(t, rest);
    else manifest(t, rest);
    check_topology(t);
    check_routes(t, rest);
    check_restored_alike(t);
    topology_destroy(t);
    return 0;
}
