/* The command line of warrend: what to do, and the configuration that it names. */
#ifndef WARREN_NODE_START_OPTIONS_H
#define WARREN_NODE_START_OPTIONS_H

#include "config/config.h"

enum { EXIT_USAGE = 64, EXIT_SOFTWARE = 70, EXIT_CONFIG = 78 }; /* sysexits.h */

struct options {
    bool check_only, reset;
    const char *force, *force_groups;
    struct config config;
};

/* Returns -1 to go on, else the exit code: all was said, or what is wrong is told on standard error. */
int options_read(int argc, char **argv, struct options *o);

#endif
