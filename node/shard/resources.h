/* What this machine has: the kernel's word, and the control group's if it is less. Any thread. */
#ifndef WARREN_NODE_SHARD_RESOURCES_H
#define WARREN_NODE_SHARD_RESOURCES_H

#include <stdint.h>

struct config;

uint64_t resources_memory(void);                         /* bytes */
uint64_t resources_memory_total(const struct config *c); /* the same, or what the configuration says instead */
uint64_t resources_memory_limit(const struct config *c); /* where the alarm begins; 0: never */
uint64_t resources_disk_limit(const struct config *c);

#endif
