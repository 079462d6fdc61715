/* A thread with a libuv loop of its own, for services beside the shards.
 *
 * Thread:   the owner's, except where it says otherwise. Lifetime: loop_thread_open() .. loop_thread_start() ..
 *           loop_thread_close(). What lives on the loop is opened by a call (or before start), and closed by a call
 * before loop_thread_close(), which waits until the loop has run the last close callback. */
#ifndef WARREN_REPLICATION_SYS_LOOP_THREAD_H
#define WARREN_REPLICATION_SYS_LOOP_THREAD_H

struct uv_loop_s;
struct loop_thread;

struct loop_thread *loop_thread_open(void);
struct uv_loop_s *loop_thread_loop(struct loop_thread *t);
void loop_thread_start(struct loop_thread *t, const char *name); /* name: at most 15 bytes */
/* Runs `run` on the thread and waits for it. From any other thread. */
void loop_thread_call(struct loop_thread *t, void (*run)(void *arg), void *arg);
void loop_thread_close(struct loop_thread *t);

#endif
