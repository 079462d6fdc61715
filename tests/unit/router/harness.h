/* What the router's tests share: a topology that is examined before each change and checked after it, field tables from
 * values, and routes as text. */
#ifndef WARREN_TESTS_UNIT_ROUTER_HARNESS_H
#define WARREN_TESTS_UNIT_ROUTER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "router/route.h"
#include "router/topology.h"

enum { HARNESS_GROUPS = 4 };

#define S(text) slice_str(text)
#define BYTES(text) slice_of(text, sizeof(text) - 1)

/* --- field tables --- */

static inline void put_key(struct buf *b, const char *key, char type)
{
    buf_put_u8(b, (uint8_t)strlen(key));
    buf_put_slice(b, slice_str(key));
    buf_put_u8(b, (uint8_t)type);
}

static inline void put_text(struct buf *b, const char *key, const char *value)
{
    put_key(b, key, 'S');
    buf_put_be32(b, (uint32_t)strlen(value));
    buf_put_slice(b, slice_str(value));
}

static inline void put_integer(struct buf *b, const char *key, int64_t value)
{
    put_key(b, key, 'l');
    buf_put_be64(b, (uint64_t)value);
}

static inline void put_bool(struct buf *b, const char *key, bool value)
{
    put_key(b, key, 't');
    buf_put_u8(b, value);
}

static inline void put_item(struct buf *b, const char *text) /* of an array */
{
    buf_put_u8(b, 'S');
    buf_put_be32(b, (uint32_t)strlen(text));
    buf_put_slice(b, slice_str(text));
}

/* --- changes --- */

/* Applies `c` in vhost "/" unless it names one. What examine says must be what apply does, and a refusal changes
 * nothing. */
static inline struct topology_result change(struct topology *t, struct topology_command c)
{
    struct topology_result said, done;
    struct err err;
    if (!c.vhost.data) c.vhost = slice_str("/");
    uint64_t before = topology_digest(t), index = topology_index(t);
    topology_examine(t, &c, &said);
    assert_int_equal(topology_digest(t), before);
    if (said.reply_code) {
        topology_apply(t, index + 1, &c, &done);
        assert_int_equal(topology_digest(t), before);
    }
    topology_apply(t, index + 1, &c, &done);
    assert_int_equal(topology_index(t), said.reply_code ? index : index + 1);
    assert_int_equal(said.reply_code, done.reply_code);
    assert_int_equal(said.created, done.created);
    assert_int_equal(said.renewed, done.renewed);
    assert_string_equal(said.text, done.text);
    if (!topology_check(t, &err)) fail_msg("%s", err.text);
    return done;
}

static inline void accepted(struct topology *t, struct topology_command c)
{
    struct topology_result r = change(t, c);
    if (r.reply_code) fail_msg("refused: %u %s", r.reply_code, r.text);
}

static inline void refused(struct topology *t, struct topology_command c, unsigned code, const char *text)
{
    struct topology_result r = change(t, c);
    assert_string_equal(r.text, text);
    assert_int_equal(r.reply_code, code);
}

static inline struct topology_command exchange_of(const char *name, const char *kind)
{
    return (struct topology_command){
        .type = TOPOLOGY_EXCHANGE_DECLARE, .name = slice_str(name), .kind = slice_str(kind)};
}

static inline struct topology_command queue_of(const char *name)
{
    return (struct topology_command){.type = TOPOLOGY_QUEUE_DECLARE, .name = slice_str(name)};
}

static inline struct topology_command bind_of(const char *source, const char *queue, const char *key)
{
    return (struct topology_command){
        .type = TOPOLOGY_BIND, .source = slice_str(source), .name = slice_str(queue), .routing_key = slice_str(key)};
}

static inline struct topology_command bind_exchange_of(const char *source, const char *destination, const char *key)
{
    struct topology_command c = bind_of(source, destination, key);
    c.to_exchange = true;
    return c;
}

static inline void declare_exchange(struct topology *t, const char *name, const char *kind)
{
    accepted(t, exchange_of(name, kind));
}

static inline uint64_t declare_queue(struct topology *t, const char *name)
{
    struct topology_result r = change(t, queue_of(name));
    assert_int_equal(r.reply_code, 0);
    return r.queue_id;
}

static inline bool has_exchange(struct topology *t, const char *name)
{
    return topology_exchange(t, slice_str("/"), slice_str(name)) != NULL;
}

static inline bool has_queue(struct topology *t, const char *name)
{
    return topology_queue(t, slice_str("/"), slice_str(name)) != NULL;
}

static inline size_t binding_count(struct topology *t)
{
    struct binding b;
    size_t count = 0;
    for (uint64_t cursor = 0; topology_next_binding(t, &cursor, &b);) count++;
    return count;
}

/* --- routes --- */

/* The names of the queues in the order of their ids, with a blank between; "none", or "no exchange". */
static inline void expect_route_with(struct topology *t, const char *exchange, const char *key, struct slice headers,
                                     const char *expected)
{
    struct route route = {0};
    struct buf names = {0};
    bool there = route_message(t, slice_str("/"), slice_str(exchange), slice_str(key), headers, &route);
    uint64_t last = 0;
    for (;;) { /* a route is in the order of groups */
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < route.count; i++)
            if (route.targets[i].queue > last && route.targets[i].queue < next) next = route.targets[i].queue;
        if (next == UINT64_MAX) break;
        struct slice name = topology_queue_by_id(t, next)->name;
        buf_printf(&names, "%s%.*s", names.size ? " " : "", (int)name.size, (const char *)name.data);
        last = next;
    }
    for (size_t i = 1; i < route.count; i++) {
        struct route_target a = route.targets[i - 1], b = route.targets[i];
        assert_true(a.group < b.group || (a.group == b.group && a.queue < b.queue));
    }
    if (!there) buf_put_slice(&names, slice_str("no exchange"));
    else if (!names.size) buf_put_slice(&names, slice_str("none"));
    buf_put_u8(&names, 0);
    assert_string_equal((const char *)names.data, expected);
    buf_close(&names);
    route_close(&route);
}

static inline void expect_route(struct topology *t, const char *exchange, const char *key, const char *expected)
{
    expect_route_with(t, exchange, key, (struct slice){0}, expected);
}

#endif
