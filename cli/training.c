/* What train and distill share: see training.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "training.h"

typedef struct train_options {
    const char *out;
    kd2m_run_mode mode;
} train_options;

enum { KEY_RESUME = 'r', KEY_FORCE = 'f', KEY_OUT = 'o' };

static const struct argp_option options[] = {
    {"out", KEY_OUT, "DIR", 0, "Run folder to leave results in", 1},
    {"resume", KEY_RESUME, NULL, 0, "Go on with the run in --out, with its own settings", 1},
    {"force", KEY_FORCE, NULL, 0, "Replace the run that is in --out", 1},
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

static kd2m_status print_result(const kd2m_run_result *result, const char *out, int json,
                                int with_teacher) {
    if (json) {
        json_t *object =
            json_pack("{s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I}", "run", out, "test_accuracy",
                      cli_real(result->test_accuracy), "test_loss", cli_real(result->test_loss),
                      "validation_accuracy", cli_real(result->validation_accuracy), "parameters",
                      (json_int_t)result->parameters, "seconds", cli_real(result->seconds),
                      "images_per_second", cli_real(result->samples_per_second), "epochs",
                      (json_int_t)result->epochs, "best_epoch", (json_int_t)result->best_epoch);
        if (object && with_teacher)
            json_object_set_new(object, "teacher_accuracy", cli_real(result->teacher_accuracy));
        return cli_print_json(object);
    }
    printf("%s: test accuracy %.4f, loss %.4f", out, result->test_accuracy, result->test_loss);
    if (isfinite(result->validation_accuracy))
        printf("; validation accuracy %.4f (epoch %lld kept)", result->validation_accuracy,
               (long long)result->best_epoch);
    if (with_teacher)
        printf("; teacher %.4f", result->teacher_accuracy);
    printf("; %zu parameters, %.1f s, %.0f samples/s\n", result->parameters, result->seconds,
           result->samples_per_second);
    return KD2M_OK;
}

int cli_run_training(int argc, char **argv, const char *doc, int distil) {
    const struct argp argp = {.options = options, .parser = parse, .doc = doc};
    train_options given = {NULL, KD2M_RUN_NEW};
    cli_common common = {0};
    kd2m_train_settings values;
    cli_settings settings = {kd2m_train_setting_list(), &values, 0};
    kd2m_settings_default(settings.list, &values);
    cli_parse(&argp, argc, argv, &given, &common, &settings);
    int from_run = given.mode == KD2M_RUN_RESUME && settings.given == 0;
    if (!from_run && distil != (values.teacher != NULL)) {
        fprintf(stderr, distil ? "kd2m distill: no teacher: say --teacher RUN\n"
                               : "kd2m train: a teacher is for 'kd2m distill'\n");
        return 2;
    }
    kd2m_context *context = cli_context(&common);
    kd2m_run_result result;
    kd2m_status status =
        kd2m_run(&result, context, given.out, from_run ? NULL : &values, given.mode);
    if (status == KD2M_OK)
        status = print_result(&result, given.out, common.json, distil);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
