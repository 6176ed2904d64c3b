/* kd2m distill: a small net under a teacher. */
#include "app.h"
#include "training.h"

int cli_distill(int argc, char **argv) {
    static const char doc[] =
        "Trains a small net under a teacher.\v" CLI_NETS "Terms of a loss (docs/losses.md):\n"
        "  0.5*w2@stage2~stage3    weight, metric, the student's layer ~ the teacher's\n"
        "  @stage2/pool            a sample's mean over positions is a row: the default\n"
        "  @stage2/flatten         a sample's whole map is a row\n"
        "  @stage2/positions:rows=256  positions are rows, 256 drawn of a batch\n"
        "  w2:bank=512             the teacher's last 512 rows, too, beside the batch\n\n"
        "Examples:\n"
        "  kd2m distill --data idx:DIR --model mlp:784-64-10 --teacher runs/teacher \\\n"
        "      --metric w2 --weight 1 --out runs/student\n"
        "  kd2m distill --data bearing --model cnn1d:width=0.25 \\\n"
        "      --teacher runs/bearing --out runs/small \\\n"
        "      --loss 'ce + 0.9*kd:T=4 + 1*cond(w2)@features'\n"
        "  kd2m distill --data cifar10:DIR --model resnet8 --teacher features.safetensors \\\n"
        "      --loss 'ce + kd' --out runs/tiny     (docs/teachers-from-files.md)\n";
    return cli_run_training(argc, argv, doc, 1);
}
