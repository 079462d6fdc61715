/* Passwords that were guessed wrong, by address: whoever fails again and again waits longer for each no.
 *
 * Thread: its shard's. Lifetime: guess_create() .. guess_destroy(). Time is given, in milliseconds. */
#ifndef WARREN_NODE_AUTH_GUESS_H
#define WARREN_NODE_AUTH_GUESS_H

#include "base/slice.h"

enum {
    GUESS_FREE = 3,             /* failures of an address that are answered at once */
    GUESS_STEP_MS = 250,        /* each further one takes so much longer ... */
    GUESS_DELAY_MAX_MS = 5000,  /* ... up to this */
    GUESS_MEMORY_MS = 60000,    /* an address is forgotten when it has not failed for so long */
    GUESS_ADDRESSES_MAX = 4096, /* that are remembered; beyond, the one that failed longest ago is forgotten */
};

struct guesses;

struct guesses *guess_create(void);
void guess_destroy(struct guesses *g);
/* A login from the address failed; returns how long the answer shall wait. */
uint32_t guess_failed(struct guesses *g, struct slice address, uint64_t now_ms);
/* One went well: its failures were a person's. */
void guess_right(struct guesses *g, struct slice address);

#endif
