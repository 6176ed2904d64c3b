#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#define EPSILON 1e-5
#define MOMENTUM 0.1

static double *zeros(size_t count) {
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values)
        fail_msg("out of memory");
    return values;
}

static size_t attribute(const kd2m_node *node, const char *key, size_t fallback) {
    return (size_t)kd2m_node_get(node, key, (double)fallback);
}

static bool is(const kd2m_node *node, const char *op) {
    return strcmp(node->op, op) == 0;
}

static bool pools(const kd2m_node *node) {
    return is(node, "max_pool") || is(node, "avg_pool");
}

static void declare(reference_net *net, const kd2m_node *node, const char *suffix, size_t count) {
    reference_parameter *p = &net->parameters[net->parameter_count++];
    snprintf(p->name, sizeof p->name, "%s.%s", node->name, suffix);
    p->count = count;
    p->values = zeros(count);
    p->gradient = zeros(count);
}

reference_parameter *reference_find(const reference_net *net, size_t node, const char *suffix) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", net->graph->nodes[node].name, suffix);
    for (size_t i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            return &net->parameters[i];
    return NULL;
}

/* A window sliding over an image. */
typedef struct window {
    size_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
} window;

static window window_of(const reference_net *net, const kd2m_node *node, size_t stride_default) {
    size_t kernel = attribute(node, "kernel", 1);
    window slide = {
        .kernel_h = attribute(node, "kernel_h", kernel),
        .kernel_w = attribute(node, "kernel_w", kernel),
        .stride_h = attribute(node, "stride", stride_default),
        .stride_w = attribute(node, "stride", stride_default),
        .pad_h = attribute(node, "pad", 0),
        .pad_w = attribute(node, "pad", 0),
    };
    if (net->graph->dims == 2) {
        slide.kernel_h = slide.stride_h = 1;
        slide.pad_h = 0;
    }
    return slide;
}

static window window_at(const reference_net *net, const kd2m_node *node) {
    return window_of(net, node, pools(node) ? attribute(node, "kernel", 1) : 1);
}

static void shape_node(reference_net *net, size_t index) {
    const kd2m_node *node = &net->graph->nodes[index];
    const reference_value *x = &net->nodes[node->inputs[0]];
    reference_value *y = &net->nodes[index];
    window slide = window_at(net, node);
    *y = *x;
    if (is(node, "conv") || pools(node)) {
        y->h = (x->h + 2 * slide.pad_h - slide.kernel_h) / slide.stride_h + 1;
        y->w = (x->w + 2 * slide.pad_w - slide.kernel_w) / slide.stride_w + 1;
    }
    if (is(node, "conv")) {
        y->c = attribute(node, "out", 0);
        size_t part = x->c / attribute(node, "groups", 1);
        declare(net, node, "weight", y->c * part * slide.kernel_h * slide.kernel_w);
        if (attribute(node, "bias", 1))
            declare(net, node, "bias", y->c);
    } else if (is(node, "linear")) {
        y->c = attribute(node, "out", 0);
        declare(net, node, "weight", y->c * x->c);
        if (attribute(node, "bias", 1))
            declare(net, node, "bias", y->c);
    } else if (is(node, "batch_norm")) {
        declare(net, node, "weight", x->c);
        declare(net, node, "bias", x->c);
        declare(net, node, "running_mean", x->c);
        declare(net, node, "running_var", x->c);
    } else if (is(node, "concat")) {
        for (size_t k = 1; k < node->input_count; k++)
            y->c += net->nodes[node->inputs[k]].c;
    } else if (is(node, "flatten")) {
        y->c = x->c * x->h * x->w;
        y->h = y->w = 1;
    } else if (is(node, "global_pool")) {
        y->h = y->w = 1;
    }
}

reference_net *reference_create(const kd2m_graph *graph, size_t batch, bool training) {
    reference_net *net = calloc(1, sizeof *net);
    if (!net)
        fail_msg("out of memory");
    net->graph = graph;
    net->batch = batch;
    net->training = training;
    net->nodes = calloc(graph->node_count, sizeof *net->nodes);
    net->parameters = calloc(4 * graph->node_count, sizeof *net->parameters);
    if (!net->nodes || !net->parameters)
        fail_msg("out of memory");
    for (size_t i = 0; i < graph->node_count; i++) {
        reference_value *y = &net->nodes[i];
        if (i == 0) {
            y->c = graph->shape[0];
            y->h = graph->dims == 3 ? graph->shape[1] : 1;
            y->w = graph->dims > 1 ? graph->shape[graph->dims - 1] : 1;
        } else {
            shape_node(net, i);
        }
        y->count = batch * y->c * y->h * y->w;
        y->values = zeros(y->count);
        y->gradient = zeros(y->count);
    }
    return net;
}

