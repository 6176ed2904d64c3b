/* What 'kd2m train' and 'kd2m distill' share: a run from its flags to its result. */
#ifndef KD2M_CLI_TRAINING_H
#define KD2M_CLI_TRAINING_H

/* Runs the command that `doc` describes; `distil`: with a teacher. Returns the exit code. */
int cli_run_training(int argc, char **argv, const char *doc, int distil);

#endif
