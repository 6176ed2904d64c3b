/* Picks the solver that fits: see transport.h. Cost: the solver's. Threads: one. */
#include "transport.h"

#include "certificate.h"

size_t kd2m_transport_bytes(size_t rows, size_t columns) {
    size_t general = kd2m_network_simplex_bytes(rows, columns);
    size_t square = rows == columns ? kd2m_assignment_bytes(rows) : 0;
    return general > square ? general : square;
}

kd2m_status kd2m_transport_solve(kd2m_arena *arena, kd2m_costs costs, const double *row_weights,
                                 const double *column_weights, kd2m_transport *out) {
    if (costs.rows == costs.columns && kd2m_weights_uniform(row_weights, costs.rows) &&
        kd2m_weights_uniform(column_weights, costs.columns))
        return kd2m_assignment(arena, costs, out);
    return kd2m_network_simplex(arena, costs, row_weights, column_weights, out);
}
