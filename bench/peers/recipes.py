"""The recipes of docs/results.md's tables: what real_data.py hands to kd2m and does in PyTorch.

Every net is trained with SGD, momentum 0.9, decay 1e-4 not on biases and batch norm, a cosine
schedule to 0 from `lr`, batches of 128 with the last incomplete one dropped, He initialisation
(fan-in, normal), inputs normalised per channel by the training data. A tenth of the training data is
left out for validation and not used here; the last epoch's net is tested. The students' terms are
    ce     cross-entropy
    kd     + T^2 KL(teacher || student) of the outputs softened by T = 4, batch mean
    w2     + squared 2-Wasserstein distance of the features, exact, divided by the teacher's total
           feature variance over the training set; a trained projector where widths differ
One teacher a seed serves the students of that seed.
"""

BATCH, MOMENTUM, DECAY = 128, 0.9, 1e-4
LOSSES = {"ce": "ce", "kd": "ce + 1*kd:T=4", "w2": "ce + 1*w2@features"}


def _cwru(folder, load, part):
    return f"{folder}/load{load}_{part}_x.npy;{folder}/load{load}_{part}_y.npy"


# name: the folder's name beside the others, the nets' specs, epochs, learning rate, and how kd2m is
# told of the data: to train on, and to test on, by name
RECIPES = {
    "mnist": {
        "folder": "mnist", "teacher": "mlp:784-512-256-128-128-128-10", "student": "mlp:784-64-10",
        "epochs": 8, "lr": 0.05,
        "train": lambda root: ["--data", f"idx:{root}/mnist"],
        "tests": {
            "MNIST": lambda root: ["--data", f"idx:{root}/mnist"],
            "USPS": lambda root: ["--data", f"idx:{root}/usps", "--transform", "resize:to=28"],
        },
    },
    "cwru": {
        "folder": "cwru_bearing", "teacher": "cnn1d", "student": "cnn1d:width=0.25",
        "epochs": 40, "lr": 0.05,
        "train": lambda root: ["--data",
                               f"npy:train={_cwru(root + '/cwru_bearing', 1, 'train')},"
                               f"test={_cwru(root + '/cwru_bearing', 1, 'test')},as=signal",
                               "--classes", "1-9"],
        "tests": {
            f"load {load}": (lambda root, load=load: [
                "--data", f"npy:train={_cwru(root + '/cwru_bearing', load, 'test')},"
                f"test={_cwru(root + '/cwru_bearing', load, 'test')},as=signal",
                "--classes", "1-9"])
            for load in (1, 2, 3)
        },
    },
    "cifar10": {
        "folder": "cifar10", "teacher": "resnet20", "student": "resnet8",
        "epochs": 8, "lr": 0.1, "augment": True,
        "train": lambda root: ["--data", f"cifar10:{root}/cifar10",
                               "--augment", "crop:pad=4+flip"],
        "tests": {"CIFAR-10": lambda root: ["--data", f"cifar10:{root}/cifar10"]},
    },
}
