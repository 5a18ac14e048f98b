/* cmd_state: brings connections into any TCP state, and keeps them there. */
#include "base/diag.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/number_text.h"
#include "base/parse.h"
#include "base/text.h"
#include "cmd/address_options.h"
#include "cmd/command.h"
#include "cmd/counting.h"
#include "cmd/isolation.h"
#include "cmd/option_rules.h"
#include "cmd/play.h"
#include "cmd/storm_options.h"
#include "control/hosts.h"
#include "model/kept_state.h"
#include "view/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_GIVEN = -2 };
enum { PATIENT_MS = 30000 }; /* retransmissions go on for longer than that with the kernel's usual settings */
enum { MS_PER_S = 1000, STATES_MAX = LIFE_ORDER_COUNT };

/* One of the states that are asked for. */
struct wanted_state {
    struct kept_state kept;
    struct run_settings settings;
    int64_t conns; /* 0: as many as --conns says */
};

struct state_options {
    const char *states;           /* as typed: "close-wait=300,last-ack" */
    struct run_settings settings; /* what all of them share */
    struct hosts hosts;           /* this machine */
    struct isolation isolation;
    struct output_options outputs;
    int side; /* index into side_choices */
    bool dry_run;
    struct wanted_state *wanted; /* STATES_MAX of them */
    int wanted_count;
    bool is_tour; /* all, one after the other */
};

static const char *const side_choices[] = {"usual", "server", "client", NULL};
static const enum side sides[] = {SIDE_COUNT, SIDE_SERVER, SIDE_CLIENT};

#define OPTION(member) offsetof(struct state_options, member)

static const struct option_row rows[] = {
    {.name = "storm", .kind = OPTION_GROUP, .target = OPTION(settings), .group = storm_setting_rows},
    {.name = "side",
     .value = "SIDE",
     .help = "side in that state: server, client or usual",
     .preset = "usual",
     .kind = OPTION_CHOICE,
     .target = OPTION(side),
     .more = "Which side is kept in the state: server, client or usual; \"all\" always takes the usual side. "
             "LISTEN and SYN_RECV exist on the server only, SYN_SENT on the client only.",
     .choices = side_choices},
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    ADDRESS_OPTION(OPTION(settings.address)),
    {.name = "outputs", .kind = OPTION_GROUP, .target = OPTION(outputs), .group = output_rows},
    DRY_RUN_OPTION(OPTION(dry_run)),
    {.name = NULL},
};

static const struct option_words words[] = {
    {.name = "conns", .help = "connections in each state"},
    {.name = "hold", .help = "keep them for this long; forever: until Ctrl-C", .preset = "10s, all 1s"},
    {.name = "settle", .help = "time for the kernel to show them", .preset = "1m"},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "state",
    .help = "tcpstorm state --help",
    .rows = rows,
    .words = words,
    .rules = option_rules,
    .operand = "states",
    .operand_target = OPTION(states),
    .operand_missing =
        "state needs the name of a state: \"tcpstorm state close-wait\", \"tcpstorm state all\"",
};

/* "close-wait"; NULL past the last. */
static const char *state_word_at(size_t i)
{
    return kept_state_at(i) != STATE_GONE ? tcp_state_word(kept_state_at(i)) : NULL;
}

static const char *state_name_at(const void *unused, size_t i)
{
    (void)unused;
    return state_word_at(i);
}

static int refuse_state(const char *name)
{
    const char *meant = nearest_word(name, state_name_at, NULL);
    char all[256] = "";
    for (size_t i = 0; state_word_at(i) != NULL; i++)
        TEXT_ADD(all, "%s%s", i == 0 ? "" : state_word_at(i + 1) != NULL ? ", " : " and ", state_word_at(i));
    if (meant != NULL)
        diag_error("state \"%s\": there is no such TCP state: did you mean %s?", name, meant);
    else
        diag_error(
            "state \"%s\": must be all, or some of %s, each with =N where it is to have its own number", name,
            all);
    return -EINVAL;
}

/* ---- what is wanted ---- */

