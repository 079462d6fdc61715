/* warren-sim: runs seeds of the simulated cluster. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim.h"

static const char help[] = "usage: warren-sim [OPTIONS]\n\n"
                           "Runs whole clusters in one thread with simulated time, disk and network, breaks things, "
                           "and checks every promise.\n\n"
                           "  --seeds A-B      seeds to run (default 1-20); the same seed repeats a run exactly\n"
                           "  --forever        goes on after B until something fails\n"
                           "  --run MS         of faults (default 12000), then everything heals\n"
                           "  --settle MS      patience afterwards (default 40000)\n"
                           "  --calm           no faults\n"
                           "  --membership     five nodes; replicas come and go, too\n"
                           "  --replicas       five nodes; queues want different numbers of replicas, operators order\n"
                           "  --features       queues of all kinds, and policies that change\n"
                           "  --trap NAME      instead of faults by chance what leads to one of the Raft library's\n"
                           "                   faults: lost-answers, old-disk, old-term\n"
                           "  --bug NAME       breaks the product on purpose; then it is a failure when no seed finds "
                           "it: confirm-before-sync, skip-sync, drop-acks,\n"
                           "                   stale-completion, send-before-vote, repair-1 .. repair-10;\n"
                           "                   with --features: ignore-KIND for dedup, delayed, priority, single,\n"
                           "                   rejected, retry, timeout (priority and timeout: with --calm)\n"
                           "  -v               tells everything that happens\n\n"
                           "Exit code: 0 all promises kept (or the planted bug was found), 1 not, 2 usage.\n";

static int usage(const char *word)
{
    fprintf(stderr, "warren-sim: %s\nTry: warren-sim --help\n", word);
    return 2;
}

static bool plant(struct sim_bugs *bugs, const char *name)
{
    if (!strcmp(name, "confirm-before-sync")) return bugs->confirm_before_sync = true;
    if (!strcmp(name, "skip-sync")) return bugs->skip_sync = true;
    if (!strcmp(name, "drop-acks")) return bugs->drop_acks = true;
    if (!strcmp(name, "stale-completion")) return bugs->stale_completion = true;
    if (!strcmp(name, "send-before-vote")) return bugs->send_before_vote = true;
    if (!strncmp(name, "ignore-", 7) && kind_of_word(name + 7) > KIND_PLAIN)
        return (bugs->ignored_kind = (unsigned)kind_of_word(name + 7)) > 0;
    if (sscanf(name, "repair-%u", &bugs->repair_off) == 1) return bugs->repair_off >= 1 && bugs->repair_off <= 10;
    return false;
}

struct course {
    struct sim_options options;
    uint64_t first, last;
    bool forever;
    const char *bug;
};

/* A process of its own for each seed: a broken product may also die of a failed check, and that counts as found. */
static bool run_apart(const struct sim_options *options, char *why, size_t why_size)
{
    int ends[2], status;
    if (pipe(ends)) abort();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        bool kept = world_run(options, why, why_size);
        ssize_t written = write(ends[1], why, strlen(why));
        _exit(kept && written >= 0 ? 0 : 1);
    }
    close(ends[1]);
    ssize_t size = read(ends[0], why, why_size - 1);
    close(ends[0]);
    why[size > 0 ? size : 0] = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && size <= 0) snprintf(why, why_size, "the process died of signal %d", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run(const struct course *c)
{
    struct sim_options options = c->options;
    char why[600];
    uint64_t seed = c->first;
    for (; seed <= c->last || c->forever; seed++) {
        options.seed = seed;
        bool kept = c->bug ? run_apart(&options, why, sizeof why) : world_run(&options, why, sizeof why);
        if (c->bug && !kept) {
            printf("seed %llu: %s found: %s\n", (unsigned long long)seed, c->bug, why);
            return 0;
        }
        if (!kept) {
            printf("seed %llu: FAILED: %s\nrepeat it with: warren-sim --seeds %llu-%llu --run %llu%s%s%s%s%s -v\n",
                   (unsigned long long)seed, why, (unsigned long long)seed, (unsigned long long)seed,
                   (unsigned long long)options.run_ms,
                   options.membership ? " --membership"
                   : options.replicas ? " --replicas"
                                      : "",
                   options.features ? " --features" : "", options.calm ? " --calm" : "", options.trap ? " --trap " : "",
                   trap_word(options.trap));
            return 1;
        }
        printf("seed %llu: %s\n", (unsigned long long)seed, why);
        fflush(stdout);
    }
    if (c->bug) printf("%s was not found in %llu seeds\n", c->bug, (unsigned long long)(seed - c->first));
    return c->bug ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"seeds", required_argument, NULL, 's'}, {"forever", no_argument, NULL, 'f'},
        {"run", required_argument, NULL, 'r'},   {"settle", required_argument, NULL, 't'},
        {"calm", no_argument, NULL, 'c'},        {"bug", required_argument, NULL, 'b'},
        {"membership", no_argument, NULL, 'm'},  {"features", no_argument, NULL, 'F'},
        {"replicas", no_argument, NULL, 'R'},    {"help", no_argument, NULL, 'h'},
        {"trap", required_argument, NULL, 'T'},  {0}};
    struct course c = {.options = {.run_ms = 12000, .settle_ms = 40000}, .first = 1, .last = 20};
    unsigned long long first, last;
    int option;
    while ((option = getopt_long(argc, argv, "vh", names, NULL)) != -1) {
        switch (option) {
        case 's':
            if (sscanf(optarg, "%llu-%llu", &first, &last) != 2 || !first || last < first)
                return usage("--seeds wants A-B");
            c.first = first;
            c.last = last;
            break;
        case 'f':
            c.forever = true;
            break;
        case 'r':
            c.options.run_ms = strtoull(optarg, NULL, 10);
            break;
        case 't':
            c.options.settle_ms = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            c.options.calm = true;
            break;
        case 'm':
            c.options.membership = true;
            break;
        case 'R':
            c.options.replicas = true;
            break;
        case 'F':
            c.options.features = true;
            break;
        case 'T':
            c.options.trap = (enum sim_trap)trap_of_word(optarg);
            if (!c.options.trap) return usage("there is no such trap");
            break;
        case 'b':
            c.bug = optarg;
            if (!plant(&c.options.bugs, optarg)) return usage("there is no such bug");
            break;
        case 'v':
            c.options.verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return usage("an option is not known");
        }
    }
    group_library_init();
    return run(&c);
}
