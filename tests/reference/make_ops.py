"""Every operation alone as PyTorch does it, in small cases of awkward sizes.

    /usr/bin/python3 make_ops.py OUTDIR

writes OUTDIR/OPERATION.safetensors, one file an operation. Case 0, 1, ... of a file has tensors
"case0.NAME" and attributes in __metadata__ as "case0.ATTRIBUTE": "text"; "cases" is their number. x is the
input, y the output, dy a random gradient that arrives from above and dx what becomes of it; parameters and
their gradients are weight, bias, dweight, dbias. Layouts are PyTorch's: NCHW, convolution weights (out, in,
kernel, kernel).

    conv2d            kernel stride padding upsample (nearest, before the convolution; 1 is none)
    avg_pool          kernel (= stride; a rest of rows or columns is left out)
    upsample          factor (nearest)
    norm              kind batch|instance, mode train|eval, activation none|relu|leaky_relu, slope, eps,
                      momentum; batch has weight bias running_mean running_var
                      running_mean_after running_var_after
    relu leaky_relu(slope) tanh
    pixel_unshuffle   factor
    add               a, b; activation none|relu|leaky_relu|tanh, slope; da, db
    global_avg_pool
    film              film (n,2c,1,1), channels 0 to c-1 the scales, then the shifts; dfilm
    bce_with_logits   target 0|1; y is a scalar, the mean; so is dy
    hinge             mode g (-mean(x)), d_real (mean(max(0, 1-x))), d_fake (mean(max(0, 1+x)))
    l1                target (a tensor); the mean
    rgb_to_ycc ycc_to_rgb
    adam              lr beta1 beta2 eps decay (AdamW's, 0: Adam) steps; weight, dweight0.. and after each
                      step weight1.. exp_avg1.. exp_avg_sq1..
    upsample_bilinear factor (bilinear, align_corners=False)
    soft_classes      k range; target (CrCb), sometimes weights (a class each); the mean
    expected_chroma   k range temperature
    resize            height width (bilinear, align_corners=False, no antialiasing)
    psnr              x (RGB, not clamped), target; y in dB, one a picture

Inputs are random F32; PyTorch computes with them in float64 and the results are rounded to F32 once, so
that they are the right answer within half a unit in the last place and a test's tolerance is vkpix's own
error. Before it is written, every case is also computed in float32 and must agree. tests/data/ops holds
what this script wrote.
"""
import os
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F

import networks
import safetensors_io


class Cases:
    """Collects one operation's cases; its random numbers depend on its name and on what was drawn before."""

    def __init__(self, name):
        self.name, self.count, self.drawn, self.tensors, self.metadata = name, 0, 0, {}, {}

    def random(self, *shape, low=-1.0, high=1.0):
        """F32 values held in float64."""
        self.drawn += 1
        stream = (zlib.crc32(self.name.encode()) << 32) + self.drawn
        values = low + (high - low) * networks.uniform(stream, int(np.prod(shape)))
        return torch.from_numpy(values.astype(np.float32)).reshape(shape).double()

    def add(self, compute, inputs, attributes=None, differentiate=("x",), constants=None):
        """compute(inputs and constants by name) -> y or a dict with y; gradients of the named inputs."""
        results = {}
        upstream = None
        for dtype in (torch.float64, torch.float32):
            held = {k: v.detach().to(dtype).clone() for k, v in {**inputs, **(constants or {})}.items()}
            for name in differentiate:
                held[name].requires_grad_(True)
            outputs = compute(**held)
            outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
            if differentiate:
                if upstream is None:
                    upstream = self.random(*outputs["y"].shape)
                outputs["y"].backward(upstream.to(dtype))
                outputs["dy"] = upstream
                outputs.update({f"d{name}": held[name].grad for name in differentiate})
            results[dtype] = {name: value.detach().double() for name, value in outputs.items()}
        everything = {**inputs, **(constants or {})}
        self.store(everything, results[torch.float64], results[torch.float32], attributes)

    def store(self, inputs, exact, single, attributes):
        for name, value in exact.items():
            off = (single[name] - value).abs().max().item()
            if not off <= 2e-5 * max(1.0, value.abs().max().item()):
                raise AssertionError(f"{self.name} case {self.count}: {name} differs by {off} in float32")
        for name, value in {**inputs, **exact}.items():
            self.tensors[f"case{self.count}.{name}"] = value
        for name, value in (attributes or {}).items():
            self.metadata[f"case{self.count}.{name}"] = value
        self.count += 1

    def save(self, folder):
        self.metadata.update(cases=self.count, operation=self.name, torch=torch.__version__)
        safetensors_io.save(os.path.join(folder, self.name + ".safetensors"), self.tensors, self.metadata)


