/* Files of a data set in one folder, each as it is called or with .gz behind. */
#ifndef KD2M_DATA_FOLDER_H
#define KD2M_DATA_FOLDER_H

#include "source.h"

/* Opens FOLDER/NAME or, where that is not there, FOLDER/NAME.gz. Where neither is there: an error
 * if it is `needed`, else *out = NULL. Errors: KD2M_ERROR_IO. */
kd2m_status kd2m_folder_open(kd2m_source **out, kd2m_context *context, const char *folder,
                             const char *name, bool needed);

#endif
