/*
 * Optimisers: see optimizer.h; the arithmetic is in update.c.
 *
 * The parameters of all nets are cut into chunks of fixed size, which are shared among the threads,
 * to each its part of every parameter.
 * The norm is a sum over chunks in their order, so a step gives the same bits whatever the number
 * of threads.
 * Time O(weights) a step, memory one float (SGD) or two (AdamW) a weight, set aside beforehand: a
 * step allocates nothing. Thread rule: that of the nets.
 */
#include "optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "parallel.h"
#include "update.h"

#define CHUNK ((size_t)16384) /* weights; with state and gradient it stays in a core's cache */

#define STATES 2 /* arrays of state a parameter may need */

static const char *const state_names[][STATES] = {
    [KD2M_SGD] = {"momentum", NULL},
    [KD2M_ADAMW] = {"first_moment", "second_moment"},
};

/* A trained parameter and its state. */
typedef struct slot {
    size_t net, index; /* which net, which of its parameters */
    const kd2m_parameter *parameter;
    float *state[STATES]; /* laid out as the parameter */
} slot;

/* A piece of a parameter, the unit of work. */
typedef struct chunk {
    const slot *slot;
    size_t begin, count;
    double sum_squares; /* of its gradient, in the last norm */
} chunk;

struct kd2m_optimizer {
    kd2m_context *context;
    kd2m_optimizer_settings settings;
    kd2m_net **nets;
    char **prefixes;
    size_t net_count;
    slot *slots;
    size_t slot_count;
    chunk *chunks;
    size_t chunk_count;
    float *memory; /* all state */
    uint64_t steps;

    /* of the step under way */
    kd2m_sgd sgd[2];     /* without decay, with it */
    kd2m_adamw adamw[2]; /* the same */
};

static kd2m_status check_settings(kd2m_context *context, const kd2m_optimizer_settings *settings) {
    const struct {
        const char *name;
        double value, low, below;
    } ranges[] = {
        {"momentum", settings->momentum, 0, 1},
        {"weight decay", settings->weight_decay, 0, INFINITY},
        {"clip", settings->clip, 0, INFINITY},
        {"beta1", settings->kind == KD2M_ADAMW ? settings->beta1 : 0, 0, 1},
        {"beta2", settings->kind == KD2M_ADAMW ? settings->beta2 : 0, 0, 1},
        {"epsilon", settings->kind == KD2M_ADAMW ? settings->epsilon : 1, 1e-30, INFINITY},
    };
    if (settings->kind != KD2M_SGD && settings->kind != KD2M_ADAMW)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "there is no optimiser number %d",
                         (int)settings->kind);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= ranges[i].low && ranges[i].value < ranges[i].below))
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "the optimiser's %s must be at least %g and below %g, not %g",
                             ranges[i].name, ranges[i].low, ranges[i].below, ranges[i].value);
    if (settings->kind == KD2M_SGD && settings->nesterov && settings->momentum == 0)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "Nesterov's momentum needs a momentum above 0");
    return KD2M_OK;
}

static bool is_trained(const kd2m_parameter *parameter) {
    return parameter->trained && parameter->gradient;
}

static size_t chunks_of(size_t count) {
    return (count + CHUNK - 1) / CHUNK;
}

static kd2m_status borrow_nets(kd2m_optimizer *optimizer, kd2m_net *const *nets,
                               const char *const *prefixes, size_t count) {
    kd2m_context *context = optimizer->context;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&optimizer->nets, count, sizeof *optimizer->nets));
    KD2M_TRY(
        kd2m_alloc(context, (void **)&optimizer->prefixes, count, sizeof *optimizer->prefixes));
    for (size_t i = 0; i < count; i++, optimizer->net_count++) {
        optimizer->nets[i] = nets[i];
        KD2M_TRY(kd2m_text_copy(context, &optimizer->prefixes[i], prefixes[i]));
    }
cleanup:
    return status;
}

/* Lists the trained parameters and counts the chunks and weights that they make. */
static kd2m_status list_slots(kd2m_optimizer *optimizer, size_t *weights) {
    kd2m_context *context = optimizer->context;
    kd2m_status status = KD2M_OK;
    size_t most = 0, count;
    *weights = 0;
    for (size_t n = 0; n < optimizer->net_count; n++) {
        kd2m_net_parameters(optimizer->nets[n], &count);
        most += count;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)&optimizer->slots, most, sizeof *optimizer->slots));
    for (size_t n = 0; n < optimizer->net_count; n++) {
        const kd2m_parameter *parameters = kd2m_net_parameters(optimizer->nets[n], &count);
        for (size_t i = 0; i < count; i++) {
            if (!is_trained(&parameters[i]))
                continue;
            optimizer->slots[optimizer->slot_count++] =
                (slot){.net = n, .index = i, .parameter = &parameters[i]};
            optimizer->chunk_count += chunks_of(parameters[i].count);
            *weights += parameters[i].count;
        }
    }
    if (optimizer->slot_count == 0)
        status = kd2m_fail(context, KD2M_ERROR_USAGE,
                           "there is nothing to train: no net for training with parameters");
