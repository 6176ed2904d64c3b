/* Some classes of a data set alone. */
#ifndef KD2M_DATA_SELECT_H
#define KD2M_DATA_SELECT_H

#include "dataset.h"

/*
 * Leaves in both parts of `raw`, whose classes are set, the rows of the classes that `list` names
 * ('1-9', '0,2,5'), and numbers these from 0 in ascending order. NULL or "" leaves raw as it is.
 * Errors: KD2M_ERROR_USAGE: the list's form, a class that there isn't, no row left in a part that
 * has rows.
 */
kd2m_status kd2m_raw_data_select(kd2m_context *context, kd2m_raw_data *raw, const char *list);

#endif
