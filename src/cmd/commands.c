#include "cmd/commands.h"

#include "audit/tls.h"
#include "base/diag.h"
#include "base/nearest.h"
#include "base/options_text.h"
#include "base/text.h"
#include "base/version.h"
#include "base/wrap.h"
#include "code/code.h"
#include "events/socket_events.h"
#include "kernel/witness.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int cmd_help(int argc, char *argv[]);
static int cmd_version(int argc, char *argv[]);
static int cmd_options(int argc, char *argv[]);

static const struct option_row no_rows[] = {{.name = NULL}};

static const struct option_table help_table = {
    .command = "help", .help = "tcpstorm --help", .rows = no_rows, .operand = "command"};
static const struct option_table version_table = {
    .command = "version", .help = "tcpstorm --help", .rows = no_rows};

static const struct command help_command = {
    .name = "help",
    .summary = "show this text, or that of a command: \"tcpstorm help walk\"",
    .usage = "help [COMMAND]",
    .options = &help_table,
    .run = cmd_help,
};
static const struct command version_command = {.name = "version",
                                               .summary = "show the version, and which witnesses work here",
                                               .options = &version_table,
                                               .run = cmd_version};
static const struct command options_command = {.name = "options", .run = cmd_options};

/* Those for people come first. */
static const struct command *const commands[] = {
    &server_command, &client_command,  &walk_command,    &state_command,       &audit_command,
    &watch_command,  &explain_command, &trace_command,   &transitions_command, &orders_command,
    &causes_command, &help_command,    &version_command, &options_command,     &tables_command,
    &worker_command, &witness_command,
};

enum { EXAMPLE_WIDTH = 50, HELP_WIDTH = 98 };
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const char *name_at(const void *unused, size_t i)
{
    (void)unused;
    return i < COMMANDS && commands[i]->summary != NULL ? commands[i]->name : NULL;
}

static int refuse_command(const char *name)
{
    const char *meant = nearest_word(name, name_at, NULL);
    if (meant != NULL)
        diag_error("there is no command \"%s\": did you mean %s?", name, meant);
    else
        diag_error("there is no command \"%s\": \"tcpstorm --help\" lists all commands", name);
    return EXIT_USAGE;
}

/* ---- help ---- */

void commands_print_short_help(void)
{
    fputs(
        "tcpstorm opens N loopback connections, closes them in a chosen order and shows the state of every\n"
        "socket as the kernel reports it: who waits, who owes a close(), what leaks.\n"
        "\n"
        "  tcpstorm --conns 1000 --order server-first   the server closes first: FIN_WAIT2 and CLOSE_WAIT\n"
        "  tcpstorm --conns 1000 --order leak           the server never closes: CLOSE_WAIT piles up\n"
        "  tcpstorm --rate 200 --leak 5%                one by one, and one in twenty is never closed\n"
        "  tcpstorm --cause ignore-eof                  a real bug under such traffic; --fixed: without it\n"
        "  tcpstorm state all --isolate                 all eleven TCP states, each kept for a second\n"
        "  tcpstorm orders                              all orders\n"
        "  tcpstorm --help                              all options\n",
        stdout);
}

static void print_commands(void)
{
    fputs("\nCommands (\"tcpstorm COMMAND --help\" lists the options of each):\n", stdout);
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i]->summary != NULL)
            printf("  %-20s %s\n", commands[i]->name, commands[i]->summary);
}

static void print_examples(const struct command *command)
{
    if (command->examples[0].line == NULL)
        return;
    fputs("\nExamples:\n", stdout);
    for (int i = 0; i < EXAMPLES_MAX && command->examples[i].line != NULL; i++) {
        const struct command_example *example = &command->examples[i];
        bool is_long = strlen(example->line) > EXAMPLE_WIDTH - 2;
        printf("  %-*s", example->does != NULL && !is_long ? EXAMPLE_WIDTH : 0, example->line);
        if (example->does != NULL && is_long)
            printf("\n%*s", EXAMPLE_WIDTH + 2, "");
        printf("%s\n", example->does != NULL ? example->does : "");
    }
}

static void print_usage(const char *usage)
{
    const char *before = "Usage:";
    for (size_t length; *usage != '\0'; usage += length + (usage[length] == '\n')) {
        length = strcspn(usage, "\n");
        printf("%s tcpstorm %.*s\n", before, (int)length, usage);
        before = "      ";
    }
}

static void print_words(const struct command *command)
{
    char text[512] = "\nThe names: ";
    for (size_t i = 0; command->word_at(i) != NULL; i++)
        TEXT_ADD(text, "%s%s", i > 0 ? ", " : "", command->word_at(i));
    TEXT_ADD(text, ".");
    wrap_print(stdout, text, 0, HELP_WIDTH);
}