def conv2d():
    cases = Cases("conv2d")
    # n, in, out, height, width, kernel, stride, padding, upsample
    for n, inputs, outputs, h, w, kernel, stride, padding, factor in [
            (1, 1, 1, 1, 1, 1, 1, 0, 1), (2, 3, 5, 7, 5, 1, 1, 0, 1), (1, 7, 2, 5, 9, 1, 2, 0, 1),
            (1, 1, 1, 1, 1, 3, 1, 1, 1), (2, 3, 4, 7, 11, 3, 1, 1, 1), (1, 5, 7, 13, 3, 3, 1, 1, 1),
            (3, 2, 3, 9, 8, 3, 2, 1, 1), (1, 4, 6, 6, 7, 3, 1, 0, 1), (1, 2, 3, 5, 4, 3, 2, 2, 1),
            (2, 17, 19, 4, 5, 3, 1, 1, 1), (1, 33, 3, 3, 3, 3, 1, 1, 1),
            (1, 1, 3, 1, 1, 5, 1, 2, 1), (2, 1, 5, 11, 7, 5, 1, 2, 1), (1, 3, 2, 9, 13, 5, 1, 2, 1),
            (1, 2, 3, 11, 10, 5, 2, 2, 1), (1, 3, 2, 7, 6, 5, 2, 0, 1), (1, 6, 2, 2, 17, 5, 1, 2, 1),
            (1, 1, 1, 1, 1, 3, 1, 1, 2), (2, 3, 5, 3, 5, 3, 1, 1, 2), (1, 7, 4, 5, 2, 3, 1, 1, 2),
            (1, 1, 2, 1, 1, 3, 1, 1, 4), (2, 5, 3, 3, 2, 3, 1, 1, 4), (1, 4, 4, 1, 5, 3, 1, 1, 4)]:
        def compute(x, weight, bias):
            x = F.interpolate(x, scale_factor=factor, mode="nearest") if factor > 1 else x
            return F.conv2d(x, weight, bias, stride, padding)
        inputs = {"x": cases.random(n, inputs, h, w), "weight": cases.random(outputs, inputs, kernel, kernel),
                  "bias": cases.random(outputs, low=-2)}
        cases.add(compute, inputs, dict(kernel=kernel, stride=stride, padding=padding, upsample=factor),
                  ("x", "weight", "bias"))
    return cases


def avg_pool():
    cases = Cases("avg_pool")
    for kernel, shape in [(2, (1, 1, 2, 2)), (2, (2, 3, 7, 5)), (2, (1, 5, 2, 13)), (2, (1, 1, 3, 3)),
                          (4, (1, 1, 4, 4)), (4, (2, 3, 11, 7)), (4, (1, 2, 16, 5)), (4, (3, 1, 8, 9))]:
        cases.add(lambda x: F.avg_pool2d(x, kernel), {"x": cases.random(*shape)}, dict(kernel=kernel))
    return cases


def upsample():
    cases = Cases("upsample")
    for factor in (2, 4):
        for shape in [(1, 1, 1, 1), (2, 3, 5, 7), (1, 2, 1, 3)]:
            cases.add(lambda x: F.interpolate(x, scale_factor=factor, mode="nearest"),
                      {"x": cases.random(*shape)}, dict(factor=factor))
    return cases


