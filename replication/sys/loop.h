/* What a socket's owner wants from its libuv loop: readiness of a descriptor, a timer, a name looked up. Nobody needs
 * <uv.h> for that.
 *
 * Thread:   the loop's. Lifetime: *_open() .. *_close(); after *_close() no callback comes any more, the memory goes
 * when the loop has run its close callbacks. */
#ifndef WARREN_REPLICATION_SYS_LOOP_H
#define WARREN_REPLICATION_SYS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct uv_loop_s;
struct loop_watch;
struct loop_timer;
struct loop_lookup;

uint64_t loop_now_ms(struct uv_loop_s *loop); /* monotonic; the start of this iteration */

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_ERROR = 4,  /* only reported: SO_ERROR says what */
    LOOP_HANGUP = 8, /* the peer has sent its last byte; there may be some to read before it */
};

/* Watches a non-blocking descriptor, level-triggered. The descriptor stays the caller's. Returns 0 or an errno value.
 */
int loop_watch_open(struct loop_watch **w, struct uv_loop_s *loop, int fd, void (*ready)(void *self, unsigned events),
                    void *self);
/* What to watch for. Cheap to call often: asking for less costs nothing until the kernel reports what is not wanted. */
void loop_watch_want(struct loop_watch *w, unsigned events);
void loop_watch_close(struct loop_watch *w); /* the descriptor may be closed or handed on at once */

struct loop_timer *loop_timer_open(struct uv_loop_s *loop, void (*fired)(void *self), void *self);
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms); /* repeat 0: once */
void loop_timer_stop(struct loop_timer *t);
/* `closed` (may be NULL) is called when the timer's memory is gone: a place to end an asynchronous close. */
void loop_timer_close(struct loop_timer *t, void (*closed)(void *self), void *self);

/* Looks a name up on libuv's thread pool; `found` gets an address or size 0. NULL: could not even start. */
struct loop_lookup *loop_lookup_start(struct uv_loop_s *loop, const char *host, const char *port,
                                      void (*found)(void *self, const struct sockaddr *address, socklen_t size),
                                      void *self);
void loop_lookup_cancel(struct loop_lookup *l); /* not after found() */

#endif
