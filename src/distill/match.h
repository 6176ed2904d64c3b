/*
 * A match: a layer of the student beside one of the teacher, both as rows, and the projector
 * between them where one is needed. Terms that name the same pair share it.
 *
 * Where positions are the rows, both sides take the same ones if their maps have as many samples
 * and positions; else each side draws its own.
 */
#ifndef KD2M_DISTILL_MATCH_H
#define KD2M_DISTILL_MATCH_H

#include "loss.h"
#include "net.h"
#include "positions.h"
#include "teacher.h"

typedef struct kd2m_match {
    kd2m_reduction reduction;
    size_t most; /* positions that are drawn for rows; 0 = all */
    size_t student_node;
    kd2m_teacher_layer teacher_layer;
    size_t student_positions;            /* of the student's layer */
    size_t student_width, teacher_width; /* after the reduction */
    bool project;
    size_t number;                 /* among the matches: what its random numbers are keyed by */
    char name[32];                 /* of the projector in stored state, 'projector0' */
    kd2m_graph *projector_graph;   /* owned; NULL where none is needed */
    kd2m_net *projector;           /* owned; NULL where none is needed */
    kd2m_positions *student_drawn; /* which positions are rows; owned; NULL where samples are */
    kd2m_positions *teacher_drawn; /* = student_drawn where both sides take the same */
    size_t student_rows, teacher_rows;
    double teacher_variance; /* tr(B) over the training set */
    float *student;          /* student_rows x student_width */
    float *compared;         /* student_rows x width: what terms see; = student if not projected */
    float *teacher;          /* teacher_rows x teacher_width */
    float *gradient;         /* student_rows x width: sum over terms of weight * gradient */
    float *student_gradient; /* student_rows x student_width: the same before the projector */
    size_t row;              /* the projector's, in a profile */
} kd2m_match;

/* What `match` works between; all borrowed. */
typedef struct kd2m_match_ends {
    kd2m_context *context;
    kd2m_net *student;
    const kd2m_graph *student_graph;
    kd2m_teacher *teacher;
} kd2m_match_ends;

/*
 * *out = what the term asks for, without any memory yet. `any_width`: its metric doesn't need equal
 * widths. Errors: KD2M_ERROR_USAGE (an unknown layer; positions of a layer that has none).
 */
kd2m_status kd2m_match_describe(kd2m_match *out, const kd2m_match_ends *ends, const kd2m_term *term,
                                bool any_width);

/* Whether one can serve for the other. */
bool kd2m_match_same(const kd2m_match *a, const kd2m_match *b);

/* Makes what was described ready for steps, as match `number`; `seed` is that of the projector.
 * Whatever it returns, kd2m_match_clear is to follow in the end. */
kd2m_status kd2m_match_prepare(kd2m_match *match, const kd2m_match_ends *ends, size_t number,
                               uint64_t seed);
void kd2m_match_clear(kd2m_context *context, kd2m_match *match);

/* Numbers in a row that terms see. */
size_t kd2m_match_width(const kd2m_match *match);

/* Floats of the scratch that steps need: a map of either side, a term's gradient. */
size_t kd2m_match_scratch(const kd2m_match *match, const kd2m_match_ends *ends);

/* Chooses the positions of a step. */
void kd2m_match_draw(kd2m_match *match, uint64_t seed, uint64_t step);

/* Reads both sides after their forward passes and runs the projector. */
kd2m_status kd2m_match_forward(kd2m_match *match, const kd2m_match_ends *ends, float *scratch,
                               kd2m_profile *profile);

/* Passes match->gradient on to the student's layer, through the projector. */
kd2m_status kd2m_match_backward(kd2m_match *match, const kd2m_match_ends *ends, float *scratch,
                                kd2m_profile *profile);

#endif
