/* The API on a socket of this machine, for who may write to it: root, and the user that the node runs as. No password
 * is asked, so an administrator can always repair users. Main thread. */
#ifndef WARREN_NODE_HTTP_LOCAL_H
#define WARREN_NODE_HTTP_LOCAL_H

#include <stdbool.h>

#include "base/err.h"

/* A listening socket at the path, which only its owner can connect to. One that a dead process left is replaced, a
 * living one's is not (ERR_EXISTS). */
int local_listen(const char *path, int *fd, struct err *err);
/* Is the process at the other end root's, or of the same user as this one? */
bool local_is_ours(int fd);

#endif