cleanup:
    return status;
}

/* By where a chunk lies in its parameter, so that each thread gets the same share of every one:
 * that which its part of the products is about, and its cache holds. */
static int by_place(const void *a, const void *b) {
    const chunk *one = a, *other = b;
    double place = (double)one->begin / (double)one->slot->parameter->count;
    double other_place = (double)other->begin / (double)other->slot->parameter->count;
    if (place != other_place)
        return place < other_place ? -1 : 1;
    return one->slot < other->slot ? -1 : one->slot > other->slot;
}

/* Sets aside state for all slots and cuts them into chunks. */
static kd2m_status make_state(kd2m_optimizer *optimizer, size_t weights) {
    kd2m_context *context = optimizer->context;
    kd2m_status status = KD2M_OK;
    const char *const *names = state_names[optimizer->settings.kind];
    size_t states = names[1] ? 2 : 1;
    size_t used = 0, next = 0;
    KD2M_TRY(kd2m_alloc(context, (void **)&optimizer->memory, weights, states * sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&optimizer->chunks, optimizer->chunk_count,
                        sizeof *optimizer->chunks));
    for (size_t i = 0; i < optimizer->slot_count; i++) {
        slot *at = &optimizer->slots[i];
        size_t count = at->parameter->count;
        for (size_t k = 0; k < states; k++, used += count)
            at->state[k] = optimizer->memory + used;
        for (size_t begin = 0; begin < count; begin += CHUNK)
            optimizer->chunks[next++] = (chunk){
                .slot = at,
                .begin = begin,
                .count = count - begin < CHUNK ? count - begin : CHUNK,
            };
    }
    qsort(optimizer->chunks, next, sizeof *optimizer->chunks, by_place);
cleanup:
    return status;
}

kd2m_status kd2m_optimizer_create(kd2m_optimizer **out, kd2m_context *context,
                                  const kd2m_optimizer_settings *settings, kd2m_net *const *nets,
                                  const char *const *prefixes, size_t count) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_optimizer *optimizer = NULL;
    size_t weights = 0;
    KD2M_TRY(check_settings(context, settings));
    KD2M_TRY(kd2m_alloc(context, (void **)&optimizer, 1, sizeof *optimizer));
    optimizer->context = context;
    optimizer->settings = *settings;
    KD2M_TRY(borrow_nets(optimizer, nets, prefixes, count));
    KD2M_TRY(list_slots(optimizer, &weights));
    KD2M_TRY(make_state(optimizer, weights));
    *out = optimizer;
    optimizer = NULL;
cleanup:
    kd2m_optimizer_free(optimizer);
    return status;
}

void kd2m_optimizer_free(kd2m_optimizer *optimizer) {
    if (!optimizer)
        return;
    kd2m_context *context = optimizer->context;
    for (size_t i = 0; i < optimizer->net_count; i++)
        kd2m_free(context, optimizer->prefixes[i]);
    kd2m_free(context, optimizer->prefixes);
    kd2m_free(context, optimizer->nets);
    kd2m_free(context, optimizer->slots);
    kd2m_free(context, optimizer->chunks);
    kd2m_free(context, optimizer->memory);
    kd2m_free(context, optimizer);
}

static void sum_chunks(void *user, size_t begin, size_t end, int worker) {
    kd2m_optimizer *optimizer = user;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        chunk *at = &optimizer->chunks[i];
        at->sum_squares = kd2m_sum_squares(at->count, at->slot->parameter->gradient + at->begin);
    }
}

double kd2m_optimizer_gradient_norm(kd2m_optimizer *optimizer) {
    double sum = 0;
    kd2m_parallel_for(optimizer->context, optimizer->chunk_count, 1, sum_chunks, optimizer);
    for (size_t i = 0; i < optimizer->chunk_count; i++)
        sum += optimizer->chunks[i].sum_squares;
    return sqrt(sum);
}

static void update_chunks(void *user, size_t begin, size_t end, int worker) {
    const kd2m_optimizer *optimizer = user;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const chunk *at = &optimizer->chunks[i];
        const slot *of = at->slot;
        const float *gradient = of->parameter->gradient + at->begin;
        float *weights = of->parameter->values + at->begin;
        bool decay = of->parameter->decay;
        if (optimizer->settings.kind == KD2M_SGD)
            kd2m_update_sgd(&optimizer->sgd[decay], at->count, gradient, of->state[0] + at->begin,
                            weights);
        else
            kd2m_update_adamw(&optimizer->adamw[decay], at->count, gradient,
                              of->state[0] + at->begin, of->state[1] + at->begin, weights);
    }
}

