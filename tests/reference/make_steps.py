"""The training step of a preset as PyTorch does it: pictures and first weights in, every number out.

    /usr/bin/python3 make_steps.py OUTDIR [--preset train01] [--size N] [--batch N] [--steps 10]
                                   [--pictures N] [--lr X] [--seed N] [--double] [--no-activations]
    /usr/bin/python3 make_steps.py --chaos [--lr X]

The first makes, in OUTDIR:
    pictures/000.png ...          synthetic RGB photographs, size x size, to be trained on in this order
    generator.safetensors, discriminator.safetensors              first weights (--init-g, --init-d)
    activations.safetensors       step 0: inputs gray, crcb, rgb; every layer's output G.BLOCK.LAYER,
                                  D.fake.BLOCK.LAYER, D.real.BLOCK.LAYER (names: networks.Capture); gradients
                                  grad.G.PARAMETER, grad.D.PARAMETER and of every output: grad.G.BLOCK.LAYER
                                  and g_step.grad.D.fake.BLOCK.LAYER from G's loss,
                                  grad.D.{fake,real}.BLOCK.LAYER from D's loss; fake, fake_rgb, grad.fake_rgb
    final_generator.safetensors, final_discriminator.safetensors  after the steps, with running statistics
    expected.safetensors          d_adv, g_adv, g_l1 (steps); eval.gray, eval.crcb, eval.rgb, eval.fake,
                                  eval.fake_rgb (not clamped) and eval.psnr of the first batch of pictures in
                                  evaluation mode after the steps
    expected.json                 the settings, losses step by step, the PSNR, and which biases a norm behind
                                  them cancels (networks.cancelled_biases: their gradients are noise)
One epoch has --pictures pictures (batch * steps when not given); after the last, the next epoch begins with
the first picture, the d_every counter anew and the next epoch's learning rate. A last smaller batch is
kept.

How far single precision alone leads, printed by --chaos: PyTorch in float32, five runs of which four begin
with weights disturbed in their last place, against float64, default seed, sizes 64, 80, 128 and 96; the worst
of the five.
step 0, step 1, 0-9: relative difference of the losses, the worst of the three. dB: evaluation PSNR after
the steps. mean: running means' largest difference, in units of steps * lr. The others are L2 of the
difference over L2 of the exact, for the worst tensor: var running variances, update what the steps added to
a weight, outputs, gradients of parameters and gradients of outputs those of step 0. Cancelled biases are
left out.

  preset   lr       step 0   step 1   0-9      dB       mean     var      update   outputs  grad.par grad.out
  train01  1.0e-04  1.3e-07  3.2e-07  1.4e-03  3.3e-03  1.8e+00  4.3e-03  1.3e-01  1.3e-06  5.0e-06  2.2e-06
  train02  1.0e-04  5.1e-07  1.0e-05  1.9e-02  4.6e-03  1.9e+00  2.7e-04  3.6e-01  2.4e-06  2.1e-05  2.3e-05
  train03  2.0e-04  9.4e-08  1.4e-06  1.1e-02  8.3e-03  9.8e+00  4.4e-02  6.4e-01  1.1e-06  1.1e-05  2.2e-06
  train04  2.0e-04  5.2e-07  2.9e-07  4.8e-03  4.1e-03  7.6e-01  2.0e-04  7.4e-02  1.1e-06  5.7e-06  2.5e-06
  train01  1.0e-06  1.3e-07  1.3e-07  3.1e-07  4.2e-05  4.9e-01  8.4e-07  4.7e-02  1.3e-06  5.0e-06  2.2e-06
  train02  1.0e-06  5.1e-07  5.5e-07  4.1e-06  5.4e-05  3.3e-01  2.9e-07  3.6e-02  2.4e-06  2.1e-05  2.3e-05
  train03  1.0e-06  9.4e-08  1.7e-07  1.9e-07  4.7e-05  5.1e-01  8.0e-07  4.1e-02  1.1e-06  1.1e-05  2.2e-06
  train04  1.0e-06  5.2e-07  2.0e-07  7.2e-07  8.3e-06  3.2e-01  2.8e-07  3.3e-02  1.1e-06  5.7e-06  2.5e-06

What follows for tolerances: with a preset's own learning rate the first two steps can be held tightly and
the later ones only to some 1e-2, for Adam's first steps are lr * sign(gradient) and a gradient near zero
may have either sign; at --lr 1e-6 all ten can (5e-5 is ten times the worst). "update" stays large there
because a norm's weight near 1 has a last place of 1e-7, a tenth of a step. A LeakyReLU or L1 whose argument
is within rounding of its kink may take the other slope: then a gradient of outputs is off in a few places
(0.1 of its maximum) and in L2 by 2e-3 (seen once with train03's defaults) to 2e-2 (train04 at size 64),
while all values agree. The default seed also keeps the hinge loss of G, a mean of logits of both signs,
away from zero, where no relative difference means much.
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np
import torch

import networks
import pictures
import safetensors_io

# Small, but with enough values a channel before every norm; 112 leaves odd sizes to the pools. Four values
# (size 80) are too few for instance norm: where they are nearly equal it makes digits of the last place.
SIZES = {"train01": (64, 2), "train02": (112, 2), "train03": (128, 2), "train04": (128, 2)}


def arguments(argv):
    parser = argparse.ArgumentParser(description="Reference data of vkpix's training step")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--preset", choices=sorted(networks.PRESETS), default="train01")
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--no-activations", action="store_true")
    parser.add_argument("--chaos", action="store_true", help="print float32 against float64, all presets")
    options = parser.parse_args(argv)
    if not options.out and not options.chaos:
        parser.error("OUTDIR is missing")
    return complete(options, parser)


def complete(options, parser):
    size, batch = SIZES[options.preset]
    options.size = options.size or size
    options.batch = options.batch or batch
    options.pictures = options.pictures or options.batch * options.steps
    shrink = int(np.prod(networks.PRESETS[options.preset]["d_pools"]))
    if options.size % 16 or options.size < shrink or options.batch < 1 or options.steps < 1:
        parser.error(f"size must be a multiple of 16 and at least {shrink}, batch and steps at least 1")
    if options.size // shrink == 1 and networks.PRESETS[options.preset]["d_norm"] == "instance":
        parser.error("instance norm needs more than one value a channel: take a larger size")
    return options


def settings(options):
    preset = dict(networks.PRESETS[options.preset])
    if options.lr is not None:
        preset["lr"] = options.lr
        preset["lr_min"] = min(preset["lr_min"], options.lr)
    return preset


def read_batch(folder, names, dtype):
    """gray, crcb, rgb of the named pictures, as the networks take them."""
    stack = np.stack([pictures.read_png(os.path.join(folder, name)) for name in names])
    rgb = torch.from_numpy(stack).permute(0, 3, 1, 2).to(dtype).contiguous() / 255
    ycc = networks.rgb_to_ycc(rgb)
    return ycc[:, :1].contiguous(), ycc[:, 1:].contiguous(), rgb


def first_networks(preset, seed):
    generator = networks.Generator()
    discriminator = networks.Discriminator(preset["d_norm"], preset["d_pools"])
    networks.initialize(generator, 2 * seed)
    networks.initialize(discriminator, 2 * seed + 1)
    return generator, discriminator


def train(training, folder, names, options, dtype, record):
    """Runs the steps; returns their rows."""
    rows, step, epoch = [], 0, 0
    while step < options.steps:
        training.begin_epoch(epoch)
        for begin in range(0, len(names), options.batch):
            if step == options.steps:
                break
            batch = read_batch(folder, names[begin:begin + options.batch], dtype)
            losses = training.step(*batch, record=record if step == 0 else None)
            rows.append(dict(step=step, epoch=epoch, lr=training.adam_g.param_groups[0]["lr"], **losses))
            step += 1
        epoch += 1
    return rows


def evaluate(generator, folder, names, dtype):
    generator.eval()
    with torch.no_grad():
        gray, crcb, rgb = read_batch(folder, names, dtype)
        fake = generator(gray)
        fake_rgb = networks.ycc_to_rgb(torch.cat([gray, fake], 1))
        return {"eval.gray": gray, "eval.crcb": crcb, "eval.rgb": rgb, "eval.fake": fake,
                "eval.fake_rgb": fake_rgb, "eval.psnr": networks.psnr(fake_rgb, rgb)}


def disturb(network, seed):
    """Moves every parameter by up to one unit in the last place, as another order of summation would."""
    for i, parameter in enumerate(network.parameters()):
        shift = 2 * networks.uniform((seed << 32) + i, parameter.numel()) - 1
        parameter.data *= 1 + 2 ** -23 * torch.from_numpy(shift).float().reshape(parameter.shape)


def compute(options, folder, names, out=None, disturbance=0):
    """All numbers of one run: (rows, step 0's record, evaluation, generator, discriminator)."""
    preset = settings(options)
    dtype = torch.float64 if options.double else torch.float32
    generator, discriminator = first_networks(preset, options.seed)
    if out:
        safetensors_io.save(os.path.join(out, "generator.safetensors"), generator.state_dict())
        safetensors_io.save(os.path.join(out, "discriminator.safetensors"), discriminator.state_dict())
    if disturbance:
        disturb(generator, 2 * disturbance)
        disturb(discriminator, 2 * disturbance + 1)
    training = networks.Training(generator.to(dtype), discriminator.to(dtype), preset)
    record = None if options.no_activations else {}
    rows = train(training, folder, names, options, dtype, record)
    evaluation = evaluate(generator, folder, names[:options.batch], dtype)
    return rows, record, evaluation, generator, discriminator


def make_pictures(folder, options):
    os.makedirs(folder, exist_ok=True)
    names = [f"{i:03}.png" for i in range(options.pictures)]
    for i, name in enumerate(names):
        photograph = pictures.photograph(100 * options.seed + i, options.size)
        pictures.write_png(os.path.join(folder, name), photograph)
    return names


def describe(options, rows, evaluation, generator, discriminator):
    """What expected.json says."""
    preset = settings(options)
    return {
        "preset": options.preset, "size": options.size, "batch": options.batch, "steps": options.steps,
        "pictures": options.pictures, "seed": options.seed, "torch": torch.__version__,
        "dtype": "float64" if options.double else "float32", **preset,
        "train_options": ["--preset", options.preset, "--set", f"size={options.size}", "--set",
                          f"batch={options.batch}", "--set", f"lr={preset['lr']!r}", "--set",
                          f"lr_min={preset['lr_min']!r}", "--no-shuffle", "--no-augment", "--max-steps",
                          str(options.steps)],
        "losses": rows,
        "eval_psnr": evaluation["eval.psnr"].tolist(),
        "eval_psnr_mean": evaluation["eval.psnr"].mean().item(),
        "cancelled_biases": {"generator": networks.cancelled_biases(generator),
                             "discriminator": networks.cancelled_biases(discriminator)},
    }


def make(options):
    folder = os.path.join(options.out, "pictures")
    names = make_pictures(folder, options)
    rows, record, evaluation, generator, discriminator = compute(options, folder, names, options.out)

    def save(name, tensors):
        safetensors_io.save(os.path.join(options.out, name), tensors)
    if record:
        save("activations.safetensors", record)
    save("final_generator.safetensors", generator.state_dict())
    save("final_discriminator.safetensors", discriminator.state_dict())
    losses = {key: np.array([row[key] for row in rows], np.float32) for key in ("d_adv", "g_adv", "g_l1")}
    save("expected.safetensors", {**losses, **evaluation})
    with open(os.path.join(options.out, "expected.json"), "w") as file:
        json.dump(describe(options, rows, evaluation, generator, discriminator), file, indent=1)
        file.write("\n")


def worst(single, double, chosen):
    """The largest relative L2 difference among the tensors whose name is chosen."""
    off = [((single[name] - double[name]).norm() / double[name].norm()).item()
           for name in double if chosen(name) and double[name].norm() > 0]
    return max(off, default=0.0)


def chaos_run(options, folder, names, disturbance):
    """One run's rows, step-0 record with final statistics and updates in it, PSNR; all float64."""
    rows, record, evaluation, *both = compute(options, folder, names, disturbance=disturbance)
    for network, first in zip(both, first_networks(settings(options), options.seed)):
        first = first.state_dict()
        for name, value in network.state_dict().items():
            name, start = f"{type(network).__name__}.{name}", first[name]
            if ".running_" in name:
                record["final." + name] = value
            elif value.is_floating_point():
                record["update." + name] = value.double() - start
    cancelled = tuple("." + bias for network in both for bias in networks.cancelled_biases(network))
    record = {name: value.double() for name, value in record.items() if not name.endswith(cancelled)}
    return rows, record, evaluation["eval.psnr"].double()


def chaos_figures(run, exact, reach):
    """How far one run is from the exact one: the columns of the table after the learning rate."""
    (rows, single, decibel), (exact_rows, double, exact_decibel) = run, exact
    off = [max(abs(a[key] / b[key] - 1) for key in ("d_adv", "g_adv", "g_l1"))
           for a, b in zip(rows, exact_rows)]
    means = [(single[name] - double[name]).abs().max().item() for name in double if "running_mean" in name]
    figures = [off[0], off[1], max(off), (decibel - exact_decibel).abs().max().item(), max(means) / reach]
    return figures + [worst(single, double, chosen) for chosen in (
        lambda name: "running_var" in name, lambda name: name.startswith("update."),
        lambda name: not name.startswith(("update.", "final.")) and "grad." not in name,
        lambda name: "grad." in name and name.endswith((".weight", ".bias")),
        lambda name: "grad." in name and not name.endswith((".weight", ".bias")))]


def chaos(lr, out):
    """Prints the table of the docstring's end: of each figure the worst of the float32 runs."""
    print("preset   " + " ".join(column.ljust(8) for column in (
        "lr", "step 0", "step 1", "0-9", "dB", "mean", "var", "update", "outputs", "grad.par", "grad.out")))
    for preset in sorted(networks.PRESETS):
        options = arguments([os.path.join(out, preset), "--preset", preset, "--double"])
        options.lr, folder = lr, os.path.join(options.out, "pictures")
        names, rate = make_pictures(folder, options), settings(options)["lr"]
        exact = chaos_run(options, folder, names, 0)
        options.double = False
        figures = [chaos_figures(chaos_run(options, folder, names, disturbance), exact, rate * options.steps)
                   for disturbance in range(5)]
        row = [rate] + [max(column) for column in zip(*figures)]
        print(preset, "", "  ".join(f"{x:.1e}" for x in row), flush=True)


def main():
    # One thread and deterministic kernels: the same file, byte for byte, each time on one machine.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    options = arguments(sys.argv[1:])
    if options.chaos:
        with tempfile.TemporaryDirectory() as out:
            chaos(options.lr, out)
    else:
        make(options)


if __name__ == "__main__":
    main()
