/*
 * What scale=teacher divides by: the total variance of the teacher's layers over the training set,
 * in one pass, sums in double about the first row. O(n d) time, O(d) memory.
 */
#include <math.h>

#include "context.h"
#include "memory.h"
#include "objective.h"

/* Running sums of the teacher's layers: sums of x and x^2 per feature, about the first row. */
typedef struct moments {
    kd2m_objective *objective;
    double *shift, *sum, *square; /* for all matches, one after another */
    size_t rows;                  /* samples */
} moments;

/* Rows that a sample yields: where positions are rows, all of them count, drawn or not. */
static size_t positions_of(const kd2m_match *match) {
    return match->teacher_drawn ? match->teacher_layer.positions : 1;
}

static kd2m_status add_moments(void *user, kd2m_teacher *teacher, size_t rows) {
    moments *m = user;
    kd2m_objective *objective = m->objective;
    const double *weights = kd2m_teacher_weights(teacher); /* whose rows come all at once */
    size_t offset = 0;
    kd2m_status status = KD2M_OK;
    for (size_t k = 0; k < objective->match_count; k++) {
        const kd2m_match *match = &objective->matches[k];
        size_t width = match->teacher_width;
        size_t each = positions_of(match);
        float *values = match->teacher_drawn ? objective->scratch : match->teacher;
        KD2M_TRY(kd2m_teacher_read(teacher, &match->teacher_layer, match->reduction,
                                   objective->scratch, values));
        for (size_t j = 0; m->rows == 0 && j < width; j++)
            m->shift[offset + j] = values[j * each];
        for (size_t i = 0; i < rows * width * each; i++) {
            size_t j = offset + i / each % width;
            double value = values[i] - m->shift[j];
            double weight = weights ? weights[i / each / width] * (double)rows : 1;
            m->sum[j] += weight * value;
            m->square[j] += weight * value * value;
        }
        offset += width;
    }
    m->rows += rows;
cleanup:
    return status;
}

static kd2m_status set_divisor(kd2m_objective *objective, kd2m_bound_term *bound) {
    if (bound->match == KD2M_NO_MATCH || bound->info.degree == 0)
        return KD2M_OK;
    double variance = objective->matches[bound->match].teacher_variance;
    if (!(variance > 0))
        return kd2m_fail(objective->context, KD2M_ERROR_INPUT,
                         "term '%s': the teacher's layer '%s' is constant over the training data, "
                         "nothing to match; with --scale none it can be tried all the same",
                         bound->term->text, bound->term->teacher_layer);
    bound->divisor = pow(variance, bound->info.degree / 2);
    bound->factor = bound->term->weight / bound->divisor;
    return KD2M_OK;
}

kd2m_status kd2m_objective_measure(kd2m_objective *objective, bool scale) {
    kd2m_context *context = objective->context;
    moments m = {.objective = objective};
    kd2m_status status = KD2M_OK;
    size_t width = 0, offset = 0;
    for (size_t k = 0; k < objective->match_count; k++)
        width += objective->matches[k].teacher_width;
    if (width == 0)
        return KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&m.shift, width, sizeof(double)));
    KD2M_TRY(kd2m_alloc(context, (void **)&m.sum, width, sizeof(double)));
    KD2M_TRY(kd2m_alloc(context, (void **)&m.square, width, sizeof(double)));
    KD2M_TRY(kd2m_teacher_pass(objective->ends.teacher, add_moments, &m));
    for (size_t k = 0; k < objective->match_count; k++) {
        double variance = 0;
        double n = (double)(m.rows * positions_of(&objective->matches[k]));
        for (size_t j = 0; j < objective->matches[k].teacher_width; j++, offset++)
            variance += m.square[offset] / n - m.sum[offset] / n * (m.sum[offset] / n);
        objective->matches[k].teacher_variance = variance;
    }
    for (size_t i = 0; scale && i < objective->loss->count; i++)
        KD2M_TRY(set_divisor(objective, &objective->terms[i]));
cleanup:
    kd2m_free(context, m.shift);
    kd2m_free(context, m.sum);
    kd2m_free(context, m.square);
    return status;
}
