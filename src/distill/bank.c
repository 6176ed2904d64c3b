/* The teacher's bank: see bank.h. A push copies the batch's rows, O(rows x width). */
#include "bank.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"

#define NAME_SIZE 64
#define PARTS 4

kd2m_status kd2m_bank_create(kd2m_bank **out, kd2m_context *context, size_t kept, size_t batch,
                             const kd2m_row_needs *needs) {
    *out = NULL;
    kd2m_bank *bank = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&bank, 1, sizeof *bank));
    status = kd2m_row_store_create(&bank->store, context, kept + batch, needs);
    if (status != KD2M_OK) {
        kd2m_free(context, bank);
        return status;
    }
    *out = bank;
cleanup:
    return status;
}

void kd2m_bank_free(kd2m_bank *bank) {
    if (!bank)
        return;
    kd2m_context *context = bank->store->context;
    kd2m_row_store_free(bank->store);
    kd2m_free(context, bank);
}

void kd2m_bank_push(kd2m_bank *bank, const kd2m_sample *rows) {
    size_t capacity = bank->store->capacity, filled = bank->filled + rows->rows;
    kd2m_row_store_write(bank->store, bank->next, rows, &(kd2m_row_choice){NULL, 1, rows->rows});
    bank->next = (bank->next + rows->rows) % capacity;
    bank->filled = filled < capacity ? filled : capacity;
}

void kd2m_bank_sample(const kd2m_bank *bank, kd2m_sample *out) {
    kd2m_row_store_sample(bank->store, bank->filled, out);
}

/* An array of the store's and what it is called in a checkpoint. */
typedef struct bank_part {
    const char *name;
    kd2m_tensor_type type;
    size_t width; /* values in a row; 0 = it is not kept */
    void *values;
} bank_part;

static void list_parts(const kd2m_bank *bank, bank_part parts[PARTS]) {
    const kd2m_row_store *store = bank->store;
    const kd2m_row_needs *needs = &store->needs;
    parts[0] = (bank_part){"features", KD2M_TENSOR_F32, needs->dim, store->features};
    parts[1] = (bank_part){"logits", KD2M_TENSOR_F32, needs->classes, store->logits};
    parts[2] = (bank_part){"labels", KD2M_TENSOR_I32, needs->labels, store->labels};
    parts[3] = (bank_part){"codes", KD2M_TENSOR_I32, needs->column != NULL, store->codes};
}

static size_t part_bytes(const kd2m_bank *bank, const bank_part *part) {
    return bank->filled * part->width * kd2m_tensor_type_size(part->type);
}

static const char *part_name(char out[NAME_SIZE], const char *bank, const char *part) {
    snprintf(out, NAME_SIZE, "%.*s.%s", NAME_SIZE / 2, bank, part);
    return out;
}

kd2m_status kd2m_bank_store(const kd2m_bank *bank, kd2m_tensors *tensors, const char *name) {
    char full[NAME_SIZE];
    bank_part parts[PARTS];
    kd2m_tensor *tensor;
    kd2m_status status = KD2M_OK;
    list_parts(bank, parts);
    KD2M_TRY(kd2m_tensors_add(tensors, &tensor, part_name(full, name, "place"), KD2M_TENSOR_I64, 1,
                              (size_t[]){2}));
    ((int64_t *)tensor->values)[0] = (int64_t)bank->next;
    ((int64_t *)tensor->values)[1] = (int64_t)bank->filled;
    for (size_t i = 0; i < PARTS; i++) {
        const size_t shape[] = {bank->filled, parts[i].width};
        if (parts[i].width == 0)
            continue;
        KD2M_TRY(kd2m_tensors_add(tensors, &tensor, part_name(full, name, parts[i].name),
                                  parts[i].type, 2, shape));
        memcpy(tensor->values, parts[i].values, part_bytes(bank, &parts[i]));
    }
cleanup:
    return status;
}

/* Places are filled one after another, then taken in turn. */
static kd2m_status set_place(kd2m_bank *bank, const int64_t place[2], const char *name) {
    int64_t capacity = (int64_t)bank->store->capacity, next = place[0], filled = place[1];
    bool full = filled == capacity && next >= 0 && next < capacity;
    if (!full && (filled < 0 || filled >= capacity || next != filled))
        return kd2m_fail(bank->store->context, KD2M_ERROR_INPUT,
                         "%s: %lld rows and the next at %lld is not how a bank of %lld fills", name,
                         (long long)filled, (long long)next, (long long)capacity);
    bank->next = (size_t)next;
    bank->filled = (size_t)filled;
    return KD2M_OK;
}

kd2m_status kd2m_bank_load(kd2m_bank *bank, const kd2m_tensors *tensors, const char *name) {
    char full[NAME_SIZE];
    bank_part parts[PARTS];
    kd2m_tensor *tensor;
    kd2m_status status = KD2M_OK;
    list_parts(bank, parts);
    KD2M_TRY(kd2m_tensors_expect(tensors, &tensor, part_name(full, name, "place"), KD2M_TENSOR_I64,
                                 1, (size_t[]){2}));
    KD2M_TRY(set_place(bank, tensor->values, tensor->name));
    for (size_t i = 0; i < PARTS; i++) {
        const size_t shape[] = {bank->filled, parts[i].width};
        if (parts[i].width == 0)
            continue;
        KD2M_TRY(kd2m_tensors_expect(tensors, &tensor, part_name(full, name, parts[i].name),
                                     parts[i].type, 2, shape));
        memcpy(parts[i].values, tensor->values, part_bytes(bank, &parts[i]));
    }
cleanup:
    return status;
}
