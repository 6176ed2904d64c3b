/* What the commands share: see app.h. */
#include "app.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SETTING_KEY 2000
#define SETTINGS_MAX 64 /* flags of one command */
#define NAME_SIZE 64
#define HELP_SIZE 256
#define BAR_WIDTH 24
#define OUTPUT_BUFFER 65536
#define BAR_AFTER_SECONDS 1.0

static volatile sig_atomic_t stop_asked;
static int bar_shown;

static void ask_to_stop(int signal_number) {
    stop_asked = 1;
    signal(signal_number, SIG_DFL); /* a second one ends at once */
}

static int interrupted(void *user) {
    (void)user;
    return stop_asked;
}

static void clear_bar(void) {
    if (bar_shown)
        fputs("\r\033[K", stderr);
    bar_shown = 0;
}

static void print_log(void *user, kd2m_log_level level, const char *text) {
    (void)user;
    clear_bar();
    fprintf(stderr, "kd2m: %s%s\n", level == KD2M_LOG_WARNING ? "warning: " : "", text);
}

static void print_progress(void *user, const kd2m_progress *progress) {
    (void)user;
    if (progress->finished) {
        clear_bar();
        return;
    }
    if (progress->elapsed_seconds < BAR_AFTER_SECONDS || !(progress->total > 0))
        return;
    double share = progress->done / progress->total;
    int filled = (int)(share * BAR_WIDTH);
    fprintf(stderr, "\r\033[K%s [%.*s%*s] %3.0f %%  %.0f %s/s", progress->text, filled,
            "########################", BAR_WIDTH - filled, "", 100 * share, progress->rate,
            progress->unit);
    if (progress->eta_seconds >= 0)
        fprintf(stderr, "  %.0f s left", progress->eta_seconds);
    fflush(stderr);
    bar_shown = 1;
}

kd2m_context *cli_context(const cli_common *common) {
    kd2m_context_settings settings;
    kd2m_context_settings_default(&settings);
    settings.threads = common->threads;
    settings.interrupted = interrupted;
    if (!common->quiet)
        settings.log = print_log;
    if (!common->quiet && isatty(STDERR_FILENO))
        settings.progress = print_progress;
    struct sigaction action = {.sa_handler = ask_to_stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    kd2m_context *context = NULL;
    kd2m_status status = kd2m_context_create(&context, &settings);
    if (status != KD2M_OK) {
        fprintf(stderr, "kd2m: %s\n", kd2m_status_text(status));
        exit(1);
    }
    return context;
}

static char failure[1024];

kd2m_status cli_fail(kd2m_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    return status;
}

static int failure_told;

int cli_exit_code(kd2m_context *context, kd2m_status status) {
    if (status == KD2M_OK)
        return 0;
    clear_bar();
    failure_told = 1;
    const char *message = failure[0] ? failure : kd2m_context_message(context);
    fprintf(stderr, "kd2m: %s\n", message[0] ? message : kd2m_status_text(status));
    return status == KD2M_ERROR_USAGE ? 2 : 1;
}

static const char output_failure[] = "standard output can't be written";

static void check_output(void) {
    errno = 0; /* of an earlier failure it is lost */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    if (!failure_told)
        fprintf(stderr, "kd2m: %s%s%s\n", output_failure, errno ? ": " : "",
                errno ? strerror(errno) : "");
    _exit(1);
}

/* What goes to a file or a pipe is kept until the end, or until it is much: then a failure comes
 * where its reason can still be told. */
void cli_watch_output(void) {
    static char buffer[OUTPUT_BUFFER];
    if (!isatty(STDOUT_FILENO))
        setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    atexit(check_output);
}

kd2m_status cli_print_table_as(kd2m_context *context, kd2m_table *table,
                               kd2m_status (*render)(const kd2m_table *, char **)) {
    char *text = NULL;
    kd2m_status status = render(table, &text);
    if (status == KD2M_OK && (fputs(text, stdout) < 0 || fflush(stdout) != 0))
        status = cli_fail(KD2M_ERROR_IO, "%s: %s", output_failure, strerror(errno));
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    return status;
}

kd2m_status cli_print_table(kd2m_context *context, kd2m_table *table, int json) {
    return cli_print_table_as(context, table, json ? kd2m_table_to_json : kd2m_table_to_text);
}

kd2m_status cli_print_table_in(kd2m_context *context, kd2m_table *table, const char *form) {
    static const struct {
        const char *name;
        kd2m_status (*render)(const kd2m_table *, char **);
    } forms[] = {
        {"text", kd2m_table_to_text},
        {"json", kd2m_table_to_json},
        {"csv", kd2m_table_to_csv},
        {"markdown", kd2m_table_to_markdown},
    };
    size_t i = 0;
    while (strcmp(forms[i].name, form) != 0)
        i++;
    return cli_print_table_as(context, table, forms[i].render);
}

kd2m_status cli_print_json(json_t *object) {
    if (!object)
        return cli_fail(KD2M_ERROR_USAGE, "no JSON can be made: a name in it is not UTF-8 text");
    int failed =
        json_dumpf(object, stdout, JSON_COMPACT) != 0 || putchar('\n') < 0 || fflush(stdout) != 0;
    json_decref(object);
    return failed ? cli_fail(KD2M_ERROR_IO, "%s: %s", output_failure, strerror(errno)) : KD2M_OK;
}

json_t *cli_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static int is_word(const char *text, const char *words) {
    size_t length = strlen(text);
    for (const char *at = words; *at;) {
        size_t next = strcspn(at, "|");
        if (next == length && memcmp(at, text, length) == 0)
            return 1;
        at += next + (at[next] == '|');
    }
    return 0;
}

error_t cli_take_word(struct argp_state *state, const struct argp_option *option, char *text,
                      const char **out) {
    if (!is_word(text, option->arg))
        argp_error(state, "--%s takes %s, not '%s'", option->name, option->arg, text);
    *out = text;
    return 0;
}

/* The options that every command takes. */

enum { KEY_JSON = 1000, KEY_THREADS };

static const struct argp_option common_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the result as JSON", 100},
    {"quiet", 'q', NULL, 0, "No progress, no log lines", 100},
    {"threads", KEY_THREADS, "N", 0, "Worker threads (default: all)", 100},
    {0},
};

