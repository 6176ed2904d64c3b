/* Any bytes as a safetensors file: tensors or one clear refusal, and a model's graph on the way. */
#include <string.h>

#include "fuzz.h"
#include "graph.h"
#include "json.h"
#include "tensors.h"

/* Reads every value, so that a tensor that is shorter than it says would be found. */
static void touch(const kd2m_tensors *tensors) {
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[i];
        const unsigned char *values = tensor->values;
        for (size_t k = 0; k < tensor->count * kd2m_tensor_type_size(tensor->type); k++)
            sum = (unsigned char)(sum + values[k]);
    }
}

static void read_graph(kd2m_context *context, const char *text) {
    json_t *json = NULL;
    kd2m_graph *graph = NULL;
    if (text && kd2m_json_parse(context, &json, text, strlen(text), "fuzz") == KD2M_OK)
        kd2m_graph_from_json(&graph, context, json, "fuzz");
    kd2m_graph_free(graph);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_source *source = NULL;
    kd2m_tensors *tensors = NULL;
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return 0;
    if (kd2m_source_memory(&source, context, bytes, size, "fuzz") == KD2M_OK &&
        kd2m_tensors_parse(&tensors, context, source) == KD2M_OK) {
        touch(tensors);
        read_graph(context, kd2m_tensors_text(tensors, "kd2m.graph"));
    }
    kd2m_tensors_free(tensors);
    kd2m_source_close(source);
    kd2m_context_free(context);
    return 0;
}
