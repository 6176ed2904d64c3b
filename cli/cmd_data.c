/* kd2m data: the kinds of data sets, or one data set's shape, classes and sizes. */
#include <inttypes.h>
#include <stdio.h>

#include "app.h"

static error_t parse(int key, char *text, struct argp_state *state) {
    const char **spec = state->input;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (*spec)
        argp_error(state, "one data set at a time: '%s' is too many", text);
    *spec = text;
    return 0;
}

static kd2m_status describe(kd2m_context *context, const char *spec, int json) {
    kd2m_dataset *dataset = NULL;
    kd2m_status status = kd2m_dataset_open(&dataset, context, spec, 0, 0);
    if (status != KD2M_OK)
        return status;
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    char digest[17];
    snprintf(digest, sizeof digest, "%016" PRIx64, info.digest);
    if (json) {
        json_t *shape = json_array();
        for (size_t i = 0; i < info.dims; i++)
            json_array_append_new(shape, json_integer((json_int_t)info.shape[i]));
        status = cli_print_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:s}", "data", spec, "shape",
                                          shape, "classes", (json_int_t)info.classes, "train",
                                          (json_int_t)info.rows[KD2M_TRAIN], "test",
                                          (json_int_t)info.rows[KD2M_TEST], "digest", digest));
    } else {
        printf("%s: samples of ", spec);
        for (size_t i = 0; i < info.dims; i++)
            printf("%s%zu", i ? " x " : "", info.shape[i]);
        printf(", %zu classes, %zu for training, %zu for test, digest %s\n", info.classes,
               info.rows[KD2M_TRAIN], info.rows[KD2M_TEST], digest);
    }
    kd2m_dataset_free(dataset);
    return status;
}

int cli_data(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "[SPEC]",
        .doc = "Lists the kinds of data sets with their keys, or describes one data set.\v"
               "Examples:\n"
               "  kd2m data\n"
               "  kd2m data bearing:load=3\n"
               "  kd2m data 'npy:train=X.npy;Y.npy,test=XT.npy;YT.npy'\n",
    };
    const char *spec = NULL;
    cli_common common = {0};
    cli_parse(&argp, argc, argv, &spec, &common, NULL);
    kd2m_context *context = cli_context(&common);
    kd2m_table *table = NULL;
    kd2m_status status;
    if (spec)
        status = describe(context, spec, common.json);
    else if ((status = kd2m_dataset_table(&table, context)) == KD2M_OK)
        status = cli_print_table(context, table, common.json);
    int code = cli_exit_code(context, status);
    kd2m_context_free(context);
    return code;
}
