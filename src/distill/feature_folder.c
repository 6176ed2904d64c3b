/* A folder of .npy files as the tensors of a feature file: see feature_file.h. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "feature_file.h"
#include "kd2m/array.h"
#include "memory.h"
#include "names.h"
#include "writer.h"

static const char ending[] = ".npy";

static int compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Appends the name of an array, without its ending. */
static kd2m_status add_name(kd2m_context *context, kd2m_names *names, const char *file) {
    size_t length = strlen(file), end = sizeof ending - 1;
    kd2m_status status = KD2M_OK;
    if (length <= end || file[0] == '.' || strcmp(file + length - end, ending) != 0)
        return KD2M_OK;
    KD2M_TRY(kd2m_names_add(names, context, file));
    names->items[names->count - 1][length - end] = '\0';
cleanup:
    return status;
}

static kd2m_status list_names(kd2m_context *context, kd2m_names *names, const char *folder) {
    kd2m_status status = KD2M_OK;
    DIR *entries = opendir(folder);
    if (!entries)
        return kd2m_fail(context, KD2M_ERROR_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; status == KD2M_OK && (entry = readdir(entries));)
        status = add_name(context, names, entry->d_name);
    closedir(entries);
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare);
    return status;
}

/* Reads FOLDER/NAME.npy and moves its values into a tensor. */
static kd2m_status read_array(kd2m_tensors *tensors, const char *folder, const char *name) {
    static const kd2m_tensor_type types[] = {[KD2M_FLOAT32] = KD2M_TENSOR_F32,
                                             [KD2M_UINT8] = KD2M_TENSOR_U8,
                                             [KD2M_INT32] = KD2M_TENSOR_I32};
    kd2m_context *context = tensors->context;
    kd2m_array array = {0};
    kd2m_tensor *tensor = NULL;
    char *file = NULL, *path = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&file, strlen(name) + sizeof ending, 1));
    memcpy(file, name, strlen(name));
    memcpy(file + strlen(name), ending, sizeof ending);
    KD2M_TRY(kd2m_join_path(context, &path, folder, file));
    KD2M_TRY(kd2m_array_read(&array, context, path));
    KD2M_TRY(kd2m_tensors_declare(tensors, &tensor, name, types[array.element], array.dims,
                                  array.shape));
    tensor->values = array.values;
    array.values = NULL;
cleanup:
    kd2m_array_clear(context, &array);
    kd2m_free(context, path);
    kd2m_free(context, file);
    return status;
}

kd2m_status kd2m_feature_folder_read(kd2m_tensors **out, kd2m_context *context,
                                     const char *folder) {
    *out = NULL;
    kd2m_names names = {0};
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(list_names(context, &names, folder));
    KD2M_TRY(kd2m_tensors_create(&tensors, context));
    for (size_t i = 0; i < names.count; i++)
        KD2M_TRY(read_array(tensors, folder, names.items[i]));
    *out = tensors;
    tensors = NULL;
cleanup:
    kd2m_names_clear(&names, context);
    kd2m_tensors_free(tensors);
    return status;
}
