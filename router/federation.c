#include "router/federation.h"

#include "base/field_table.h"
#include "router/topology_internal.h"

bool federation_check_exchange(struct slice arguments, struct topology_result *r)
{
    struct table_value hops;
    if (!table_find(arguments, slice_str("x-max-hops"), &hops)) {
        refuse(r, 406, "PRECONDITION_FAILED - Argument x-max-hops missing");
        return false;
    }
    if (table_value_is_integer(&hops)) return true;
    refuse(r, 406, "PRECONDITION_FAILED - Argument x-max-hops must be of type long");
    return false;
}

static struct slice text_of(struct slice table, const char *key)
{
    struct table_value value;
    bool found = table_find(table, slice_str(key), &value) && value.type == 'S';
    return found ? value.bytes : (struct slice){NULL, 0};
}

bool federation_may_travel(struct slice headers, int64_t hops_max, struct slice cluster, struct slice vhost)
{
    struct table_value been, stop;
    int64_t hops = 0;
    if (!table_find(headers, slice_str("x-received-from"), &been) || been.type != 'A') return true;
    for (struct reader r = reader_of(been.bytes); table_item(&r, &stop); hops++) {
        if (stop.type != 'F' || !cluster.size) continue;
        if (slice_equal(text_of(stop.bytes, "cluster-name"), cluster) &&
            slice_equal(text_of(stop.bytes, "vhost"), vhost))
            return false;
    }
    return hops < hops_max;
}

bool federation_forwards(struct slice arguments, struct slice headers)
{
    struct table_value hops;
    if (!table_find(arguments, slice_str("x-max-hops"), &hops)) return true;
    return federation_may_travel(headers, hops.integer, text_of(arguments, "x-downstream-name"),
                                 text_of(arguments, "x-downstream-vhost"));
}
