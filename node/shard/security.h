/* Who may knock, and how: the certificates, entrances and proxies of a node, from its configuration.
 *
 * Thread:   the main thread; what it holds is read by all. Lifetime: security_open() before the node ..
 * security_close() after it. The configuration must outlive it. */
#ifndef WARREN_NODE_SHARD_SECURITY_H
#define WARREN_NODE_SHARD_SECURITY_H

#include "config/config.h"
#include "node/net/net.h"
#include "node/shard/node.h"

struct security {
    struct tls_context *clients;                      /* NULL: no listener with TLS */
    struct tls_context *link_listener, *link_dialler; /* NULL: links are plain */
    struct tls_context *https;                        /* NULL: none; reloaded by whoever serves it */
    struct net_range trusted[CONFIG_LIST_MAX];
    struct net_entrance entrances[NODE_LISTENERS_MAX];
    char mechanisms[128];
};

enum { SECURITY_LOOK_S = 3 /* how often changed certificates are looked for */ };

/* Fills the listeners, and of the settings what concerns logins and TLS. Errors name the key. */
int security_open(struct security *security, const struct config *config, struct node_listeners *listeners,
                  struct node_settings *settings, struct err *err);
/* Reads the certificates whose files have changed, or all of them; a broken file keeps the old one and is logged. */
void security_reload(struct security *security, bool all, struct logger *logger);
void security_close(struct security *security);

#endif
