#!/usr/bin/python3
"""Writes ../data/fit_torch.h: small pictures wrapped to a square by slicing and resized by
torch.nn.functional.interpolate, for tests/test_fit.c. Run again only to change the cases."""
import os
import torch
import torch.nn.functional as F

CASES = [(7, 5, 4), (5, 7, 8), (1, 1, 2), (1, 50, 4), (50, 1, 4), (33, 20, 8), (20, 33, 7), (8, 3, 16)]


def picture(w, h):
    """The pattern that the test makes too: channel c at (y, x) is (37x + 61y + 17c + xy) mod 256."""
    y = torch.arange(h).view(1, h, 1)
    x = torch.arange(w).view(1, 1, w)
    c = torch.arange(3).view(3, 1, 1)
    return ((37 * x + 61 * y + 17 * c + x * y) % 256).float() / 255


def wrap(p, dim):
    """Extends dimension dim to the other's length with the opposite edge, as often as it takes."""
    n, d = p.shape[dim], max(p.shape[1:]) - p.shape[dim]
    before, after = d // 2, d - d // 2
    many = torch.cat([p] * (2 * (d // n + 2) + 1), dim)
    start = (d // n + 2) * n
    return many.narrow(dim, start - before, before + n + after)


def main():
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
    with open(os.path.join(data, "fit_torch.h"), "w") as out:
        out.write("/* Made by fit_torch.py with PyTorch %s. */\n" % torch.__version__)
        out.write("static const float fit_torch_values[] = {\n")
        for w, h, size in CASES:
            p = wrap(wrap(picture(w, h), 1), 2)
            assert p.shape[1] == p.shape[2] == max(w, h)
            q = F.interpolate(p[None], size=(size, size), mode="bilinear", align_corners=False)
            values = ["%.9gf" % v if "." in "%.9g" % v or "e" in "%.9g" % v else "%.9g.f" % v
                      for v in q.flatten().tolist()]
            for i in range(0, len(values), 6):
                out.write("    " + ", ".join(values[i:i + 6]) + ",\n")
        out.write("};\n\n/* width, height, size; the values follow each other as 3 x size x size */\n")
        out.write("static const int fit_torch_cases[][3] = {\n")
        for case in CASES:
            out.write("    {%d, %d, %d},\n" % case)
        out.write("};\n")


main()
