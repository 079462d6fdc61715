/* From the configuration's keys to the settings of a node. Thread: main, before the node is opened. */
#ifndef WARREN_NODE_START_SETTINGS_H
#define WARREN_NODE_START_SETTINGS_H

#include "config/config.h"
#include "node/shard/node.h"

/* Texts are borrowed from the configuration, which must outlive the settings; settings_free() frees the others. */
void settings_fill(struct node_settings *s, const struct config *c);
void settings_free(struct node_settings *s);
void settings_listeners(struct node_listeners *l, const struct config *c); /* all but their addresses */

/* What cannot be seen in one key alone. Each returns 0, or fills err. */
/* The meta group is on every node, and a group has so many members at most. */
int settings_check_members(const struct node_settings *s, struct err *err);
int settings_read_secret(struct node_settings *s, const struct config *c, struct err *err);
int settings_read_defaults(struct node_settings *s, const struct config *c,
                           struct err *err); /* of new vhosts and passwords */

#endif