def upsample_bilinear():
    cases = Cases("upsample_bilinear")
    for factor in (2, 3, 4):
        for shape in [(1, 1, 1, 1), (2, 3, 5, 7), (1, 2, 1, 3), (1, 1, 9, 4)]:
            cases.add(lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False),
                      {"x": cases.random(*shape)}, dict(factor=factor))
    return cases


ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.2)}


def pixel_unshuffle():
    cases = Cases("pixel_unshuffle")
    for factor, shape in [(1, (1, 2, 3, 5)), (2, (1, 1, 2, 2)), (2, (2, 3, 6, 10)), (3, (2, 2, 9, 15)),
                          (4, (1, 1, 8, 20))]:
        cases.add(lambda x: F.pixel_unshuffle(x, factor), {"x": cases.random(*shape)}, dict(factor=factor))
    return cases


def add():
    cases = Cases("add")
    acts = {"none": lambda x: x, "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
            "tanh": torch.tanh}
    for name, act in acts.items():
        for shape in [(1, 1, 1, 1), (2, 3, 5, 7), (1, 5, 2, 9)]:
            cases.add(lambda a, b: act(a + b), {"a": cases.random(*shape), "b": cases.random(*shape)},
                      dict(activation=name, slope=0.2), ("a", "b"))
    return cases


def global_avg_pool():
    cases = Cases("global_avg_pool")
    for shape in [(1, 1, 1, 1), (2, 5, 1, 1), (2, 3, 7, 5), (1, 2, 31, 33)]:
        cases.add(lambda x: F.adaptive_avg_pool2d(x, 1), {"x": cases.random(*shape)})
    return cases


def film():
    cases = Cases("film")
    for n, c, h, w in [(1, 1, 1, 1), (2, 5, 1, 1), (3, 3, 7, 5), (1, 2, 17, 19)]:
        def compute(x, film):
            scale, shift = film.chunk(2, dim=1)
            return x * (1 + scale) + shift
        cases.add(compute, {"x": cases.random(n, c, h, w), "film": cases.random(n, 2 * c, 1, 1)}, None,
                  ("x", "film"))
    return cases


def norm():
    cases = Cases("norm")
    for activation, act in ACTIVATIONS.items():
        common = dict(activation=activation, slope=0.2, eps=1e-5, momentum=0.1)
        for mode, shapes in (("train", [(2, 1, 1, 1), (1, 3, 5, 7), (3, 5, 2, 3), (2, 2, 16, 17)]),
                             ("eval", [(1, 1, 1, 1), (2, 3, 5, 7)])):
            for shape in shapes:
                add_batch_norm(cases, mode, act, shape, {"kind": "batch", "mode": mode, **common})
        for shape in [(1, 1, 1, 2), (2, 3, 5, 7), (1, 5, 2, 2), (1, 2, 16, 17)]:
            cases.add(lambda x: act(F.instance_norm(x)), {"x": spread(cases, shape)},
                      {"kind": "instance", "mode": "train", **common})
    return cases


def spread(cases, shape):
    """Channels of different mean and width, as real activations have them."""
    channels = (1, shape[1], 1, 1)
    width, mean = cases.random(*channels, low=0.5, high=3), cases.random(*channels, low=-2, high=4)
    return (cases.random(*shape) * width + mean).float().double()


def add_batch_norm(cases, mode, act, shape, attributes):
    def compute(x, weight, bias, running_mean, running_var):
        mean, var = running_mean.clone(), running_var.clone()
        y = act(F.batch_norm(x, mean, var, weight, bias, mode == "train", 0.1, 1e-5))
        return {"y": y, "running_mean_after": mean, "running_var_after": var}
    channels = shape[1]
    inputs = {"x": spread(cases, shape), "weight": cases.random(channels, low=0.5, high=1.5),
              "bias": cases.random(channels)}
    constants = {"running_mean": cases.random(channels),
                 "running_var": cases.random(channels, low=0.5, high=2)}
    cases.add(compute, inputs, attributes, ("x", "weight", "bias"), constants)


