"""Models on the plane of distortion and perception: PSNR against colourfulness, a curve a model, a point a factor
on its colours (vkpix eval --saturation). Blau and Michaeli, The perception-distortion tradeoff, 2018.

    /usr/bin/python3 perception.py VKPIX PHOTOGRAPHS OUT.png NAME=MODEL [NAME=MODEL ...]
                                   [--factors 0.8,1,1.2,1.4] [--options "--flip-average"]

Prints the table as Markdown. MODEL is what --model takes. Needs Debian's python3-matplotlib.
"""
import argparse
import json
import shlex
import subprocess

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vkpix")
    parser.add_argument("photographs")
    parser.add_argument("out")
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--factors", default="0.8,1,1.2,1.4")
    parser.add_argument("--options", default="")
    return parser.parse_args()


def evaluate(o, model, factor):
    command = [o.vkpix, "eval", o.photographs, "--model", model, "--saturation", str(factor), "--json"]
    done = subprocess.run(command + shlex.split(o.options), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main():
    o = arguments()
    figure, axes = plt.subplots(figsize=(7, 4.5), dpi=110)
    print("| model | factor | PSNR | CrCb-PSNR | colourfulness | chroma histogram distance |\n|---|---|---|---|---|---|")
    for pair in o.models:
        name, model = pair.split("=", 1)
        points = []
        for factor in o.factors.split(","):
            document = evaluate(o, model, factor)
            mean = document["mean"]
            points.append((mean["colorfulness"], mean["psnr"]))
            print(f"| {name} | {factor} | {mean['psnr']:.2f} dB | {mean['psnr_crcb']:.2f} dB "
                  f"| {mean['colorfulness']:.1f} | {mean['emd_crcb']:.2f} |", flush=True)
            axes.annotate(f"×{factor}", points[-1], xytext=(3, 4), textcoords="offset points", fontsize=7)
        axes.plot(*zip(*points), marker="o", label=name)
    nothing = document["mean_no_color"]["psnr"]
    axes.axhline(nothing, color="gray", linestyle=":", label=f"no colour at all, {nothing:.2f} dB")
    axes.set_xlabel(f"colourfulness (photographs: {mean['original_colorfulness']:.1f})")
    axes.set_ylabel("PSNR, dB")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(o.out)


if __name__ == "__main__":
    main()
