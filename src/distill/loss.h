/*
 * Loss expressions:
 *
 *   loss := term { '+' term }
 *   term := [ number '*' ] metric [ '@' layer [ '/' reduction ] [ '~' teacher_layer ] ]
 *   reduction := 'pool' | 'flatten' | 'positions' [ ':rows=' N ]
 *
 * 'ce', the cross-entropy with the labels, is a term by itself; everything else is a metric spec,
 * which may have a key bank=N beside its own.
 */
#ifndef KD2M_DISTILL_LOSS_H
#define KD2M_DISTILL_LOSS_H

#include <stdbool.h>

#include "kd2m/distill.h"
#include "spec.h"

/* How a layer's output becomes rows. Without positions, a sample's output is its row. */
typedef enum kd2m_reduction {
    KD2M_REDUCTION_POOL,     /* a sample is a row: the mean over its positions, channels numbers */
    KD2M_REDUCTION_FLATTEN,  /* a sample is a row: every channel at every position */
    KD2M_REDUCTION_POSITIONS /* a position of a sample is a row: channels numbers */
} kd2m_reduction;

typedef struct kd2m_term {
    char *text;    /* the term written out, '0.5*w2@features': its name in logs */
    double weight; /* >= 0 */
    char *metric;  /* spec; NULL for ce */
    char *layer;   /* the student's */
    char *teacher_layer;
    kd2m_reduction reduction;
    size_t rows; /* drawn of a batch's positions; 0 = all */
    size_t bank; /* teacher's rows that are kept from earlier batches */
    bool layer_given;
    size_t position; /* of the term in the expression */
} kd2m_term;

typedef struct kd2m_loss {
    kd2m_context *context;
    kd2m_term *terms;
    size_t count;
    size_t capacity;
} kd2m_loss;

/* Parses an expression. Errors: KD2M_ERROR_USAGE with the position. Whether metrics and layers
 * exist is seen when they are opened. */
kd2m_status kd2m_loss_parse(kd2m_loss **out, kd2m_context *context, const char *text);
void kd2m_loss_free(kd2m_loss *loss);

/* *out = owned text: --loss, or what --metric and --weight are short for, or the default: 'ce'
 * alone without a teacher, 'ce + w2' with one. */
kd2m_status kd2m_loss_expression(kd2m_context *context, char **out,
                                 const kd2m_train_settings *settings);

/* 'pool', 'flatten' or 'positions'. */
const char *kd2m_reduction_name(kd2m_reduction reduction);

#endif
