/* Which samples stand behind outputs, row by row, and which of them stand or fall together. */
#ifndef KD2M_STUDY_SAMPLES_H
#define KD2M_STUDY_SAMPLES_H

#include "kd2m/data.h"
#include "study_internal.h"

/*
 * Keeps, unless the store has them, the keys and groups of a split of the data that `training`, the
 * settings of the report's trial at `place`, describe, with those of part->settings over them. Its
 * groups are the codes of the column that the plan names; else of that which the split keeps apart,
 * else of 'recording'. Without such a column there are none.
 */
kd2m_status kd2m_study_keep_samples(kd2m_study *study, const kd2m_place *place,
                                    const json_t *training, const kd2m_plan_part *part,
                                    kd2m_split split);

#endif
