/*
 * Labelled data sets: samples of C channels x length, C x height x width, or D columns, each with a
 * class. A spec says where they come from:
 *
 *     bearing:load=1,speed=1797,snr=5        generated vibration of a rolling bearing
 *     cifar10:DIR, cifar100:DIR              CIFAR's binary files, gzipped or not
 *     csv:train=A.csv,test=B.csv,label=NAME  tables in text
 *     idx:DIR                                MNIST's four files, gzipped or not
 *     npy:train=X.npy;Y.npy,test=X.npy;Y.npy NumPy arrays, N x ... values and N labels
 *     recordings:train=DIR,labels=SIDECAR    long signals in CSV or NumPy files, cut into windows
 *
 * Beside the label a row may have columns (machine, load, ..): codes 0, 1, .. that stand for texts,
 * in all parts alike.
 */
#ifndef KD2M_DATA_H
#define KD2M_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/settings.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* clang-format off */
#define KD2M_DATA_SETTINGS(X)                                                                      \
    X(TEXT,    data,         NULL,      0, 0,        "SPEC",   "data set, e.g. idx:DIR or bearing:load=1")             \
    X(TEXT,    transform,    NULL,      0, 0,        "CHAIN",  "applied to every sample, e.g. detrend+envelope-spectrum") \
    X(CHOICE,  missing,      "refuse",  0, 0,        "refuse|drop|interpolate", "what becomes of samples with missing values (empty, NA, NaN)") \
    X(TEXT,    split,        "random",  0, 0,        "random|group:COLUMN|time[:COLUMN]", "how those are chosen: by class, whole groups, the latest") \
    X(REAL,    validation,   "0.1",     0, 0.9,      "SHARE",  "share of the training data kept for validation")       \
    X(REAL,    test,         "0",       0, 0.9,      "SHARE",  "share of them kept for test, where there is no test part")       \
    X(TEXT,    classes,      NULL,      0, 0,        "LIST",   "these classes alone, numbered anew from 0, e.g. 1-9")  \
    X(INTEGER, limit,        "0",       0, 4294967295.0, "N",  "most training rows; of each class its share; 0 = all") \
    X(REAL,    imbalance,    "1",       1e-6, 1,     "RATIO",  "training rows of the last class over those of the first, falling from class to class") \
    X(REAL,    label_noise,  "0",       0, 1,        "SHARE",  "share of the training labels that are replaced by other classes") \
    X(INTEGER, split_seed,   "0",       0, 4294967295.0, "N",  "chooses the split, and the rows that limit and imbalance leave: the same for a teacher and its students") \
    X(INTEGER, seed,         "0",       0, 4294967295.0, "N",  "chooses weights, batches and wrong labels")
/* clang-format on */

