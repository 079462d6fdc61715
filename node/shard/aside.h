/* A node that begins anew keeps its old data for who wants to look at it. Before threads start, or after they ended. */
#ifndef WARREN_NODE_SHARD_ASIDE_H
#define WARREN_NODE_SHARD_ASIDE_H

#include "base/err.h"

/* Moves what is in the folder to FOLDER.aside-1 (-2 ...); where the folder itself cannot be moved (a volume, a service
 * manager's sandbox), to FOLDER/aside-1. Tells standard error where it is. Nothing there is no error. */
int data_move_aside(const char *folder, struct err *err);

#endif
