/* config.json: what a run was asked to do, and on what. */
#ifndef KD2M_DISTILL_CONFIG_H
#define KD2M_DISTILL_CONFIG_H

#include "trainer.h"

/* Reads a config.json: the settings in it, whose texts live as long as *config (a new reference).
 * Errors: KD2M_ERROR_INPUT, KD2M_ERROR_IO. */
kd2m_status kd2m_config_read(kd2m_train_settings *out, json_t **config, kd2m_context *context,
                             const char *path);

/*
 * The settings to train with: those given, or with `given` NULL those of the run's config.json,
 * whose texts live as long as *config (to be json_decref'd; NULL where there is none yet).
 * Errors: KD2M_ERROR_USAGE where the two differ, the message naming the first key that does.
 */
kd2m_status kd2m_config_settings(kd2m_train_settings *out, json_t **config, kd2m_context *context,
                                 const kd2m_run_folder *folder, const kd2m_train_settings *given);

/* Writes config.json for a new run; for an old one checks that data and teacher still have the
 * digests they had (KD2M_ERROR_INPUT). */
kd2m_status kd2m_config_settle(const json_t *config, kd2m_trainer *trainer,
                               const kd2m_run_folder *folder);

/* The data settings among those of a training; texts stay borrowed. */
kd2m_data_settings kd2m_config_data(const kd2m_train_settings *settings);

#endif
