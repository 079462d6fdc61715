/* Checks of our own assumptions, on in every build.
 *
 * CHECK(x) is for what can only be false when Warren itself is wrong: arguments at doors, state after moves, both
 * sides of a boundary. It stops the process with one line; the other nodes carry on. Never CHECK what a client, a
 * peer, a file or a logged command says: every replica would stop at the same entry. */
#ifndef WARREN_BASE_CHECK_H
#define WARREN_BASE_CHECK_H

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
