"""Says in one line what is missing when PyTorch cannot be used; the tests against it need it.

    /usr/bin/python3 is_there.py
"""
import sys

try:
    import numpy
    import torch
except ImportError as error:
    sys.exit(f"{sys.executable} has no PyTorch ({error}; install Debian's python3-torch and python3-numpy, "
             "or configure with -DVKPIX_PYTHON=...)")
print(f"torch {torch.__version__}, numpy {numpy.__version__}")
