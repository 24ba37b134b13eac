"""Do weights that vkpix wrote load in PyTorch's networks, and is the picture the same?

    /usr/bin/python3 check_weights.py --generator FILE [--discriminator FILE --preset NAME]
                                      [--input PICTURE.png | --luma FILE.safetensors] [--out FILE]
                                      [--compare PICTURE.png [--levels 1]]

Loads the state_dicts strictly: a name that is missing, too many or of another shape is an error. Then, if
an input is named, runs the generator in evaluation mode at the input's own size (sides multiples of 16):
    --input PICTURE.png       colour becomes luma by BT.601; gray is luma
    --luma FILE.safetensors   its tensor "gray", (n, 1, h, w) in -1..1
    --out FILE.png            the coloured picture, rounded to 8 bits (of the first picture with --luma)
    --out FILE.safetensors    gray, fake (CrCb) and fake_rgb (not clamped)
    --compare PICTURE.png     a picture that vkpix made of the same input (colorize --at-model-size); prints
                              the largest difference in 8-bit levels
Exit status 1, with one line that says why, when loading fails or the pictures differ by more than --levels.
"""
import argparse
import sys

import numpy as np
import torch

import networks
import pictures
import safetensors_io


def load_strictly(network, path):
    tensors, _ = safetensors_io.load(path)
    own = network.state_dict()
    # Even a strict load lets num_batches_tracked be missing, for the sake of PyTorch's oldest files.
    if set(own) - set(tensors):
        raise ValueError(f"{path}: missing are {sorted(set(own) - set(tensors))}")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()}, strict=True)
    for name, value in tensors.items():
        # load_state_dict converts types silently; a counter written as a float is an error all the same.
        if torch.from_numpy(value).dtype != own[name].dtype:
            raise ValueError(f"{path}: {name} has type {value.dtype}, PyTorch's is {own[name].dtype}")
        if not np.isfinite(value).all():
            raise ValueError(f"{path}: {name} is not finite")
    return len(tensors)


def read_gray(options):
    if options.luma:
        return torch.from_numpy(safetensors_io.load(options.luma)[0]["gray"])
    levels = pictures.read_png(options.input).astype(np.float32)
    picture = torch.from_numpy(levels / 255).permute(2, 0, 1)[None]
    if picture.shape[1] < 3:
        return 2 * picture[:, :1] - 1
    return networks.rgb_to_ycc(picture[:, :3])[:, :1]


def colour(generator, gray):
    """(fake, fake_rgb) of the generator in evaluation mode."""
    if gray.dim() != 4 or gray.shape[1] != 1 or gray.shape[2] % 16 or gray.shape[3] % 16:
        raise ValueError(f"input of shape {tuple(gray.shape)}: need (n, 1, h, w) with sides multiples of 16")
    generator.eval()
    with torch.no_grad():
        fake = generator(gray)
        return fake, networks.ycc_to_rgb(torch.cat([gray, fake], 1))


def to_levels(rgb):
    """The first picture of (n, 3, h, w) as uint8 (h, w, 3), rounded to the nearest level."""
    return torch.floor(rgb[0].clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0).numpy()


def arguments(argv):
    parser = argparse.ArgumentParser(description="Loads vkpix's weights in PyTorch and colours a picture")
    parser.add_argument("--generator", required=True)
    parser.add_argument("--discriminator")
    parser.add_argument("--preset", choices=sorted(networks.PRESETS), default="train01")
    parser.add_argument("--input")
    parser.add_argument("--luma")
    parser.add_argument("--out")
    parser.add_argument("--compare")
    parser.add_argument("--levels", type=int, default=1)
    options = parser.parse_args(argv)
    if options.input and options.luma:
        parser.error("--input and --luma exclude each other")
    if (options.out or options.compare) and not (options.input or options.luma):
        parser.error("--out and --compare need --input or --luma")
    return options


def check(options):
    generator = networks.Generator()
    print(f"generator: {load_strictly(generator, options.generator)} tensors")
    if options.discriminator:
        preset = networks.PRESETS[options.preset]
        discriminator = networks.Discriminator(preset["d_norm"], preset["d_pools"])
        print(f"discriminator: {load_strictly(discriminator, options.discriminator)} tensors")
    if not (options.input or options.luma):
        return
    gray = read_gray(options)
    fake, rgb = colour(generator, gray)
    levels = to_levels(rgb)
    if options.out and options.out.endswith(".safetensors"):
        safetensors_io.save(options.out, {"gray": gray, "fake": fake, "fake_rgb": rgb})
    elif options.out:
        pictures.write_png(options.out, levels)
    if options.compare:
        other = pictures.read_png(options.compare)
        if other.shape != levels.shape:
            raise ValueError(f"{options.compare} has shape {other.shape}, PyTorch's picture {levels.shape}")
        apart = np.abs(other.astype(int) - levels.astype(int))
        print(f"largest difference: {apart.max()} levels, {100 * (apart > 0).mean():.3f} % of samples differ")
        if apart.max() > options.levels:
            raise ValueError(f"{options.compare} is {apart.max()} levels off, allowed are {options.levels}")


def main():
    torch.set_num_threads(1)
    try:
        check(arguments(sys.argv[1:]))
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        print("check_weights: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
