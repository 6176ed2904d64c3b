/* Labels from texts: see classes.h. Time O(rows + classes log classes). */
#include "classes.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "spec.h"
#include "text.h"

#define SHOWN 32 /* classes that a line of the log names */

/* The texts that labels have, and their codes. */
typedef struct used_text {
    const char *text;
    size_t code;
} used_text;

static int compare(const void *a, const void *b) {
    return strcmp(((const used_text *)a)->text, ((const used_text *)b)->text);
}

static void mark(unsigned char *used, const kd2m_frame *frame) {
    for (size_t i = 0; i < frame->rows; i++)
        used[frame->codes[i * frame->texts]] = 1;
}

static bool parse_whole(const char *text, double *out, bool *number) {
    size_t length;
    *out = kd2m_parse_number(text, &length);
    *number = length > 0 && text[length] == '\0';
    return *number && fabs(*out) <= INT32_MAX && floor(*out) >= *out;
}

/* Says which text became which class. */
static kd2m_status tell(kd2m_context *context, const char *name, const char *const *texts,
                        size_t count) {
    kd2m_text line = {context, NULL, 0, 0};
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count && i < SHOWN; i++)
        KD2M_TRY(kd2m_text_append(&line, "%s%zu = %.60s", i > 0 ? ", " : "", i, texts[i]));
    kd2m_log(context, KD2M_LOG_INFO, "classes of '%s': %s%s", name, line.text,
             count > SHOWN ? ", .." : "");
cleanup:
    kd2m_free(context, line.text);
    return status;
}

/* Numbers the texts in the order of their bytes. */
static kd2m_status number_sorted(int32_t *labels, size_t *classes, kd2m_context *context,
                                 const char *name, used_text *used, size_t count) {
    const char **texts = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&texts, count, sizeof *texts));
    qsort(used, count, sizeof *used, compare);
    for (size_t i = 0; i < count; i++) {
        labels[used[i].code] = (int32_t)i;
        texts[i] = used[i].text;
    }
    *classes = count;
    KD2M_TRY(tell(context, name, texts, count));
cleanup:
    kd2m_free(context, texts);
    return status;
}

/* Numbers the texts as `given` names them. */
static kd2m_status number_given(int32_t *labels, size_t *classes, kd2m_context *context,
                                const char *name, const char *given, const used_text *used,
                                size_t count) {
    kd2m_names names = {0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_names_split(&names, context, given, "a class"));
    for (size_t i = 0; i < count; i++) {
        size_t label = 0;
        while (label < names.count && strcmp(names.items[label], used[i].text) != 0)
            label++;
        if (label == names.count) {
            status = kd2m_fail(context, KD2M_ERROR_INPUT,
                               "'%s' is '%.80s' somewhere, which classes='%.200s' does not name",
                               name, used[i].text, given);
            goto cleanup;
        }
        labels[used[i].code] = (int32_t)label;
    }
    *classes = names.count;
    KD2M_TRY(tell(context, name, (const char *const *)names.items, names.count));
cleanup:
    kd2m_names_clear(&names, context);
    return status;
}

/* The labels where all texts are numbers; false where one is not whole (*odd) or no number. */
static bool number_whole(int32_t *labels, const used_text *used, size_t count, const char **odd) {
    bool all_numbers = true, number;
    double value;
    *odd = NULL;
    for (size_t i = 0; i < count; i++) {
        if (parse_whole(used[i].text, &value, &number))
            labels[used[i].code] = (int32_t)value;
        else if (number)
            *odd = used[i].text;
        all_numbers = all_numbers && number;
    }
    if (!all_numbers)
        *odd = NULL;
    return all_numbers && !*odd;
}

static kd2m_status number_texts(int32_t *labels, size_t *classes, kd2m_context *context,
                                const char *name, const char *given, used_text *used,
                                size_t count) {
    double wanted = 0;
    bool number = false;
    const char *odd = NULL;
    if (given && !parse_whole(given, &wanted, &number))
        return number_given(labels, classes, context, name, given, used, count);
    if (number && !(wanted >= 1 && wanted <= KD2M_CLASSES_LIMIT))
        return kd2m_fail(context, KD2M_ERROR_USAGE, "classes=%s: must be 1 to %d, or names", given,
                         KD2M_CLASSES_LIMIT);
    *classes = (size_t)wanted;
    if (number_whole(labels, used, count, &odd))
        return KD2M_OK;
    if (odd)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "label '%.40s' in column '%s' is not a whole number", odd, name);
    if (number)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "the labels in '%s' are texts: name them, classes=A;B;.., or leave "
                         "classes=%s out",
                         name, given);
    return number_sorted(labels, classes, context, name, used, count);
}

kd2m_status kd2m_classes_number(int32_t **labels, size_t *classes, kd2m_context *context,
                                const kd2m_column *column, const char *given,
                                const kd2m_frame *train, const kd2m_frame *test) {
    unsigned char *marks = NULL;
    used_text *used = NULL;
    size_t count = 0;
    kd2m_status status = KD2M_OK;
    *labels = NULL;
    KD2M_TRY(kd2m_alloc(context, (void **)labels, column->count, sizeof **labels));
    KD2M_TRY(kd2m_alloc(context, (void **)&marks, column->count, 1));
    KD2M_TRY(kd2m_alloc(context, (void **)&used, column->count, sizeof *used));
    mark(marks, train);
    mark(marks, test);
    for (size_t code = 0; code < column->count; code++)
        if (marks[code])
            used[count++] = (used_text){column->texts[code], code};
    KD2M_TRY(number_texts(*labels, classes, context, column->name, given, used, count));
cleanup:
    if (status != KD2M_OK) {
        kd2m_free(context, *labels);
        *labels = NULL;
    }
    kd2m_free(context, used);
    kd2m_free(context, marks);
    return status;
}
