#include "node/shard/logging.h"

#include <string.h>

#include "config/config.h"

_Static_assert((int)CONFIG_LOG_CATEGORIES == (int)LOG_CATEGORY_COUNT, "each category has its key");

static int level(const char *text)
{
    return *text ? logger_level(text) : LOGGER_LEVEL_INHERIT;
}

static bool json(const char *formatter)
{
    return !strcmp(formatter, "json");
}

int logging_open(struct logger **l, const struct config *c, struct err *err)
{
    const struct config_log *log = &c->log;
    struct logger_settings s;
    logger_settings_init(&s);
    s.node = c->node_name;
    s.level = logger_level(log->level);
    for (int i = 0; i < LOG_CATEGORY_COUNT; i++) s.category_levels[i] = level(log->category_levels[i]);
    s.file = log->file;
    s.file_level = level(log->file_level);
    s.file_json = json(log->file_formatter);
    s.rotation = (struct log_rotation){
        .size = (uint64_t)log->rotation_size, .count = (unsigned)log->rotation_count, .date = log->rotation_date};
    s.console = log->console;
    s.console_stdout = !strcmp(log->console_stdio, "stdout");
    s.console_level = level(log->console_level);
    s.console_json = json(log->console_formatter);
    s.syslog = log->syslog;
    s.syslog_level = level(log->syslog_level);
    s.syslog_settings = (struct syslog_settings){.host = log->syslog_host,
                                                 .port = (int)log->syslog_port,
                                                 .facility = log->syslog_facility,
                                                 .identity = log->syslog_identity,
                                                 .tcp = !strcmp(log->syslog_transport, "tcp"),
                                                 .rfc5424 = !strcmp(log->syslog_protocol, "rfc5424"),
                                                 .json = json(log->syslog_formatter)};
    s.journald = log->journald;
    s.journald_level = level(log->journald_level);
    return logger_open(l, &s, err);
}
