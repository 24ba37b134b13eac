"""Do the ONNX files that tests/test_onnx.c wrote make what vkpix made with the same weights?

    /usr/bin/python3 check_onnx.py FOLDER [--runtime]

For each FOLDER/*.onnx: ONNX's checker, shape inference included, and the network on the pictures of
FILE.expected (safetensors: gray.0, chroma.0, gray.1, ...), within 1e-4. The network is computed by numpy from
the definitions of ONNX's operators below; with --runtime by onnxruntime, where that is installed.
"""
import glob
import os
import sys

import numpy as np

import safetensors_io

TOLERANCE = 1e-4
DTYPES = {1: np.dtype("<f4"), 7: np.dtype("<i8"), 10: np.dtype("<f2")}


def conv(x, weight, bias, kernel_shape, strides, pads):
    assert strides == [1, 1] and kernel_shape == list(weight.shape[2:])
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    views = np.lib.stride_tricks.sliding_window_view(x, kernel_shape, (2, 3))
    return np.einsum("nchwij,ocij->nohw", views, weight, optimize=True) + bias[:, None, None]


def batch_normalization(x, scale, shift, mean, variance, epsilon):
    scale, shift, mean, variance = (v[:, None, None] for v in (scale, shift, mean, variance))
    return (x - mean) / np.sqrt(variance + np.float32(epsilon)) * scale + shift


def average_pool(x, kernel_shape, strides):
    assert kernel_shape == strides
    (n, c, h, w), (kh, kw) = x.shape, kernel_shape
    return x[:, :, :h // kh * kh, :w // kw * kw].reshape(n, c, h // kh, kh, w // kw, kw).mean((3, 5))


def linear(x, axis, factor):
    """Along one axis, sample centres at halves, the ends repeated."""
    size = x.shape[axis]
    place = np.clip((np.arange(int(size * factor)) + 0.5) / factor - 0.5, 0, size - 1)
    low = np.minimum(place.astype(int), max(size - 2, 0))
    share = (place - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    return x.take(low, axis) * (1 - share) + x.take(np.minimum(low + 1, size - 1), axis) * share


def resize(x, roi, scales, mode, coordinate_transformation_mode, nearest_mode=None):
    assert roi is None and list(scales[:2]) == [1, 1]
    if mode == "linear":
        assert coordinate_transformation_mode == "half_pixel"
        return linear(linear(x, 2, scales[2]), 3, scales[3])
    assert (mode, coordinate_transformation_mode, nearest_mode) == ("nearest", "asymmetric", "floor")
    return x.repeat(int(scales[2]), 2).repeat(int(scales[3]), 3)


def slice_(x, starts, ends, axes):
    index = [slice(None)] * x.ndim
    for start, end, axis in zip(starts, ends, axes):
        index[axis] = slice(start, end)
    return x[tuple(index)]


def space_to_depth(x, blocksize):
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    return x.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * blocksize ** 2, h // blocksize, w // blocksize)


OPERATORS = {
    "Add": lambda a, b: a + b,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": lambda x, to: x.astype(DTYPES[to]),
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Conv": conv,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True),
    "Mul": lambda a, b: a * b,
    "Relu": lambda x: np.maximum(x, 0),
    "Resize": resize,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Tanh": np.tanh,
}


def value_of(attribute):
    kinds = {attribute.INT: "i", attribute.INTS: "ints", attribute.FLOAT: "f", attribute.STRING: "s"}
    value = getattr(attribute, kinds[attribute.type])
    return value.decode() if isinstance(value, bytes) else value if np.isscalar(value) else list(value)


def compute(graph, gray):
    """What the graph makes of its one input; every node must read what is there already."""
    values = {t.name: np.frombuffer(t.raw_data, DTYPES[t.data_type]).reshape(t.dims)
              for t in graph.initializer}
    values[graph.input[0].name] = gray
    for node in graph.node:
        inputs = [values[name] if name else None for name in node.input]
        attributes = {a.name: value_of(a) for a in node.attribute}
        if node.op_type == "Split":
            results = np.split(*inputs, len(node.output), **attributes)
        else:
            results = [OPERATORS[node.op_type](*inputs, **attributes)]
        for name, result in zip(node.output, results):
            assert name not in values, f"{name} is made twice"
            values[name] = result
    return values[graph.output[0].name]


def numpy_network(path):
    import onnx
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return lambda gray: compute(model.graph, gray)


def runtime_network(path):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda gray: session.run(["chroma"], {"gray": gray})[0]


def check(path, network):
    expected, _ = safetensors_io.load(path + ".expected")
    worst = 0
    for i in range(len(expected) // 2):
        want = expected[f"chroma.{i}"]
        got = network(expected[f"gray.{i}"])
        if got.shape != want.shape or got.dtype != np.float32:
            sys.exit(f"{path} makes {got.dtype} {got.shape}, not float32 {want.shape}")
        if not want.std() > 0.05:
            sys.exit(f"{path}: chroma is all but constant, which compares nothing")
        worst = max(worst, float(np.abs(got - want).max()))
    print(f"{os.path.basename(path)}: {len(expected) // 2} batches, off by {worst:.1e}")
    if not worst <= TOLERANCE:
        sys.exit(f"{path} is off by {worst}, allowed are {TOLERANCE}")


def main():
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx")))
    network = runtime_network if "--runtime" in sys.argv[2:] else numpy_network
    if len(paths) < 8:
        sys.exit(f"{sys.argv[1]} has {len(paths)} ONNX files, not a network's four each")
    for path in paths:
        check(path, network(path))


if __name__ == "__main__":
    main()
