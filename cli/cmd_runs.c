/* kd2m runs: what has been trained, as a table. */
#include <stdio.h>
#include <stdlib.h>

#include "app.h"

typedef struct runs_options {
    const char **folders, **where; /* room for all arguments */
    size_t folder_count, where_count;
    const char *as;
} runs_options;

enum { KEY_WHERE = 'w', KEY_AS = 256 };

static const struct argp_option options[] = {
    {"where", KEY_WHERE, "CONDITION", 0,
     "Only runs for which it holds, and all others given: a setting or result, = != < <= > >= ~ "
     "!~ (holds the text, or not), a value",
     1},
    {"as", KEY_AS, CLI_TABLE_FORMS, 0, "How the table is printed (default: text)", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    runs_options *given = state->input;
    switch (key) {
    case KEY_WHERE:
        given->where[given->where_count++] = text;
        return 0;
    case KEY_AS:
        return cli_take_word(state, &options[1], text, &given->as);
    case ARGP_KEY_ARG:
        given->folders[given->folder_count++] = text;
        return 0;
    case ARGP_KEY_END:
        if (given->folder_count == 0)
            given->folders[given->folder_count++] = "runs";
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_runs(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[DIR...]",
        .doc =
            "Lists the runs in folders and below them (default: runs), those of studies too: state "
            "(done, open, diverged, damaged), epochs, accuracies, seconds, settings. Nothing is "
            "written; runs may be under way.\v"
            "Conditions and --sort take every setting of 'kd2m distill', and run, state, epoch, "
            "best_epoch, validation, test, test_loss, teacher_accuracy, parameters, unconverged, "
            "seconds, date, message, version, threads, data_digest, teacher_digest "
            "(--validation and --test are called validation_share and test_share). An empty value "
            "means none.\n\n"
            "Examples:\n"
            "  kd2m runs\n"
            "  kd2m runs --where loss~w2 --where lr=0.1 --where 'validation>0.9'\n"
            "  kd2m runs --sort validation --reverse --limit 10\n"
            "  kd2m runs runs/a runs/b --compare\n"
            "  kd2m runs studies/bearing --where state!=done --as csv\n",
    };
    const char **texts = calloc(2 * ((size_t)argc + 1), sizeof *texts);
    if (!texts) {
        fputs("kd2m: out of memory\n", stderr);
        return 1;
    }
    runs_options given = {.folders = texts, .where = texts + argc + 1, .as = "text"};
    kd2m_runs_settings values;
    cli_common common = {0};
    cli_settings settings = {kd2m_runs_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status = kd2m_runs_table(&table, context, given.folders, given.folder_count,
                                         given.where, given.where_count, &values);
    if (status == KD2M_OK)
        status = cli_print_table_in(context, table, common.json ? "json" : given.as);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    free(texts);
    return code;
}
