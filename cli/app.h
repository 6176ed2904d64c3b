/*
 * What the commands share: the context with its log lines and progress bar, common options, Ctrl-C,
 * exit codes. 0: done; 1: input, files or the machine failed; 2: wrong use.
 */
#ifndef KD2M_CLI_APP_H
#define KD2M_CLI_APP_H

#include <argp.h>
#include <jansson.h>

#include "kd2m/kd2m.h"

/* A command: one line of the table in main.c, one file cmd_<name>.c. */
typedef struct cli_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is 'kd2m NAME'; returns the exit code */
} cli_command;

/* The commands' entries, named by the manifests. */
#define KD2M_COMMAND(name, summary) int cli_##name(int argc, char **argv);
#include "commands.def"
#include "commands_nn.def"
#undef KD2M_COMMAND

/* Options that every command takes. */
typedef struct cli_common {
    int json;
    int quiet;
    int threads; /* 0 = all */
} cli_common;

/* Settings of the library as options: one flag for each. */
typedef struct cli_settings {
    const kd2m_setting_list *list;
    void *values; /* the settings struct, at its defaults */
    int given;    /* how many flags were given */
} cli_settings;

/*
 * Parses a command line by `own` (its options and doc; its parser gets `input`), with the common
 * options, and flags for `settings` unless NULL. Wrong use prints a message and exits with 2;
 * --help prints and exits with 0.
 */
void cli_parse(const struct argp *own, int argc, char **argv, void *input, cli_common *common,
               cli_settings *settings);

/* The context for a command; exits with 1 if there is none. */
kd2m_context *cli_context(const cli_common *common);

/* Keeps the sentence about a failure that the command itself found, for cli_exit_code; returns
 * `status`. */
kd2m_status cli_fail(kd2m_status status, const char *format, ...) KD2M_PRINTF(2, 3);

/* Prints the failure's sentence (cli_fail's, else the context's) if `status` is a failure, and
 * returns the exit code. */
int cli_exit_code(kd2m_context *context, kd2m_status status);

/* To be called once, first: a command that says it succeeded has also written all of its output; on
 * a full disk, say, it tells so and exits with 1. */
void cli_watch_output(void);

/* Prints what a kd2m_table_to_.. makes of a table on stdout, frees the table and returns the
 * status. */
kd2m_status cli_print_table_as(kd2m_context *context, kd2m_table *table,
                               kd2m_status (*render)(const kd2m_table *, char **));

/* The same as text or JSON. */
kd2m_status cli_print_table(kd2m_context *context, kd2m_table *table, int json);

/* The same in one of these forms. */
#define CLI_TABLE_FORMS "text|json|csv|markdown"
kd2m_status cli_print_table_in(kd2m_context *context, kd2m_table *table, const char *form);

/* *out = `text`, one of the words of the option's argument 'a|b|c'; another is wrong use. */
error_t cli_take_word(struct argp_state *state, const struct argp_option *option, char *text,
                      const char **out);

/* Prints `object` (taken over) on stdout with a newline. */
kd2m_status cli_print_json(json_t *object);

/* A real for JSON: null where it is not finite. */
json_t *cli_real(double value);

#endif
