/* kd2m eval: accuracy, balanced accuracy, macro F1 and loss of a model on a data set. */
#include <stdio.h>

#include "app.h"

static error_t parse(int key, char *text, struct argp_state *state) {
    const char **model = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*model)
            argp_error(state, "one model at a time: '%s' is too many", text);
        *model = text;
        return 0;
    case ARGP_KEY_END:
        if (!*model)
            argp_error(state, "a run folder or model file and --data SPEC are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_eval(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "RUN",
        .doc = "Accuracy, balanced accuracy (mean recall of the classes), macro F1 and loss of a "
               "model "
               "on the test part of a data set (all of it where there is no "
               "test part). --transform is applied first, then the transform and the "
               "normalisation stored in the model.\v"
               "Examples:\n"
               "  kd2m eval runs/student --data idx:DIR\n"
               "  kd2m eval runs/student --data bearing:load=3,speed=1500 --json\n"
               "  kd2m eval runs/mnist --data idx:USPS --transform resize:to=28\n",
    };
    const char *model = NULL;
    kd2m_data_settings data;
    cli_common common = {0};
    cli_settings settings = {kd2m_data_setting_list(), &data, 0};
    kd2m_settings_default(settings.list, &data);
    cli_parse(&argp, argc, argv, &model, &common, &settings);
    kd2m_context *context = cli_context(&common);
    kd2m_evaluation found;
    kd2m_status status = kd2m_evaluate(&found, context, model, &data);
    if (status == KD2M_OK && common.json)
        status = cli_print_json(json_pack(
            "{s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "model", model, "data", data.data, "rows",
            (json_int_t)found.scores.rows, "accuracy", cli_real(found.scores.accuracy),
            "balanced_accuracy", cli_real(found.scores.balanced_accuracy), "macro_f1",
            cli_real(found.scores.macro_f1), "loss", cli_real(found.loss)));
    else if (status == KD2M_OK)
        printf("%s on %s: accuracy %.4f, balanced accuracy %.4f, macro F1 %.4f, loss %.4f, %zu "
               "samples\n",
               model, data.data, found.scores.accuracy, found.scores.balanced_accuracy,
               found.scores.macro_f1, found.loss, found.scores.rows);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
