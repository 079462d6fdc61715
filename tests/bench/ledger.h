/* Which message of which producer was confirmed and received: one bit each, so that a run of a hundred million messages
 * can be checked for loss and duplicates.
 *
 * Thread: any; bits are set atomically, blocks of bits are added without a lock. */
#ifndef WARREN_TESTS_BENCH_LEDGER_H
#define WARREN_TESTS_BENCH_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BENCH_STAMP_SIZE = 24, LEDGER_BLOCK_BITS = 1 << 20, LEDGER_BLOCKS = 512 };
#define BENCH_SEQUENCE_MAX ((uint64_t)LEDGER_BLOCK_BITS * LEDGER_BLOCKS - 1)

/* The front of every body. `run` tells this run's messages from what an earlier one left in the queue. */
struct bench_stamp {
    uint32_t run;
    uint16_t producer;
    uint16_t attempt;     /* 0, then 1 for each time it was published again */
    uint64_t sequence;    /* 0, 1, 2 ... of the producer */
    uint64_t intended_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct bench_stamp) == BENCH_STAMP_SIZE, "the stamp is written as it lies in memory");

struct ledger;
struct ledger *ledger_create(unsigned producers);
void ledger_destroy(struct ledger *l);
bool ledger_confirm(struct ledger *l, unsigned producer, uint64_t sequence); /* false: it was already */
bool ledger_receive(struct ledger *l, unsigned producer, uint64_t sequence);
bool ledger_confirmed(struct ledger *l, unsigned producer, uint64_t sequence);
/* Confirmed and never received; fills up to `max` examples. */
uint64_t ledger_lost(struct ledger *l, struct bench_stamp *examples, unsigned max);

#endif
