/* kd2m distill: a small net under a teacher. */
#include "app.h"
#include "training.h"

int cli_distill(int argc, char **argv) {
    static const char doc[] =
        "Trains a small net under a teacher.\v" CLI_NETS "Examples:\n"
        "  kd2m distill --data idx:DIR --model mlp:784-64-10 --teacher runs/teacher \\\n"
        "      --metric w2 --weight 1 --out runs/student\n"
        "  kd2m distill --data bearing --model cnn1d:width=0.25 --teacher runs/bearing \\\n"
        "      --loss 'ce + 0.9*kd:T=4 + 1*cond(w2)@features' --out runs/small\n";
    return cli_run_training(argc, argv, doc, 1);
}
