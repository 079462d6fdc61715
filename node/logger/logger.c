#include "node/logger/logger.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/logger/journal.h"

enum output { OUTPUT_FILE, OUTPUT_CONSOLE, OUTPUT_SYSLOG, OUTPUT_JOURNALD, OUTPUT_RECENT, OUTPUT_COUNT };

struct recent {
    struct log_line line; /* its text is owned */
    uint64_t number;
};

struct logger {
    pthread_mutex_t lock; /* guards the outputs and the recent lines */
    atomic_int levels[OUTPUT_COUNT][LOG_CATEGORY_COUNT];
    char *node;
    struct log_file *file; /* NULL: none */
    struct syslog *syslog;
    bool file_json, console_json;
    int console_fd;
    struct buf text;
    struct recent recent[LOGGER_RECENT_MAX]; /* a line's place is its number modulo this */
    uint64_t last_number;
};

static const char identity[] = "warren";

void logger_settings_init(struct logger_settings *s)
{
    *s = (struct logger_settings){.node = "",
                                  .level = LOG_INFO,
                                  .rotation = {.date = ""},
                                  .file_level = LOGGER_LEVEL_INHERIT,
                                  .console_level = LOGGER_LEVEL_INHERIT,
                                  .syslog_level = LOGGER_LEVEL_INHERIT,
                                  .journald_level = LOGGER_LEVEL_INHERIT};
    s->syslog_settings =
        (struct syslog_settings){.host = "localhost", .port = 514, .facility = "daemon", .identity = identity};
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++) s->category_levels[c] = LOGGER_LEVEL_INHERIT;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- levels --- */

static void set_levels(struct logger *l, enum output output, bool used, int own, const struct logger_settings *s)
{
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++) {
        int category = s->category_levels[c];
        int level = own == LOGGER_LEVEL_INHERIT ? s->level : own;
        if (category != LOGGER_LEVEL_INHERIT && (own == LOGGER_LEVEL_INHERIT || category < own)) level = category;
        atomic_init(&l->levels[output][c], used ? level : LOGGER_LEVEL_INHERIT);
    }
}

void logger_set_level(struct logger *l, int category, int level)
{
    for (int o = 0; o < OUTPUT_COUNT; o++)
        for (int c = 0; c < LOG_CATEGORY_COUNT; c++)
            if ((category < 0 || category == c) && atomic_load(&l->levels[o][c]) != LOGGER_LEVEL_INHERIT)
                atomic_store(&l->levels[o][c], level);
}

int logger_get_level(const struct logger *l, enum log_category category)
{
    int most = LOG_NONE;
    for (int o = 0; o < OUTPUT_COUNT; o++) {
        int level = atomic_load_explicit(&((struct logger *)l)->levels[o][category], memory_order_relaxed);
        if (level > most) most = level;
    }
    return most;
}

int logger_level(const char *name)
{
    static const struct {
        const char *name;
        int level;
    } names[] = {{"error", LOG_ERROR},     {"critical", LOG_ERROR}, {"alert", LOG_ERROR},
                 {"emergency", LOG_ERROR}, {"warn", LOG_WARN},      {"warning", LOG_WARN},
                 {"notice", LOG_INFO},     {"info", LOG_INFO},      {"debug", LOG_DEBUG}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcasecmp(name, names[i].name)) return names[i].level;
    return LOG_NONE;
}

/* --- life --- */

int logger_open(struct logger **out, const struct logger_settings *s, struct err *err)
{
    struct logger *l = mem_zalloc(sizeof *l);
    bool file = s->file && *s->file, console = s->console || !(file || s->syslog || s->journald);
    pthread_mutex_init(&l->lock, NULL);
    l->node = mem_strdup(s->node);
    l->file_json = s->file_json;
    l->console_json = s->console_json;
    l->console_fd = s->console_stdout ? STDOUT_FILENO : STDERR_FILENO;
    set_levels(l, OUTPUT_FILE, file, s->file_level, s);
    set_levels(l, OUTPUT_CONSOLE, console, s->console_level, s);
    set_levels(l, OUTPUT_SYSLOG, s->syslog, s->syslog_level, s);
    set_levels(l, OUTPUT_JOURNALD, s->journald, s->journald_level, s);
    set_levels(l, OUTPUT_RECENT, true, LOGGER_LEVEL_INHERIT, s);
    int code = file ? log_file_open(&l->file, s->file, &s->rotation, now_ms(), err) : 0;
    if (!code && s->syslog) code = syslog_open(&l->syslog, &s->syslog_settings, err);
    if (code) logger_close(l);
    else *out = l;
    return code;
}

