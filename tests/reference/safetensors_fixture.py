#!/usr/bin/env python3
"""An independent reader and writer of safetensors, in plain Python, for tests/test_safetensors.c.

    safetensors_fixture.py write FILE    makes tests/data/python.safetensors
    safetensors_fixture.py check FILE    succeeds when FILE is what the test writes
"""
import json
import struct
import sys

HALVES = [0x0000, 0x8000, 0x3C00, 0xC000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0xFC00, 0x3555]


def write(path):
    parts = {
        "conv.weight": ("F32", [2, 3], struct.pack("<6f", 0.5, -1, 3e-39, 1e30, 0.1, -0.0)),
        "norm.num_batches_tracked": ("I64", [], struct.pack("<q", 1234567890123)),
        "half": ("F16", [5, 2], struct.pack("<10H", *HALVES)),
        "empty": ("F32", [0, 4], b""),
        "bytes": ("U8", [3], b"abc"),
    }
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, content) in parts.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def check(path):
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack_from("<Q", content)[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    assert length % 8 == 0 and content[8:9] == b"{"
    metadata = header.pop("__metadata__")
    assert metadata["made by"] == 'a "test"\n' and len(metadata["xxh3_64"]) == 16
    assert list(header) == ["a.weight", "a.num_batches_tracked", "none"]
    found = {}
    for name, item in header.items():
        begin, end = item["data_offsets"]
        code, size = {"F32": ("f", 4), "I64": ("q", 8)}[item["dtype"]]
        assert begin % size == 0
        found[name] = (item["shape"], struct.unpack("<%d%s" % ((end - begin) // size, code), data[begin:end]))
    assert found["a.weight"] == ([3, 1], (1.5, -0.25, 2.0**-149))
    assert found["a.num_batches_tracked"] == ([], (-(2**62) - 1,))
    assert found["none"] == ([0], ())
    assert len(data) == 3 * 4 + 8


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
