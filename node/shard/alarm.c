/* Alarms: a node that runs short of disk or memory stops publishers of the whole cluster before it comes to losing
 * anything. Consumers go on: they make room. Shard 0 looks once a second and tells its siblings and the other nodes'
 * shard 0. */
#include <stdio.h>
#include <unistd.h>

#include "node/shard/shard_internal.h"
#include "replication/sys/fs.h"

enum { CLEAR_BYTES = 32 << 20 /* so much beyond the limit must be free again: no flicker */ };

static bool disk_is_low(const struct shard *s, bool was_low)
{
    uint64_t free_bytes, limit = node_limit_any(s->node, NODE_LIMIT_DISK);
    if (!limit || !node_limit_any(s->node, NODE_LIMIT_DISK_WATCHED) ||
        fs_posix()->free_bytes(fs_posix(), s->settings->data_dir, &free_bytes, NULL))
        return false;
    return free_bytes < (was_low ? limit + CLEAR_BYTES : limit);
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2) resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool memory_is_low(const struct shard *s, bool was_low)
{
    uint64_t limit = node_limit_any(s->node, NODE_LIMIT_MEMORY);
    uint64_t clear = limit > CLEAR_BYTES ? limit - CLEAR_BYTES : 0;
    return limit && resident_bytes() > (was_low ? clear : limit);
}

static const char *reason_of(const struct shard *s)
{
    uint8_t bits = 0;
    for (unsigned node = 0; node < 64; node++) bits |= s->alarms[node];
    if (!bits) return NULL;
    return bits == (ALARM_DISK | ALARM_MEMORY) ? "low on memory & disk"
           : bits & ALARM_DISK                 ? "low on disk"
                                               : "low on memory";
}

const char *alarm_reason(const struct shard *s)
{
    return s->alarm_reason;
}

/* On every shard. */
static void set_here(struct shard *s, uint8_t node, uint8_t bits)
{
    s->alarms[node & 63] = bits;
    const char *reason = reason_of(s);
    bool same = reason == s->alarm_reason;
    s->alarm_reason = reason;
    if (!same) connections_block(s, reason);
}

void alarm_set(struct shard *s, uint8_t node, uint8_t bits)
{
    if (s->alarms[node & 63] == bits) return;
    set_here(s, node, bits);
    if (s->id != 0) return;
    for (uint16_t to = 1; to < s->settings->shard_count; to++) {
        struct mail *m = mail_create(MAIL_SHARD_ALARM);
        m->a = node;
        m->b = bits;
        carrier_post(s, to, m);
    }
}

static void tell(struct shard *s, uint8_t node)
{
    uint8_t bits = s->alarms[s->settings->node & 63];
    if (s->links && link_up(s->links, node))
        link_send(s->links, node, LINK_FRAME_ALARM, slice_of(&bits, sizeof bits), NULL, 0);
}

void alarm_node_up(struct shard *s, uint8_t node)
{
    if (s->id == 0) tell(s, node);
}

void alarm_node_down(struct shard *s, uint8_t node)
{
    if (s->id == 0) alarm_set(s, node, 0);
}

uint8_t shard_alarms(const struct shard *s, uint8_t node)
{
    return s->alarms[node & 63];
}

void alarm_second(struct shard *s)
{
    if (s->id != 0) return;
    uint8_t own = s->settings->node & 63, before = s->alarms[own];
    uint8_t now = (uint8_t)((disk_is_low(s, before & ALARM_DISK) ? ALARM_DISK : 0) |
                            (memory_is_low(s, before & ALARM_MEMORY) ? ALARM_MEMORY : 0));
    if (now == before) return;
    logger_printf(s->settings->logger, now ? LOG_WARN : LOG_INFO, s->id, "alarm %s disk=%s memory=%s action=\"%s\"",
                  now ? "set" : "cleared", now & ALARM_DISK ? "low" : "fine", now & ALARM_MEMORY ? "low" : "fine",
                  now ? "publishers of the whole cluster wait; free some, or let consumers drain queues"
                      : "publishers go on");
    alarm_set(s, own, now);
    for (uint8_t node = 1; node < 64; node++)
        if (node != own) tell(s, node);
}
