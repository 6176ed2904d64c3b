/* A net's rows in a profile: one a node, with the operations of its definition; same results. */
#include <jansson.h>
#include <stdlib.h>

#include "pair.h"

static void operations_follow_the_definitions(void **state) {
    (void)state;
    kd2m_net *net;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_graph(context, 3, 9, 8);
    size_t conv = pair_node(graph, "conv", 0, "out", 5.0, "kernel", 3.0, "stride", 2.0, NULL);
    size_t norm = pair_node(graph, "batch_norm", conv, NULL);
    size_t pool = pair_node(graph, "global_pool", norm, NULL);
    size_t linear = pair_node(graph, "linear", pool, "out", 7.0, NULL);
    EXPECT_OK(context, kd2m_net_create(&net, context, graph, 6, KD2M_NET_TRAINING, false));
    EXPECT_CLOSE(6.0 * (4 * 3) * 5 * 2 * (3 * 3 * 3), kd2m_net_flops(net, conv), 0, 0);
    EXPECT_CLOSE(0, kd2m_net_flops(net, norm), 0, 0);
    EXPECT_CLOSE(6.0 * 7 * 2 * 5, kd2m_net_flops(net, linear), 0, 0);
    kd2m_net_free(net);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

/* Operations in a row of the table, from its rate and time. */
static double operations(json_t *row) {
    return 1e9 * json_number_value(json_object_get(row, "gflops")) *
           json_number_value(json_object_get(row, "seconds"));
}

static float *gradients_of_a_step(net_pair *pair, size_t node, size_t *count) {
    pair_forward(pair);
    pair_clear(pair);
    pair_gradient(pair, node, 4);
    pair_backward(pair);
    return pair_gradients(pair, count);
}

static void a_profile_changes_no_bit(void **state) {
    (void)state;
    fork_nodes nodes;
    size_t count;
    char *text;
    kd2m_table *table;
    kd2m_profile *profile;
    kd2m_context *context = testing_context(1);
    kd2m_graph *graph = pair_fork(context, &nodes);
    net_pair pair = pair_create(context, graph, 5, KD2M_NET_TRAINING, 1);
    float *alone = gradients_of_a_step(&pair, nodes.left, &count);
    EXPECT_OK(context, kd2m_profile_create(&profile, context));
    EXPECT_OK(context, kd2m_net_profile(pair.net, profile));
    float *timed = gradients_of_a_step(&pair, nodes.left, &count);
    assert_memory_equal(alone, timed, count * sizeof *alone);

    EXPECT_OK(context, kd2m_profile_table(profile, &table));
    EXPECT_OK(context, kd2m_table_to_json(table, &text));
    json_t *json = json_loads(text, 0, NULL);
    json_t *rows = json_object_get(json, "rows");
    for (size_t i = 0; i < graph->node_count; i++) {
        json_t *row = json_array_get(rows, i);
        assert_string_equal(graph->nodes[i].name, json_string_value(json_object_get(row, "name")));
        assert_string_equal(graph->nodes[i].op,
                            json_string_value(json_object_get(row, "operator")));
        assert_true(json_is_real(json_object_get(row, "forward_seconds")));
    }
    /* forward, the weights' gradient, the input's */
    EXPECT_CLOSE(3 * kd2m_net_flops(pair.net, nodes.left),
                 operations(json_array_get(rows, nodes.left)), 0, 1e-9);
    /* nothing came down the other side */
    EXPECT_CLOSE(kd2m_net_flops(pair.net, nodes.right),
                 operations(json_array_get(rows, nodes.right)), 0, 1e-9);
    json_decref(json);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    free(alone);
    free(timed);
    pair_free(&pair);
    kd2m_profile_free(profile);
    kd2m_graph_free(graph);
    kd2m_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_follow_the_definitions),
        cmocka_unit_test(a_profile_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
