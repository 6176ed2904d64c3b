/*
 * Sinkhorn's iteration, a pass over the matrix: rows' totals and factors, columns' sums while a row
 * is in cache. See sinkhorn.c. Where costs are not kept a block of rows of them is made at a time,
 * and the kernel's rows take their place.
 *
 * Time O(rows columns), and that of making the costs. Threads: over slabs of a block's rows.
 */
#include <string.h>

#include "context.h"
#include "kernel_rows.h"
#include "sinkhorn_state.h"

/* Elements of the kernel worth a thread of their own: read, or made of costs. */
#define GRAIN_READ ((size_t)32768)
#define GRAIN_MADE ((size_t)4096)

static bool made_anew(const kd2m_sinkhorn_state *s) {
    return s->stale || !s->kept;
}

static kd2m_status work_on_block(kd2m_sinkhorn_state *s, kd2m_parallel_body body, bool visited) {
    kd2m_status status = KD2M_OK;
    const kd2m_sinkhorn_problem *given = s->given;
    size_t elements = (s->count / s->slabs + 1) * s->columns;
    size_t grain = (made_anew(s) ? GRAIN_MADE : GRAIN_READ) / elements + 1;
    if (!s->kept) {
        KD2M_TRY(given->fill(given->user, s->made, s->first, s->count));
        KD2M_TRY(kd2m_check_interrupt(s->context));
        kd2m_meter_advance(&s->meter, (double)s->count);
    }
    kd2m_parallel_for(s->context, s->slabs, grain, body, s);
    if (visited && given->visit) {
        const kd2m_costs costs = {s->costs, s->count, s->columns, s->cost_stride};
        KD2M_TRY(given->visit(given->user, s->out, s->kernel, costs, s->first));
    }
cleanup:
    return status;
}

void kd2m_sinkhorn_run(kd2m_sinkhorn_state *s, kd2m_parallel_body body, bool visited) {
    for (size_t first = 0; first < s->rows && s->status == KD2M_OK; first += s->most_rows) {
        s->first = first;
        s->count = s->rows - first < s->most_rows ? s->rows - first : s->most_rows;
        s->status = work_on_block(s, body, visited);
    }
}

double *kd2m_sinkhorn_begin_sums(kd2m_sinkhorn_state *s, size_t slab) {
    double *sums = slab_row(s, slab);
    if (s->first == 0)
        memset(sums, 0, s->columns * sizeof *sums);
    return sums;
}

void kd2m_sinkhorn_gather(kd2m_sinkhorn_state *s) {
    memcpy(s->sums, s->slab_sums, s->columns * sizeof *s->sums);
    for (size_t slab = 1; slab < s->slabs; slab++) {
        const double *part = slab_row(s, slab);
        for (size_t j = 0; j < s->columns; j++)
            s->sums[j] += part[j];
    }
}

double kd2m_sinkhorn_make_row(kd2m_sinkhorn_state *s, size_t i, double shift) {
    return kd2m_kernel_exponentials(kernel_row(s, i), cost_row(s, i), s->weighted, shift,
                                    1.0 / s->epsilon, s->columns);
}

double kd2m_sinkhorn_make_free_row(kd2m_sinkhorn_state *s, size_t i, double *shift) {
    *shift = kd2m_kernel_lowest(cost_row(s, i), s->weighted, s->columns);
    return kd2m_sinkhorn_make_row(s, i, *shift);
}

/* The factor that a row's potential asks for. */
static double row_factor(kd2m_sinkhorn_state *s, size_t i) {
    if (!s->relaxed)
        return 1.0 / s->row_totals[i];
    double asked = s->damping * (s->row_base[i] - s->epsilon * log(s->row_totals[i]));
    s->out->row_potentials[i] = asked;
    return exp((asked - s->row_base[i]) / s->epsilon);
}

static void update_rows(kd2m_sinkhorn_state *s, size_t first, size_t count) {
    for (size_t i = first; i < first + count && made_anew(s); i++)
        s->row_totals[i] = kd2m_sinkhorn_make_free_row(s, i, &s->row_base[i]);
    if (!made_anew(s))
        kd2m_kernel_dot(s->row_totals + first, kernel_row(s, first), s->columns, s->column_factors,
                        count, s->columns);
    for (size_t i = first; i < first + count; i++)
        s->row_factors[i] = row_factor(s, i);
}

static void pass_body(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    kd2m_sinkhorn_state *s = user;
    for (size_t slab = begin; slab < end; slab++) {
        double *sums = kd2m_sinkhorn_begin_sums(s, slab);
        size_t last = slab_begin(s, slab + 1);
        for (size_t first = slab_begin(s, slab); first < last; first += KD2M_KERNEL_ROWS) {
            size_t count = last - first < KD2M_KERNEL_ROWS ? last - first : KD2M_KERNEL_ROWS;
            double weights[KD2M_KERNEL_ROWS];
            update_rows(s, first, count);
            for (size_t r = 0; r < count; r++)
                weights[r] = row_weight(s, first + r) * s->row_factors[first + r];
            if (!s->symmetric)
                kd2m_kernel_add(sums, kernel_row(s, first), s->columns, weights, count, s->columns);
        }
    }
}

void kd2m_sinkhorn_pass(kd2m_sinkhorn_state *s) {
    if (made_anew(s))
        kd2m_sinkhorn_absorb(s);
    kd2m_sinkhorn_run(s, pass_body, false);
    if (!s->symmetric)
        kd2m_sinkhorn_gather(s);
    s->stale = false;
    s->out->iterations++;
}

void kd2m_sinkhorn_absorb(kd2m_sinkhorn_state *s) {
    for (size_t j = 0; j < s->columns; j++) {
        s->column_base[j] = column_potential(s, j);
        s->column_factors[j] = 1.0;
        s->weighted[j] = s->column_base[j] + s->epsilon * log(column_weight(s, j));
    }
}
