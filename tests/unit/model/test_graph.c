/* The graph: built by hand, found by name, carried through JSON, broken JSON refused. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph.h"
#include "json.h"

/* input -> conv -> relu -> linear, with a branch so that a node has two inputs. */
static kd2m_status build(kd2m_graph **out, kd2m_context *context) {
    kd2m_graph *graph = NULL;
    size_t conv, relu, sum = 0, last = 0;
    kd2m_status status =
        kd2m_graph_create(&graph, context, "made:by=hand", 2, (size_t[3]){3, 100}, 7);
    if (status == KD2M_OK)
        status = kd2m_graph_add(graph, &conv, "conv", "conv1", 0);
    if (status == KD2M_OK)
        status = kd2m_graph_set(graph, conv, "kernel", 9);
    if (status == KD2M_OK)
        status = kd2m_graph_set(graph, conv, "slope", 0.1);
    if (status == KD2M_OK)
        status = kd2m_graph_add(graph, &relu, "relu", "relu1", conv);
    if (status == KD2M_OK)
        status = kd2m_graph_add(graph, &sum, "add", "sum", relu);
    if (status == KD2M_OK)
        status = kd2m_graph_connect(graph, sum, conv);
    if (status == KD2M_OK)
        status = kd2m_graph_add(graph, &last, "linear", "classifier", sum);
    if (status != KD2M_OK) {
        kd2m_graph_free(graph);
        return status;
    }
    graph->features = sum;
    graph->logits = last;
    *out = graph;
    return KD2M_OK;
}

static void expect_same(const kd2m_graph *a, const kd2m_graph *b) {
    assert_string_equal(a->architecture, b->architecture);
    assert_int_equal(a->dims, b->dims);
    assert_memory_equal(a->shape, b->shape, a->dims * sizeof *a->shape);
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->features, b->features);
    assert_int_equal(a->logits, b->logits);
    assert_int_equal(a->node_count, b->node_count);
    for (size_t i = 0; i < a->node_count; i++) {
        const kd2m_node *x = &a->nodes[i], *y = &b->nodes[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->op, y->op);
        assert_int_equal(x->input_count, y->input_count);
        assert_memory_equal(x->inputs, y->inputs, x->input_count * sizeof *x->inputs);
        assert_int_equal(x->attribute_count, y->attribute_count);
        for (size_t k = 0; k < x->attribute_count; k++) {
            assert_string_equal(x->attributes[k].key, y->attributes[k].key);
            assert_true(x->attributes[k].value == y->attributes[k].value);
        }
    }
}

static void builds_and_finds(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    EXPECT_OK(context, build(&graph, context));
    size_t index;
    EXPECT_OK(context, kd2m_graph_find(graph, "relu1", &index));
    assert_int_equal(index, 2);
    EXPECT_OK(context, kd2m_graph_find(graph, "features", &index));
    assert_int_equal(index, 3);
    EXPECT_OK(context, kd2m_graph_find(graph, "logits", &index));
    assert_int_equal(index, 4);
    EXPECT_OK(context, kd2m_graph_find(graph, "input", &index));
    assert_int_equal(index, 0);
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_graph_find(graph, "relu2", &index));
    EXPECT_MESSAGE(context, "did you mean 'relu1'");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_graph_find(graph, "zzzzzzzzzz", &index));
    EXPECT_MESSAGE(context, "made:by=hand has no layer 'zzzzzzzzzz'");
    EXPECT_CLOSE(9, kd2m_node_get(&graph->nodes[1], "kernel", -1), 0, 0);
    EXPECT_CLOSE(-1, kd2m_node_get(&graph->nodes[1], "stride", -1), 0, 0);
    EXPECT_OK(context, kd2m_graph_set(graph, 1, "kernel", 11));
    EXPECT_CLOSE(11, kd2m_node_get(&graph->nodes[1], "kernel", -1), 0, 0);
    assert_int_equal(graph->nodes[1].attribute_count, 2);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void refuses_bad_inputs(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    const struct {
        size_t dims, shape[3], classes;
    } inputs[] = {
        {0, {1, 1, 1}, 2},         {4, {1, 1, 1}, 2},        {2, {3, 0, 1}, 2},
        {3, {70000, 70000, 7}, 2}, {1, {SIZE_MAX, 1, 1}, 2}, {1, {4, 1, 1}, 0},
        {1, {4, 1, 1}, SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_graph_create(&graph, context, "x", inputs[i].dims, inputs[i].shape,
                                        inputs[i].classes));
        assert_null(graph);
    }
    kd2m_context_free(context);
}

