#include "made_study.h"

#include <stdio.h>
#include <string.h>

#include "stages.h"
#include "store_internal.h"

#define CLASSES 2

const char *const made_parts[] = {"validation", "test", "noise"};

int made_right(size_t part, size_t student, size_t method, size_t seed) {
    static const int gain[3][2][3] = {
        /* ce, kd, w2: what each adds, by part and student */
        {{0, 20, 30}, {0, 10, 5}},
        {{0, 20, 60}, {0, 10, 5}},
        {{0, 20, 90}, {0, 10, -40}},
    };
    static const int wobble[MADE_SEEDS][3] = {{0, 3, 1}, {10, 12, 13}, {-10, -8, -12}};
    return 600 - 100 * (int)part + 50 * (int)student + gain[part][student][method] +
           wobble[seed][method];
}

int made_teacher_right(size_t part) {
    return 900 - 150 * (int)part;
}

static void say(kd2m_context *context, kd2m_study *study, int64_t trial, const kd2m_place *place,
                int rows) {
    static int32_t labels[MADE_ROWS];
    static float logits[MADE_ROWS * CLASSES];
    const kd2m_outputs outputs = {(size_t)rows, CLASSES, labels, logits};
    for (size_t p = 0; p < MADE_PARTS; p++) {
        int right = place->stage == KD2M_STAGE_TEACHER
                        ? made_teacher_right(p)
                        : made_right(p, place->student, place->method, place->repeat);
        int correct = right * rows / 1000;
        for (int i = 0; i < rows; i++) {
            labels[i] = i % 2;
            int said = i < correct ? i % 2 : 1 - i % 2;
            logits[2 * i + said] = 1;
            logits[2 * i + 1 - said] = 0;
        }
        EXPECT_OK(context, kd2m_store_add_outputs(study->store, trial, made_parts[p], &outputs));
    }
}

kd2m_study *made_study(kd2m_context *context, int rows) {
    char folder[128], plan[256];
    kd2m_study *study;
    kd2m_study_settings settings;
    snprintf(folder, sizeof folder, "%s", testing_folder());
    snprintf(plan, sizeof plan, "%s/plan.json", folder);
    json_t *root = plans_json(small_plan, "seeds", "3");
    assert_int_equal(json_dump_file(root, plan, 0), 0);
    json_decref(root);
    kd2m_settings_default(kd2m_study_setting_list(), &settings);
    EXPECT_OK(context, kd2m_study_open(&study, context, folder, plan, &settings));
    for (;;) {
        kd2m_claim claim;
        bool found;
        EXPECT_OK(context, kd2m_stages_advance(study->store, study->plan));
        EXPECT_OK(context, kd2m_store_claim(study->store, &claim, &found));
        if (!found)
            return study;
        const kd2m_outcome outcome = {.score = 0.5,
                                      .result = claim.place.student == 0 ? "{\"parameters\":100}"
                                                                         : "{\"parameters\":200}"};
        EXPECT_OK(context, kd2m_store_finish(study->store, claim.trial, &outcome));
        if (claim.place.stage != KD2M_STAGE_SEARCH)
            say(context, study, claim.trial, &claim.place, rows);
        kd2m_claim_clear(&claim);
    }
}

void made_costs(kd2m_context *context, kd2m_study *study) {
    EXPECT_OK(
        context,
        kd2m_store_run(
            study->store,
            "UPDATE trial SET costs = '{\"rows\": ["
            "{\"part\": \"layer\", \"name\": \"fc\", \"seconds\": 3, \"bytes\": null},"
            "{\"part\": \"loss\", \"name\": \"ce\", \"seconds\": 1, \"bytes\": null},"
            "{\"part\": \"loss\", \"name\": \"w2\", \"seconds\": 4, \"bytes\": 2500000},"
            "{\"part\": \"epoch\", \"seconds\": 100}, {\"part\": \"total\", \"seconds\": 108}]}',"
            " result = json_object('samples_per_second', 1000 * (repeat + 1),"
            " 'peak_bytes', iif(student = 0, 1000000 * (repeat + 1), NULL))"
            " WHERE stage = 2 AND method = 2",
            "test"));
}

json_t *made_rows_of(kd2m_context *context, kd2m_table *table) {
    char *text;
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    json_t *root = json_loads(text, 0, NULL);
    json_t *rows = json_incref(json_object_get(root, "rows"));
    json_decref(root);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    return rows;
}

bool made_says(const json_t *row, const char *key, const char *text) {
    const char *value = json_string_value(json_object_get(row, key));
    return value && strcmp(value, text) == 0;
}

double made_number(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}
