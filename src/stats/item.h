/* Numbers that know their place, for whatever is sorted. */
#ifndef KD2M_STATS_ITEM_H
#define KD2M_STATS_ITEM_H

#include <stddef.h>

typedef struct kd2m_item {
    double value; /* not NaN */
    size_t place;
} kd2m_item;

/* Smallest value first; equal ones by their place. */
void kd2m_items_sort(kd2m_item *items, size_t count);

#endif
