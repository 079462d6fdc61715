/* What the world can refuse us: one table of codes, and a sentence for people.
 *
 * Hot paths return a code. Cold paths (start, files, configuration) also fill a struct err, and each caller on the
 * way up puts its own words in front: "open segment 12: no space left on device". */
#ifndef WARREN_BASE_ERR_H
#define WARREN_BASE_ERR_H

enum err_code {
    ERR_OK = 0,
    ERR_IO,         /* the disk or a file said no; the text has errno's words */
    ERR_NO_SPACE,   /* the disk is full */
    ERR_CORRUPT,    /* bytes that were once durable are damaged */
    ERR_FORMAT,     /* bytes do not parse */
    ERR_VERSION,    /* a format version this build does not know */
    ERR_NOT_FOUND,  /* no such thing */
    ERR_EXISTS,     /* it is there already */
    ERR_NOT_LEADER, /* this replica does not lead; nothing was kept */
    ERR_BUSY,       /* a named bound is reached; come back next turn */
    ERR_REFUSED,    /* a peer or a rule refused */
    ERR_INVALID,    /* a value out of its range */
    ERR_CLOSED,     /* the other side is gone */
};

#define ERR_TEXT_SIZE 384

struct err {
    enum err_code code;
    char text[ERR_TEXT_SIZE];
};

const char *err_name(enum err_code code);

/* Sets code and text; returns the code, so that `return err_set(e, ERR_IO, "...")` reads well. `e` may be NULL. */
enum err_code err_set(struct err *e, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same from an errno value: its words are appended, ENOSPC becomes ERR_NO_SPACE, ENOENT ERR_NOT_FOUND, others
 * ERR_IO. */
enum err_code err_set_errno(struct err *e, int error_number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "words: " before the text that is there; returns the code that is there. */
enum err_code err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
