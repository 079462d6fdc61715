#include "tests/bench/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/mem.h"

void report_start(struct report *r, struct run *run, struct worker *workers, struct actor **producers)
{
    *r = (struct report){.run = run, .workers = workers, .producers = producers};
    r->started_ns = r->before_ns = bench_now_ns();
}

void report_close(struct report *r)
{
    mem_free(r->intervals);
}

void report_stats(const struct report *r, struct stats *stats)
{
    uint64_t sums[STATS_COUNT] = {0};
    for (unsigned i = 0; i < r->run->options->threads; i++) {
        const uint64_t *from = (const uint64_t *)&r->workers[i].stats;
        for (unsigned n = 0; n < STATS_COUNT; n++) sums[n] += __atomic_load_n(&from[n], __ATOMIC_RELAXED);
    }
    memcpy(stats, sums, sizeof sums);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

void report_interval(struct report *r)
{
    struct stats now;
    struct histogram *confirms = mem_zalloc(sizeof *confirms), *change = mem_alloc(sizeof *change);
    uint64_t now_ns = bench_now_ns();
    double seconds = (double)(now_ns - r->before_ns) / 1e9;
    report_stats(r, &now);
    for (unsigned i = 0; i < r->run->options->threads; i++) histogram_merge(confirms, &r->workers[i].confirm_latency);
    *change = *confirms;
    histogram_subtract(change, &r->confirm_before);
    r->intervals = mem_grow(r->intervals, &r->capacity, r->count + 1, sizeof *r->intervals);
    struct report_interval *n = &r->intervals[r->count++];
    *n = (struct report_interval){
        .at_s = (double)(now_ns - r->started_ns) / 1e9,
        .sent = now.sent - r->before.sent,
        .confirmed = now.confirmed - r->before.confirmed,
        .received = now.received - r->before.received,
        .confirm_p50_ns = histogram_percentile(change, 50),
        .confirm_p99_ns = histogram_percentile(change, 99),
    };
    if (!r->run->options->quiet)
        printf("%s: %6.1f s  sent %8.0f/s  confirmed %8.0f/s  received %8.0f/s  confirm p50 %.2f p99 %.2f ms\n",
               r->run->options->id, n->at_s, (double)n->sent / seconds, (double)n->confirmed / seconds,
               (double)n->received / seconds, ms(n->confirm_p50_ns), ms(n->confirm_p99_ns));
    fflush(stdout);
    r->before = now;
    r->before_ns = now_ns;
    r->confirm_before = *confirms;
    mem_free(confirms);
    mem_free(change);
}

static const double percents[] = {50, 75, 95, 99, 99.9, 100};
static const char *const percent_names[] = {"p50", "p75", "p95", "p99", "p999", "max"};
enum { PERCENTS = sizeof percents / sizeof *percents };

static void print_latency(const char *name, const struct histogram *h)
{
    if (!histogram_count(h)) return;
    printf("  %-18s", name);
    for (unsigned i = 0; i < PERCENTS; i++)
        printf(" %s %.2f", percent_names[i], ms(histogram_percentile(h, percents[i])));
    printf(" ms\n");
}

static uint64_t longest_pause(const struct report *r)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < r->run->options->producers; i++) {
        const struct pause *pauses;
        uint64_t ns;
        producer_pauses(r->producers[i], &pauses, &ns);
        if (ns > longest) longest = ns;
    }
    return longest;
}

static double rate(const struct report *r, uint64_t count)
{
    return r->publish_s > 0 ? (double)count / r->publish_s : 0;
}

static void print_summary(const struct report *r)
{
    const struct stats *t = &r->total;
    printf("%s: %.2f s published\n", r->run->options->id, r->publish_s);
    printf("  rates              sent %.0f/s confirmed %.0f/s received %.0f/s\n", rate(r, r->at_stop.sent),
           rate(r, r->at_stop.confirmed), rate(r, r->at_stop.received));
    printf("  messages           sent %" PRIu64 " confirmed %" PRIu64 " nacked %" PRIu64 " returned %" PRIu64
           " received %" PRIu64 " of another run %" PRIu64 "\n",
           t->sent, t->confirmed, t->nacked, t->returned, t->received, t->foreign);
    printf("  faults             lost %" PRIu64 " duplicated %" PRIu64 " reordered %" PRIu64 "\n", r->lost,
           t->duplicated, t->reordered);
    printf("  excused            redelivered %" PRIu64 " of them twice %" PRIu64 ", published again %" PRIu64
           " of them twice %" PRIu64 ", reconnects %" PRIu64 "\n",
           t->redelivered, t->duplicated_redelivered, t->sent_again, t->duplicated_again, t->reconnects);
    print_latency("confirm latency", &r->confirm_latency);
    print_latency("end-to-end latency", &r->end_latency);
    if (t->confirmed) printf("  longest pause of confirms %.1f ms\n", ms(longest_pause(r)));
    for (unsigned i = 0; i < 10 && i < r->lost; i++)
        printf("  lost: producer %u message %" PRIu64 "\n", r->lost_examples[i].producer, r->lost_examples[i].sequence);
}

