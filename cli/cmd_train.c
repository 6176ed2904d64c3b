/* kd2m train: one net on a data set. */
#include "app.h"
#include "training.h"

int cli_train(int argc, char **argv) {
    static const char doc[] =
        "Trains a net on a data set.\v" CLI_NETS "Examples:\n"
        "  kd2m train --data idx:DIR --model mlp:784-512-256-10 --out runs/teacher\n"
        "  kd2m train --data bearing --model cnn1d --epochs 12 --out runs/bearing\n"
        "  kd2m train --resume --out runs/teacher\n";
    return cli_run_training(argc, argv, doc, 0);
}
