#include "tests/bench/ledger.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/mem.h"

enum { CONFIRMED, RECEIVED, KINDS, WORD_BITS = 64, BLOCK_WORDS = LEDGER_BLOCK_BITS / WORD_BITS };

typedef _Atomic uint64_t word;
struct bits {
    _Atomic(word *) blocks[LEDGER_BLOCKS];
};

struct ledger {
    unsigned producers;
    struct bits *bits; /* [producer * KINDS + kind] */
};

struct ledger *ledger_create(unsigned producers)
{
    struct ledger *l = mem_zalloc(sizeof *l);
    l->producers = producers;
    l->bits = mem_zalloc((size_t)(producers ? producers : 1) * KINDS * sizeof *l->bits);
    return l;
}

void ledger_destroy(struct ledger *l)
{
    for (size_t i = 0; i < (size_t)l->producers * KINDS; i++)
        for (unsigned block = 0; block < LEDGER_BLOCKS; block++) mem_free(atomic_load(&l->bits[i].blocks[block]));
    mem_free(l->bits);
    mem_free(l);
}

static word *block_of(struct ledger *l, unsigned kind, unsigned producer, uint64_t sequence, bool create)
{
    CHECK(producer < l->producers);
    CHECK(sequence <= BENCH_SEQUENCE_MAX);
    _Atomic(word *) *at = &l->bits[producer * KINDS + kind].blocks[sequence / LEDGER_BLOCK_BITS];
    word *block = atomic_load_explicit(at, memory_order_acquire);
    if (block || !create) return block;
    word *fresh = mem_zalloc(BLOCK_WORDS * sizeof *fresh);
    if (atomic_compare_exchange_strong(at, &block, fresh)) return fresh;
    mem_free(fresh); /* another thread was first */
    return block;
}

static bool set(struct ledger *l, unsigned kind, unsigned producer, uint64_t sequence)
{
    uint64_t bit = sequence % LEDGER_BLOCK_BITS, mask = 1ull << bit % WORD_BITS;
    word *w = &block_of(l, kind, producer, sequence, true)[bit / WORD_BITS];
    return !(atomic_fetch_or_explicit(w, mask, memory_order_relaxed) & mask);
}

bool ledger_confirm(struct ledger *l, unsigned producer, uint64_t sequence)
{
    return set(l, CONFIRMED, producer, sequence);
}

bool ledger_receive(struct ledger *l, unsigned producer, uint64_t sequence)
{
    return set(l, RECEIVED, producer, sequence);
}

bool ledger_confirmed(struct ledger *l, unsigned producer, uint64_t sequence)
{
    uint64_t bit = sequence % LEDGER_BLOCK_BITS;
    word *block = block_of(l, CONFIRMED, producer, sequence, false);
    return block && atomic_load(&block[bit / WORD_BITS]) >> bit % WORD_BITS & 1;
}

static uint64_t lost_of_block(const word *confirmed, const word *received, struct bench_stamp first,
                              struct bench_stamp *examples, unsigned max)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        uint64_t missing = atomic_load_explicit(&confirmed[i], memory_order_relaxed);
        if (received) missing &= ~atomic_load_explicit(&received[i], memory_order_relaxed);
        for (; missing; missing &= missing - 1, lost++) {
            if (lost >= max) continue;
            examples[lost] = first;
            examples[lost].sequence += (uint64_t)i * WORD_BITS + (unsigned)__builtin_ctzll(missing);
        }
    }
    return lost;
}

uint64_t ledger_lost(struct ledger *l, struct bench_stamp *examples, unsigned max)
{
    uint64_t lost = 0;
    for (unsigned producer = 0; producer < l->producers; producer++)
        for (uint64_t block = 0; block < LEDGER_BLOCKS; block++) {
            uint64_t sequence = block * LEDGER_BLOCK_BITS;
            struct bench_stamp first = {.producer = (uint16_t)producer, .sequence = sequence};
            const word *confirmed = block_of(l, CONFIRMED, producer, sequence, false);
            const word *received = block_of(l, RECEIVED, producer, sequence, false);
            unsigned used = lost < max ? (unsigned)lost : max;
            if (confirmed) lost += lost_of_block(confirmed, received, first, examples + used, max - used);
        }
    return lost;
}
