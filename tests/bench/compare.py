#!/usr/bin/python3
"""vkpix against PyTorch on this machine, in turn, as README's table shows it.

    apt-get install python3-torch python3-pil
    /usr/bin/python3 tests/bench/compare.py [--vkpix build/vkpix] [--rounds 3] [--only WORD]

Each row runs vkpix, then PyTorch (torch_work.py: at its best), --rounds times; the figures are the medians of
the rounds' medians, the ratio is that of the two. Single times mean little on a shared machine: compare ratios.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reference"))
STEPS = [("train01", 320, 4), ("train01", 128, 16), ("train04", 256, 8)]
SIDES = [128, 256, 512, 1024]


def run(command, environment=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        sys.exit(f"compare: error: {command[0]} failed ({last}; run it alone)")
    return done.stdout


def bench(options, *arguments):
    return json.loads(run([options.vkpix, "bench", *arguments, "--json"]))


def torch_work(*arguments):
    return json.loads(run([sys.executable, HERE / "torch_work.py", *arguments]))


def row(name, ours, theirs, rounds):
    """Runs both in turn, each giving ms, and prints the table's row."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    own, other = (statistics.median(side) for side in zip(*pairs))
    print(f"| {name} | {own:.0f} ms | {other:.0f} ms | {own / other:.2f} |", flush=True)


def steps(options):
    for preset, size, batch in STEPS:
        what = ["--preset", preset, "--size", size, "--batch", batch]
        row(f"training step of {preset}, {size}×{size}, batch {batch}",
            lambda: bench(options, "step", *what)["median_ms"],
            lambda: torch_work("step", *what)["median_ms"], options.rounds)


def generator(options):
    row("generator, evaluation, 320×320, batch 1",
        lambda: bench(options, "colorize", "--size", 320)["median_ms"],
        lambda: torch_work("generator", "--size", 320)["median_ms"], options.rounds)


def wall(command, environment=None):
    start = time.perf_counter()
    run(command, environment)
    return (time.perf_counter() - start) * 1e3


def make_model(path):
    import networks
    import safetensors_io

    generator = networks.Generator()
    networks.initialize(generator, 1)
    safetensors_io.save(path, {name: value.numpy() for name, value in generator.state_dict().items()})


def make_picture(path):
    """A megapixel of smooth colours with some grain, so that the JPEG is of a photograph's size."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:1000, 0:1000] / 1000
    grain = np.random.default_rng(1).normal(0, .03, (1000, 1000, 1))
    rgb = np.stack([.5 + .4 * np.sin(9 * x), .5 + .4 * np.sin(7 * y + 3 * x), .6 - .3 * y], 2) + grain
    Image.fromarray((rgb.clip(0, 1) * 255).astype("uint8")).save(path, quality=92)


def pictures(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, source = folder / "generator.safetensors", folder / "in.jpg"
        make_model(model)
        make_picture(source)
        ours = [options.vkpix, "colorize", source, "--out", folder / "a.jpg", "--model", model, "--size", 320]
        theirs = [sys.executable, HERE / "torch_work.py", "colorize", source, folder / "b.jpg",
                  "--model", model]
        cache = folder / "cache"
        caches = dict(XDG_CACHE_HOME=str(cache), MESA_SHADER_CACHE_DIR=str(cache))

        def first():
            shutil.rmtree(cache, ignore_errors=True)
            return wall(ours, caches)

        wall(ours)
        row("colorize, one megapixel, process start to file", lambda: wall(ours), lambda: wall(theirs),
            options.rounds)
        row("the same, the very first run (no caches)", first, lambda: wall(theirs), options.rounds)


def sides(options):
    """Time a pixel of the generator relative to the cheapest side."""
    times = {}
    for side in SIDES:
        median = statistics.median(bench(options, "colorize", "--size", side)["median_ms"]
                                   for _ in range(options.rounds))
        times[side] = median * 1e6 / side ** 2
    least = min(times.values())
    each = ", ".join(f"{side}²: {time:.0f} ({time / least:.2f}×)" for side, time in times.items())
    print("\nGenerator, ns a pixel: " + each)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vkpix", default=HERE.parent.parent / "build" / "vkpix")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("steps", "generator", "pictures", "sides"), action="append")
    options = parser.parse_args()
    print("| work | vkpix | PyTorch | ratio |\n|---|---|---|---|", flush=True)
    for part in (steps, generator, pictures, sides):
        if not options.only or part.__name__ in options.only:
            part(options)


if __name__ == "__main__":
    main()