static error_t parse_common(int key, char *text, struct argp_state *state) {
    cli_common *common = state->input;
    char *end;
    switch (key) {
    case KEY_JSON:
        common->json = 1;
        return 0;
    case 'q':
        common->quiet = 1;
        return 0;
    case KEY_THREADS: {
        long threads = strtol(text, &end, 10);
        if (*end || threads < 1 || threads > 256)
            argp_error(state, "--threads takes a number from 1 to 256, not '%s'", text);
        common->threads = (int)threads;
        return 0;
    }
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The settings' flags. */

static error_t parse_setting(int key, char *text, struct argp_state *state) {
    cli_settings *settings = state->input;
    int index = key - FIRST_SETTING_KEY;
    if (!settings || index < 0 || (size_t)index >= settings->list->count)
        return ARGP_ERR_UNKNOWN;
    const kd2m_setting *setting = &settings->list->rows[index];
    kd2m_context *context = NULL;
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        argp_failure(state, 1, 0, "out of memory");
    kd2m_status status = kd2m_settings_set(context, settings->list, settings->values, setting->name,
                                           text ? text : "1");
    if (status != KD2M_OK)
        argp_error(state, "%s", kd2m_context_message(context));
    kd2m_context_free(context);
    settings->given++;
    return 0;
}

static void flag_name(char *out, size_t size, const char *name) {
    snprintf(out, size, "%s", name);
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = '-';
}

/* Options for the settings in `list`, in static memory: one command line is parsed in a process. */
static const struct argp_option *setting_options(const kd2m_setting_list *list) {
    static struct argp_option options[SETTINGS_MAX + 1];
    static char names[SETTINGS_MAX][NAME_SIZE], helps[SETTINGS_MAX][HELP_SIZE];
    for (size_t i = 0; i < list->count && i < SETTINGS_MAX; i++) {
        const kd2m_setting *setting = &list->rows[i];
        flag_name(names[i], NAME_SIZE, setting->name);
        snprintf(helps[i], HELP_SIZE, setting->fallback ? "%s (default: %s)" : "%s", setting->help,
                 setting->fallback);
        options[i].name = names[i];
        options[i].key = FIRST_SETTING_KEY + (int)i;
        options[i].arg = setting->type == KD2M_SETTING_FLAG ? NULL : setting->metavar;
        options[i].doc = helps[i];
        options[i].group = 10;
    }
    return options;
}

/* Wraps the command's own parser to hand each child its input. */
typedef struct parse_inputs {
    const struct argp *own;
    void *input;
    cli_common *common;
    cli_settings *settings;
} parse_inputs;

static error_t parse_all(int key, char *text, struct argp_state *state) {
    parse_inputs *inputs = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = inputs->common;
        state->child_inputs[1] = inputs->settings;
    }
    if (!inputs->own->parser)
        return ARGP_ERR_UNKNOWN;
    state->input = inputs->input;
    error_t result = inputs->own->parser(key, text, state);
    state->input = inputs;
    return result;
}

void cli_parse(const struct argp *own, int argc, char **argv, void *input, cli_common *common,
               cli_settings *settings) {
    static const struct argp common_argp = {.options = common_options, .parser = parse_common};
    struct argp settings_argp = {.parser = parse_setting};
    if (settings)
        settings_argp.options = setting_options(settings->list);
    const struct argp_child children[] = {
        {&common_argp, 0, NULL, 0},
        {settings ? &settings_argp : NULL, 0, NULL, 0},
        {0},
    };
    parse_inputs inputs = {own, input, common, settings};
    struct argp all = *own;
    all.parser = parse_all;
    all.children = children;
    argp_err_exit_status = 2;
    argp_parse(&all, argc, argv, 0, NULL, &inputs);
}
