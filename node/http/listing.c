/* What every list can do: ?name and use_regex choose, sort orders, page cuts, columns thin out. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "node/http/http_internal.h"

enum { PAGE_SIZE_DEFAULT = 100, PAGE_SIZE_MAX = 500, SORT_KEYS_MAX = 4, PATTERN_STEPS_MAX = 100000 };

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* --- choosing --- */

static struct pattern *pattern_open(const char *text)
{
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_CASELESS, &error, &offset, NULL);
    if (!code) return NULL;
    struct pattern *p = mem_zalloc(sizeof *p);
    p->code = code;
    p->data = pcre2_match_data_create_from_pattern(code, NULL);
    p->context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(p->context, PATTERN_STEPS_MAX);
    return p;
}

static void pattern_close(struct pattern *p)
{
    if (!p) return;
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    mem_free(p);
}

bool listing_wants(const struct listing *l, struct slice name)
{
    if (!l->name || !*l->name) return true;
    if (l->pattern)
        return pcre2_match(l->pattern->code, (PCRE2_SPTR)(name.data ? name.data : (const uint8_t *)""), name.size, 0, 0,
                           l->pattern->data, l->pattern->context) >= 0;
    size_t size = strlen(l->name);
    for (size_t at = 0; at + size <= name.size; at++)
        if (!strncasecmp((const char *)name.data + at, l->name, size)) return true;
    return false;
}

/* --- opening --- */

static bool read_number(const char *text, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && !*end;
}

static bool read_page(struct listing *l, const char *page, const char *page_size, struct answer *a)
{
    char reason[160];
    l->paged = page != NULL;
    l->page_size = PAGE_SIZE_DEFAULT;
    if (!page) return true;
    bool fine = read_number(page, &l->page) && l->page > 0;
    if (page_size)
        fine = read_number(page_size, &l->page_size) && l->page_size > 0 && l->page_size <= PAGE_SIZE_MAX && fine;
    if (fine) return true;
    snprintf(reason, sizeof reason, "Invalid pagination parameters: page number %.32s, page size %.32s", page,
             page_size ? page_size : "undefined");
    answer_error(a, 400, "invalid_pagination_parameters", reason);
    return false;
}

bool listing_open(struct listing *l, struct request *r, struct answer *a)
{
    *l = (struct listing){.columns = request_query(r, "columns"),
                          .sort = request_query(r, "sort"),
                          .name = request_query(r, "name"),
                          .reverse = request_flag(r, "sort_reverse")};
    if (!read_page(l, request_query(r, "page"), request_query(r, "page_size"), a)) return false;
    if (!l->name || !*l->name || !request_flag(r, "use_regex")) return true;
    l->pattern = pattern_open(l->name);
    if (!l->pattern) answer_error(a, 400, "bad_request", "Pagination parameters are invalid");
    return l->pattern != NULL;
}

bool listing_of_pattern(struct listing *l, struct request *r, struct slice pattern, struct answer *a)
{
    (void)r;
    *l = (struct listing){.name_kept = mem_strndup(pattern.data ? (const char *)pattern.data : "", pattern.size)};
    l->name = l->name_kept;
    if (!pattern.size) return true;
    l->pattern = pattern_open(l->name);
    if (l->pattern) return true;
    answer_bad(a, "the pattern is not a regular expression");
    listing_close(l);
    return false;
}

void listing_close(struct listing *l)
{
    mem_free(l->name_kept);
    l->name_kept = NULL;
    pattern_close(l->pattern);
    l->pattern = NULL;
}

/* --- sorting --- */

struct sortable {
    json_t *item;
    const json_t *keys[SORT_KEYS_MAX]; /* NULL: it has no such member */
    size_t at;                         /* where it was: sorting is stable */
};

/* A member by its dotted path. */
static const json_t *member(const json_t *o, const char *path, size_t size)
{
    while (o && size) {
        const char *dot = memchr(path, '.', size);
        size_t step = dot ? (size_t)(dot - path) : size;
        o = json_object_getn(o, path, step);
        path += step + (dot != NULL);
        size -= step + (dot != NULL);
    }
    return o;
}

static int kind_of(const json_t *v)
{
    return !v || json_is_null(v) ? 0 : json_is_number(v) ? 1 : json_is_boolean(v) ? 2 : json_is_string(v) ? 3 : 4;
}

static int compare_values(const json_t *a, const json_t *b)
{
    int kinds = kind_of(a) - kind_of(b);
    if (kinds) return kinds;
    double x, y;
    switch (kind_of(a)) {
    case 1:
        x = json_number_value(a), y = json_number_value(b);
        return (x > y) - (x < y);
    case 2:
        return json_is_true(a) - json_is_true(b);
    case 3:
        return strcmp(json_string_value(a), json_string_value(b));
    default:
        return 0;
    }
}

static int compare(const void *left, const void *right)
{
    const struct sortable *a = left, *b = right;
    for (unsigned k = 0; k < SORT_KEYS_MAX; k++) {
        int order = compare_values(a->keys[k], b->keys[k]);
        if (order) return order;
    }
    return (a->at > b->at) - (a->at < b->at);
}

static json_t *sorted(json_t *items, const char *order, bool reverse)
{
    size_t count = json_array_size(items);
    struct sortable *all = mem_zalloc((count ? count : 1) * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i].item = json_incref(json_array_get(items, i));
        all[i].at = i;
        const char *at = order;
        for (unsigned k = 0; k < SORT_KEYS_MAX && *at; k++) {
            size_t size = strcspn(at, ",");
            all[i].keys[k] = member(all[i].item, at, size);
            at += size + (at[size] == ',');
        }
    }
    qsort(all, count, sizeof *all, compare);
    json_t *result = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(result, all[reverse ? count - 1 - i : i].item);
    mem_free(all);
    json_decref(items);
    return result;
}