def elementwise(name, function, attributes=None):
    cases = Cases(name)
    for shape in [(1, 1, 1, 1), (2, 3, 5, 7), (1, 1, 1, 1031)]:
        cases.add(function, {"x": cases.random(*shape, low=-4, high=4)}, attributes)
    return cases


def bce_with_logits():
    cases = Cases("bce_with_logits")
    for target in (0, 1):
        for shape, reach in [((1, 1, 1, 1), 2), ((2, 1, 10, 10), 4), ((3, 1, 1, 1), 1), ((1, 1, 7, 11), 90)]:
            cases.add(lambda x: F.binary_cross_entropy_with_logits(x, torch.full_like(x, target)),
                      {"x": cases.random(*shape, low=-reach, high=reach)}, dict(target=target))
    return cases


def hinge():
    cases = Cases("hinge")
    modes = {"g": lambda x: -x.mean(), "d_real": lambda x: F.relu(1 - x).mean(),
             "d_fake": lambda x: F.relu(1 + x).mean()}
    for mode, function in modes.items():
        for shape in [(1, 1, 1, 1), (2, 1, 10, 10), (3, 1, 1, 1), (1, 1, 7, 11)]:
            cases.add(function, {"x": cases.random(*shape, low=-3, high=3)}, dict(mode=mode))
    return cases


def l1():
    cases = Cases("l1")
    for shape in [(1, 1, 1, 1), (2, 2, 5, 7), (1, 3, 13, 11), (1, 1, 1, 1031)]:
        x, target = cases.random(*shape), cases.random(*shape)
        target.view(-1)[3::7] = x.view(-1)[3::7]    # where both are equal the gradient is 0
        cases.add(lambda x, target: F.l1_loss(x, target), {"x": x}, constants={"target": target})
    return cases


def colour(name, function, low):
    cases = Cases(name)
    for shape in [(1, 3, 1, 1), (2, 3, 5, 7), (1, 3, 1, 257)]:
        cases.add(function, {"x": cases.random(*shape, low=low)})
    return cases


def adam():
    """Three steps of torch.optim.Adam or, with weight decay, AdamW; gradients of very different size, and one
    that is zero throughout."""
    cases = Cases("adam")
    for count, lr, reach, decay in [(1, 2e-4, 1.0, 0), (37, 1e-4, 1e-3, 0), (1031, 1e-6, 30.0, 0),
                                    (5, 0.1, 1e-9, 0), (1, 0.01, 1.0, 0.5), (37, 2e-4, 1e-3, 0.01),
                                    (259, 0.1, 30.0, 3)]:
        inputs = {"weight": cases.random(count)}
        for step in range(3):
            inputs[f"dweight{step}"] = cases.random(count, low=-reach, high=reach)
            inputs[f"dweight{step}"][2::5] = 0

        def compute(weight, **gradients):
            parameter = torch.nn.Parameter(weight)
            settings = dict(lr=lr, betas=(0.5, 0.999), eps=1e-8)
            optimizer = (torch.optim.AdamW([parameter], weight_decay=decay, **settings) if decay else
                         torch.optim.Adam([parameter], **settings))
            results = {}
            for step in range(3):
                parameter.grad = gradients[f"dweight{step}"].clone()
                optimizer.step()
                state = optimizer.state[parameter]
                results.update({f"weight{step + 1}": parameter.detach().clone(),
                                f"exp_avg{step + 1}": state["exp_avg"].clone(),
                                f"exp_avg_sq{step + 1}": state["exp_avg_sq"].clone()})
            return results
        cases.add(compute, inputs, dict(lr=lr, beta1=0.5, beta2=0.999, eps=1e-8, decay=decay, steps=3), ())
    return cases


def soft_labels(target, k, reach):
    """(n,2,h,w) to (n,k*k,h,w): the bilinear weights of a grid's nodes, node Cr * k + node Cb."""
    place = (target.clamp(-reach, reach) / reach + 1) * ((k - 1) / 2)
    nodes = torch.arange(k, dtype=target.dtype).view(1, 1, k, 1, 1)
    near = F.relu(1 - (place.unsqueeze(2) - nodes).abs())
    return (near[:, 0].unsqueeze(2) * near[:, 1].unsqueeze(1)).flatten(1, 2)


