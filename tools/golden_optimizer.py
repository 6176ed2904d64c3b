#!/usr/bin/python3
"""Golden values of the optimisers and schedules, by PyTorch: tests/golden/nn/optimizer.json.

Ten steps with given gradients on the parameters of an mlp:5-3-2, biases without decay, the learning
rate following CosineAnnealingLR. Run: /usr/bin/python3 tools/golden_optimizer.py
"""
import json
import pathlib

import torch

OUT = pathlib.Path(__file__).parent.parent / "tests/golden/nn/optimizer.json"
STEPS = 10
SHAPES = {"fc1.weight": (3, 5), "fc1.bias": (3,), "classifier.weight": (2, 3), "classifier.bias": (2,)}
LR, FINAL_LR = 0.1, 0.01
SGD_STATE = {"momentum_buffer": "momentum"}
ADAMW_STATE = {"exp_avg": "first_moment", "exp_avg_sq": "second_moment"}
CASES = {
    "sgd": {"kind": "sgd"},
    "momentum": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.05},
    "nesterov": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
    "clipped": {"kind": "sgd", "momentum": 0.8, "weight_decay": 0.05, "clip": 5.0},
    "adamw": {"kind": "adamw", "weight_decay": 0.2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8},
    "adamw_clipped": {"kind": "adamw", "weight_decay": 0.01, "beta1": 0.8, "beta2": 0.999,
                      "epsilon": 1e-4, "clip": 5.0},
}


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def make_optimizer(case, parameters):
    groups = [
        {"params": [p for name, p in parameters.items() if name.endswith("weight")],
         "weight_decay": case.get("weight_decay", 0)},
        {"params": [p for name, p in parameters.items() if name.endswith("bias")],
         "weight_decay": 0},
    ]
    if case["kind"] == "sgd":
        return torch.optim.SGD(groups, lr=LR, momentum=case.get("momentum", 0),
                               nesterov=case.get("nesterov", False))
    return torch.optim.AdamW(groups, lr=LR, betas=(case["beta1"], case["beta2"]),
                             eps=case["epsilon"])


def run(case, initial, gradients):
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in initial.items()}
    optimizer = make_optimizer(case, parameters)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, FINAL_LR)
    rates, norms = [], []
    for step in range(STEPS):
        for name, parameter in parameters.items():
            parameter.grad = gradients[step][name].clone()
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters.values(),
                                                          case.get("clip", 1e30))))
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    names = SGD_STATE if case["kind"] == "sgd" else ADAMW_STATE
    state = {f"{name}.{ours}": numbers(optimizer.state[parameter][theirs])
             for name, parameter in parameters.items() for theirs, ours in names.items()
             if optimizer.state[parameter].get(theirs) is not None}
    return {"settings": case, "rates": rates, "norms": norms, "state": state,
            "weights": {name: numbers(value) for name, value in parameters.items()}}


def main():
    torch.manual_seed(1)
    initial = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    gradients = [{name: torch.randn(shape) * (step % 3 + 0.5) for name, shape in SHAPES.items()}
                 for step in range(STEPS)]
    golden = {
        "lr": LR,
        "final_lr": FINAL_LR,
        "initial": {name: numbers(value) for name, value in initial.items()},
        "gradients": [{name: numbers(value) for name, value in step.items()} for step in gradients],
        "cases": {name: run(case, initial, gradients) for name, case in CASES.items()},
    }
    OUT.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