static int add_state(struct state_options *options, const char *name, int64_t conns)
{
    enum tcp_state state;
    struct wanted_state *wanted = &options->wanted[options->wanted_count];
    if (!tcp_state_parse(name, &state) || state == STATE_GONE)
        return refuse_state(name);
    for (int i = 0; i < options->wanted_count; i++)
        if (options->wanted[i].kept.state == state) {
            diag_error("state \"%s\": it is given twice", name);
            return -EINVAL;
        }
    enum side side = sides[options->side];
    if (kept_state_make(state, side, &wanted->kept) != 0 && !options->is_tour) {
        diag_error("--side \"%s\": the %s is never in %s", side_choices[options->side],
                   side_choices[options->side], tcp_state_name(state));
        return -EINVAL;
    }
    if (options->is_tour)
        kept_state_make(state, SIDE_COUNT, &wanted->kept);
    wanted->conns = conns;
    options->wanted_count++;
    return 0;
}

/* "close-wait=300": the number may be left out. */
static int add_word(struct state_options *options, char *word)
{
    char *number = strchr(word, '=');
    int64_t conns = 0;
    if (number != NULL) {
        *number++ = '\0';
        if (parse_count(number, 1, CONNS_MAX, &conns) != 0) {
            diag_error("state \"%s=%s\": the number must be a whole number from 1 to 100,000,000", word,
                       number);
            return -EINVAL;
        }
    }
    return add_state(options, word, conns);
}

static int parse_states(struct state_options *options, const char *text)
{
    options->is_tour = strcmp(text, "all") == 0;
    if (options->is_tour && sides[options->side] != SIDE_COUNT) {
        diag_error("--side \"%s\": state all takes each state on the side where it is usual",
                   side_choices[options->side]);
        return -EINVAL;
    }
    int rc = 0;
    for (size_t i = 0; options->is_tour && rc == 0 && kept_state_at(i) != STATE_GONE; i++)
        rc = add_state(options, tcp_state_name(kept_state_at(i)), 0);
    if (options->is_tour)
        return rc;
    char *copy = memory_copy(text), *rest = copy, *word;
    while (rc == 0 && (word = strsep(&rest, ",")) != NULL)
        rc = add_word(options, word);
    free(copy);
    return rc;
}

/* The kernel's clock of TIME_WAIT cannot be stretched. */
static int check_hold(const struct state_options *options)
{
    for (int i = 0; i < options->wanted_count; i++) {
        int64_t most = options->wanted[i].kept.lasts_at_most_ms;
        int64_t hold = options->settings.hold_ms;
        if (most == 0 || (hold != HOLD_FOREVER && hold < most))
            continue;
        diag_error("--hold \"%s\": %s ends after %s, and no setting changes that: must be less",
                   hold == HOLD_FOREVER ? "forever" : duration_text(hold).text,
                   options->wanted[i].kept.order.name, duration_text(most).text);
        return -EINVAL;
    }
    return 0;
}

/* The counts are of one order at a time. */
static int check_witness(const struct state_options *options)
{
    bool are_events = strcmp(counting_witness_choices[options->settings.witness], "events") == 0;
    if (!are_events || options->is_tour || options->wanted_count == 1)
        return 0;
    diag_error("--witness events counts one state at a time: must be used with one state, or all");
    return -EINVAL;
}

/* Other clocks can be stretched, in a namespace. */
static void warn_of_retransmission(const struct state_options *options)
{
    for (int i = 0; i < options->wanted_count; i++) {
        const struct kept_state *kept = &options->wanted[i].kept;
        if (kept->given_up_by != NULL && !options->isolation.wanted &&
            (options->settings.hold_ms == HOLD_FOREVER || options->settings.hold_ms > PATIENT_MS))
            diag_warn("%s may end before --hold is over: the kernel gives up after the number of "
                      "retransmissions in %s; --isolate raises that",
                      kept->order.name, kept->given_up_by);
    }
}

/* ---- the run ---- */

static struct state_options defaults(void)
{
    struct state_options options = {
        .settings = {.conns = 1000,
                     .port = 15000,
                     .hold_ms = NOT_GIVEN,
                     .hold_last_only = true,
                     .settle_ms = 60 * MS_PER_S,
                     .interval_ms = 100},
        .isolation = {.stretches_retransmission = true},
        .outputs = {.summary = state_table_view},
    };
    address_parse("127.0.0.1", &options.settings.address);
    return options;
}

