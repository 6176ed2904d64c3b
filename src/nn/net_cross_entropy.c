/*
 * Softmax cross-entropy on the logits z of the first n rows, with p = softmax(z_i):
 *     loss = -(1/n) sum_i log p[label_i],   d loss / d z_i = (p - onehot(label_i)) / n
 * p is oneDNN's softmax. Its log-softmax is not used: its logarithm is off by up to 1.4e-6, which
 * makes small losses negative. Instead, with k the class of the largest logit, log p[label] =
 * z[label] - z[k] + log p[k], where p[k] >= 1/classes: safe however small p[label] is.
 * Time and memory O(batch x classes); memory is set aside with the net. The mean is in double.
 */
#include <math.h>

#include "context.h"
#include "net_internal.h"

kd2m_status kd2m_net_plan_cross_entropy(kd2m_net *net) {
    kd2m_status status = KD2M_OK;
    const kd2m_operation *logits = &net->operations[net->graph->logits];
    const dnnl_memory_desc_t *layout = &logits->output->layout;
    dnnl_softmax_desc_t description;
    if (logits->dims != 1)
        return KD2M_OK;
    KD2M_TRY(kd2m_engine_buffer(&net->engine, &net->probabilities, layout));
    KD2M_TRY(kd2m_engine_status(
        net->context,
        dnnl_softmax_forward_desc_init(&description, dnnl_forward_inference, layout, 1),
        "describing softmax"));
    KD2M_TRY(kd2m_engine_primitive(&net->engine, &net->softmax, &description, NULL));
    kd2m_primitive_bind(net->softmax, DNNL_ARG_SRC, logits->output);
    kd2m_primitive_bind(net->softmax, DNNL_ARG_DST, net->probabilities);
cleanup:
    return status;
}

static kd2m_status check(const kd2m_net *net, const int32_t *labels, size_t rows, size_t classes) {
    if (!net->softmax)
        return kd2m_fail(net->context, KD2M_ERROR_USAGE,
                         "cross-entropy needs logits of one dimension; put flatten before them");
    if (rows == 0 || rows > net->batch)
        return kd2m_fail(net->context, KD2M_ERROR_USAGE,
                         "cross-entropy over %zu rows of a batch of %zu", rows, net->batch);
    for (size_t i = 0; i < rows; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= classes)
            return kd2m_fail(net->context, KD2M_ERROR_INPUT,
                             "label %d of row %zu is not one of the %zu classes (0..%zu)",
                             (int)labels[i], i, classes, classes - 1);
    return KD2M_OK;
}

static double row_loss(const float *logits, const float *probabilities, size_t classes,
                       size_t label) {
    size_t largest = 0;
    for (size_t j = 1; j < classes; j++)
        if (logits[j] > logits[largest])
            largest = j;
    return (double)logits[largest] - (double)logits[label] - log((double)probabilities[largest]);
}

kd2m_status kd2m_net_cross_entropy(kd2m_net *net, const int32_t *labels, size_t rows, double *loss,
                                   float *gradient) {
    kd2m_status status;
    const kd2m_operation *logits = &net->operations[net->graph->logits];
    size_t classes = logits->shape[0];
    *loss = 0;
    KD2M_TRY(check(net, labels, rows, classes));
    KD2M_TRY(kd2m_engine_run(&net->engine, net->softmax));
    const float *probabilities = net->probabilities->values;
    for (size_t i = 0; i < rows; i++)
        *loss += row_loss(logits->output->values + i * classes, probabilities + i * classes,
                          classes, (size_t)labels[i]);
    *loss /= (double)rows;
    if (!gradient)
        goto cleanup;
    for (size_t i = 0; i < rows * classes; i++)
        gradient[i] = probabilities[i] / (float)rows;
    for (size_t i = 0; i < rows; i++)
        gradient[i * classes + (size_t)labels[i]] -= 1.0f / (float)rows;
    for (size_t i = rows * classes; i < net->batch * classes; i++)
        gradient[i] = 0;
cleanup:
    return status;
}