/* The step's constants, in double until the last rounding, as PyTorch has them. */
static void prepare_step(kd2m_optimizer *optimizer, double lr, double clip) {
    const kd2m_optimizer_settings *set = &optimizer->settings;
    double t = (double)optimizer->steps;
    for (int decay = 0; decay < 2; decay++) {
        double weight_decay = decay ? set->weight_decay : 0;
        optimizer->sgd[decay] = (kd2m_sgd){
            .lr = (float)lr,
            .momentum = (float)set->momentum,
            .decay = (float)weight_decay,
            .clip = (float)clip,
            .nesterov = set->nesterov,
        };
        optimizer->adamw[decay] = (kd2m_adamw){
            .keep = (float)(1 - lr * weight_decay),
            .beta1 = (float)set->beta1,
            .beta2 = (float)set->beta2,
            .new1 = (float)(1 - set->beta1),
            .new2 = (float)(1 - set->beta2),
            .step = (float)(lr / (1 - pow(set->beta1, t))),
            .root = (float)sqrt(1 - pow(set->beta2, t)),
            .epsilon = (float)set->epsilon,
            .clip = (float)clip,
        };
    }
}

kd2m_status kd2m_optimizer_step(kd2m_optimizer *optimizer, double lr) {
    double clip = 1;
    if (optimizer->settings.clip > 0) {
        double norm = kd2m_optimizer_gradient_norm(optimizer);
        if (!isfinite(norm))
            return kd2m_fail(optimizer->context, KD2M_ERROR_NUMERIC,
                             "the gradient's norm is not finite, so it can't be clipped; try a "
                             "smaller learning rate");
        clip = fmin(1, optimizer->settings.clip / (norm + 1e-6));
    }
    optimizer->steps++;
    prepare_step(optimizer, lr, clip);
    kd2m_parallel_for(optimizer->context, optimizer->chunk_count, 1, update_chunks, optimizer);
    return KD2M_OK;
}

static const char step_name[] = "optimizer.step";

/* The name of state `k` of a slot in a file, in `text`. */
static const char *state_name(const kd2m_optimizer *optimizer, const slot *of, size_t k,
                              char text[KD2M_TENSOR_NAME + 1]) {
    snprintf(text, KD2M_TENSOR_NAME + 1, "optimizer.%s.%s.%s", optimizer->prefixes[of->net],
             of->parameter->name, state_names[optimizer->settings.kind][k]);
    return text;
}

kd2m_status kd2m_optimizer_store(kd2m_optimizer *optimizer, kd2m_tensors *tensors) {
    kd2m_status status = KD2M_OK;
    kd2m_tensor *tensor = NULL;
    char name[KD2M_TENSOR_NAME + 1];
    KD2M_TRY(kd2m_tensors_add(tensors, &tensor, step_name, KD2M_TENSOR_I64, 0, NULL));
    memcpy(tensor->values, &optimizer->steps, sizeof optimizer->steps);
    for (size_t i = 0; i < optimizer->slot_count; i++) {
        const slot *of = &optimizer->slots[i];
        for (size_t k = 0; k < STATES && of->state[k]; k++) {
            KD2M_TRY(kd2m_tensors_add(tensors, &tensor, state_name(optimizer, of, k, name),
                                      KD2M_TENSOR_F32, of->parameter->dims, of->parameter->shape));
            KD2M_TRY(kd2m_net_to_plain(optimizer->nets[of->net], of->index, of->state[k],
                                       tensor->values));
        }
    }
cleanup:
    return status;
}

kd2m_status kd2m_optimizer_load(kd2m_optimizer *optimizer, const kd2m_tensors *tensors) {
    kd2m_status status = KD2M_OK;
    kd2m_tensor *tensor = NULL;
    char name[KD2M_TENSOR_NAME + 1];
    KD2M_TRY(kd2m_tensors_expect(tensors, &tensor, step_name, KD2M_TENSOR_I64, 0, NULL));
    memcpy(&optimizer->steps, tensor->values, sizeof optimizer->steps);
    for (size_t i = 0; i < optimizer->slot_count; i++) {
        const slot *of = &optimizer->slots[i];
        for (size_t k = 0; k < STATES && of->state[k]; k++) {
            KD2M_TRY(kd2m_tensors_expect(tensors, &tensor, state_name(optimizer, of, k, name),
                                         KD2M_TENSOR_F32, of->parameter->dims,
                                         of->parameter->shape));
            KD2M_TRY(kd2m_net_from_plain(optimizer->nets[of->net], of->index, tensor->values,
                                         of->state[k]));
        }
    }
cleanup:
    return status;
}
