/* Sorted items: see item.h. Cost: the C library's sort. */
#include "item.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
    const kd2m_item *x = a, *y = b;
    if (x->value < y->value || x->value > y->value)
        return x->value < y->value ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

void kd2m_items_sort(kd2m_item *items, size_t count) {
    if (count > 1)
        qsort(items, count, sizeof *items, compare);
}