def soft_classes():
    cases = Cases("soft_classes")
    for k, n, h, w, reach, size, weighted in [(2, 1, 1, 1, 0.5, 1, False), (3, 1, 1, 1, 0.75, 1, True),
                                              (5, 2, 3, 7, 0.75, 4, True), (11, 2, 5, 3, 0.75, 8, True),
                                              (3, 3, 7, 5, 1, 30, False), (11, 1, 2, 6, 0.625, 1, False)]:
        def compute(x, target, weights=None):
            labels = soft_labels(target, k, reach)
            loss = F.cross_entropy(x, labels, reduction="none")
            return (loss if weights is None else loss * torch.einsum("nchw,c->nhw", labels, weights)).mean()
        constants = {"target": cases.random(n, 2, h, w)}
        if weighted:
            constants["weights"] = cases.random(k * k, low=0.2, high=3)
        cases.add(compute, {"x": cases.random(n, k * k, h, w, low=-size, high=size)},
                  dict(k=k, range=reach), constants=constants)
    return cases


def expected_chroma():
    cases = Cases("expected_chroma")
    for k, n, h, w, reach, size, temperature in [(2, 1, 1, 1, 0.5, 1, 1), (5, 2, 3, 7, 0.75, 1, 0.375),
                                                 (11, 2, 5, 3, 0.75, 8, 0.375), (3, 1, 7, 5, 1, 30, 2)]:
        def compute(x):
            nodes = torch.linspace(-reach, reach, k, dtype=x.dtype)
            likely = F.softmax(x / temperature, 1).unflatten(1, (k, k))
            return torch.stack((torch.einsum("nrbhw,r->nhw", likely, nodes),
                                torch.einsum("nrbhw,b->nhw", likely, nodes)), 1)
        cases.add(compute, {"x": cases.random(n, k * k, h, w, low=-size, high=size)},
                  dict(k=k, range=reach, temperature=temperature), ())
    return cases


def resize():
    cases = Cases("resize")
    for shape, height, width in [((1, 1, 1, 1), 3, 5), ((1, 3, 5, 7), 5, 7), ((1, 3, 5, 7), 16, 16),
                                 ((2, 3, 13, 11), 4, 6), ((1, 1, 17, 2), 1, 1), ((1, 3, 9, 31), 16, 16)]:
        cases.add(lambda x: F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False),
                  {"x": cases.random(*shape, low=0)}, dict(height=height, width=width))
    return cases


def psnr():
    cases = Cases("psnr")
    for shape in [(1, 3, 1, 1), (2, 3, 5, 7), (3, 3, 16, 17)]:
        target = cases.random(*shape, low=0)
        x = (target + 0.3 * cases.random(*shape)).float().double()
        cases.add(lambda x, target: networks.psnr(x, target), {"x": x}, None, (), {"target": target})
    return cases


def every_operation():
    return (conv2d(), avg_pool(), upsample(), norm(), elementwise("relu", lambda x: F.relu(x)),
            elementwise("leaky_relu", lambda x: F.leaky_relu(x, 0.2), dict(slope=0.2)),
            elementwise("tanh", lambda x: torch.tanh(x)), bce_with_logits(), hinge(), l1(),
            colour("rgb_to_ycc", lambda x: networks.rgb_to_ycc(x), 0),
            colour("ycc_to_rgb", lambda x: networks.ycc_to_rgb(x), -1), adam(), resize(), psnr(),
            pixel_unshuffle(), add(), global_avg_pool(), film(), upsample_bilinear(),
            soft_classes(), expected_chroma())


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: make_ops.py OUTDIR")
    torch.set_num_threads(1)
    os.makedirs(sys.argv[1], exist_ok=True)
    for cases in every_operation():
        cases.save(sys.argv[1])


if __name__ == "__main__":
    main()