/* Which data, and what is made of them. */
typedef struct kd2m_data_settings {
    KD2M_DATA_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_data_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_data_setting_list(void);

typedef struct kd2m_dataset kd2m_dataset;

typedef enum kd2m_split { KD2M_TRAIN = 0, KD2M_VALIDATION = 1, KD2M_TEST = 2 } kd2m_split;

typedef struct kd2m_dataset_info {
    const char *spec;      /* as opened; borrowed from the data set */
    const char *transform; /* the chain in its plain form, "" for none; borrowed */
    size_t dims;           /* of one sample, 1..3 */
    size_t shape[3];       /* D | C, L | C, H, W */
    size_t sample_size;    /* product of shape */
    size_t channels;       /* shape[0]; D for a table */
    size_t classes;        /* labels are 0..classes-1, as settings->classes numbers them */
    size_t columns;        /* beside the labels */
    size_t rows[3];        /* per split; 0 where there is none */
    size_t dropped;        /* rows that lie across a cut in time and are in no split */
    size_t relabelled;     /* training rows that have a wrong label by settings->label_noise */
    uint64_t digest;       /* of all values, labels and columns, as read: classes that are not used
                            * count, transform, split and what is done to training rows don't */
} kd2m_dataset_info;

typedef struct kd2m_column_info {
    const char *name;         /* borrowed from the data set, as the texts */
    size_t codes;             /* they are 0..codes-1 */
    const char *const *texts; /* codes: what each stands for */
} kd2m_column_info;

/*
 * Opens the data set settings->data, leaves settings->classes of it, sends the samples through
 * settings->transform and cuts the shares settings->validation and, where it has no test part,
 * settings->test of its training rows off by the rule settings->split:
 *
 *     random         of each class the same share, chosen by split_seed alone
 *     group:COLUMN   whole groups of rows with one code of the column, as near to the share as they
 *                    get; split_seed chooses among equals
 *     time           the latest for test, those before for validation; rows that reach over a cut
 *                    are left out (info.dropped)
 *     time:COLUMN    the same for each code of the column by itself, as for recordings with clocks
 *                    of their own
 *
 * Which rows test has does not depend on settings->validation. Of the rows that are left to train
 * on, settings->imbalance leaves class after class fewer, n ratio^(c / (classes - 1)) of class c
 * where the largest class has n; then settings->limit keeps so many, of each class its share; then
 * settings->label_noise replaces the labels of a share of them by other classes, each as likely.
 * split_seed chooses the rows and seed the wrong labels; validation, test and all keys stay what
 * they are. Another seed has the same split, so that no student is judged on rows that its teacher
 * was trained on. What is missing (empty cells, NA, NaN) is refused, or as settings->missing says,
 * its sample left out, or it is interpolated along the time of a signal. The settings' texts are
 * copied. Errors: KD2M_ERROR_USAGE (settings, spec, chain, classes that there aren't, a split that
 * can't be), KD2M_ERROR_IO, KD2M_ERROR_INPUT (files; labels out of range; NaN or infinity with
 * count and first position; transforms that do not fit), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_dataset_open(kd2m_dataset **out, kd2m_context *context,
                                       const kd2m_data_settings *settings);

/* Frees the data set. NULL is fine. */
KD2M_API void kd2m_dataset_free(kd2m_dataset *dataset);

KD2M_API void kd2m_dataset_describe(const kd2m_dataset *dataset, kd2m_dataset_info *info);

/*
 * Copies rows first..first+count-1 of a split, as measured (not normalised): `values` count x
 * sample_size, `labels` count; either may be NULL. Errors: KD2M_ERROR_USAGE past the end.
 */
KD2M_API kd2m_status kd2m_dataset_read(const kd2m_dataset *dataset, kd2m_split split, size_t first,
                                       size_t count, float *values, int32_t *labels);

/* Describes column `index` < info.columns. Errors: KD2M_ERROR_USAGE past the end. */
KD2M_API kd2m_status kd2m_dataset_column(const kd2m_dataset *dataset, size_t index,
                                         kd2m_column_info *out);

/* Copies the codes of rows first..first+count-1 of a split in column `column`. Errors:
 * KD2M_ERROR_USAGE past the end, or where that part of the data lacks the column. */
KD2M_API kd2m_status kd2m_dataset_read_codes(const kd2m_dataset *dataset, kd2m_split split,
                                             size_t column, size_t first, size_t count,
                                             int32_t *codes);

/*
 * Copies the keys of rows first..first+count-1 of a split. A sample's key is a 64-bit digest of its
 * shape and its values as they were read, before any transform: it tells a sample wherever it
 * stands, in whatever order, split or file. Samples that are the same share a key. Errors:
 * KD2M_ERROR_USAGE past the end.
 */
KD2M_API kd2m_status kd2m_dataset_read_keys(const kd2m_dataset *dataset, kd2m_split split,
                                            size_t first, size_t count, uint64_t *keys);

/*
 * Writes the samples as NumPy arrays into `folder`, made where it is missing: train_x.npy (rows x a
 * sample's shape, float32, transformed but not normalised), train_y.npy (labels, int32) and
 * train_keys.npy (rows x 8 bytes, a key's lowest first); likewise validation_ and test_ where there
 * are such rows. Files of an earlier export are replaced. Errors: KD2M_ERROR_IO,
 * KD2M_ERROR_MEMORY, KD2M_ERROR_INTERRUPTED: then the split under way has no keys there.
 */
KD2M_API kd2m_status kd2m_dataset_export(const kd2m_dataset *dataset, const char *folder);

/* The readers and their keys as a table. To be freed by the caller. */
KD2M_API kd2m_status kd2m_dataset_table(kd2m_table **out, kd2m_context *context);

KD2M_END_DECLS

#endif
