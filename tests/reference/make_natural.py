"""The training step of the preset `natural` as PyTorch does it, in two variants.

    /usr/bin/python3 make_natural.py OUTDIR [--double]
    /usr/bin/python3 make_natural.py --chaos

The first makes OUTDIR/plain and OUTDIR/adversarial, each with what make_steps.py makes of a published preset
and under the same names, but for these: activations.safetensors holds the gradients of step 0 by parameter
alone; final_average.safetensors is the moving average, which expected.safetensors evaluates; where the
variant has G see something else than the target's luma, seen.safetensors holds that, step by step;
sizes.safetensors is what the average makes, in evaluation mode, of pictures whose sides differ. expected.json
lists in `set` the settings that differ from the preset's own, and in `schedule` the rates of a whole run.
Dropout is left out: PyTorch draws other random numbers.

The rate is 1e-6, at which all ten steps can be held (make_steps.py says why), with a weight decay that is as
large as Adam's steps, an average that soon follows by its own decay, and the rise and fall of the rate within
the ten steps.

How far single precision alone leads, printed by --chaos: float32, five runs of which four begin with weights
disturbed in their last place, against float64; the worst of the five. Losses relative over all steps, dB and
CrCb those of the evaluated average, gradients and updates (what the steps added to a tensor of the average)
L2 of the difference over L2 of the exact for the worst tensor. Cancelled biases are left out.

  variant      losses   dB       CrCb     gradient update
  plain        4.0e-07  1.2e-05  8.5e-06  4.7e-06  2.1e-02
  adversarial  1.0e-06  1.4e-05  1.1e-05  5.5e-06  2.2e-02
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np
import torch

import make_steps
import natural
import networks
import pictures
import safetensors_io

SEED, SIZE, BATCH, STEPS, EPOCHS = 6, 128, 2, 5, 2
# With this noise no ReLU's argument is within 3e-6 of its kink in step 0: rounding moves none across.
NOISE = 1260
SIZES = ((64, 96), (256, 160), (64, 2048), (2048, 64))
SLOW = dict(lr=1e-6, lr_min=1e-7, warmup=3, epochs=EPOCHS, weight_decay=1.0, ema=0.45)
VARIANTS = {
    "plain": dict(SLOW, rare=3.0, saturation=1.25, lambda_class=0.75),
    "adversarial": dict(SLOW, lambda_adv=0.5, saturation=1.1),
}
SCHEDULE = dict(natural.SETTINGS, warmup=7, epochs=5, steps=11)


def seen_of(variant, gray, step):
    """What G sees: a faded picture with noise, or the target's luma."""
    if variant != "plain":
        return gray
    noise = torch.from_numpy(networks.uniform(NOISE + step, gray.numel())).to(gray.dtype).reshape(gray.shape)
    return 0.7 * gray + 0.15 + 0.1 * (noise - 0.5)


def first_networks(settings):
    generator = natural.Generator()
    discriminator = networks.Discriminator(settings["d_norm"], settings["d_pools"])
    networks.initialize(generator, 2 * SEED)
    networks.initialize(discriminator, 2 * SEED + 1)
    return generator, discriminator


def compute(variant, folder, names, dtype, disturbance=0):
    """(rows, gradients of step 0, what was seen, training, first state_dicts)."""
    settings = dict(natural.SETTINGS, **VARIANTS[variant])
    both = first_networks(settings)
    first = [{name: value.clone() for name, value in network.state_dict().items()} for network in both]
    if disturbance:
        for i, network in enumerate(both):
            make_steps.disturb(network, 2 * disturbance + i)
    training = natural.Training(both[0].to(dtype), both[1].to(dtype), settings, STEPS)
    rows, record, all_seen = [], {}, {}
    for step in range(EPOCHS * STEPS):
        gray, crcb, rgb = make_steps.read_batch(folder, names[step * BATCH:(step + 1) * BATCH], dtype)
        seen = seen_of(variant, gray, step)
        rate = training.adam_g.param_groups[0]["lr"]
        losses = training.step(gray, crcb, rgb, seen, None if step else record)
        rows.append(dict(step=step, lr=rate, **losses))
        all_seen[f"seen.{step}"] = seen
    record = {name: value for name, value in record.items()
              if name.startswith("grad.") and name.endswith((".weight", ".bias"))}
    return rows, record, all_seen, training, first


def colorize(training, dtype):
    """The average, as make_steps.evaluate takes a network."""
    class Colorizer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.average = training.average.to(dtype)

        def forward(self, gray):
            return self.average(gray)[0]
    return Colorizer()


