#!/usr/bin/env python3
"""Writes metrics.txt, what test_metrics.c expects: the metrics by NumPy and PyTorch's convolution.

Usage: python3 metrics.py > metrics.txt
"""
import numpy as np
import torch
import torch.nn.functional as F

SIZES = [(1, 1), (2, 1), (3, 8), (10, 10), (11, 11), (12, 37), (64, 48)]
KINDS = ["noise", "near", "gray"]


def pictures(width, height, kind):
    """The pair (result, original) as integers (height, width, 3); test_metrics.c has the same formulas."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    a = (x * (3 + c) + y * (7 - 2 * c) + x * y // (2 + c) + 40 * c) % 256
    if kind == "noise":
        b = (x * x * 7 + y * 13 * (c + 1) + x * y * 3 + c * 101) % 256
    elif kind == "near":
        b = np.clip(a + (x * 5 + y * 3 + c * 7) % 21 - 10, 0, 255)
    else:
        b = np.repeat((a.sum(axis=2, keepdims=True) // 3), 3, axis=2)
    return b, a


def crcb(rgb):
    r, g, b = (rgb[..., i] / 255.0 for i in range(3))
    return 2 * np.stack([.5 * r - .418688 * g - .081312 * b, -.168736 * r - .331264 * g + .5 * b])


def psnr(a, b, peak):
    return 10 * np.log10(peak**2 / np.mean((a - b) ** 2))


def ssim(a, b):
    side = min(11, *a.shape[:2])
    side -= 1 - side % 2
    d = torch.arange(side, dtype=torch.float64) - side // 2
    line = torch.exp(-d**2 / (2 * 1.5**2))
    window = torch.outer(line, line)
    window = (window / window.sum())[None, None]
    a, b = (torch.tensor(p, dtype=torch.float64).permute(2, 0, 1)[:, None] for p in (a, b))
    mean = lambda p: F.conv2d(p, window)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (.01 * 255) ** 2, (.03 * 255) ** 2
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean().item()


def emd(a, b):
    """Of as many samples, the distance is the mean distance in the order of size."""
    def levels(p):
        r, g, b = (p[..., i].astype(np.int64).ravel() for i in range(3))
        millionths = np.stack([500000 * r - 418688 * g - 81312 * b, 500000 * b - 331264 * g - 168736 * r])
        return np.sort((millionths + 500000) // 1000000, axis=1)
    return np.mean(np.abs(levels(a) - levels(b)))


def colorfulness(p, form=lambda plane: plane):
    r, g, b = (p[..., i].astype(np.float64) for i in range(3))
    rg, yb = form(r - g), form((r + g) / 2 - b)
    return np.sqrt(rg.var() + yb.var()) + .3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)


print("# width height kind psnr psnr_crcb l1_rgb l1_crcb ssim emd_crcb colorfulness colorfulness_abs (metrics.py makes this file)")
for width, height in SIZES:
    for kind in KINDS:
        a, b = pictures(width, height, kind)
        ca, cb = crcb(a), crcb(b)
        values = [psnr(a, b, 255.0), psnr(ca, cb, 2.0), np.mean(np.abs(a - b)) / 255, np.mean(np.abs(ca - cb)),
                  ssim(a, b), emd(a, b), colorfulness(a), colorfulness(a, np.abs)]
        print(width, height, kind, *("%.15g" % v for v in values))
