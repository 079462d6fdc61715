/* Names of ports, unique for the life of the cluster: who speaks to a group.
 *
 *     node (8 bits) | epoch of the node (24) | counter (32)
 *
 * node 0 is the system (commands without numbers, each safe to repeat); node 255 is a group as sender (dead letters),
 * with the group in the counter and epoch 0. */
#ifndef WARREN_NODE_QUEUE_PORT_ID_H
#define WARREN_NODE_QUEUE_PORT_ID_H

#include <stdbool.h>
#include <stdint.h>

enum { PORT_NODE_SYSTEM = 0, PORT_NODE_GROUP = 255 };

static inline uint64_t port_id(uint8_t node, uint32_t epoch, uint32_t counter)
{
    return (uint64_t)node << 56 | (uint64_t)(epoch & 0xffffff) << 32 | counter;
}
static inline uint8_t port_id_node(uint64_t id)
{
    return (uint8_t)(id >> 56);
}
static inline uint32_t port_id_epoch(uint64_t id)
{
    return (uint32_t)(id >> 32) & 0xffffff;
}
static inline uint32_t port_id_counter(uint64_t id)
{
    return (uint32_t)id;
}
static inline uint64_t port_id_of_group(uint32_t group)
{
    return port_id(PORT_NODE_GROUP, 0, group);
}

#endif
