#!/usr/bin/python3
"""Golden values of the metrics: values and gradients in float64 by PyTorch's autograd, transport
plans by POT. Inputs are float32, so that the library reads the very same numbers.

    /usr/bin/python3 tools/golden_metrics.py        writes tests/golden/metric/*.txt

Needs python3-torch and POT (made with PyTorch 1.13, POT 0.8.2). A file is tokens parted by white
space: a word, its sizes, its numbers.
"""
import pathlib

import numpy as np
import ot
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "metric"


def squared_costs(x, y):
    return ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)


def distances(x, y):
    squared = squared_costs(x, y)
    return torch.where(squared > 0, squared, torch.ones_like(squared)).sqrt() * (squared > 0)


def transport(costs_of):
    def value(x, y, a, b):
        costs = costs_of(x, y)
        plan = ot.emd(a.numpy(), b.numpy(), costs.detach().numpy(), numItermax=1_000_000)
        return (torch.from_numpy(plan) * costs).sum()

    return value


def moments(x, a):
    mean = (a[:, None] * x).sum(0)
    return mean, (a[:, None] * (x - mean) ** 2).sum(0)


def gauss_w2(x, y, a, b):
    (mean_x, var_x), (mean_y, var_y) = moments(x, a), moments(y, b)
    return ((mean_x - mean_y) ** 2).sum() + ((var_x.sqrt() - var_y.sqrt()) ** 2).sum()


def kl(reg=1e-5, reverse=False):
    def value(x, y, a, b):
        (mean_x, var_x), (mean_y, var_y) = moments(x, a), moments(y, b)
        floor = reg * var_y.mean()
        p = torch.distributions.Normal(mean_x, (var_x + floor).sqrt())
        q = torch.distributions.Normal(mean_y, (var_y + floor).sqrt())
        if reverse:
            p, q = q, p
        return torch.distributions.kl_divergence(p, q).sum()

    return value


def normals(x, y, a, b, reg=1e-5):
    """The normal laws that fit the features of x and y."""
    (mean_x, var_x), (mean_y, var_y) = moments(x, a), moments(y, b)
    floor = reg * var_y.mean()
    return [torch.distributions.Normal(mean, (var + floor).sqrt())
            for mean, var in ((mean_x, var_x), (mean_y, var_y))]


def jeffreys(x, y, a, b):
    p, q = normals(x, y, a, b)
    divergence = torch.distributions.kl_divergence
    return (divergence(p, q) + divergence(q, p)).sum()


def fisher_rao(x, y, a, b):
    p, q = normals(x, y, a, b)
    ratio = ((p.loc - q.loc) ** 2 / 2 + (p.scale - q.scale) ** 2) / (2 * p.scale * q.scale)
    return (2 * torch.acosh(1 + ratio) ** 2).sum().sqrt()


def bhattacharyya(x, y, a, b):
    p, q = normals(x, y, a, b)
    total = p.variance + q.variance
    return ((p.loc - q.loc) ** 2 / (4 * total)
            + torch.log(total / (2 * p.scale * q.scale)) / 2).sum()


def hellinger(x, y, a, b):
    return (1 - torch.exp(-bhattacharyya(x, y, a, b))).sqrt()


def renyi(alpha):
    def value(x, y, a, b):
        p, q = normals(x, y, a, b)
        mixed = alpha * q.variance + (1 - alpha) * p.variance
        return (torch.log(q.scale / p.scale) + torch.log(q.variance / mixed) / (2 * (alpha - 1))
                + alpha * (p.loc - q.loc) ** 2 / (2 * mixed)).sum()

    return value


def covariance(x, a):
    x = x - (a[:, None] * x).sum(0)
    return x.T @ (a[:, None] * x)


def gauss_w2_full(x, y, a, b):
    cov_x, cov_y = covariance(x, a), covariance(y, b)
    values, vectors = torch.linalg.eigh(cov_y)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_x @ root)
    gap = moments(x, a)[0] - moments(y, b)[0]
    kept = cross[cross > 1e-12 * cross.max()]  # a root's slope at 0 is infinite
    return gap @ gap + cov_x.trace() + cov_y.trace() - 2 * kept.sqrt().sum()


def full_normals(x, y, a, b, reg=1e-5):
    cov_x, cov_y = covariance(x, a), covariance(y, b)
    floor = reg * cov_y.trace() / len(cov_y) * torch.eye(len(cov_y), dtype=cov_y.dtype)
    return [torch.distributions.MultivariateNormal(moments(u, w)[0], c + floor)
            for u, w, c in ((x, a, cov_x), (y, b, cov_y))]


def full_kl(forward, reverse):
    def value(x, y, a, b):
        p, q = full_normals(x, y, a, b)
        divergence = torch.distributions.kl_divergence
        return forward * divergence(p, q) + reverse * divergence(q, p)

    return value


