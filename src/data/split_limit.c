/*
 * Fewer training rows. Which rows of a class stay, the seed alone decides: those of a smaller limit
 * or ratio are among those of a larger one. Time O(rows + classes).
 *
 * A limit keeps of each class its share, by running sums,
 *
 *     class c keeps floor(N_c L / N) - floor(N_{c-1} L / N)     N_c: rows of classes 0..c, N: of
 * all
 *
 * so that L rows stay and no class is off its share by a row.
 *
 * An imbalance makes class after class rarer by the same factor, down to the ratio r (Cui, Jia,
 * Lin, Song and Belongie, 'Class-balanced loss based on effective number of samples', CVPR 2019,
 * arXiv:1901.05555),
 *
 *     class c keeps n r^(c / (C - 1)) rows, rounded, or 1     n: of the largest class, C: classes
 *
 * or all that it has where they are fewer.
 */
#include <math.h>

#include "context.h"
#include "memory.h"
#include "rng.h"
#include "split.h"

/* The rows to train on by class, class c's from start[c] to before start[c + 1]. */
typedef struct thinning {
    kd2m_sharing *sharing;
    size_t classes;
    size_t *start;
    uint32_t *by_class;
} thinning;

static kd2m_status begin(thinning *out, kd2m_sharing *sharing) {
    kd2m_context *context = sharing->dataset->context;
    kd2m_status status = KD2M_OK;
    *out = (thinning){sharing, sharing->dataset->raw.classes, NULL, NULL};
    KD2M_TRY(kd2m_alloc(context, (void **)&out->start, out->classes + 1, sizeof *out->start));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->by_class, sharing->dataset->raw.train.rows,
                        sizeof *out->by_class));
    kd2m_split_by_class(sharing, out->start, out->by_class);
cleanup:
    return status;
}

static size_t count_of(const thinning *rows, size_t class) {
    return rows->start[class + 1] - rows->start[class];
}

/* Leaves `kept` rows of a class. */
static void thin(thinning *rows, size_t class, size_t kept, kd2m_stream stream) {
    uint32_t *those = rows->by_class + rows->start[class];
    kd2m_rng rng;
    kd2m_rng_init(&rng, rows->sharing->seed, stream, class);
    kd2m_rng_shuffle(&rng, those, count_of(rows, class));
    for (size_t i = kept; i < count_of(rows, class); i++)
        rows->sharing->places[those[i]] = KD2M_LEFT_OUT;
}

static void end(thinning *rows) {
    kd2m_free(rows->sharing->dataset->context, rows->start);
    kd2m_free(rows->sharing->dataset->context, rows->by_class);
}

kd2m_status kd2m_split_limit(kd2m_sharing *sharing, size_t limit) {
    thinning rows;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(begin(&rows, sharing));
    const size_t *start = rows.start;
    size_t total = start[rows.classes]; /* rows and limit are below 2^32: no product overflows */
    for (size_t c = 0; c < rows.classes && limit < total; c++)
        thin(&rows, c, start[c + 1] * limit / total - start[c] * limit / total, KD2M_STREAM_LIMIT);
cleanup:
    end(&rows);
    return status;
}

kd2m_status kd2m_split_imbalance(kd2m_sharing *sharing, double ratio) {
    thinning rows;
    size_t most = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(begin(&rows, sharing));
    for (size_t c = 0; c < rows.classes; c++)
        most = count_of(&rows, c) > most ? count_of(&rows, c) : most;
    for (size_t c = 1; c < rows.classes; c++) {
        double share = pow(ratio, (double)c / (double)(rows.classes - 1));
        double kept = fmax(floor((double)most * share + 0.5), 1);
        thin(&rows, c, (size_t)kept, KD2M_STREAM_IMBALANCE);
    }
cleanup:
    end(&rows);
    return status;
}
