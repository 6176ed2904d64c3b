/* What 'kd2m train' and 'kd2m distill' share: a run from its flags to its result. */
#ifndef KD2M_CLI_TRAINING_H
#define KD2M_CLI_TRAINING_H

/* For the end of their help. */
#define CLI_NETS                                                                                   \
    "Nets:\n"                                                                                      \
    "  mlp:784-512-10       widths from input to classes\n"                                        \
    "  cnn1d                signals\n"                                                             \
    "  resnet8, 20, 32, 56  images, CIFAR form\n"                                                  \
    "  resnet18, 34         images, torchvision's form\n"                                          \
    "width=FACTOR multiplies the hidden widths; a resnet takes stem=cifar|imagenet.\n\n"

/* Runs the command that `doc` describes; `distil`: with a teacher. Returns the exit code. */
int cli_run_training(int argc, char **argv, const char *doc, int distil);

#endif