void reference_free(reference_net *net) {
    for (size_t i = 0; i < net->graph->node_count; i++) {
        free(net->nodes[i].values);
        free(net->nodes[i].gradient);
    }
    for (size_t i = 0; i < net->parameter_count; i++) {
        free(net->parameters[i].values);
        free(net->parameters[i].gradient);
    }
    free(net->nodes);
    free(net->parameters);
    free(net);
}

static size_t at(const reference_value *x, size_t n, size_t c, size_t h, size_t w) {
    return ((n * x->c + c) * x->h + h) * x->w + w;
}

/* Position in the padded input; false outside of it. */
static bool inside(size_t out, size_t tap, size_t stride, size_t pad, size_t length, size_t *in) {
    size_t position = out * stride + tap;
    *in = position - pad;
    return position >= pad && position < length + pad;
}

/* Convolution, forward or (dy given) backward: y += w x, dx += w dy, dw += x dy. */
static void convolve(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *x = &net->nodes[node->inputs[0]], *y = &net->nodes[index];
    reference_parameter *weight = reference_find(net, index, "weight");
    reference_parameter *bias = reference_find(net, index, "bias");
    window s = window_at(net, node);
    size_t groups = attribute(node, "groups", 1), part = x->c / groups;
    for (size_t n = 0; n < net->batch; n++)
        for (size_t o = 0; o < y->c; o++)
            for (size_t h = 0; h < y->h; h++)
                for (size_t w = 0; w < y->w; w++) {
                    size_t to = at(y, n, o, h, w);
                    double sum = bias ? bias->values[o] : 0, dy = y->gradient[to];
                    if (backward && bias)
                        bias->gradient[o] += dy;
                    for (size_t c = 0; c < part; c++)
                        for (size_t p = 0; p < s.kernel_h; p++)
                            for (size_t q = 0; q < s.kernel_w; q++) {
                                size_t i, j;
                                if (!inside(h, p, s.stride_h, s.pad_h, x->h, &i) ||
                                    !inside(w, q, s.stride_w, s.pad_w, x->w, &j))
                                    continue;
                                size_t tap = ((o * part + c) * s.kernel_h + p) * s.kernel_w + q;
                                size_t from = at(x, n, o * groups / y->c * part + c, i, j);
                                sum += weight->values[tap] * x->values[from];
                                if (backward) {
                                    weight->gradient[tap] += x->values[from] * dy;
                                    x->gradient[from] += weight->values[tap] * dy;
                                }
                            }
                    if (!backward)
                        y->values[to] = sum;
                }
}

static void max_pool(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *x = &net->nodes[node->inputs[0]], *y = &net->nodes[index];
    window s = window_at(net, node);
    for (size_t n = 0; n < net->batch; n++)
        for (size_t c = 0; c < y->c; c++)
            for (size_t h = 0; h < y->h; h++)
                for (size_t w = 0; w < y->w; w++) {
                    double most = -INFINITY;
                    size_t best = 0;
                    for (size_t p = 0; p < s.kernel_h; p++)
                        for (size_t q = 0; q < s.kernel_w; q++) {
                            size_t i, j;
                            if (!inside(h, p, s.stride_h, s.pad_h, x->h, &i) ||
                                !inside(w, q, s.stride_w, s.pad_w, x->w, &j))
                                continue;
                            size_t from = at(x, n, c, i, j);
                            if (x->values[from] > most) {
                                most = x->values[from];
                                best = from;
                            }
                        }
                    if (backward)
                        x->gradient[best] += y->gradient[at(y, n, c, h, w)];
                    else
                        y->values[at(y, n, c, h, w)] = most;
                }
}

/* Mean over the window, positions outside counting as zeros. */
static void avg_pool(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *x = &net->nodes[node->inputs[0]], *y = &net->nodes[index];
    window s = window_at(net, node);
    double share = 1 / (double)(s.kernel_h * s.kernel_w);
    if (!backward)
        memset(y->values, 0, y->count * sizeof *y->values);
    for (size_t n = 0; n < net->batch; n++)
        for (size_t c = 0; c < y->c; c++)
            for (size_t h = 0; h < y->h; h++)
                for (size_t w = 0; w < y->w; w++)
                    for (size_t p = 0; p < s.kernel_h; p++)
                        for (size_t q = 0; q < s.kernel_w; q++) {
                            size_t i, j, to = at(y, n, c, h, w);
                            if (!inside(h, p, s.stride_h, s.pad_h, x->h, &i) ||
                                !inside(w, q, s.stride_w, s.pad_w, x->w, &j))
                                continue;
                            if (backward)
                                x->gradient[at(x, n, c, i, j)] += share * y->gradient[to];
                            else
                                y->values[to] += share * x->values[at(x, n, c, i, j)];
                        }
}

