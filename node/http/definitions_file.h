/* Definitions that the configuration names: one file, a folder's *.json in the order of their names, or what a server
 * has. Any thread. */
#ifndef WARREN_NODE_HTTP_DEFINITIONS_FILE_H
#define WARREN_NODE_HTTP_DEFINITIONS_FILE_H

#include <jansson.h>

#include "base/buf.h"
#include "node/http/http.h"

struct http_definitions {
    json_t *files;    /* where it came from -> what it holds, an object each, in order */
    bool skip;        /* definitions.skip_if_unchanged */
    char digest[132]; /* of all of it, in hex */
};

#endif
