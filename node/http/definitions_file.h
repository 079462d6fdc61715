/* Files of definitions that the configuration names: one file, or a folder's *.json in the order of their names.
 * Any thread. */
#ifndef WARREN_NODE_HTTP_DEFINITIONS_FILE_H
#define WARREN_NODE_HTTP_DEFINITIONS_FILE_H

#include <jansson.h>

#include "base/err.h"

/* A new object: path -> what the file holds, an object each, in order. NULL: one cannot be read; err has its name and
 * line. */
json_t *definitions_read(const char *path, struct err *err);

#endif
