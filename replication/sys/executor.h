/* Runs blocking jobs away from the loop, one after the other, and reports on the loop.
 *
 * Thread:   executor_submit() and `done` on the shard's thread, `run` on the executor's own.
 * Lifetime: a job belongs to its submitter; between submit and done only `run` touches it. Jobs of one executor run and
 *           report in the order of submission. The simulator has its own implementation with virtual time. */
#ifndef WARREN_REPLICATION_SYS_EXECUTOR_H
#define WARREN_REPLICATION_SYS_EXECUTOR_H

struct job {
    void (*run)(struct job *);
    void (*done)(struct job *);
    struct job *next; /* the executor's */
};

struct executor {
    void (*submit)(struct executor *, struct job *);
};

static inline void executor_submit(struct executor *e, struct job *j)
{
    e->submit(e, j);
}

/* A thread of its own that wakes `loop` (a uv_loop_t) to report. `name` is for the thread's name. executor_uv_close waits for
 * submitted jobs, reports them, stops the thread and frees after the loop has run its close callbacks. */
struct uv_loop_s;
struct executor *executor_uv_open(struct uv_loop_s *loop, const char *name);
void executor_uv_close(struct executor *e);

#endif
