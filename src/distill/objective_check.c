/*
 * Which terms a teacher can serve. A net, and features with keys, know every sample and serve all
 * terms; features of other samples only those that compare laws; moments only those that look at
 * means and variances.
 */
#include "context.h"
#include "objective.h"

/* What stands against it, behind the metric's name; or NULL. */
static const char *refuse_unpaired(const kd2m_bound_term *bound, const kd2m_teacher_info *teacher) {
    const kd2m_metric_info *info = &bound->info;
    if (teacher->mode == KD2M_TEACHER_MOMENTS && !(info->traits & KD2M_METRIC_MOMENTS))
        return "looks at more than means and variances, which are all that there is of the "
               "teacher; gauss-w2, kl and the other Gaussian metrics with cov=diag work, and "
               "mmd:kernel=linear, and cond(..) of them where moments are by class";
    if (info->traits & (KD2M_METRIC_PAIRED | KD2M_METRIC_ON_LOGITS))
        return "compares rows of the same samples, but the teacher's features have no keys that "
               "tell whose they are: add 'keys' (kd2m data --out writes them), or take a metric of "
               "distributions";
    if (info->column)
        return "tells groups by a column, which the teacher's samples don't have";
    if (teacher->mode == KD2M_TEACHER_MOMENTS && bound->term->bank > 0)
        return "has no use for bank=: the teacher is known by its moments, there are no earlier "
               "rows of it";
    return NULL;
}

static const char *refuse(const kd2m_bound_term *bound, const kd2m_teacher_info *teacher) {
    unsigned traits = bound->info.traits;
    if (bound->term->bank > 0 && (traits & KD2M_METRIC_PAIRED))
        return "compares rows of the same samples, so earlier rows are no use to it: leave bank= "
               "out";
    if ((traits & KD2M_METRIC_ON_LOGITS) && bound->term->layer_given)
        return "compares logits, it takes no layer";
    if (teacher->mode != KD2M_TEACHER_PAIRED) {
        const char *why = refuse_unpaired(bound, teacher);
        if (why)
            return why;
    }
    if ((traits & (KD2M_METRIC_ON_LOGITS | KD2M_METRIC_WITH_LOGITS)) && teacher->classes == 0)
        return "compares logits, and the teacher's file has none of the data's classes: add "
               "'logits', [N,K], to it";
    if ((traits & KD2M_METRIC_LABELS) && !teacher->labelled)
        return teacher->mode == KD2M_TEACHER_MOMENTS
                   ? "needs the teacher's moments by class, [C,d] with 'features.weight', but "
                     "there are those of all classes together"
                   : "needs the labels of the teacher's samples: add 'labels' to its file";
    return NULL;
}

kd2m_status kd2m_objective_check_term(const kd2m_objective *objective,
                                      const kd2m_bound_term *bound) {
    const char *text = bound->term->text;
    if (!objective->ends.teacher)
        return kd2m_fail(objective->context, KD2M_ERROR_USAGE,
                         "term '%s' compares with a teacher: give one with --teacher", text);
    const char *why = refuse(bound, kd2m_teacher_describe(objective->ends.teacher));
    return why ? kd2m_fail(objective->context, KD2M_ERROR_USAGE, "term '%s': %s %s", text,
                           bound->info.name, why)
               : KD2M_OK;
}