static void batch_norm(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *x = &net->nodes[node->inputs[0]], *y = &net->nodes[index];
    reference_parameter *weight = reference_find(net, index, "weight");
    reference_parameter *bias = reference_find(net, index, "bias");
    reference_parameter *running_mean = reference_find(net, index, "running_mean");
    reference_parameter *running_var = reference_find(net, index, "running_var");
    size_t positions = x->h * x->w;
    double count = (double)(net->batch * positions);
    for (size_t c = 0; c < x->c; c++) {
        double mean = running_mean->values[c], var = running_var->values[c];
        if (net->training) {
            mean = var = 0;
            for (size_t n = 0; n < net->batch; n++)
                for (size_t i = 0; i < positions; i++)
                    mean += x->values[at(x, n, c, 0, i)] / count;
            for (size_t n = 0; n < net->batch; n++)
                for (size_t i = 0; i < positions; i++)
                    var += pow(x->values[at(x, n, c, 0, i)] - mean, 2) / count;
        }
        double scale = 1 / sqrt(var + EPSILON), sum = 0, product = 0;
        for (size_t n = 0; n < net->batch; n++)
            for (size_t i = 0; i < positions; i++) {
                size_t k = at(x, n, c, 0, i);
                double normal = (x->values[k] - mean) * scale;
                sum += y->gradient[k];
                product += y->gradient[k] * normal;
                if (!backward)
                    y->values[k] = weight->values[c] * normal + bias->values[c];
            }
        if (!backward && net->training) {
            running_mean->values[c] += MOMENTUM * (mean - running_mean->values[c]);
            running_var->values[c] +=
                MOMENTUM * (var * count / (count - 1) - running_var->values[c]);
        }
        if (!backward)
            continue;
        bias->gradient[c] += sum;
        weight->gradient[c] += product;
        for (size_t n = 0; n < net->batch; n++)
            for (size_t i = 0; i < positions; i++) {
                size_t k = at(x, n, c, 0, i);
                double normal = (x->values[k] - mean) * scale;
                x->gradient[k] += weight->values[c] * scale *
                                  (y->gradient[k] - sum / count - normal * product / count);
            }
    }
}

static void add(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *y = &net->nodes[index];
    if (!backward)
        memset(y->values, 0, y->count * sizeof *y->values);
    for (size_t k = 0; k < node->input_count; k++) {
        reference_value *x = &net->nodes[node->inputs[k]];
        for (size_t i = 0; i < y->count; i++) {
            if (backward)
                x->gradient[i] += y->gradient[i];
            else
                y->values[i] += x->values[i];
        }
    }
}

static void concat(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *y = &net->nodes[index];
    size_t first = 0;
    for (size_t k = 0; k < node->input_count; k++) {
        reference_value *x = &net->nodes[node->inputs[k]];
        size_t row = x->c * x->h * x->w;
        for (size_t i = 0; i < x->count; i++) {
            size_t j = at(y, i / row, first, 0, 0) + i % row;
            if (backward)
                x->gradient[i] += y->gradient[j];
            else
                y->values[j] = x->values[i];
        }
        first += x->c;
    }
}

static void linear(reference_net *net, size_t index, bool backward) {
    reference_value *x = &net->nodes[net->graph->nodes[index].inputs[0]], *y = &net->nodes[index];
    reference_parameter *weight = reference_find(net, index, "weight");
    reference_parameter *bias = reference_find(net, index, "bias");
    for (size_t n = 0; n < net->batch; n++)
        for (size_t o = 0; o < y->c; o++) {
            double sum = bias ? bias->values[o] : 0, dy = y->gradient[n * y->c + o];
            if (backward && bias)
                bias->gradient[o] += dy;
            for (size_t i = 0; i < x->c; i++) {
                sum += weight->values[o * x->c + i] * x->values[n * x->c + i];
                if (backward) {
                    weight->gradient[o * x->c + i] += dy * x->values[n * x->c + i];
                    x->gradient[n * x->c + i] += dy * weight->values[o * x->c + i];
                }
            }
            if (!backward)
                y->values[n * y->c + o] = sum;
        }
}