def full_renyi(alpha):
    def value(x, y, a, b):
        p, q = full_normals(x, y, a, b)
        s, t, gap = p.covariance_matrix, q.covariance_matrix, p.loc - q.loc
        mixed = alpha * t + (1 - alpha) * s
        logs = (mixed.logdet() - (1 - alpha) * s.logdet() - alpha * t.logdet()) / (1 - alpha)
        return (alpha * gap @ torch.linalg.solve(mixed, gap) + logs) / 2

    return value


def full_hellinger(x, y, a, b):
    return (1 - torch.exp(-full_renyi(0.5)(x, y, a, b) / 2)).sqrt()


def mmd(kernel):
    def value(x, y, a, b):
        k_xx, k_yy, k_xy = kernel(x, y)
        return a @ k_xx @ a + b @ k_yy @ b - 2 * a @ k_xy @ b

    return value


def linear(x, y):
    return x @ x.T, y @ y.T, x @ y.T


def rbf(sigma=None):
    def kernels(x, y):
        s = sigma
        if s is None:
            n, m = len(x), len(y)
            total = sum(distances(u, v).sum() for u, v in ((x, x), (y, y), (x, y)))
            s = (total / (n * n + m * m + n * m)).detach()
        return [torch.exp(-squared_costs(u, v) / (2 * s**2)) for u, v in ((x, x), (y, y), (x, y))]

    return kernels


def poly(power, c):
    def kernels(x, y):
        u, v = F.normalize(x), F.normalize(y)
        return [(p @ q.T + c) ** power for p, q in ((u, u), (v, v), (u, v))]

    return kernels


def unbiased(kernel):
    """Without the pairs of a row with itself; weights are equal."""
    def value(x, y, a, b):
        k_xx, k_yy, k_xy = kernel(x, y)
        n, m = len(x), len(y)
        within = [(k.sum() - k.trace()) / (r * (r - 1)) for k, r in ((k_xx, n), (k_yy, m))]
        return sum(within) - 2 * k_xy.mean()

    return value


def energy(x, y, a, b):
    return 2 * a @ distances(x, y) @ b - a @ distances(x, x) @ a - b @ distances(y, y) @ b


def mse(x, y, a, b):
    return F.mse_loss(x, y) * x.shape[1]


def cosine(x, y, a, b):
    return (1 - F.cosine_similarity(x, y)).mean()


