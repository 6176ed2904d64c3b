/* What train and distill share: see training.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "training.h"

typedef struct train_options {
    const char *out;
    kd2m_run_mode mode;
    int profile;
} train_options;

enum { KEY_RESUME = 'r', KEY_FORCE = 'f', KEY_OUT = 'o', KEY_PROFILE = 256 };

static const struct argp_option options[] = {
    {"out", KEY_OUT, "DIR", 0, "Run folder to leave results in", 1},
    {"resume", KEY_RESUME, NULL, 0, "Go on with the run in --out, with its own settings", 1},
    {"force", KEY_FORCE, NULL, 0, "Replace the run that is in --out", 1},
    {"profile", KEY_PROFILE, NULL, 0, "Tell where the time goes, here and in profile.json", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    train_options *given = state->input;
    switch (key) {
    case KEY_OUT:
        given->out = text;
        return 0;
    case KEY_RESUME:
    case KEY_FORCE:
        if (given->mode != KD2M_RUN_NEW)
            argp_error(state, "--resume and --force exclude each other");
        given->mode = key == KEY_RESUME ? KD2M_RUN_RESUME : KD2M_RUN_FORCE;
        return 0;
    case KEY_PROFILE:
        given->profile = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not an option", text);
        return 0;
    case ARGP_KEY_END:
        if (!given->out)
            argp_error(state, "no run folder: say --out DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static json_t *result_json(const kd2m_run_result *result, const char *out, int with_teacher) {
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I}", "run", out, "test_accuracy",
        cli_real(result->test_accuracy), "test_loss", cli_real(result->test_loss),
        "validation_accuracy", cli_real(result->validation_accuracy), "parameters",
        (json_int_t)result->parameters, "seconds", cli_real(result->seconds), "images_per_second",
        cli_real(result->samples_per_second), "epochs", (json_int_t)result->epochs, "best_epoch",
        (json_int_t)result->best_epoch, "unconverged", (json_int_t)result->unconverged);
    if (object && with_teacher)
        json_object_set_new(object, "teacher_accuracy", cli_real(result->teacher_accuracy));
    return object;
}

/* Adds the table under its name. */
static kd2m_status add_profile(kd2m_context *context, json_t *object, const kd2m_table *profile) {
    char *text = NULL;
    kd2m_status status = kd2m_table_to_json(profile, &text);
    if (status == KD2M_OK && json_object_set_new(object, "profile", json_loads(text, 0, NULL)) != 0)
        status = cli_fail(KD2M_ERROR_MEMORY, "out of memory");
    kd2m_text_free(context, text);
    return status;
}

static void print_result(const kd2m_run_result *result, const char *out, int with_teacher) {
    printf("%s: test accuracy %.4f, loss %.4f", out, result->test_accuracy, result->test_loss);
    if (isfinite(result->validation_accuracy))
        printf("; validation accuracy %.4f (epoch %lld kept)", result->validation_accuracy,
               (long long)result->best_epoch);
    if (with_teacher && isfinite(result->teacher_accuracy))
        printf("; teacher %.4f", result->teacher_accuracy);
    if (result->unconverged > 0)
        printf("; %lld values NOT converged", (long long)result->unconverged);
    printf("; %zu parameters, %.1f s, %.0f samples/s\n", result->parameters, result->seconds,
           result->samples_per_second);
}

/* The result and, unless NULL, the profile, which is taken over. */
static kd2m_status report(kd2m_context *context, const kd2m_run_result *result, kd2m_table *profile,
                          const char *out, int json, int with_teacher) {
    kd2m_status status = KD2M_OK;
    if (!json) {
        print_result(result, out, with_teacher);
        return profile ? cli_print_table(context, profile, 0) : KD2M_OK;
    }
    json_t *object = result_json(result, out, with_teacher);
    if (profile)
        status = add_profile(context, object, profile);
    kd2m_table_free(profile);
    if (status == KD2M_OK)
        return cli_print_json(object);
    json_decref(object);
    return status;
}

int cli_run_training(int argc, char **argv, const char *doc, int distil) {
    const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    train_options given = {NULL, KD2M_RUN_NEW, 0};
    cli_common common = {0};
    kd2m_train_settings values;
    cli_settings settings = {kd2m_train_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    int from_run = given.mode == KD2M_RUN_RESUME && settings.given == 0;
    if (!from_run && distil != (values.teacher != NULL)) {
        fprintf(stderr, distil ? "kd2m distill: no teacher: say --teacher PATH\n"
                               : "kd2m train: a teacher is for 'kd2m distill'\n");
        return 2;
    }
    kd2m_context *context = cli_context(&common);
    kd2m_run_result result;
    kd2m_table *profile = NULL;
    kd2m_status status = kd2m_run_profiled(&result, given.profile ? &profile : NULL, context,
                                           given.out, from_run ? NULL : &values, given.mode);
    if (status == KD2M_OK)
        status = report(context, &result, profile, given.out, common.json, distil);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