static void refuses_bad_nodes(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    size_t node;
    char long_name[65];
    memset(long_name, 'x', 64);
    long_name[64] = '\0';
    EXPECT_OK(context, build(&graph, context));
    size_t before = graph->node_count;
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_add(graph, &node, "relu", "relu1", 1));
    EXPECT_MESSAGE(context, "two nodes are named 'relu1'");
    const char *const names[] = {"", "a\nb", long_name, "features", "logits"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_add(graph, &node, "relu", names[i], 1));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_add(graph, &node, long_name, "b", 1));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_add(graph, &node, "relu", "b", before));
    EXPECT_MESSAGE(context, "does not stand before it");
    assert_int_equal(graph->node_count, before);
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_connect(graph, 0, 0));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_connect(graph, 2, 2));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_set(graph, 1, "k", NAN));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_set(graph, 1, "k", INFINITY));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_set(graph, 1, "sixteen_letters_", 1));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_set(graph, before, "k", 1));
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void refuses_too_many(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    size_t node;
    char name[32];
    EXPECT_OK(context, build(&graph, context));
    EXPECT_OK(context, kd2m_graph_add(graph, &node, "add", "many", 0));
    for (int i = 1; i < KD2M_NODE_INPUTS; i++)
        EXPECT_OK(context, kd2m_graph_connect(graph, node, 0));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_connect(graph, node, 0));
    for (int i = 0; i < KD2M_NODE_ATTRIBUTES; i++) {
        snprintf(name, sizeof name, "key%d", i);
        EXPECT_OK(context, kd2m_graph_set(graph, node, name, i));
    }
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_set(graph, node, "more", 1));
    while (graph->node_count < KD2M_GRAPH_NODES) {
        snprintf(name, sizeof name, "n%zu", graph->node_count);
        EXPECT_OK(context, kd2m_graph_add(graph, &node, "relu", name, 0));
    }
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_graph_add(graph, &node, "relu", "more", 0));
    EXPECT_MESSAGE(context, "at most 4096 nodes");
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void goes_through_json(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL, *back = NULL;
    json_t *json = NULL, *parsed = NULL;
    char *text = NULL;
    EXPECT_OK(context, build(&graph, context));
    const double awkward[] = {0.1, 1e300, -3, 1.0 / 3, 5e-324, 9007199254740994.0};
    for (size_t i = 0; i < sizeof awkward / sizeof *awkward; i++) {
        char key[16];
        snprintf(key, sizeof key, "a%zu", i);
        EXPECT_OK(context, kd2m_graph_set(graph, 3, key, awkward[i]));
    }
    EXPECT_OK(context, kd2m_graph_to_json(graph, &json));
    EXPECT_OK(context, kd2m_json_text(context, &text, json, 1));
    EXPECT_OK(context, kd2m_json_parse(context, &parsed, text, strlen(text), "graph"));
    EXPECT_OK(context, kd2m_graph_from_json(&back, context, parsed, "graph"));
    expect_same(graph, back);
    kd2m_text_free(context, text);
    json_decref(json);
    json_decref(parsed);
    kd2m_graph_free(graph);
    kd2m_graph_free(back);
    kd2m_context_free(context);
}

/* Pieces of a graph's JSON. */
#define HEAD "{'format':1,'architecture':'a','input':[4],'classes':2,"
#define INPUT "{'name':'input','op':'input','inputs':[],'attributes':{}}"
#define NODE "{'name':'n','op':'relu','inputs':[0],'attributes':{}}"
#define TAIL ",'features':'input','logits':'n'}"
#define WITH(node) HEAD "'nodes':[" INPUT "," node "]" TAIL
#define SHAPED(shape, classes)                                                                     \
    "{'format':1,'architecture':'a','input':" shape ",'classes':" classes ",'nodes':[]}"

