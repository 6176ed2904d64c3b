/* A sample out of .npy files: features, and what belongs to each row. */
#ifndef KD2M_CLI_SAMPLE_FILES_H
#define KD2M_CLI_SAMPLE_FILES_H

#include "kd2m/kd2m.h"

#define CLI_COLUMNS 16

/* Which files; all texts borrowed. */
typedef struct cli_sample_paths {
    const char *features, *labels, *logits; /* the last two may be NULL */
    const char *columns[CLI_COLUMNS];       /* 'NAME=FILE.npy' */
    size_t column_count;
} cli_sample_paths;

/* The arrays, and the sample that points into them. */
typedef struct cli_sample {
    kd2m_array features, logits;
    int32_t *labels;
    char *names[CLI_COLUMNS];
    int32_t *codes[CLI_COLUMNS];
    kd2m_sample_column columns[CLI_COLUMNS];
    kd2m_sample sample;
} cli_sample;

/* Reads the files into *out, which is zeroed before; to be cleared after failures too. With
 * `on_logits` the features serve as logits. */
kd2m_status cli_sample_read(cli_sample *out, kd2m_context *context, const cli_sample_paths *paths,
                            int on_logits);
void cli_sample_clear(cli_sample *sample, kd2m_context *context);

#endif
