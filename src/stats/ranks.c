/*
 * Average ranks: see stats.h. J. Demsar, 'Statistical comparisons of classifiers over multiple data
 * sets', JMLR 7, 2006. Cost: O(blocks methods log methods), `methods` items. Threads: the caller's.
 */
#include <math.h>

#include "check.h"
#include "context.h"
#include "item.h"
#include "kd2m/stats.h"
#include "memory.h"

/* Adds each method's rank in a block whose items are sorted, the best last. */
static void add_ranks(double *ranks, const kd2m_item *sorted, size_t methods) {
    for (size_t first = 0, last; first < methods; first = last + 1) {
        last = first;
        while (last + 1 < methods && sorted[last + 1].value <= sorted[first].value)
            last++;
        double shared = (double)methods - (double)(first + last) / 2;
        for (size_t i = first; i <= last; i++)
            ranks[sorted[i].place] += shared;
    }
}

kd2m_status kd2m_average_ranks(double *ranks, kd2m_context *context, const double *scores,
                               size_t blocks, size_t methods) {
    kd2m_item *items = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_check_count(context, "blocks", blocks, 1));
    KD2M_TRY(kd2m_alloc(context, (void **)&items, methods, sizeof *items));
    for (size_t j = 0; j < methods; j++)
        ranks[j] = 0;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t j = 0; j < methods; j++) {
            items[j] = (kd2m_item){scores[block * methods + j], j};
            if (isnan(items[j].value))
                KD2M_TRY(kd2m_fail(context, KD2M_ERROR_INPUT,
                                   "block %zu, method %zu: the score is NaN", block, j));
        }
        kd2m_items_sort(items, methods);
        add_ranks(ranks, items, methods);
    }
    for (size_t j = 0; j < methods; j++)
        ranks[j] /= (double)blocks;
cleanup:
    kd2m_free(context, items);
    return status;
}
