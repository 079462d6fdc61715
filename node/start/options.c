#include "node/start/options.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: warrend --config FILE|FOLDER [--set KEY=VALUE ...]\n"
    "\n"
    "Runs one node of a Warren cluster: an AMQP 0-9-1 broker whose queues are mirrored by Raft.\n"
    "\n"
    "  --config FILE      configuration, `key = value` a line, # comments; conf.d/*.conf beside it is read after it\n"
    "  --config FOLDER    its *.conf in the order of their names; --config may be repeated\n"
    "                     Without one: RABBITMQ_CONFIG_FILE and RABBITMQ_CONFIG_FILES of the environment\n"
    "  --set KEY=VALUE    one more line, after the file; may be repeated\n"
    "  --check-config     read the configuration, say what is wrong, and leave\n"
    "  --print-keys       every key with its default, range and meaning, as an example file\n"
    "  --reset            moves what is in data_dir aside first, and starts as a new node (which needs a new node.id)\n"
    "  --force-lost-majority TEXT [--groups 3,7]\n"
    "                     when most nodes are lost for good: makes this one, stopped, the only member of all groups "
    "(or of\n"
    "                     these) that it has a replica of. docs/operate.md says what that loses; TEXT must be\n"
    "                     \"confirmed messages may be lost\"\n"
    "  --version, --help\n"
    "\n"
    "A broker on its own, for a first try:\n"
    "  warrend --set data_dir=./data --set listeners.tcp.default=127.0.0.1:5672 --set management.tcp=127.0.0.1:15672\n"
    "A cluster of three on this machine: ha/cluster up\n"
    "\n"
    "SIGTERM stops in order: leaderships are handed over, clients are told (320), everything is synced.\n";

static int usage(const char *word)
{
    fprintf(stderr, "warrend: %s\nTry: warrend --help\n", word);
    return EXIT_USAGE;
}

static int wrong_option(const char *option, bool known)
{
    fprintf(stderr, "warrend: %s: %s\nTry: warrend --help\n", option, known ? "a value must follow" : "no such option");
    return EXIT_USAGE;
}

enum { WORDS_MAX = 256 };

/* What is given by words of the command line, in their order. */
struct words {
    const char *words[WORDS_MAX];
    int count;
};

static bool add_word(struct words *w, const char *word)
{
    if (w->count == WORDS_MAX) return false;
    w->words[w->count++] = word;
    return true;
}

/* The environment, files over it, --set over both. All that is wrong is told at once. */
static int read_config(struct config *c, const struct words *files, const struct words *sets)
{
    struct err err;
    bool found = files->count > 0;
    config_environment(c, NULL);
    for (int i = 0; i < files->count; i++) config_load_path(c, files->words[i], NULL);
    if (!found) config_load_environment_files(c, &found, NULL);
    for (int i = 0; i < sets->count; i++) config_set(c, sets->words[i], NULL);
    if (!found && !sets->count) return usage("give --config FILE, or --set KEY=VALUE");
    if (!c->error_count && config_check(c, &err)) config_keep_error(c, err.text);
    for (size_t i = 0; i < c->warning_count; i++) fprintf(stderr, "warrend: warning: %s\n", c->warnings[i]);
    for (size_t i = 0; i < c->error_count; i++) fprintf(stderr, "warrend: configuration: %s\n", c->errors[i]);
    return c->error_count ? EXIT_CONFIG : -1;
}

int options_read(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"check-config", no_argument, NULL, 'k'}, {"print-keys", no_argument, NULL, 'p'},
        {"reset", no_argument, NULL, 'r'},        {"force-lost-majority", required_argument, NULL, 'f'},
        {"groups", required_argument, NULL, 'g'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct words files = {0}, sets = {0};
    int option;
    config_init(&o->config);
    opterr = 0; /* we say it ourselves */
    while ((option = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            if (!add_word(&files, optarg)) return usage("too many --config");
            break;
        case 's':
            if (!add_word(&sets, optarg)) return usage("too many --set: put them into the file");
            break;
        case 'k':
            o->check_only = true;
            break;
        case 'p':
            config_print_keys(stdout);
            return 0;
        case 'f':
            o->force = optarg;
            break;
        case 'g':
            o->force_groups = optarg;
            break;
        case 'r':
            o->reset = true;
            break;
        case 'v':
            printf("warrend %s\n", WARREN_VERSION);
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return wrong_option(argv[optind - 1], option == ':');
        }
    }
    if (optind < argc) return usage("only options are expected");
    return read_config(&o->config, &files, &sets);
}