json_t *listing_sort(json_t *items, const char *order)
{
    return sorted(items, order, false);
}

/* --- columns --- */

static json_t *pick(const json_t *value, const char *path, size_t size);

static void pick_into(json_t *to, const json_t *from, const char *path, size_t size)
{
    const char *dot = memchr(path, '.', size);
    size_t step = dot ? (size_t)(dot - path) : size;
    char *name = mem_strndup(path, step);
    const json_t *value = json_object_get(from, name);
    json_t *there = json_object_get(to, name);
    if (value && !dot) json_object_set(to, name, (json_t *)value);
    else if (json_is_object(value) && json_is_object(there)) pick_into(there, value, path + step + 1, size - step - 1);
    else if (value) json_object_set_new(to, name, pick(value, path + step + 1, size - step - 1));
    mem_free(name);
}

static json_t *pick(const json_t *value, const char *path, size_t size)
{
    if (json_is_array(value)) {
        json_t *array = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(array, pick(json_array_get(value, i), path, size));
        return array;
    }
    json_t *o = json_object();
    if (json_is_object(value)) pick_into(o, value, path, size);
    return o;
}

json_t *columns_of(json_t *item, const char *columns)
{
    if (!columns || !*columns) return json_incref(item);
    json_t *o = json_object();
    for (const char *at = columns; *at;) {
        size_t size = strcspn(at, ",");
        if (size) pick_into(o, item, at, size);
        at += size + (at[size] == ',');
    }
    return o;
}

static json_t *thin_out(const struct listing *l, json_t *items, size_t from, size_t count)
{
    json_t *array = json_array();
    for (size_t i = from; i < from + count; i++)
        json_array_append_new(array, columns_of(json_array_get(items, i), l->columns));
    json_decref(items);
    return array;
}

/* --- the answer --- */

bool listing_cut(const struct listing *l, size_t count, size_t *from, size_t *shown, struct answer *a)
{
    *from = 0;
    *shown = count;
    if (!l->paged) return true;
    size_t size = (size_t)l->page_size, pages = (count + size - 1) / size;
    *from = (size_t)(l->page - 1) * size;
    if (l->page > 1 && (size_t)l->page > pages) {
        char reason[160];
        snprintf(reason, sizeof reason, "Page out of range, page: %ld page size: %zu, len: %zu", l->page, size, count);
        answer_error(a, 400, "page_out_of_range", reason);
        return false;
    }
    *shown = count - *from < size ? count - *from : size;
    return true;
}

void listing_answer_cut(struct listing *l, json_t *items, size_t count, size_t total, struct answer *a)
{
    size_t size = (size_t)l->page_size, pages = (count + size - 1) / size;
    items = l->columns ? thin_out(l, items, 0, json_array_size(items)) : items;
    if (l->paged) {
        json_t *o = json_object();
        json_put(o, "filtered_count", json_number(count));
        json_put(o, "item_count", json_number(json_array_size(items)));
        json_put(o, "items", items);
        json_put(o, "page", json_integer(l->page));
        json_put(o, "page_count", json_number(pages ? pages : 1));
        json_put(o, "page_size", json_number(size));
        json_put(o, "total_count", json_number(total));
        items = o;
    }
    answer_json(a, items);
    listing_close(l);
}

static json_t *cut_out(json_t *items, size_t from, size_t shown)
{
    json_t *array = json_array();
    for (size_t i = from; i < from + shown; i++) json_array_append(array, json_array_get(items, i));
    json_decref(items);
    return array;
}

void listing_answer(struct listing *l, json_t *items, size_t total, const char *order, struct answer *a)
{
    const char *wanted = l->sort && *l->sort ? l->sort : order;
    size_t count = json_array_size(items), from, shown;
    if (!listing_cut(l, count, &from, &shown, a)) {
        json_decref(items);
        listing_close(l);
        return;
    }
    if (*wanted || l->reverse) items = sorted(items, wanted, l->reverse);
    if (shown < count) items = cut_out(items, from, shown);
    listing_answer_cut(l, items, count, total, a);
}

json_t *listing_keep(json_t *items, const char *object, const char *member, struct slice text)
{
    for (size_t i = json_array_size(items); i-- > 0 && text.data;) {
        const json_t *o = json_array_get(items, i);
        if (object) o = json_object_get(o, object);
        if (!slice_equal(slice_json(json_object_get(o, member)), text)) json_array_remove(items, i);
    }
    return items;
}

static json_t *keep_wanted(const struct listing *l, json_t *items)
{
    for (size_t i = json_array_size(items); i-- > 0;)
        if (!listing_wants(l, slice_json(json_object_get(json_array_get(items, i), "name"))))
            json_array_remove(items, i);
    return items;
}

static void answer_all(struct request *r, json_t *items, const char *order, bool by_name, struct answer *a)
{
    struct listing listing;
    size_t total = json_array_size(items);
    if (!listing_open(&listing, r, a)) json_decref(items);
    else listing_answer(&listing, by_name ? keep_wanted(&listing, items) : items, total, order, a);
}

void listing_answer_all(struct request *r, json_t *items, const char *order, struct answer *a)
{
    answer_all(r, items, order, false, a);
}

void listing_answer_named(struct request *r, json_t *items, const char *order, struct answer *a)
{
    answer_all(r, items, order, true, a);
}