static int64_t most_conns(const struct state_options *options)
{
    int64_t conns = 0;
    for (int i = 0; i < options->wanted_count; i++)
        conns += options->wanted[i].conns > 0 ? options->wanted[i].conns : options->settings.conns;
    return conns;
}

/* A tour is one storm of many orders; several at once are storms of one order each. */
static struct play make_run(struct state_options *options)
{
    struct play run = {.outputs = &options->outputs, .dry_run = options->dry_run};
    bool is_one = options->is_tour || options->wanted_count == 1;
    for (int i = 0; i < options->wanted_count; i++) {
        struct wanted_state *wanted = &options->wanted[i];
        if (is_one) {
            options->settings.experiments[options->settings.experiment_count++] =
                experiment_of_state(&wanted->kept);
            options->settings.conns = wanted->conns > 0 ? wanted->conns : options->settings.conns;
            continue;
        }
        wanted->settings = options->settings;
        wanted->settings.conns = wanted->conns > 0 ? wanted->conns : options->settings.conns;
        wanted->settings.hold_ms = HOLD_FOREVER;
        wanted->settings.experiments[0] = experiment_of_state(&wanted->kept);
        wanted->settings.experiment_count = 1;
        run.settings[run.count++] = &wanted->settings;
    }
    if (is_one)
        run.settings[run.count++] = &options->settings;
    run.hold_together_ms = options->settings.hold_ms;
    return run;
}

static int run_states(struct state_options *options, int argc, char *argv[])
{
    if (options_parse(&table, argc, argv, options) != 0 || parse_states(options, options->states) != 0)
        return EXIT_USAGE;
    if (options->settings.hold_ms == NOT_GIVEN)
        options->settings.hold_ms = (options->is_tour ? 1 : 10) * MS_PER_S;
    if (check_hold(options) != 0 || check_witness(options) != 0 || outputs_check(&options->outputs) != 0)
        return EXIT_USAGE;
    int code = options->dry_run ? EXIT_AS_EXPECTED : outputs_listen(&options->outputs);
    if (code == EXIT_AS_EXPECTED)
        code = counting_open(&options->settings);
    if (code == EXIT_AS_EXPECTED)
        code = isolation_enter(&options->isolation,
                               options->is_tour ? options->settings.conns : most_conns(options));
    if (code != EXIT_AS_EXPECTED)
        return code;
    hosts_here(&options->hosts, &options->settings.address);
    if (hosts_open(&options->hosts) != 0)
        return EXIT_MACHINE;
    warn_of_retransmission(options);
    options->settings.look_inside = options->isolation.wanted ? options->isolation.look_inside : NULL;
    options->settings.shared = options->isolation.shared;
    options->settings.hosts = &options->hosts;
    options->settings.sysctls = options->isolation.sysctls;
    options->settings.sysctl_count = options->isolation.sysctl_count;
    const struct play run = make_run(options);
    code = play_storm(&run, "tcpstorm state", argc, argv);
    hosts_close(&options->hosts);
    return code;
}

static int cmd_state(int argc, char *argv[])
{
    struct state_options options = defaults();
    options.wanted = calloc(STATES_MAX, sizeof *options.wanted);
    if (options.wanted == NULL) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    int code = run_states(&options, argc, argv);
    counting_close(&options.settings);
    free(options.wanted);
    return code;
}

const struct command state_command = {
    .name = "state",
    .summary = "keep connections in any TCP state: a name, some with =N, or all",
    .usage = "state NAME[=N][,NAME[=N]...] [--option VALUE]...\nstate all [--option VALUE]...",
    .word_at = state_word_at,
    .notes = "N is how many in that state, where it is not to be --conns; all takes one state after the "
             "other.\n",
    .examples =
        {
            {"tcpstorm state all --isolate", "all eleven states, each kept for a second"},
            {"tcpstorm state close-wait --conns 300 --hold forever", "to look at with ss; Ctrl-C ends it"},
            {"tcpstorm state close-wait=300,last-ack=5 --isolate --hold 10m",
             "given numbers, for a monitor to find"},
        },
    .options = &table,
    .run = cmd_state,
};
