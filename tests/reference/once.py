"""Runs a script that makes reference numbers, unless they are there already.

    /usr/bin/python3 once.py OUTDIR SCRIPT.py [ARGUMENT...]

SCRIPT.py, of this folder, is given OUTDIR and the arguments. What it makes is the same, byte for byte, each
time on one machine; OUTDIR/made_of.txt says of what: the arguments, all scripts here, Python and PyTorch.
"""
import hashlib
import importlib.util
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def made_of(arguments):
    text = hashlib.sha256()
    torch = pathlib.Path(importlib.util.find_spec("torch").origin).stat()
    text.update(repr((arguments, sys.version, torch.st_size, torch.st_mtime_ns)).encode())
    for script in sorted(HERE.glob("*.py")):
        text.update(script.name.encode() + script.read_bytes())
    return text.hexdigest() + "\n"


def main():
    out, script, *arguments = sys.argv[1:]
    note, made = pathlib.Path(out) / "made_of.txt", made_of([script, *arguments])
    if note.is_file() and note.read_text() == made:
        return print(f"{out}: there already")
    note.unlink(missing_ok=True)
    subprocess.run([sys.executable, HERE / script, out, *arguments], check=True)
    note.write_text(made)


if __name__ == "__main__":
    main()