void logger_close(struct logger *l)
{
    if (l->file) log_file_close(l->file);
    if (l->syslog) syslog_close(l->syslog);
    for (int i = 0; i < LOGGER_RECENT_MAX; i++) mem_free((void *)l->recent[i].line.text);
    buf_close(&l->text);
    pthread_mutex_destroy(&l->lock);
    mem_free(l->node);
    mem_free(l);
}

static int on_file(struct logger *l, int (*act)(struct log_file *f, uint64_t now_ms, struct err *err), struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int code = l->file ? act(l->file, now_ms(), err) : 0;
    pthread_mutex_unlock(&l->lock);
    return code;
}

int logger_reopen(struct logger *l, struct err *err)
{
    return on_file(l, log_file_reopen, err);
}

int logger_rotate(struct logger *l, struct err *err)
{
    return on_file(l, log_file_rotate, err);
}

void logger_flush(struct logger *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->syslog) syslog_flush(l->syslog);
    pthread_mutex_unlock(&l->lock);
}

const char *logger_file(const struct logger *l)
{
    return l->file ? log_file_path(l->file) : NULL;
}

/* --- lines --- */

static struct slice text_of(struct logger *l, const struct log_line *line, bool json)
{
    buf_clear(&l->text);
    if (json) line_json(line, &l->text);
    else line_plain(line, &l->text);
    buf_put_u8(&l->text, '\n');
    return buf_slice(&l->text);
}

static void keep(struct logger *l, const struct log_line *line)
{
    struct recent *r = &l->recent[++l->last_number % LOGGER_RECENT_MAX];
    mem_free((void *)r->line.text);
    r->line = *line;
    r->line.text = mem_strndup(line->text, strnlen(line->text, LINE_TEXT_MAX));
    r->number = l->last_number;
}

static bool wants(struct logger *l, enum output output, const struct log_line *line)
{
    return line->level <= atomic_load_explicit(&l->levels[output][line->category], memory_order_relaxed);
}

void logger_line(struct logger *l, int level, int shard, const char *text)
{
    struct log_line line = {.level = level, .category = line_category(text), .shard = shard, .node = l->node};
    if (level < 0 || level > logger_get_level(l, line.category)) return;
    line.at_ms = now_ms();
    line.text = text;
    pthread_mutex_lock(&l->lock);
    if (l->file && wants(l, OUTPUT_FILE, &line)) log_file_write(l->file, text_of(l, &line, l->file_json), line.at_ms);
    if (wants(l, OUTPUT_CONSOLE, &line)) {
        struct slice bytes = text_of(l, &line, l->console_json);
        ssize_t written = write(l->console_fd, bytes.data, bytes.size);
        (void)written; /* nobody is left to tell */
    }
    if (l->syslog && wants(l, OUTPUT_SYSLOG, &line)) syslog_send(l->syslog, &line);
    if (wants(l, OUTPUT_JOURNALD, &line)) journal_send(identity, &line);
    if (wants(l, OUTPUT_RECENT, &line)) keep(l, &line);
    pthread_mutex_unlock(&l->lock);
}

void logger_printf(struct logger *l, int level, int shard, const char *format, ...)
{
    char line[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    logger_line(l, level, shard, line);
}

uint64_t logger_recent(struct logger *l, uint64_t after, unsigned max,
                       void (*each)(void *arg, uint64_t number, const struct log_line *line), void *arg)
{
    pthread_mutex_lock(&l->lock);
    uint64_t last = l->last_number, oldest = last > LOGGER_RECENT_MAX ? last - LOGGER_RECENT_MAX + 1 : 1;
    uint64_t from = after + 1 > oldest ? after + 1 : oldest;
    if (from <= last && last - from >= max) from = last - max + 1;
    for (uint64_t number = from; number <= last; number++) {
        const struct recent *r = &l->recent[number % LOGGER_RECENT_MAX];
        each(arg, number, &r->line);
    }
    pthread_mutex_unlock(&l->lock);
    return last;
}
