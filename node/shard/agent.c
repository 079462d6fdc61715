#include "node/shard/agent.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/members.h"

unsigned agent_weight(unsigned busy_permille)
{
    unsigned weight = 100 - busy_permille * 75 / 1000;
    return (weight + 4) / 5 * 5;
}

static void describe(struct node *n, char line[AGENT_LINE_MAX])
{
    const struct node_settings *settings = node_settings(n);
    struct broker *b = shard_broker(node_shard(n, 0));
    if (node_stopping_any(n)) {
        snprintf(line, AGENT_LINE_MAX, "stopped#shutting down\n");
        return;
    }
    if (!node_serving_any(n)) {
        snprintf(line, AGENT_LINE_MAX, "down#being taken into the cluster\n");
        return;
    }
    if (shard_drains(node_shard(n, 0)) || node_suspended_any(n)) {
        snprintf(line, AGENT_LINE_MAX, "drain\n"); /* HAProxy takes no reason for it */
        return;
    }
    for (uint32_t g = 0; g < settings->placement.group_count; g++)
        if (!broker_group_is_led(b, g) && topology_group_is_usual(broker_topology(b), g)) {
            snprintf(line, AGENT_LINE_MAX, "down#group %u has no known leader\n", g);
            return;
        }
    if (!broker_topology_is_caught_up(b)) { /* it cannot know whether it drains */
        snprintf(line, AGENT_LINE_MAX, "down#it learns what has changed while it was away\n");
        return;
    }
    unsigned busy = 0;
    for (uint16_t i = 0; i < settings->shard_count; i++)
        if (shard_busy_any(node_shard(n, i)) > busy) busy = shard_busy_any(node_shard(n, i));
    snprintf(line, AGENT_LINE_MAX, "up ready %u%%\n", agent_weight(busy));
}

void agent_answer(struct node *n, int fd)
{
    char line[AGENT_LINE_MAX];
    describe(n, line);
    ssize_t sent = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a checker that is gone asks again */
    shutdown(fd, SHUT_WR);
    close(fd);
}
