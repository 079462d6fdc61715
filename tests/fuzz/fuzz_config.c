// room: config
/* A configuration file: parsed, checked, and each of its lines as an assignment. Nothing is written past a text, and
 * every refusal has its words. */
#include "base/check.h"
#include "base/mem.h"
#include "config/keys.h"

static void check_values(const struct config *c)
{
    for (size_t i = 0; i < key_count; i++) {
        const char *place = (const char *)c + keys[i].offset;
        int64_t number;
        double decimal;
        switch (keys[i].type) {
        case KEY_INTEGER:
            memcpy(&number, place, sizeof number);
            CHECK(number >= keys[i].low && number <= keys[i].high);
            break;
        case KEY_LIST:
        case KEY_WORDS:
            for (int at = 0; at <= keys[i].high; at++) CHECK(memchr(place + at * CONFIG_TEXT_MAX, 0, CONFIG_TEXT_MAX));
            break;
        case KEY_PAIRS:
            for (int at = 0; at < CONFIG_PAIRS_MAX; at++) {
                const struct config_pair *pair = (const struct config_pair *)(const void *)place + at;
                CHECK(memchr(pair->name, 0, sizeof pair->name) && memchr(pair->value, 0, sizeof pair->value));
            }
            break;
        case KEY_TEXT:
        case KEY_ADDRESS:
            CHECK(memchr(place, 0, CONFIG_TEXT_MAX));
            break;
        case KEY_DECIMAL:
            memcpy(&decimal, place, sizeof decimal);
            CHECK(decimal >= (double)keys[i].low && decimal <= (double)keys[i].high);
            break;
        case KEY_BOOLEAN:
            break;
        }
    }
    CHECK(c->warning_count <= CONFIG_WARNINGS_MAX && c->error_count <= CONFIG_ERRORS_MAX);
}

static void assign_lines(struct config *c, struct slice text)
{
    char *copy = mem_strndup((const char *)text.data, text.size), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct err err = {0};
        if (config_set(c, line, &err)) CHECK(*err.text);
    }
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = mem_alloc(sizeof *c);
    struct slice text = slice_of(data, size);
    struct err err = {0};
    config_init(c);
    if (config_parse(c, text, "file", &err)) CHECK(!strncmp(err.text, "file", 4));
    if (config_check(c, &err)) CHECK(*err.text);
    check_values(c);
    if (size) assign_lines(c, text);
    check_values(c);
    mem_free(c);
    return 0;
}