/* The ReLU family: f(0) = 0 and straight pieces; the slope at x. */
static double slope_at(const kd2m_node *node, double x) {
    if (is(node, "relu6"))
        return x > 0 && x < 6;
    return x > 0 ? 1 : kd2m_node_get(node, "slope", is(node, "leaky_relu") ? 0.01 : 0);
}

static void activate(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    reference_value *x = &net->nodes[node->inputs[0]], *y = &net->nodes[index];
    for (size_t i = 0; i < x->count; i++) {
        double slope = slope_at(node, x->values[i]);
        if (backward)
            x->gradient[i] += slope * y->gradient[i];
        else
            y->values[i] = is(node, "relu6") && x->values[i] > 6 ? 6 : slope * x->values[i];
    }
}

/* Flatten and the mean over positions. */
static void pass(reference_net *net, size_t index, bool backward) {
    reference_value *x = &net->nodes[net->graph->nodes[index].inputs[0]], *y = &net->nodes[index];
    size_t share = x->count / y->count;
    if (!backward)
        memset(y->values, 0, y->count * sizeof *y->values);
    for (size_t i = 0; i < x->count; i++) {
        if (backward)
            x->gradient[i] += y->gradient[i / share] / (double)share;
        else
            y->values[i / share] += x->values[i] / (double)share;
    }
}

/* The ReLU that a node's attribute puts behind it: on its values, or on its gradient. */
static void rectify(reference_value *y, bool backward) {
    for (size_t i = 0; i < y->count; i++) {
        if (y->values[i] > 0)
            continue;
        if (backward)
            y->gradient[i] = 0;
        else
            y->values[i] = 0;
    }
}

static void run_plain(reference_net *net, size_t index, bool backward) {
    const kd2m_node *node = &net->graph->nodes[index];
    if (is(node, "conv"))
        convolve(net, index, backward);
    else if (is(node, "linear"))
        linear(net, index, backward);
    else if (is(node, "batch_norm"))
        batch_norm(net, index, backward);
    else if (is(node, "max_pool"))
        max_pool(net, index, backward);
    else if (is(node, "avg_pool"))
        avg_pool(net, index, backward);
    else if (is(node, "add"))
        add(net, index, backward);
    else if (is(node, "concat"))
        concat(net, index, backward);
    else if (is(node, "relu") || is(node, "leaky_relu") || is(node, "relu6"))
        activate(net, index, backward);
    else if (is(node, "flatten") || is(node, "global_pool"))
        pass(net, index, backward);
    else
        fail_msg("the reference knows no '%s'", node->op);
}

static void run(reference_net *net, size_t index, bool backward) {
    bool relu = attribute(&net->graph->nodes[index], "relu", 0) != 0;
    if (relu && backward)
        rectify(&net->nodes[index], true);
    run_plain(net, index, backward);
    if (relu && !backward)
        rectify(&net->nodes[index], false);
}

void reference_forward(reference_net *net, const double *input) {
    memcpy(net->nodes[0].values, input, net->nodes[0].count * sizeof *input);
    for (size_t i = 1; i < net->graph->node_count; i++)
        run(net, i, false);
}

void reference_clear(reference_net *net) {
    for (size_t i = 0; i < net->graph->node_count; i++)
        memset(net->nodes[i].gradient, 0, net->nodes[i].count * sizeof(double));
    for (size_t i = 0; i < net->parameter_count; i++)
        memset(net->parameters[i].gradient, 0, net->parameters[i].count * sizeof(double));
}

void reference_backward(reference_net *net) {
    for (size_t i = net->graph->node_count - 1; i > 0; i--)
        run(net, i, true);
}

double reference_cross_entropy(reference_net *net, const int *labels, size_t rows, bool gradient) {
    reference_value *z = &net->nodes[net->graph->logits];
    double loss = 0;
    for (size_t i = 0; i < rows; i++) {
        const double *row = z->values + i * z->c;
        double most = row[0], sum = 0;
        for (size_t j = 1; j < z->c; j++)
            most = fmax(most, row[j]);
        for (size_t j = 0; j < z->c; j++)
            sum += exp(row[j] - most);
        loss -= (row[labels[i]] - most - log(sum)) / (double)rows;
        for (size_t j = 0; gradient && j < z->c; j++)
            z->gradient[i * z->c + j] +=
                (exp(row[j] - most) / sum - (j == (size_t)labels[i])) / (double)rows;
    }
    return loss;
}