def describe(variant, rows, evaluation, training):
    changed = VARIANTS[variant]
    return {
        "size": SIZE, "batch": BATCH, "steps": EPOCHS * STEPS, "epoch_steps": STEPS, "lr": changed["lr"],
        "torch": torch.__version__, "set": [f"{key}={value!r}" for key, value in changed.items()],
        "losses": rows, "eval_psnr": evaluation["eval.psnr"].tolist(),
        "schedule": {**{key: SCHEDULE[key] for key in ("lr", "lr_min", "warmup", "epochs", "steps")},
                     "rates": natural.rates(SCHEDULE, SCHEDULE["steps"])},
        "cancelled_biases": {"generator": networks.cancelled_biases(training.g),
                             "discriminator": networks.cancelled_biases(training.d)},
    }


def make_variant(variant, out, dtype):
    folder = os.path.join(out, "pictures")
    names = make_pictures(folder)
    rows, record, seen, training, first = compute(variant, folder, names, dtype)
    colorizer = colorize(training, dtype)

    def save(name, tensors):
        safetensors_io.save(os.path.join(out, name + ".safetensors"), tensors)
    for network, state in zip(("generator", "discriminator"), first):
        save(network, state)
    save("activations", record)
    if variant == "plain":
        save("seen", seen)
    save("final_generator", training.g.state_dict())
    save("final_discriminator", training.d.state_dict())
    save("final_average", training.average.state_dict())
    evaluation = make_steps.evaluate(colorizer, folder, names[:BATCH], dtype)
    save("expected", evaluation)
    sizes = {}
    for h, w in SIZES:
        name = f"{h}x{w}.png"
        pictures.write_png(os.path.join(folder, name), pictures.photograph(SEED, max(h, w))[:h, :w])
        sizes[f"{h}x{w}"] = make_steps.evaluate(colorizer, folder, [name], dtype)["eval.fake"]
    save("sizes", sizes)
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(describe(variant, rows, evaluation, training), file, indent=1)
        file.write("\n")


def make_pictures(folder):
    options = argparse.Namespace(pictures=EPOCHS * STEPS * BATCH, seed=SEED, size=SIZE)
    return make_steps.make_pictures(folder, options)


def chaos_run(variant, folder, names, dtype, disturbance):
    """Losses, the evaluated average, and {name: gradient or update}, all float64."""
    rows, tensors, _, training, (first, _) = compute(variant, folder, names, dtype, disturbance)
    for name, value in training.average.state_dict().items():
        if value.is_floating_point():
            tensors["update." + name] = value.double() - first[name]
    cancelled = tuple("." + bias for network in (training.g, training.d)
                      for bias in networks.cancelled_biases(network))
    kept = {name: value.double() for name, value in tensors.items()
            if not name.endswith(cancelled) and ".running_mean" not in name}
    losses = [row[key] for row in rows for key in ("g_l1", "classes", "d_adv", "g_adv") if key in row]
    evaluation = make_steps.evaluate(colorize(training, dtype), folder, names[:BATCH], dtype)
    return np.array(losses), {name: value.double() for name, value in evaluation.items()}, kept


def chaos(out):
    names = make_pictures(out)
    print("  variant      losses   dB       CrCb     gradient update")
    for variant in VARIANTS:
        losses, evaluation, tensors = chaos_run(variant, out, names, torch.float64, 0)
        worst = np.zeros(5)
        for disturbance in range(5):
            run = chaos_run(variant, out, names, torch.float32, disturbance)
            fake = make_steps.worst(run[1], evaluation, lambda name: name == "eval.fake")
            worst = np.maximum(worst, [
                np.abs(run[0] / losses - 1).max(),
                (run[1]["eval.psnr"] - evaluation["eval.psnr"]).abs().max().item(), fake,
                make_steps.worst(run[2], tensors, lambda name: name.startswith("grad.")),
                make_steps.worst(run[2], tensors, lambda name: name.startswith("update."))])
        print(f"  {variant:12}", "  ".join(f"{x:.1e}" for x in worst), flush=True)


def main():
    # One thread and deterministic kernels: the same file, byte for byte, each time on one machine.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    parser = argparse.ArgumentParser(description="Reference data of the preset natural")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--chaos", action="store_true", help="print float32 against float64")
    options = parser.parse_args(sys.argv[1:])
    if options.chaos:
        with tempfile.TemporaryDirectory() as out:
            chaos(out)
    elif options.out:
        for variant in VARIANTS:
            make_variant(variant, os.path.join(options.out, variant),
                         torch.float64 if options.double else torch.float32)
    else:
        parser.error("OUTDIR is missing")


if __name__ == "__main__":
    main()
