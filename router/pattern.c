#include "router/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"
#include "base/mem.h"

struct pattern {
    pcre2_code *code;
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

struct pattern *pattern_create(struct slice expression, struct err *err)
{
    int code;
    PCRE2_SIZE offset;
    const uint8_t *text = expression.size ? expression.data : (const uint8_t *)"";
    pcre2_code *compiled = pcre2_compile(text, expression.size, 0, &code, &offset, NULL);
    if (!compiled) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        err_set(err, ERR_INVALID, "{\"%s\",%zu}", (const char *)why, (size_t)offset);
        return NULL;
    }
    struct pattern *p = mem_zalloc(sizeof *p);
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* where that is not to be had, it is interpreted */
    p->code = compiled;
    p->found = pcre2_match_data_create(1, NULL);
    p->limits = pcre2_match_context_create(NULL);
    CHECK(p->found && p->limits);
    pcre2_set_match_limit(p->limits, PATTERN_STEPS_MAX);
    return p;
}

void pattern_destroy(struct pattern *p)
{
    if (!p) return;
    pcre2_match_data_free(p->found);
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    mem_free(p);
}

bool pattern_matches(const struct pattern *p, struct slice text)
{
    const uint8_t *subject = text.size ? text.data : (const uint8_t *)"";
    return pcre2_match(p->code, subject, text.size, 0, 0, p->found, p->limits) >= 0;
}
