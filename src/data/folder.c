/* Files of a data set in one folder; see folder.h. */
#include "folder.h"

#include <stdio.h>

#include "context.h"
#include "memory.h"
#include "writer.h"

kd2m_status kd2m_folder_open(kd2m_source **out, kd2m_context *context, const char *folder,
                             const char *name, bool needed) {
    char zipped_name[128];
    char *plain = NULL, *zipped = NULL;
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_join_path(context, &plain, folder, name));
    snprintf(zipped_name, sizeof zipped_name, "%s.gz", name);
    KD2M_TRY(kd2m_join_path(context, &zipped, folder, zipped_name));
    if (kd2m_file_exists(plain))
        KD2M_TRY(kd2m_source_open(out, context, plain));
    else if (needed || kd2m_file_exists(zipped))
        KD2M_TRY(kd2m_source_open(out, context, zipped));
cleanup:
    kd2m_free(context, plain);
    kd2m_free(context, zipped);
    return status;
}
