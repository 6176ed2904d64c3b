/* The inside of the study's data base, shared by the files that write its tables. */
#ifndef KD2M_STUDY_STORE_INTERNAL_H
#define KD2M_STUDY_STORE_INTERNAL_H

#include "store.h"

struct kd2m_store {
    kd2m_context *context;
    sqlite3 *base;
    double lease;
    char host[64];
    char owner[96]; /* HOST:PID */
};

/* The data base's error, with what was being done. */
kd2m_status kd2m_store_fail(kd2m_store *store, const char *doing);

/* Runs statements that take no parameters and yield no rows. */
kd2m_status kd2m_store_run(kd2m_store *store, const char *sql, const char *doing);

kd2m_status kd2m_store_prepare(kd2m_store *store, sqlite3_stmt **out, const char *sql);

/* Runs a prepared statement that yields no rows, and gives it back. */
kd2m_status kd2m_store_carry_out(kd2m_store *store, sqlite3_stmt *statement, const char *doing);

#endif
