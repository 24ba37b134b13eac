#!/usr/bin/python3
"""What PyTorch takes for vkpix's work, at its best on a CPU: a thread a core, channels-last, an allocator that
keeps its pages, batch norms folded into the convolutions for evaluation. Prints one JSON document.

    torch_work.py step --preset NAME --size N --batch N
    torch_work.py generator --size N
    torch_work.py colorize IN.jpg OUT.jpg --size N --model generator.safetensors

Times are of --runs runs after one that is not counted, in ms; colorize is one run, which the caller times.
"""
import os
import sys

# glibc reads these when a process starts, so it starts again with them.
ALLOCATOR = dict(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="100000000000", MALLOC_TOP_PAD_="500000000")
if "MALLOC_TOP_PAD_" not in os.environ:
    os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **ALLOCATOR})

import argparse
import json
import pathlib
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import networks
import safetensors_io

LAYOUT = torch.channels_last
BETAS = (.5, .999)


def noise(*shape):
    return (torch.rand(*shape) * 2 - 1).contiguous(memory_format=LAYOUT)


def training_step(preset, size, batch):
    """One step of both networks, in the order of the published code."""
    settings = networks.PRESETS[preset]
    generator = networks.Generator().to(memory_format=LAYOUT)
    discriminator = networks.Discriminator(settings["d_norm"], settings["d_pools"]).to(memory_format=LAYOUT)
    for_g = torch.optim.Adam(generator.parameters(), settings["lr"], BETAS)
    for_d = torch.optim.Adam(discriminator.parameters(), settings["lr"], BETAS)
    gray, crcb = noise(batch, 1, size, size), noise(batch, 2, size, size)
    real = networks.ycc_to_rgb(torch.cat([gray, crcb], 1)).contiguous(memory_format=LAYOUT)

    def step():
        fake = generator(gray)
        rgb = networks.ycc_to_rgb(torch.cat([gray, fake], 1))
        loss = networks.generator_adversarial(settings["loss"], discriminator(rgb))
        loss = loss + networks.LAMBDA_CRCB * F.l1_loss(fake, crcb)
        loss = loss + networks.LAMBDA_RGB * F.l1_loss(rgb, real)
        for_g.zero_grad()
        for_d.zero_grad()
        loss.backward()
        for_g.step()
        loss, _ = networks.discriminator_adversarial(settings["loss"], discriminator(real),
                                                     discriminator(rgb.detach()))
        for_g.zero_grad()
        for_d.zero_grad()
        loss.backward()
        for_d.step()

    return step


def folded_generator():
    """In evaluation mode, each batch norm folded into the convolution before it."""
    generator = networks.Generator().eval()
    for block in generator.children():
        for i, (layer, following) in enumerate(zip(list(block), list(block)[1:])):
            if isinstance(following, nn.BatchNorm2d):
                block[i] = fuse_conv_bn_eval(layer, following)
                block[i + 1] = nn.Identity()
    return generator.to(memory_format=LAYOUT)


def colorize(source, target, size, model):
    """The picture at its own size, as vkpix colorize makes it (stretched to the network's square)."""
    import numpy as np
    from PIL import Image

    generator = networks.Generator().eval()
    tensors, _ = safetensors_io.load(model)
    generator.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in tensors.items()})
    picture = Image.open(source).convert("RGB")
    rgb = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
    luma = networks.rgb_to_ycc(rgb)[:, :1]
    small = F.interpolate(luma, (size, size), mode="bilinear").contiguous(memory_format=LAYOUT)
    with torch.no_grad():
        chroma = F.interpolate(generator(small), luma.shape[2:], mode="bilinear")
    out = networks.ycc_to_rgb(torch.cat([luma, chroma], 1)).clamp(0, 1)[0].permute(1, 2, 0)
    Image.fromarray((out * 255).round().byte().numpy()).save(target, quality=92)


def timed(function, runs):
    function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return dict(median_ms=statistics.median(times), min_ms=min(times), torch=torch.__version__)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("step", "generator", "colorize"))
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--preset", default="train01", choices=networks.PRESETS)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.work == "colorize":
        return colorize(*options.paths, options.size, options.model)
    if options.work == "step":
        result = timed(training_step(options.preset, options.size, options.batch), options.runs)
    else:
        generator, gray = folded_generator(), noise(1, 1, options.size, options.size)
        with torch.no_grad():
            result = timed(lambda: generator(gray), options.runs)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
