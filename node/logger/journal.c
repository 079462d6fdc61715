#include "node/logger/journal.h"

#define SD_JOURNAL_SUPPRESS_LOCATION /* this file's name would be in each line */
#include <systemd/sd-journal.h>

void journal_send(const char *identity, const struct log_line *line)
{
    static const int severities[] = {3, 4, 6, 7};
    sd_journal_send("MESSAGE=%s", line->text, "PRIORITY=%d", severities[line->level > 3 ? 3 : line->level],
                    "SYSLOG_IDENTIFIER=%s", identity, "WARREN_CATEGORY=%s", line_category_name(line->category),
                    "WARREN_NODE=%s", line->node, "WARREN_SHARD=%d", line->shard, NULL);
}
