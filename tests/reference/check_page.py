"""Does the Python of a page do what the page says?

    /usr/bin/python3 check_page.py PAGE FOLDER

Runs the blocks of PAGE (docs/python.md) that are marked "python", one after the other, where generator.safetensors
is FOLDER/unet.safetensors. The network they make must give what vkpix gave for it (tests/test_onnx.c), and the first
block, which loads the weights, must be ten lines and load the other files in FOLDER too. Blocks marked "py" need
packages that no test may count on.
"""
import os
import re
import sys
import tempfile

import numpy as np
import torch

import safetensors_io

TOLERANCE = 1e-4


def main():
    page, folder = sys.argv[1], os.path.abspath(sys.argv[2])
    with open(page) as file:
        blocks = re.findall(r"^```python\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
    lines = [line for line in blocks[0].splitlines() if line]
    if len(lines) > 10:
        sys.exit(f"the first block of {page} has {len(lines)} lines")
    torch.set_num_threads(1)
    names = {}
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.symlink(os.path.join(folder, "unet.safetensors"), "generator.safetensors")
        exec(compile("\n".join(blocks), page, "exec"), names)
        os.chdir("/")
    expected, _ = safetensors_io.load(os.path.join(folder, "unet.onnx.expected"))
    gray = torch.from_numpy(expected["gray.1"])
    with torch.no_grad():
        chroma = names["generator"](gray)
    worst = float(np.abs(chroma.numpy() - expected["chroma.1"]).max())
    rgb = names["colour"](gray, chroma)
    print(f"{len(lines)} lines load the weights; the network is off by {worst:.1e}")
    if not worst <= TOLERANCE or rgb.shape != (2, 3, 96, 32):
        sys.exit(f"{page} is off by {worst}, allowed are {TOLERANCE}")
    for name, dtype in (("natural.safetensors", torch.float32), ("natural_half.safetensors", torch.float16)):
        loaded = names["load"](os.path.join(folder, name))
        if len(loaded) != 115 or loaded["stem.1.weight"].dtype != dtype:
            sys.exit(f"{page} does not load {name}")


if __name__ == "__main__":
    main()