/* Those of one command only; of a storm, also what else there is. */
static void print_help(const struct command *command)
{
    bool is_storm = command == &storm_command;
    if (is_storm)
        commands_print_short_help();
    if (is_storm)
        fputc('\n', stdout);
    print_usage(command->usage != NULL ? command->usage : command->name);
    if (is_storm)
        fputs("       tcpstorm COMMAND\n", stdout);
    else
        printf("\n%c%s.\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
    if (command->options->rows->name != NULL)
        fputs("\nOptions:\n", stdout);
    options_print_help(command->options, stdout);
    if (command->word_at != NULL)
        print_words(command);
    if (command->notes != NULL)
        printf("\n%s", command->notes);
    if (is_storm)
        print_commands();
    print_examples(command);
    if (is_storm)
        fputs("\n"
              "Exit codes: 0 as expected, 1 the states differ or something leaks that should not, 2 bad "
              "usage,\n"
              "3 this machine cannot run it, 130 interrupted.\n",
              stdout);
}

static int cmd_help(int argc, char *argv[])
{
    const char *name = NULL;
    if (options_parse(&help_table, argc, argv, &name) != 0)
        return EXIT_USAGE;
    const struct command *command = name != NULL ? find_command(name) : &storm_command;
    if (command == NULL || (command->summary == NULL && command != &storm_command))
        return refuse_command(name);
    print_help(command);
    return EXIT_AS_EXPECTED;
}

/* How sockets can be looked at, and whether events are counted, here and as this user. */
static void print_witnesses(void)
{
    struct events_refusal why;
    enum events_level level = socket_events_probe(&why);
    for (int choice = 1; witness_choices[choice] != NULL; choice++) {
        int error = 0;
        const struct witness_backend *witness = witness_choose(choice, &error);
        if (witness_named(witness_choices[choice]) != NULL)
            printf("witness %s: %s\n", witness_choices[choice], witness != NULL ? "works" : strerror(-error));
    }
    printf("witness events: %s%s%s\n", events_level_name(level), why.text[0] != '\0' ? ": " : "", why.text);
}

static void print_version(void)
{
    printf("tcpstorm %s%s\n", TCPSTORM_VERSION,
           code_names_lines() ? "" : " (without libdw: names and offsets of code, no lines)");
}

static int cmd_version(int argc, char *argv[])
{
    if (options_parse(&version_table, argc, argv, NULL) != 0)
        return EXIT_USAGE;
    print_version();
    print_witnesses();
    printf("audit --tls: %s\n", tls_is_there() ? "works" : "left out: this build has no OpenSSL");
    return EXIT_AS_EXPECTED;
}

/* ---- for completion, guides and tests ---- */

static void list_commands(void)
{
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i]->summary != NULL)
            printf("%s\t%s\n", commands[i]->name, commands[i]->summary);
}

static void list_words(const struct command *command)
{
    for (size_t i = 0; command->word_at != NULL && command->word_at(i) != NULL; i++)
        puts(command->word_at(i));
}

/* options --commands: all commands; options --words COMMAND: the words that may follow it; options
 * [--rows|--markdown] [COMMAND [WORD...]]: of COMMAND, or of a storm, the options that may follow these
 * words; or all rows; or the paragraphs of its guide. */
static int cmd_options(int argc, char *argv[])
{
    if (argc == 1 && strcmp(argv[0], "--commands") == 0) {
        list_commands();
        return EXIT_AS_EXPECTED;
    }
    bool rows = argc > 0 && strcmp(argv[0], "--rows") == 0,
         words = argc > 1 && strcmp(argv[0], "--words") == 0,
         markdown = argc > 0 && strcmp(argv[0], "--markdown") == 0;
    argc -= rows || words || markdown;
    argv += rows || words || markdown;
    bool is_storm = argc == 0 || strcmp(argv[0], storm_command.name) == 0;
    const struct command *command = is_storm ? &storm_command : find_command(argv[0]);
    if (command == NULL || command->options == NULL)
        return refuse_command(argv[0]);
    if (words)
        list_words(command);
    else if (rows)
        options_print_rows(command->options, stdout);
    else if (markdown)
        options_print_markdown(command->options, is_storm ? NULL : storm_command.options, stdout);
    else
        options_print_names(command->options, argc > 0 ? argc - 1 : 0, argv + 1, stdout);
    return EXIT_AS_EXPECTED;
}

/* ---- dispatch ---- */

static const struct command *asked_instead(int argc, char *const argv[])
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return &help_command;
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
            return &version_command;
    }
    return NULL;
}

int commands_run(int argc, char *argv[])
{
    const struct command *command = argv[1][0] == '-' ? &storm_command : find_command(argv[1]);
    if (command == NULL)
        return refuse_command(argv[1]);
    int skipped = command == &storm_command ? 1 : 2;
    argc -= skipped;
    argv += skipped;
    const struct command *instead = command->options != NULL ? asked_instead(argc, argv) : NULL;
    if (instead == &version_command) {
        print_version();
        return EXIT_AS_EXPECTED;
    }
    if (instead == &help_command) {
        print_help(command);
        return EXIT_AS_EXPECTED;
    }
    return command->run(argc, argv);
}
