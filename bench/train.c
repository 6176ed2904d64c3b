/*
 * How many samples a second nets train on and infer: a step is forward, cross-entropy, backward and
 * SGD with momentum and decay, in batches of 128 made-up samples. Prints one JSON line a net and
 * mode: the median over rounds of the rate, and the rate of multiplications and additions that the
 * layers' definitions ask for (2 a weight and position, three times that in training).
 *   bench_train [ROUNDS [NET]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "optimizer.h"
#include "progress.h"
#include "zoo.h"

#define BATCH ((size_t)128)
#define CLASSES 10
#define MOST_ROUNDS 100
#define ROUND_SECONDS 0.5
#define MODE_SECONDS 3.0 /* after which no round begins: of long steps there are fewer rounds */

typedef struct subject {
    const char *spec;
    size_t dims, shape[3];
} subject;

static const subject subjects[] = {
    {"resnet18", 3, {3, 32, 32}},
    {"resnet34", 3, {3, 32, 32}},
    {"resnet18:stem=cifar", 3, {3, 32, 32}},
    {"resnet20", 3, {3, 32, 32}},
    {"resnet56", 3, {3, 32, 32}},
    {"cnn1d", 2, {1, 1024}},
    {"mlp:784-512-256-10", 1, {784}},
};

typedef struct work {
    kd2m_context *context;
    kd2m_graph *graph;
    kd2m_net *training, *inference;
    kd2m_optimizer *optimizer;
    float *input, *gradient;
    int32_t labels[BATCH];
} work;

static void must(const work *w, kd2m_status status) {
    if (status == KD2M_OK)
        return;
    fprintf(stderr, "bench_train: %s\n", kd2m_context_message(w->context));
    exit(1);
}

static void open_work(work *w, const subject *of) {
    const kd2m_optimizer_settings sgd = {.kind = KD2M_SGD, .momentum = 0.9, .weight_decay = 1e-4};
    must(w, kd2m_zoo_build(&w->graph, w->context, of->spec, of->dims, of->shape, CLASSES));
    must(w, kd2m_net_create(&w->training, w->context, w->graph, BATCH, KD2M_NET_TRAINING, false));
    must(w, kd2m_net_create_merged(&w->inference, w->context, w->graph, BATCH, NULL, 0));
    must(w, kd2m_net_initialise(w->training, 1));
    must(w, kd2m_net_copy(w->inference, w->training));
    must(w, kd2m_optimizer_create(&w->optimizer, w->context, &sgd, &w->training,
                                  (const char *const[]){"net"}, 1));
    size_t values = BATCH * kd2m_net_width(w->training, 0);
    w->input = malloc(values * sizeof *w->input);
    w->gradient = malloc(BATCH * CLASSES * sizeof *w->gradient);
    if (!w->input || !w->gradient)
        exit(1);
    for (size_t i = 0; i < values; i++)
        w->input[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    for (size_t i = 0; i < BATCH; i++)
        w->labels[i] = (int32_t)(i % CLASSES);
}

static void close_work(work *w) {
    kd2m_optimizer_free(w->optimizer);
    kd2m_net_free(w->inference);
    kd2m_net_free(w->training);
    kd2m_graph_free(w->graph);
    free(w->input);
    free(w->gradient);
}

static void train(work *w) {
    double loss;
    must(w, kd2m_net_forward(w->training, w->input));
    must(w, kd2m_net_cross_entropy(w->training, w->labels, BATCH, &loss, w->gradient));
    kd2m_net_gradient_clear(w->training);
    must(w, kd2m_net_gradient_add(w->training, w->graph->logits, w->gradient, 1));
    must(w, kd2m_net_backward(w->training));
    must(w, kd2m_optimizer_step(w->optimizer, 0.01));
}

static void infer(work *w) {
    must(w, kd2m_net_forward(w->inference, w->input));
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Samples a second, the median of up to `rounds`. */
static double rate(work *w, void (*step)(work *), size_t rounds) {
    double rates[MOST_ROUNDS];
    size_t done = 0;
    step(w);
    double start = kd2m_seconds();
    for (; done < rounds && (done == 0 || kd2m_seconds() - start < MODE_SECONDS); done++) {
        size_t steps = 0;
        double began = kd2m_seconds(), took;
        do {
            step(w);
            steps++;
            took = kd2m_seconds() - began;
        } while (took < ROUND_SECONDS);
        rates[done] = (double)(steps * BATCH) / took;
    }
    qsort(rates, done, sizeof *rates, ascending);
    return rates[done / 2];
}

/* Multiplications and additions of one sample's forward pass. */
static double forward_flops(const work *w) {
    size_t count;
    double flops = 0;
    const kd2m_parameter *parameters = kd2m_net_parameters(w->training, &count);
    for (size_t i = 0; i < count; i++) {
        double products = parameters[i].dims > 1 ? 2 : 0;
        size_t node = 0;
        for (size_t k = 0; k < parameters[i].dims; k++)
            products *= (double)parameters[i].shape[k];
        for (size_t k = 1; k < w->graph->node_count; k++) {
            char name[96];
            snprintf(name, sizeof name, "%s.weight", w->graph->nodes[k].name);
            if (strcmp(name, parameters[i].name) == 0)
                node = k;
        }
        size_t channels = kd2m_net_channels(w->training, node);
        flops += products * (double)(kd2m_net_width(w->training, node) / channels);
    }
    return flops;
}

static void report(const subject *of, const char *mode, double samples, double flops) {
    printf("{\"tool\": \"kd2m\", \"net\": \"%s\", \"mode\": \"%s\", \"rate\": %.1f, "
           "\"gflops\": %.1f}\n",
           of->spec, mode, samples, 1e-9 * samples * flops);
    fflush(stdout);
}

int main(int argc, char **argv) {
    size_t rounds = argc > 1 ? (size_t)atoi(argv[1]) : 5;
    work w = {0};
    if (rounds < 1 || rounds > MOST_ROUNDS || kd2m_context_create(&w.context, NULL) != KD2M_OK)
        return 1;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        if (argc > 2 && strcmp(argv[2], subjects[i].spec) != 0)
            continue;
        open_work(&w, &subjects[i]);
        double flops = forward_flops(&w);
        report(&subjects[i], "training", rate(&w, train, rounds), 3 * flops);
        report(&subjects[i], "inference", rate(&w, infer, rounds), flops);
        close_work(&w);
    }
    kd2m_context_free(w.context);
    return 0;
}
