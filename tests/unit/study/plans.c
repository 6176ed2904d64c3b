#include "plans.h"

const char small_plan[] =
    "{\"settings\": {\"epochs\": 4, \"batch_size\": 16},"
    " \"data\": [{\"name\": \"rig\", \"settings\": {\"data\": "
    "\"bearing:train=8,test=4,length=64\"},"
    "   \"teacher\": {\"model\": \"mlp:64-16-7\"},"
    "   \"shifts\": [{\"name\": \"noise\", \"settings\":"
    "     {\"data\": \"bearing:train=8,test=4,length=64,snr=0\"}}]}],"
    " \"students\": [\"mlp:64-4-7\", {\"name\": \"wide\", \"settings\": {\"model\": "
    "\"mlp:64-8-7\"}}],"
    " \"methods\": ["
    "   {\"name\": \"ce\", \"loss\": \"ce\", \"search\": {\"lr\": [0.01, 0.1]}},"
    "   {\"name\": \"kd\", \"loss\": \"ce + {weight}*kd:T={T}\","
    "    \"search\": {\"weight\": [0.5, 1], \"T\": [1, 4]}},"
    "   {\"name\": \"w2\", \"loss\": \"ce + {weight}*w2@features\","
    "    \"search\": {\"weight\": {\"low\": 0.01, \"high\": 10, \"log\": true}}}],"
    " \"budget\": {\"candidates\": 4, \"rungs\": 2, \"eta\": 2}, \"seeds\": 3}";

json_t *plans_json(const char *text, const char *key, const char *value) {
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    assert_non_null(root);
    if (key && value)
        assert_int_equal(json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, &error)),
                         0);
    else if (key)
        json_object_del(root, key);
    return root;
}

kd2m_plan *plans_take(kd2m_context *context, json_t *root) {
    kd2m_plan *plan;
    EXPECT_OK(context, kd2m_plan_take(&plan, context, root, "plan"));
    return plan;
}
