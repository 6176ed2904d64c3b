/* kd2m study: compares methods on one's own data, from a plan to tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

typedef struct study_options {
    const char *plan, *out, *show, *score, *as;
    int final, estimate;
    double budget; /* seconds; 0 = not given */
} study_options;

enum { KEY_FINAL = 1, KEY_SHOW, KEY_SCORE, KEY_AS, KEY_ESTIMATE, KEY_BUDGET };

static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "The study's folder", 1},
    {"final", KEY_FINAL, NULL, 0,
     "When all is trained: read the test data and the shifts, which nothing did before", 1},
    {"show", KEY_SHOW, "results|claims|samples|mcnemar|costs|winners|trials|progress", 0,
     "Print this of the study as it stands, and do no more", 1},
    {"score", KEY_SCORE, "accuracy|balanced_accuracy|macro_f1|alarm_recall", 0,
     "What results are told in (default: what the plan chooses by)", 1},
    {"as", KEY_AS, CLI_TABLE_FORMS, 0, "How tables are printed (default: text)", 1},
    {"estimate", KEY_ESTIMATE, NULL, 0, "Tell what the study will take, and do no more", 1},
    {"budget", KEY_BUDGET, "TIME", 0,
     "What it may take, e.g. 90m or 2h: with --estimate, what of it fits; without, a study that "
     "takes longer is not begun",
     1},
    {0},
};

/* What --show prints; some in the score that --score names. */
static const struct {
    const char *name;
    kd2m_status (*make)(kd2m_table **, kd2m_study *);
    kd2m_status (*make_of_score)(kd2m_table **, kd2m_study *, const char *score);
} tables[] = {
    {"results", NULL, kd2m_study_results}, {"claims", NULL, kd2m_study_claims},
    {"samples", kd2m_study_samples, NULL}, {"mcnemar", kd2m_study_mcnemar, NULL},
    {"costs", kd2m_study_costs, NULL},     {"winners", kd2m_study_winners, NULL},
    {"trials", kd2m_study_trials, NULL},   {"progress", kd2m_study_progress, NULL},
};

/* Number of the table called `name`; without one, of what is printed in the end. */
static size_t find_table(const char *name) {
    size_t i = 0;
    while (name && strcmp(tables[i].name, name) != 0)
        i++;
    return i;
}

/* Seconds of '90m', '2h', '1.5d' or '300s'. */
static error_t take_time(struct argp_state *state, const char *text, double *out) {
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    *out = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (*out > 0 && end[0] == units[i].unit && end[1] == '\0') {
            *out *= units[i].seconds;
            return 0;
        }
    argp_error(state, "--budget takes a time such as 90m or 2h, not '%s'", text);
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    study_options *given = state->input;
    switch (key) {
    case 'o':
        given->out = text;
        return 0;
    case KEY_FINAL:
        given->final = 1;
        return 0;
    case KEY_ESTIMATE:
        given->estimate = 1;
        return 0;
    case KEY_BUDGET:
        return take_time(state, text, &given->budget);
    case KEY_SHOW:
        return cli_take_word(state, &options[2], text, &given->show);
    case KEY_SCORE:
        return cli_take_word(state, &options[3], text, &given->score);
    case KEY_AS:
        return cli_take_word(state, &options[4], text, &given->as);
    case ARGP_KEY_ARG:
        if (given->plan)
            argp_error(state, "'%s' is one argument too many", text);
        given->plan = text;
        return 0;
    case ARGP_KEY_END:
        if (!given->out)
            argp_error(state, "no folder for the study: say --out DIR");
        if (given->score && tables[find_table(given->show)].make)
            argp_error(state,
                       "--show %s knows no --score: leave it out (samples and mcnemar are about "
                       "right answers, one by one, which no other score is a mean of)",
                       given->show);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static kd2m_status make_table(kd2m_study *study, const study_options *given, kd2m_table **out) {
    size_t i = find_table(given->show);
    return tables[i].make ? tables[i].make(out, study)
                          : tables[i].make_of_score(out, study, given->score);
}

/* Before a study begins: what it will take, on stderr; one beyond the budget is not begun. */
static kd2m_status announce(kd2m_context *context, kd2m_study *study, const study_options *given,
                            int quiet) {
    kd2m_table *table = NULL;
    char *text = NULL;
    double seconds;
    size_t done, total;
    kd2m_status status = kd2m_study_count(study, &done, &total);
    if (status != KD2M_OK || done > 0 || (quiet && given->budget <= 0))
        return status;
    status = kd2m_study_estimate(&table, &seconds, study, given->budget);
    if (status == KD2M_OK)
        status = kd2m_table_to_text(table, &text);
    if (status == KD2M_OK && !quiet)
        fprintf(stderr, "%s\n", text);
    if (status == KD2M_OK && given->budget > 0 && seconds > given->budget)
        status = cli_fail(KD2M_ERROR_INPUT, "the study would take longer than --budget allows; "
                                            "--estimate tells what of it fits");
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    return status;
}

static kd2m_status follow(kd2m_context *context, const study_options *given,
                          const kd2m_study_settings *settings, int quiet) {
    kd2m_study *study = NULL;
    kd2m_table *table = NULL;
    double seconds;
    int work = !given->show && !given->estimate;
    kd2m_status status = kd2m_study_open(&study, context, given->out, given->plan, settings);
    if (status == KD2M_OK && work)
        status = announce(context, study, given, quiet);
    if (status == KD2M_OK && work)
        status = kd2m_study_run(study);
    if (status == KD2M_OK && given->final)
        status = kd2m_study_final(study);
    if (status == KD2M_OK)
        status = given->estimate ? kd2m_study_estimate(&table, &seconds, study, given->budget)
                                 : make_table(study, given, &table);
    kd2m_study_free(study);
    return status == KD2M_OK ? cli_print_table_in(context, table, given->as) : status;
}

int cli_study(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[PLAN.json]",
        .doc =
            "Compares methods: searches each one's settings with the same budget, by validation, "
            "trains the winners on fresh seeds, and tells which differences are real.\v"
            "The same command goes on with a study that was stopped or killed; run at the same "
            "time by several processes, it shares the work among them. docs/studies.md tells how a "
            "plan is written.\n\n"
            "Examples:\n"
            "  kd2m study plan.json --out studies/bearing --estimate --budget 2h\n"
            "  kd2m study plan.json --out studies/bearing\n"
            "  kd2m study --out studies/bearing --show progress\n"
            "  kd2m study --out studies/bearing --final\n"
            "  kd2m study --out studies/bearing --show results --as markdown\n",
    };
    study_options given = {.as = "text"};
    kd2m_study_settings values;
    cli_common common = {0};
    cli_settings settings = {kd2m_study_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    if (common.json)
        given.as = "json";
    kd2m_context *context = cli_context(&common);
    int code = cli_exit_code(context, follow(context, &given, &values, common.quiet));
    kd2m_context_free(context);
    return code;
}
