"""Reading and writing safetensors files with nothing but struct, json and numpy.

The format: 8 bytes little-endian length of a JSON header, the header, then the tensors' bytes. The
header maps a name to {"dtype", "shape", "data_offsets": [begin, end]}, offsets counted from the end of
the header, without holes; "__metadata__" maps strings to strings. F32 and I64 are enough for the
state_dict of a network (num_batches_tracked is the I64); float64 arrays are rounded to F32.
The header is filled up with blanks to a multiple of 8 bytes and I64 tensors come first, so that every
tensor lies aligned in the file.
"""
import json
import struct

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


def as_stored(value):
    """A numpy array or torch tensor as one of the two stored types, C-contiguous, any rank."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    value = np.asarray(value)
    dtype = "<i8" if value.dtype.kind in "iu" else "<f4"
    return np.array(value, dtype=dtype, order="C")


def save(path, tensors, metadata=None):
    """Writes {name: array or tensor} and {str: str} to path."""
    arrays = {name: as_stored(value) for name, value in tensors.items()}
    names = sorted(arrays, key=lambda name: (arrays[name].dtype.kind != "i", name))
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = {str(key): str(value) for key, value in metadata.items()}
    for name in names:
        array = arrays[name]
        header[name] = {"dtype": "I64" if array.dtype.kind == "i" else "F32",
                        "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(arrays[name].tobytes())


def load(path):
    """Returns ({name: numpy array}, {str: str}); a damaged file raises ValueError."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 8:
        raise ValueError(f"{path}: shorter than a safetensors header")
    size, = struct.unpack_from("<Q", data)
    if size > len(data) - 8:
        raise ValueError(f"{path}: header reaches beyond the end of the file")
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    body, tensors, reached = memoryview(data)[8 + size:], {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} is {entry['dtype']}, only F32 and I64 are read")
        dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if begin != reached or end > len(body) or end - begin != size:
            raise ValueError(f"{path}: the bytes of {name} do not fit its shape or leave a hole")
        tensors[name] = np.frombuffer(body[begin:end], dtype).reshape(shape).copy()
        reached = end
    if reached != len(body):
        raise ValueError(f"{path}: bytes after the last tensor")
    return tensors, metadata