/* Parses text in which ' stands for ". */
static json_t *parse(kd2m_context *context, const char *text) {
    char quoted[1024];
    json_t *json = NULL;
    size_t length = strlen(text);
    assert_true(length < sizeof quoted);
    for (size_t i = 0; i <= length; i++)
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    EXPECT_OK(context, kd2m_json_parse(context, &json, quoted, length, "case"));
    return json;
}

static void refuses_broken_json(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = NULL;
    const struct {
        const char *text, *message;
    } cases[] = {
        {"[]", "'format' is missing"},
        {"{}", "'format' is missing"},
        {"{'format':2}", "format 2"},
        {"{'format':1}", "'architecture' is missing"},
        {"{'format':1,'architecture':3}", "'architecture' is not a text"},
        {"{'format':1,'architecture':'a','input':4}", "'input' is not a list"},
        {SHAPED("[4]", "2.5"), "'classes' is not a whole number"},
        {SHAPED("[4]", "-2"), "not negative"},
        {SHAPED("[]", "2"), "1 to 3 dimensions"},
        {SHAPED("[1,1,1,1]", "2"), "1 to 3 dimensions"},
        {SHAPED("[-4]", "2"), "not negative"},
        {SHAPED("[4.0]", "2"), "whole number"},
        {SHAPED("[4611686018427387904,4]", "2"), "a sample must hold"},
        {HEAD "'nodes':{}" TAIL, "'nodes' is not a list"},
        {HEAD "'nodes':[]" TAIL, "'logits' names no node"},
        {HEAD "'nodes':[3]" TAIL, "'name' is missing"},
        {HEAD "'nodes':[" NODE "]" TAIL, "first node must be the input"},
        {WITH(INPUT), "second input"},
        {WITH(NODE "," NODE), "two nodes"},
        {WITH("{'name':'n','op':'relu','inputs':[],'attributes':{}}"), "no input"},
        {WITH("{'name':'n','op':'relu','inputs':[1],'attributes':{}}"), "does not stand before"},
        {WITH("{'name':'n','op':'relu','inputs':[-1],'attributes':{}}"), "not negative"},
        {WITH("{'name':'n','op':'relu','inputs':[0,0,0,0,0,0,0,0,0],'attributes':{}}"),
         "more than 8 inputs"},
        {WITH("{'name':'n','op':'relu','inputs':[0],'attributes':{'k':'1'}}"), "not a finite"},
        {WITH("{'name':'n','op':'relu','inputs':[0]}"), "'attributes' is missing"},
        {WITH("{'name':'','op':'relu','inputs':[0],'attributes':{}}"), "1 to 63 characters"},
        {HEAD "'nodes':[" INPUT "," NODE "],'features':'n'}", "'logits' is missing"},
        {HEAD "'nodes':[" INPUT "," NODE "],'features':'m','logits':'n'}",
         "'features' names no node"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = parse(context, cases[i].text);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_graph_from_json(&graph, context, json, "f.graph"));
        assert_null(graph);
        EXPECT_MESSAGE(context, "f.graph: ");
        EXPECT_MESSAGE(context, cases[i].message);
        json_decref(json);
    }
    json_t *json = parse(context, WITH(NODE));
    EXPECT_OK(context, kd2m_graph_from_json(&graph, context, json, "f.graph"));
    json_decref(json);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

static void survives_failing_memory(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *context = testing_failing_context(k);
        kd2m_graph *graph = NULL, *back = NULL;
        json_t *json = NULL;
        status = build(&graph, context);
        if (status == KD2M_OK)
            status = kd2m_graph_to_json(graph, &json);
        if (status == KD2M_OK)
            status = kd2m_graph_from_json(&back, context, json, "graph");
        if (status != KD2M_OK)
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
        json_decref(json);
        kd2m_graph_free(graph);
        kd2m_graph_free(back);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_and_finds),        cmocka_unit_test(refuses_bad_inputs),
        cmocka_unit_test(refuses_bad_nodes),       cmocka_unit_test(refuses_too_many),
        cmocka_unit_test(goes_through_json),       cmocka_unit_test(refuses_broken_json),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
