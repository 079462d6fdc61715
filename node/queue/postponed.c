/* Messages that an x-delayed-message exchange keeps back, and dead letters that are tried again later. They wait in the
 * group that the exchange's name decides, or that their queue lived in, in a heap by the time at which they are due; then
 * they go the way of dead letters: numbered, published by the leader's shell (node/broker/due.c), and gone when all their
 * targets have them. */
#include "node/queue/machine_internal.h"

static bool before(const struct dead_letter_record *a, const struct dead_letter_record *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->serial < b->serial;
}

static void push(struct queue_machine *m, struct dead_letter_record *d)
{
    m->postponed = mem_grow(m->postponed, &m->postponed_capacity, m->postponed_count + 1, sizeof *m->postponed);
    size_t at = m->postponed_count++;
    for (; at && before(d, m->postponed[(at - 1) / 2]); at = (at - 1) / 2)
        m->postponed[at] = m->postponed[(at - 1) / 2];
    m->postponed[at] = d;
}

static struct dead_letter_record *pop(struct queue_machine *m)
{
    struct dead_letter_record *top = m->postponed[0], *last = m->postponed[--m->postponed_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < m->postponed_count; at = child) {
        if (child + 1 < m->postponed_count && before(m->postponed[child + 1], m->postponed[child])) child++;
        if (!before(m->postponed[child], last)) break;
        m->postponed[at] = m->postponed[child];
    }
    m->postponed[at] = last;
    return top;
}

void postpone(struct queue_machine *m, struct slice vhost, const struct enqueue_store *store,
              const struct stored *content)
{
    struct dead_letter_record *d = mem_zalloc(sizeof *d);
    d->reason = DEAD_DUE;
    d->due_ms = m->now_ms + store->value;
    d->serial = ++m->postponed_serial;
    d->content = *content;
    blob_ref(content->blob);
    dead_letter_name(d, vhost, store->exchange);
    push(m, d);
}

void postpone_again(struct queue_machine *m, struct dead_letter_record *d, uint64_t after_ms)
{
    d->number = 0;
    d->due_ms = m->now_ms + after_ms;
    d->serial = ++m->postponed_serial;
    push(m, d);
}

void postponed_restore(struct queue_machine *m, struct dead_letter_record *d)
{
    push(m, d);
}

uint64_t postponed_time(const struct queue_machine *m)
{
    return m->postponed_count ? m->postponed[0]->due_ms : UINT64_MAX;
}

/* What is left over has its time in the past, and goes in the next turn. */
void postponed_due(struct queue_machine *m, struct effects *effects)
{
    for (size_t budget = POSTPONED_DUE_MAX; budget && postponed_time(m) <= m->now_ms; budget--)
        dead_letter_append(m, pop(m), effects);
}

uint64_t queue_machine_postponed(const struct queue_machine *m)
{
    return m->postponed_count;
}