/* --- JSON --- */

static void json_latency(FILE *f, const char *name, const struct histogram *h)
{
    fprintf(f, "  \"%s\": {\"count\": %" PRIu64, name, histogram_count(h));
    for (unsigned i = 0; i < PERCENTS; i++)
        fprintf(f, ", \"%s\": %.4f", percent_names[i], ms(histogram_percentile(h, percents[i])));
    fprintf(f, "},\n");
}

static void json_pauses(FILE *f, const struct report *r)
{
    const char *comma = "";
    fprintf(f, "  \"pauses\": [");
    for (unsigned i = 0; i < r->run->options->producers; i++) {
        const struct pause *pauses;
        uint64_t longest;
        unsigned count = producer_pauses(r->producers[i], &pauses, &longest);
        for (unsigned n = 0; n < count; n++, comma = ", ")
            fprintf(f, "%s{\"producer\": %u, \"at_s\": %.4f, \"monotonic_s\": %.4f, \"ms\": %.3f}", comma, i,
                    (double)(pauses[n].at_ns - r->started_ns) / 1e9, (double)pauses[n].at_ns / 1e9, ms(pauses[n].ns));
    }
    fprintf(f, "],\n");
}

static void json_intervals(FILE *f, const struct report *r)
{
    fprintf(f, "  \"intervals\": [");
    for (size_t i = 0; i < r->count; i++) {
        const struct report_interval *n = &r->intervals[i];
        fprintf(f,
                "%s{\"at_s\": %.3f, \"sent\": %" PRIu64 ", \"confirmed\": %" PRIu64 ", \"received\": %" PRIu64
                ", \"confirm_p50_ms\": %.4f, \"confirm_p99_ms\": %.4f}",
                i ? ", " : "", n->at_s, n->sent, n->confirmed, n->received, ms(n->confirm_p50_ns),
                ms(n->confirm_p99_ns));
    }
    fprintf(f, "]\n");
}

static void json_counts(FILE *f, const struct report *r)
{
    static const char *const names[STATS_COUNT] = {"sent",
                                                   "sent_again",
                                                   "confirmed",
                                                   "nacked",
                                                   "returned",
                                                   "received",
                                                   "received_once",
                                                   "foreign",
                                                   "duplicated",
                                                   "duplicated_redelivered",
                                                   "duplicated_again",
                                                   "redelivered",
                                                   "reordered",
                                                   "reconnects"};
    const uint64_t *total = (const uint64_t *)&r->total;
    for (unsigned i = 0; i < STATS_COUNT; i++) fprintf(f, "  \"%s\": %" PRIu64 ",\n", names[i], total[i]);
    fprintf(f, "  \"lost\": %" PRIu64 ",\n", r->lost);
}

static void write_json(const struct report *r)
{
    const char *path = r->run->options->json;
    FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    struct rusage usage;
    if (!f) {
        perror(path);
        exit(2);
    }
    getrusage(RUSAGE_SELF, &usage);
    fprintf(f, "{\n  \"seconds\": %.4f,\n", r->publish_s);
    json_counts(f, r);
    fprintf(f, "  \"sent_rate\": %.1f,\n  \"confirmed_rate\": %.1f,\n  \"received_rate\": %.1f,\n",
            rate(r, r->at_stop.sent), rate(r, r->at_stop.confirmed), rate(r, r->at_stop.received));
    fprintf(f, "  \"longest_pause_ms\": %.3f,\n", ms(longest_pause(r)));
    fprintf(f, "  \"cpu_s\": %.4f,\n",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    json_latency(f, "confirm_ms", &r->confirm_latency);
    json_latency(f, "end_to_end_ms", &r->end_latency);
    json_pauses(f, r);
    json_intervals(f, r);
    fprintf(f, "}\n");
    if (f != stdout) fclose(f);
}

bool report_end(struct report *r)
{
    const struct bench_options *o = r->run->options;
    report_stats(r, &r->total);
    for (unsigned i = 0; i < o->threads; i++) {
        histogram_merge(&r->confirm_latency, &r->workers[i].confirm_latency);
        histogram_merge(&r->end_latency, &r->workers[i].end_latency);
    }
    if (o->consumers && o->producers && !o->consumer_messages)
        r->lost = ledger_lost(r->run->ledger, r->lost_examples, 10);
    if (!o->quiet) print_summary(r);
    if (o->json) write_json(r);
    return r->lost == 0 && r->total.duplicated == 0 && r->total.reordered == 0;
}
