/* Runs a fuzzer without libFuzzer: every file of a corpus, then seeded mutations of them.
 *
 *     fuzz_<name> [--runs N] [--seed S] [--only I] [--dump FILE] [file or folder ...]
 *
 * Mutation I depends on the seed, I and the corpus alone. When the fuzzer dies the line that repeats it is printed;
 * --only runs that mutation alone, --dump also writes its bytes, ready to become a corpus file or a unit test. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"

enum { INPUT_MAX = 64 << 10 /* bytes */, MUTATIONS_MAX = 8 /* of one input */, PATH_SIZE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__ubsan_default_options(void);

struct corpus {
    struct buf *items;
    size_t count;
    size_t capacity;
};

/* What a dying fuzzer prints. It must be reachable from a signal handler, so it cannot be passed down. */
static char repeat_line[PATH_SIZE];

/* Asked for by the sanitizer, whose own end would say nothing of how to repeat it. */
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void say_how_to_repeat(void)
{
    if (write(STDERR_FILENO, repeat_line, strlen(repeat_line)) < 0) return;
}

static void on_signal(int number)
{
    say_how_to_repeat();
    signal(number, SIG_DFL);
    raise(number);
}

static void load_file(struct corpus *corpus, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return;
    if (corpus->count == corpus->capacity)
        corpus->items = mem_grow(corpus->items, &corpus->capacity, corpus->count + 1, sizeof *corpus->items);
    struct buf *item = &corpus->items[corpus->count++];
    buf_init(item);
    item->size = fread(buf_reserve(item, INPUT_MAX), 1, INPUT_MAX, f);
    fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(struct corpus *corpus, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return; /* a fuzzer without a corpus starts from nothing */
    if (!S_ISDIR(status.st_mode)) {
        load_file(corpus, path);
        return;
    }
    struct dirent **names;
    int count = scandir(path, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char file[PATH_SIZE];
        if (names[i]->d_name[0] != '.' && snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name) < PATH_SIZE)
            load_file(corpus, file);
        free(names[i]);
    }
    if (count >= 0) free(names);
}

static void insert_bytes(struct buf *b, size_t at, const uint8_t *bytes, size_t size)
{
    if (b->size + size > INPUT_MAX) return;
    buf_reserve(b, size);
    memmove(b->data + at + size, b->data + at, b->size - at);
    memcpy(b->data + at, bytes, size);
    b->size += size;
}

static void mutate_once(struct buf *b, const struct corpus *corpus, struct random *r)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xce, 0xfe, 0xff};
    size_t at = b->size ? random_below(r, b->size) : 0;
    size_t run = b->size > at ? 1 + random_below(r, b->size - at < 64 ? b->size - at : 64) : 0;
    uint8_t bytes[64];
    switch (random_below(r, 8)) {
    case 0: /* flip a bit */
        if (b->size) b->data[at] ^= (uint8_t)(1u << random_below(r, 8));
        break;
    case 1: /* a byte at the edge */
        if (b->size) b->data[at] = edges[random_below(r, sizeof edges)];
        break;
    case 2: /* any byte */
        if (b->size) b->data[at] = (uint8_t)random_u64(r);
        break;
    case 3: /* one more or one less: lengths */
        if (b->size) b->data[at] = (uint8_t)(b->data[at] + (random_below(r, 2) ? 1 : -1));
        break;
    case 4: /* cut out */
        if (!run) break;
        memmove(b->data + at, b->data + at + run, b->size - at - run);
        b->size -= run;
        break;
    case 5: /* repeat */
        if (!run) break;
        memcpy(bytes, b->data + at, run);
        insert_bytes(b, at, bytes, run);
        break;
    case 6: /* insert noise */
        run = 1 + random_below(r, 8);
        for (size_t i = 0; i < run; i++) bytes[i] = (uint8_t)random_u64(r);
        insert_bytes(b, at, bytes, run);
        break;
    default: /* the rest of another input */
        if (corpus->count) {
            const struct buf *other = &corpus->items[random_below(r, corpus->count)];
            size_t from = other->size ? random_below(r, other->size) : 0;
            b->size = at;
            if (b->size + other->size - from <= INPUT_MAX) buf_put(b, other->data + from, other->size - from);
        }
        break;
    }
}

static void mutate(struct buf *b, const struct corpus *corpus, uint64_t seed, uint64_t number)
{
    struct random r = {seed};
    r.state = random_u64(&r) + number * UINT64_C(0x9e3779b97f4a7c15);
    buf_clear(b);
    if (corpus->count) buf_put_slice(b, buf_slice(&corpus->items[random_below(&r, corpus->count)]));
    uint64_t count = 1 + random_below(&r, MUTATIONS_MAX);
    for (uint64_t i = 0; i < count; i++) mutate_once(b, corpus, &r);
}

/* A copy of exactly the input's size, so that the address sanitizer sees one byte too far. */
static void run(struct slice input)
{
    uint8_t *exact = mem_alloc(input.size ? input.size : 1);
    if (input.size) memcpy(exact, input.data, input.size);
    LLVMFuzzerTestOneInput(exact, input.size);
    mem_free(exact);
}

int main(int argc, char **argv)
{
    uint64_t runs = 20000, seed = 1, only = UINT64_MAX;
    const char *dump = NULL;
    struct corpus corpus = {0};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "0";
        if (strcmp(argv[i], "--runs") == 0) runs = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--seed") == 0) seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--only") == 0) only = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--dump") == 0) dump = value, i++;
        else load(&corpus, argv[i]);
    }
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(say_how_to_repeat);
    else signal(SIGSEGV, on_signal);
    const char *folder = argc > 1 ? argv[argc - 1] : "";
    for (size_t i = 0; i < corpus.count; i++) {
        snprintf(repeat_line, sizeof repeat_line, "repeat with: %s --runs 0 (corpus file %zu of %s)\n", argv[0], i,
                 folder);
        run(buf_slice(&corpus.items[i]));
    }
    struct buf input = {0};
    for (uint64_t i = only == UINT64_MAX ? 0 : only; i < (only == UINT64_MAX ? runs : only + 1); i++) {
        snprintf(repeat_line, sizeof repeat_line, "repeat with: %s --seed %" PRIu64 " --only %" PRIu64 " %s\n", argv[0],
                 seed, i, folder);
        mutate(&input, &corpus, seed, i);
        if (dump) {
            FILE *f = fopen(dump, "wb");
            if (f) fwrite(input.data, 1, input.size, f), fclose(f);
        }
        run(buf_slice(&input));
    }
    printf("%zu corpus files and %" PRIu64 " mutations (seed %" PRIu64 ")\n", corpus.count, runs, seed);
    for (size_t i = 0; i < corpus.count; i++) buf_close(&corpus.items[i]);
    mem_free(corpus.items);
    buf_close(&input);
    return 0;
}
