/* Half the width of a t interval, for all that draw one. */
#ifndef KD2M_STATS_MEAN_TEST_H
#define KD2M_STATS_MEAN_TEST_H

/* t_{df, alpha/2} x se; infinity where se is 0: there is no spread to judge by. */
double kd2m_t_reach(double se, double df, double alpha);

#endif
