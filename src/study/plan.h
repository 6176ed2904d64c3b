/*
 * A study's plan: which data sets, students and methods are compared, what of each method is
 * searched, with what budget, on how many seeds. Written in JSON; docs/studies.md describes it.
 */
#ifndef KD2M_STUDY_PLAN_H
#define KD2M_STUDY_PLAN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "kd2m/distill.h"

#define KD2M_PLAN_FORMAT 1

/* Something with a name and training settings of its own: a data set, a student, a method, a shift.
 * All borrowed from the plan. */
typedef struct kd2m_plan_part {
    const char *name;
    const json_t *settings; /* object of training settings */
} kd2m_plan_part;

typedef struct kd2m_plan_data {
    kd2m_plan_part part;
    kd2m_plan_part teacher; /* its settings train it; NULL settings: `teacher_path` */
    const char *teacher_path;
    kd2m_plan_part *shifts; /* other test data for the students trained on this set */
    size_t shift_count;
    const char *group; /* column of what samples belong to, a machine; NULL: none is named */
} kd2m_plan_data;

typedef struct kd2m_plan_method {
    kd2m_plan_part part;
    const char *loss;     /* with {placeholders} */
    const json_t *search; /* object: placeholder or setting -> list or range; may be empty */
} kd2m_plan_method;

typedef struct kd2m_plan {
    kd2m_context *context;
    json_t *root;
    const json_t *settings; /* of all trainings; an object */
    kd2m_plan_data *data;
    size_t data_count;
    kd2m_plan_part *students;
    size_t student_count;
    kd2m_plan_method *methods;
    size_t method_count;
    size_t candidates;   /* of each method in each cell */
    size_t rungs;        /* of successive halving; none where there is one candidate */
    size_t eta;          /* of the candidates one in eta goes on, with eta times the epochs */
    size_t seeds;        /* of the reported figures */
    const char *score;   /* that candidates are chosen by, on validation: see score.h */
    int32_t alarm_class; /* of "alarm_recall"; -1: none is named */
    double false_alarm_rate;
    const char *baselines[2]; /* methods that others are compared with, or NULL */
    size_t baseline_count;
} kd2m_plan;

/* Reads a plan. `name` stands for it in messages. Errors: KD2M_ERROR_IO, KD2M_ERROR_INPUT,
 * KD2M_ERROR_USAGE (a key or value that there isn't: where, what, what there is),
 * KD2M_ERROR_MEMORY. */
kd2m_status kd2m_plan_read(kd2m_plan **out, kd2m_context *context, const char *path);

/* The same from a value, which is taken over, also on failure. */
kd2m_status kd2m_plan_take(kd2m_plan **out, kd2m_context *context, json_t *root, const char *name);

void kd2m_plan_free(kd2m_plan *plan);

/* Epochs and candidates of a rung, of `epochs` in the last. */
size_t kd2m_plan_rung_epochs(const kd2m_plan *plan, size_t rung, size_t epochs);
size_t kd2m_plan_rung_candidates(const kd2m_plan *plan, size_t rung);

/* *out = the training settings of candidate `candidate` of a method in a cell, with its loss
 * written out; a new reference. */
kd2m_status kd2m_plan_candidate(const kd2m_plan *plan, size_t data, size_t student, size_t method,
                                size_t candidate, json_t **out);

/* *out = the settings that train a data set's teacher. */
kd2m_status kd2m_plan_teacher(const kd2m_plan *plan, size_t data, json_t **out);

/* Fills training settings from an object; texts are borrowed from it. Errors: KD2M_ERROR_USAGE for
 * what no training takes, its loss included. */
kd2m_status kd2m_plan_settings(kd2m_context *context, const json_t *object,
                               kd2m_train_settings *out);

#endif
