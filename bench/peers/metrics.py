"""The metrics of bench/metrics.py as a user of POT and PyTorch would write them: value and gradient
with respect to x. PEERS: kd2m's spec -> (who, function of x, y and their labels -> (value, gradient)).
x and y are float32 tensors; POT works in float64, its iteration limit raised until it converges."""
import numpy as np
import ot
import torch

from clouds import CLASSES


def _uniform(rows):
    return np.full(len(rows), 1 / len(rows))


def _squared(x, y):
    return (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T


def _plan_gradient(plan, x, y):
    plan = torch.tensor(plan, dtype=torch.float32)
    return 2 * (plan.sum(1)[:, None] * x - plan @ y)


def _w2(x, y, *_):
    cost = _squared(x, y).double().numpy()
    plan = ot.emd(_uniform(x), _uniform(y), cost, numItermax=10**9)
    return (plan * cost).sum(), _plan_gradient(plan, x, y)


def _w1(x, y, *_):
    cost = _squared(x, y).clamp(min=0).sqrt()
    plan = ot.emd(_uniform(x), _uniform(y), cost.double().numpy(), numItermax=10**9)
    pull = torch.tensor(plan, dtype=torch.float32) / cost
    return (plan * cost.numpy()).sum(), pull.sum(1)[:, None] * x - pull @ y


def _cond_w2(x, y, x_labels, y_labels):
    value, gradient = 0.0, torch.zeros_like(x)
    for label in range(CLASSES):
        mine, theirs = x_labels == label, y_labels == label
        share = float(mine.float().mean())
        part, rows = _w2(x[mine], y[theirs])
        value += share * part
        gradient[mine] = share * rows
    return value, gradient


def _autograd(loss):
    def evaluate(x, y, *_):
        x = x.clone().requires_grad_()
        value = loss(x, y)
        value.backward()
        return value.item(), x.grad
    return evaluate


def _moments(x):
    return x.mean(0), x.var(0, unbiased=False)


def _gauss_w2(x, y):
    (mean_x, var_x), (mean_y, var_y) = _moments(x), _moments(y)
    return (mean_x - mean_y).pow(2).sum() + (var_x.sqrt() - var_y.sqrt()).pow(2).sum()


def _kl(x, y):
    (mean_x, var_x), (mean_y, var_y) = _moments(x), _moments(y)
    floor = 1e-5 * var_y.mean()
    var_x, var_y = var_x + floor, var_y + floor
    return 0.5 * (torch.log(var_y / var_x) + (var_x + (mean_x - mean_y).pow(2)) / var_y - 1).sum()


def _root(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _bures(x, y):
    mean_x, mean_y = x.mean(0), y.mean(0)
    a = (x - mean_x).T @ (x - mean_x) / len(x)
    with torch.no_grad():
        b = (y - mean_y).T @ (y - mean_y) / len(y)
        root = _root(b)
    middle = torch.linalg.eigvalsh(root @ a @ root).clamp(min=0).sqrt().sum()
    return (mean_x - mean_y).pow(2).sum() + a.trace() + b.trace() - 2 * middle


def _mmd_linear(x, y):
    return (x @ x.T).mean() + (y @ y.T).mean() - 2 * (x @ y.T).mean()


def _mmd_rbf(x, y):
    rows = torch.cat([x, y])
    squared = _squared(rows, rows).clamp(min=0)
    with torch.no_grad():
        n, m = len(x), len(y)
        root = squared.sqrt()
        scale = (root[:n, :n].sum() + root[n:, n:].sum() + root[:n, n:].sum()) / (
            n * n + m * m + n * m)
    kernel = torch.exp(-squared / (2 * scale * scale))
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def _energy(x, y):
    def mean_distance(a, b):
        return torch.cdist(a, b).mean()
    return 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)


def _sliced(x, y):
    directions = torch.nn.functional.normalize(torch.randn(x.shape[1], 50), dim=0)
    return ((x @ directions).sort(0)[0] - (y @ directions).sort(0)[0]).pow(2).mean()


def _sinkhorn(method):
    def evaluate(x, y, *_, iterations=SINKHORN_ITERATIONS, error=0):
        cost = _squared(x, y).double().numpy()
        plan = ot.sinkhorn(_uniform(x), _uniform(y), cost, 0.05 * cost.mean(), method=method,
                           numItermax=iterations, stopThr=error, warn=False)
        return (plan * cost).sum(), _plan_gradient(plan, x, y)
    return evaluate


def _sinkhorn_whole(x, y, *_):
    # POT looks at the columns' sums in the Euclidean norm
    return _sinkhorn("sinkhorn")(x, y, iterations=10**6, error=1e-7 / len(y)**0.5)


SINKHORN_ITERATIONS = 50
PER_ITERATION = ("sinkhorn", "sinkhorn (log)")


def _gw(x, y, *_):
    a, b = _uniform(x), _uniform(y)
    inner = [torch.cdist(rows, rows).double().numpy() for rows in (x, y)]
    plan, log = ot.gromov.gromov_wasserstein(*inner, a, b, "square_loss", log=True)
    return log["gw_dist"], None


PEERS = {
    "w2": ("POT emd", _w2),
    "w1": ("POT emd", _w1),
    "cond(w2)": ("POT emd", _cond_w2),
    "sinkhorn": ("POT sinkhorn, per iteration", _sinkhorn("sinkhorn")),
    "sinkhorn (log)": ("POT sinkhorn_log, per iteration", _sinkhorn("sinkhorn_log")),
    "sinkhorn, whole": ("POT sinkhorn", _sinkhorn_whole),
    "sw2": ("PyTorch", _autograd(_sliced)),
    "gw": ("POT, value alone", _gw),
    "gauss-w2": ("PyTorch", _autograd(_gauss_w2)),
    "kl": ("PyTorch", _autograd(_kl)),
    "gauss-w2:cov=full": ("PyTorch eigh", _autograd(_bures)),
    "mmd:kernel=linear": ("PyTorch", _autograd(_mmd_linear)),
    "mmd:kernel=rbf": ("PyTorch", _autograd(_mmd_rbf)),
    "energy": ("PyTorch", _autograd(_energy)),
}
