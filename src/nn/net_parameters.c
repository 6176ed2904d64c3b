/*
 * Parameters of a net: initial values, and the ways in and out. Inside they lie as the operators
 * want them; outside they are plain. Both ways copy bits, so nothing is lost on the way.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "net_internal.h"
#include "rng.h"

kd2m_parameter *kd2m_net_parameters(kd2m_net *net, size_t *count) {
    *count = net->parameter_count;
    return net->parameters;
}

/* Elements of the plain tensor. */
static size_t plain_count(const kd2m_parameter *parameter) {
    size_t count = 1;
    for (size_t i = 0; i < parameter->dims; i++)
        count *= parameter->shape[i];
    return count;
}

size_t kd2m_net_parameter_total(const kd2m_net *net) {
    size_t total = 0;
    for (size_t i = 0; i < net->parameter_count; i++)
        if (net->parameters[i].trained)
            total += plain_count(&net->parameters[i]);
    return total;
}

kd2m_status kd2m_net_to_plain(kd2m_net *net, size_t index, const float *own, float *plain) {
    kd2m_weights *weights = net->weights[index];
    if (!weights->to_plain) {
        memcpy(plain, own, weights->parameter.count * sizeof *plain);
        return KD2M_OK;
    }
    kd2m_buffer_point(weights->own, own);
    kd2m_buffer_point(weights->plain, plain);
    return kd2m_engine_run(&net->engine, weights->to_plain);
}

kd2m_status kd2m_net_from_plain(kd2m_net *net, size_t index, const float *plain, float *own) {
    kd2m_weights *weights = net->weights[index];
    net->settled = false;
    if (!weights->from_plain) {
        memcpy(own, plain, weights->parameter.count * sizeof *own);
        return KD2M_OK;
    }
    kd2m_buffer_point(weights->own, own);
    kd2m_buffer_point(weights->plain, plain);
    return kd2m_engine_run(&net->engine, weights->from_plain);
}

/* Writes initial values, plain. Drawn in plain order, so that they don't depend on the layout that
 * this processor likes (He et al., 'Delving deep into rectifiers', ICCV 2015). */
static void draw(const kd2m_weights *weights, uint64_t seed, size_t index, float *plain) {
    size_t count = plain_count(&weights->parameter);
    if (weights->role == KD2M_ROLE_WEIGHT) {
        size_t fan_in = count / weights->parameter.shape[0];
        double deviation = sqrt(2.0 / (double)fan_in);
        kd2m_rng rng;
        kd2m_rng_init(&rng, seed, KD2M_STREAM_INIT, index);
        for (size_t i = 0; i < count; i++)
            plain[i] = (float)(deviation * kd2m_rng_normal(&rng));
        return;
    }
    bool one = weights->role == KD2M_ROLE_SCALE || weights->role == KD2M_ROLE_VARIANCE;
    for (size_t i = 0; i < count; i++)
        plain[i] = one ? 1.0f : 0.0f;
}

kd2m_status kd2m_net_initialise(kd2m_net *net, uint64_t seed) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < net->parameter_count; i++) {
        draw(net->weights[i], seed, i, net->staging);
        KD2M_TRY(kd2m_net_from_plain(net, i, net->staging, net->parameters[i].values));
    }
cleanup:
    return status;
}

kd2m_status kd2m_net_load(kd2m_net *net, const kd2m_tensors *tensors) {
    kd2m_status status = KD2M_OK;
    kd2m_tensor *tensor;
    /* all are looked at before the first is taken: a failed load changes nothing */
    for (size_t i = 0; i < net->parameter_count; i++) {
        const kd2m_parameter *p = &net->parameters[i];
        KD2M_TRY(
            kd2m_tensors_expect(tensors, &tensor, p->name, KD2M_TENSOR_F32, p->dims, p->shape));
    }
    for (size_t i = 0; i < net->parameter_count; i++) {
        const kd2m_parameter *p = &net->parameters[i];
        tensor = kd2m_tensors_find(tensors, p->name);
        KD2M_TRY(kd2m_net_from_plain(net, i, tensor->values, p->values));
    }
cleanup:
    return status;
}

kd2m_status kd2m_net_store(kd2m_net *net, kd2m_tensors *tensors) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const kd2m_parameter *p = &net->parameters[i];
        kd2m_tensor *tensor;
        KD2M_TRY(kd2m_tensors_add(tensors, &tensor, p->name, KD2M_TENSOR_F32, p->dims, p->shape));
        KD2M_TRY(kd2m_net_to_plain(net, i, p->values, tensor->values));
    }
cleanup:
    return status;
}

static bool same_shape(const kd2m_parameter *a, const kd2m_parameter *b) {
    return strcmp(a->name, b->name) == 0 && a->dims == b->dims &&
           memcmp(a->shape, b->shape, a->dims * sizeof *a->shape) == 0;
}

kd2m_status kd2m_net_copy(kd2m_net *to, kd2m_net *from) {
    kd2m_status status = KD2M_OK;
    bool same = to->parameter_count == from->parameter_count;
    for (size_t i = 0; same && i < to->parameter_count; i++)
        same = same_shape(&to->parameters[i], &from->parameters[i]);
    if (!same)
        return kd2m_fail(to->context, KD2M_ERROR_USAGE,
                         "can't copy parameters between nets of different graphs");
    to->settled = false;
    for (size_t i = 0; i < to->parameter_count; i++) {
        kd2m_parameter *target = &to->parameters[i];
        const kd2m_parameter *source = &from->parameters[i];
        if (dnnl_memory_desc_equal(&to->weights[i]->values->layout,
                                   &from->weights[i]->values->layout)) {
            memcpy(target->values, source->values, target->count * sizeof *target->values);
        } else {
            KD2M_TRY(kd2m_net_to_plain(from, i, source->values, to->staging));
            KD2M_TRY(kd2m_net_from_plain(to, i, to->staging, target->values));
        }
    }
cleanup:
    return status;
}
