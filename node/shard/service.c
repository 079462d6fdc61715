#include "node/shard/service.h"

#include <stdio.h>
#include <time.h>

#include <systemd/sd-daemon.h>

enum { ALIVE_SHARE = 2 /* told so many times per period of the watchdog */ };

void service_ready(void)
{
    sd_notify(0, "READY=1\nSTATUS=serving");
}

void service_reloading(void)
{
    struct timespec now;
    char text[96];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + (long long)now.tv_nsec / 1000);
    sd_notify(0, text);
}

void service_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=handing leaderships over");
}

unsigned service_alive_ms(void)
{
    uint64_t period_us;
    return sd_watchdog_enabled(0, &period_us) > 0 ? (unsigned)(period_us / 1000 / ALIVE_SHARE) : 0;
}

static void answer(struct shard *s, void *arg)
{
    (void)s;
    (void)arg;
}

void service_alive(struct node *n)
{
    for (uint16_t id = 0; id < node_settings(n)->shard_count; id++) shard_call_any(node_shard(n, id), answer, NULL);
    sd_notify(0, "WATCHDOG=1");
}
