"""Training by recipes.py in PyTorch."""
import math

import numpy as np
import ot
import torch
import torch.nn.functional as F

import data
import nets
from recipes import BATCH, DECAY, MOMENTUM


def w2(x, y):
    """Squared 2-Wasserstein distance of two samples of equal size; its gradient reaches x."""
    mass = np.full(len(x), 1 / len(x))
    cost = torch.cdist(x.detach().double(), y.double()).pow(2).numpy()
    to = torch.tensor(ot.emd(mass, mass, cost).argmax(1))
    return (x - y[to]).pow(2).sum(1).mean()


def outputs(net, x):
    """Features and logits of all of x, in evaluation mode."""
    net.eval()
    with torch.no_grad():
        found = [net(part) for part in x.split(500)]
    return torch.cat([f for f, _ in found]), torch.cat([l for _, l in found])


def accuracy(net, x, y):
    return (outputs(net, x)[1].argmax(1) == y).double().mean().item()


def initialise(net):
    for module in net.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)):
            torch.nn.init.normal_(module.weight, std=math.sqrt(2 / module.weight[0].numel()))
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)


def train(spec, terms, teacher, x, y, recipe, normalise):
    """A net of that spec, trained by `terms` ('teacher' and 'ce': cross-entropy alone)."""
    net = nets.build(spec, x.shape[1:], int(y.max()) + 1)
    initialise(net)
    parameters = list(net.parameters())
    zero = normalise(torch.zeros(1, *x.shape[1:]))[:, :, :1, :1] if recipe.get("augment") else None
    projector = None
    if terms == "w2":
        teacher_features = outputs(teacher, x)[0]
        variance = teacher_features.var(0, unbiased=False).sum()
        width = outputs(net, x[:1])[0].shape[1]
        if width != teacher_features.shape[1]:
            projector = torch.nn.Linear(width, teacher_features.shape[1], bias=False)
            initialise(projector)
            parameters.append(projector.weight)
    optimizer = torch.optim.SGD(
        [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": DECAY},
         {"params": [p for p in parameters if p.dim() == 1]}], lr=recipe["lr"], momentum=MOMENTUM)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe["epochs"] * steps)
    net.train()
    for _ in range(recipe["epochs"]):
        order = torch.randperm(len(x))
        for rows in order[:steps * BATCH].split(BATCH):
            batch = x[rows] if zero is None else data.augment(x[rows], zero)
            features, logits = net(batch)
            loss = F.cross_entropy(logits, y[rows])
            if terms in ("kd", "w2"):
                with torch.no_grad():
                    teacher_features, teacher_logits = teacher(batch)
            if terms == "kd":
                loss = loss + 16 * F.kl_div(F.log_softmax(logits / 4, 1),
                                            F.log_softmax(teacher_logits / 4, 1),
                                            reduction="batchmean", log_target=True)
            if terms == "w2":
                rows_of_student = projector(features) if projector else features
                loss = loss + w2(rows_of_student, teacher_features) / variance
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    return net