def cka(x, y, a, b):
    x, y = x - x.mean(0), y - y.mean(0)
    return 1 - (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


def rkd(x, y, a, b):
    """As the authors' code has it."""
    d, e = distances(x, x), distances(y, y)
    return F.smooth_l1_loss(d / d[d > 0].mean(), e / e[e > 0].mean())


def coral(x, y, a, b):
    return ((covariance(x, a) - covariance(y, b)) ** 2).sum() / (4 * x.shape[1] ** 2)


def kd(temperature):
    def value(x, y, a, b):
        return temperature**2 * F.kl_div(
            F.log_softmax(x / temperature, 1), F.softmax(y / temperature, 1), reduction="batchmean"
        )

    return value


METRICS = {
    "w2": transport(squared_costs),
    "w1": transport(distances),
    "gauss-w2": gauss_w2,
    "kl": kl(),
    "kl:dir=ts": kl(reverse=True),
    "kl:reg=0.1": kl(reg=0.1),
    "jeffreys": jeffreys,
    "fisher-rao": fisher_rao,
    "bhattacharyya": bhattacharyya,
    "hellinger": hellinger,
    "renyi:alpha=0.3": renyi(0.3),
    "gauss-w2:cov=full": gauss_w2_full,
    "kl:cov=full": full_kl(1, 0),
    "kl:cov=full,dir=ts": full_kl(0, 1),
    "jeffreys:cov=full": full_kl(1, 1),
    "hellinger:cov=full": full_hellinger,
    "renyi:alpha=0.3,cov=full": full_renyi(0.3),
    "mmd:kernel=linear": mmd(linear),
    "mmd:kernel=rbf": mmd(rbf()),
    "mmd:kernel=rbf,sigma=1.5": mmd(rbf(1.5)),
    "mmd:unbiased=1": unbiased(rbf()),
    "mmd:kernel=linear,unbiased=1": unbiased(linear),
    "mmd:kernel=poly": mmd(poly(2, 0.0)),
    "mmd:kernel=poly,power=3,c=1,unbiased=1": unbiased(poly(3, 1.0)),
    "energy": energy,
    "coral": coral,
    "cosine": cosine,
    "cka": cka,
    "rkd": rkd,
    "mse": mse,
    "kd": kd(4.0),
    "kd:T=1": kd(1.0),
}
UNWEIGHTED = {"mmd:unbiased=1", "mmd:kernel=linear,unbiased=1",
              "mmd:kernel=poly,power=3,c=1,unbiased=1"}
PAIRED = {"mse", "cosine", "cka", "rkd", "kd", "kd:T=1"}


def entropic_plan(costs, a, b, eps):
    return torch.from_numpy(ot.sinkhorn(a.numpy(), b.numpy(), costs.detach().numpy(), eps,
                                        method="sinkhorn_log", numItermax=100_000, stopThr=1e-13))


def entropic_value(costs, plan, a, b, eps):
    """Its gradient is that of the costs alone: the plan is held."""
    outer = a[:, None] * b[None, :]
    log_share = torch.where(plan > 0, (plan / outer).log(), torch.zeros_like(plan))
    return (plan * costs).sum() + eps * (plan * log_share - plan + outer).sum()


def mean_of_costs(x, y, a, b):
    return float(a @ squared_costs(x, y).detach() @ b)


def sinkhorn(share):
    def value(x, y, a, b):
        costs, eps = squared_costs(x, y), share * mean_of_costs(x, y, a, b)
        return entropic_value(costs, entropic_plan(costs, a, b, eps), a, b, eps)

    return value


def sinkhorn_div(share):
    def value(x, y, a, b):
        eps = share * mean_of_costs(x, y, a, b)
        parts = []
        for u, v, of_u, of_v in ((x, y, a, b), (x, x, a, a), (y, y, b, b)):
            costs = squared_costs(u, v)
            parts.append(entropic_value(costs, entropic_plan(costs, of_u, of_v, eps), of_u, of_v, eps))
        return parts[0] - parts[1] / 2 - parts[2] / 2

    return value


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011), as src/core/rng.c has it."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def directions(count, dim):
    """Draw 0 of seed 0 of the stream of metrics."""
    normals = []
    for index in range((count * dim + 3) // 4):
        words = philox((index, 0, 0, 7), (0, 0))
        for first, second in (words[:2], words[2:]):
            radius = np.sqrt(-2 * np.log(((first >> 8) + 1) / 2.0**24))
            angle = 2 * np.pi * (second >> 8) / 2.0**24
            normals += [radius * np.cos(angle), radius * np.sin(angle)]
    drawn = np.array(normals[: count * dim]).reshape(count, dim)
    return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def sliced(count):
    def value(x, y, a, b):
        result = 0.0
        for direction in directions(count, x.shape[1]):
            along_x, along_y = x @ direction, y @ direction
            plan = ot.emd_1d(along_x.detach().numpy(), along_y.numpy(), a.numpy(), b.numpy())
            costs = (along_x[:, None] - along_y[None, :]) ** 2
            result = result + (torch.from_numpy(plan) * costs).sum() / count
        return result

    return value


def kl_sum(p, q):
    return (p * (p / q).log() - p + q).sum()


def unbalanced(share, price):
    """POT's entropy is that of the plan alone: costs less eps log(a b) make it ours."""
    def value(x, y, a, b):
        costs, mean = squared_costs(x, y), mean_of_costs(x, y, a, b)
        eps, rho, outer = share * mean, price * mean, a[:, None] * b[None, :]
        moved = (costs.detach() - eps * outer.log()).numpy()
        plan = ot.unbalanced.sinkhorn_unbalanced(a.numpy(), b.numpy(), moved, eps, rho,
                                                 numItermax=100_000, stopThr=1e-14)
        plan = torch.from_numpy(plan)
        return (entropic_value(costs, plan, a, b, eps) + rho * kl_sum(plan.sum(1), a)
                + rho * kl_sum(plan.sum(0), b))

    return value


def partial(mass):
    def value(x, y, a, b):
        costs = squared_costs(x, y)
        plan = ot.partial.partial_wasserstein(a.numpy(), b.numpy(), costs.detach().numpy(), m=mass)
        return (torch.from_numpy(plan) * costs).sum()

    return value


def gromov(x, y, a, b):
    """The plan that POT comes to from a b^T: the library's first start."""
    within = distances(x, x), distances(y, y)
    plan = ot.gromov.gromov_wasserstein(within[0].detach().numpy(), within[1].numpy(), a.numpy(),
                                        b.numpy(), "square_loss", numItermax=1000, stopThr=1e-13,
                                        stopThr2=1e-13)
    plan = torch.from_numpy(plan)
    squares = a @ within[0] ** 2 @ a + b @ within[1] ** 2 @ b
    return squares - 2 * ((within[0] @ plan @ within[1]) * plan).sum()


METRICS["sinkhorn:eps=0.2"] = sinkhorn(0.2)
METRICS["gw:starts=1"] = gromov
METRICS["uot:eps=0.2,rho=0.7"] = unbalanced(0.2, 0.7)
METRICS["partial:mass=0.77"] = partial(0.77)
METRICS["sw2:proj=9,redraw=0"] = sliced(9)
METRICS["sinkhorn-div:eps=0.2"] = sinkhorn_div(0.2)


def conditional(metric, labels_x, labels_y, by_share):
    """Every group has enough rows on both sides for every metric, so that none falls back."""

    def value(x, y, a, b):
        kept = sorted(set(labels_x.tolist()) & set(labels_y.tolist()))
        share = {c: a[labels_x == c].sum() for c in kept}
        total = sum(share.values())
        result = 0.0
        for c in kept:
            in_x, in_y = labels_x == c, labels_y == c
            assert in_x.sum() > 1 and in_y.sum() > 1
            part = metric(x[in_x], y[in_y], a[in_x] / a[in_x].sum(), b[in_y] / b[in_y].sum())
            result = result + (share[c] / total if by_share else 1.0) * part
        return result

    return value


def beside_costs(of, x, y):
    """What the labels or logits of two sides cost: x and y are (labels, logits)."""
    if of == "onehot":
        u, v = (F.one_hot(labels, 8).double() for labels, _ in (x, y))
    else:
        u, v = (logits if of == "logits" else F.softmax(logits, 1) for _, logits in (x, y))
    return squared_costs(u, v)


def joint(costs_of, beta, of, x_beside, y_beside):
    def costs(x, y):
        features = costs_of(x, y)
        largest = features.max().detach()
        return features / largest + beta * beside_costs(of, x_beside, y_beside)

    return transport(costs)


JOINTS = {
    "joint(w2)": (squared_costs, 1.0, "onehot"),
    "joint(w1):beta=0.3": (distances, 0.3, "onehot"),
    "joint(w2):beta=0.2,of=logits": (squared_costs, 0.2, "logits"),
    "joint(w1):of=softmax,beta=2": (distances, 2.0, "softmax"),
}


def numbers(values):
    """Nine digits give a float32 back exactly."""
    return " ".join(f"{v:.9g}" for v in np.asarray(values).ravel())


def write(name, seed, n, m, dim, weighted, offset=0.0, spread=1.0):
    rng = np.random.default_rng(seed)
    paired = n == m and not weighted

    def normal(rows, shift, scale):
        return (offset + spread * (shift + scale * rng.standard_normal((rows, dim)))).astype("f4")

    x, y = normal(n, 0.0, 1.0), normal(m, 0.5, 1.3)
    labels_x = np.arange(n) % 3
    labels_y = labels_x if paired else 1 + np.arange(m) % 3  # group 0 is missing on this side
    a = rng.integers(1, 4, n).astype("f8") if weighted else np.ones(n)
    b = rng.integers(1, 4, m).astype("f8") if weighted else np.ones(m)

    logits_x, logits_y = (rng.standard_normal((rows, 3)).astype("f4") for rows in (n, m))

    lines = ["# made by tools/golden_metrics.py"]
    for side, values, weights, labels, logits in (
        ("x", x, a, labels_x, logits_x),
        ("y", y, b, labels_y, logits_y),
    ):
        lines += [f"{side} {len(values)} {dim}", numbers(values)]
        lines += ["labels " + " ".join(map(str, labels))]
        if weighted:
            lines += ["weights " + numbers(weights)]
        lines += ["logits " + numbers(logits)]

    fixed = [torch.from_numpy(v) for v in (y.astype("f8"), a / a.sum(), b / b.sum())]
    groups = torch.from_numpy(labels_x), torch.from_numpy(labels_y)
    variants = {}
    for spec, metric in METRICS.items():
        if (spec in PAIRED and not paired) or (spec in UNWEIGHTED and weighted):
            continue
        variants[spec] = metric
        variants[f"cond({spec})"] = conditional(metric, *groups, True)
        variants[f"cond({spec}):classes=sum"] = conditional(metric, *groups, False)
    beside = zip(groups, (torch.from_numpy(v.astype("f8")) for v in (logits_x, logits_y)))
    x_beside, y_beside = beside
    for spec, settings in JOINTS.items():
        variants[spec] = joint(*settings, x_beside, y_beside)
    for variant, function in variants.items():
        student = torch.from_numpy(x.astype("f8")).requires_grad_()
        value = function(student, *fixed)
        value.backward()
        lines += [f"metric {variant}", f"value {float(value)!r}",
                  "gradient " + numbers(student.grad.numpy().astype("f4"))]
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    write("paired", 1, 18, 18, 5, False)
    write("unequal", 2, 14, 20, 4, False)
    write("weighted", 3, 15, 15, 4, True)
    write("offset", 4, 12, 12, 4, False, offset=10.0, spread=1e-3)


if __name__ == "__main__":
    main()
