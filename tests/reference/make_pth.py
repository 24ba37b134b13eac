"""Files of PyTorch's own for tests/test_import.c: good ones with what they hold, and bad ones.

    /usr/bin/python3 make_pth.py FOLDER

FOLDER/good/NAME.pth with NAME.expected, the same values as safetensors (F32, counters I64), where these are not
those of unet.expected; FOLDER/bad/NAME.pth; and FOLDER/data.pkl, the pickle of one of the good ones.
"""
import collections
import os
import pickle
import shutil
import sys
import zipfile

import numpy as np
import torch

import natural
import networks
import safetensors_io


def trained(network, seed):
    """First values, and norms that have seen something."""
    networks.initialize(network, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(seed)
        elif value.dim() == 1:
            value.add_(torch.rand(value.shape, generator=generator) * 0.1)
    return network


def in_one_storage(state):
    """The tensors as views into one storage, each at an offset, transposed where it is square."""
    floats = {name: value for name, value in state.items() if value.is_floating_point()}
    flat = torch.zeros(1 + sum(value.numel() for value in floats.values()))
    at, views = 1, collections.OrderedDict(state)
    for name, value in floats.items():
        view = flat[at:at + value.numel()].view(value.shape)
        if value.dim() == 4:
            view = view.transpose(2, 3)
        views[name] = view
        view.copy_(value)
        at += value.numel()
    return views


def rewrite(source, target, change=None, drop=None, add=None, compression=zipfile.ZIP_STORED, largest=None):
    """Copies an archive with data.pkl changed by a function, an entry dropped, entries added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.namelist():
            data = old.read(entry)
            if drop and entry.endswith(drop) or largest and len(data) > largest:
                continue
            new.writestr(entry, change(data) if change and entry.endswith("/data.pkl") else data)
        folder = old.namelist()[0].split("/")[0]
        for name, data in (add or {}).items():
            new.writestr(f"{folder}/{name}", data)


def replaced(old, new):
    def change(data):
        assert old in data, old
        return data.replace(old, new, 1)
    return change


def make_good(folder):
    def save(name, state):
        torch.save(state, os.path.join(folder, name + ".pth"))

    def save_both(name, network):
        state = network.state_dict()
        save(name, state)
        wanted = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
        safetensors_io.save(os.path.join(folder, name + ".expected"), wanted)

    unet = trained(networks.Generator(), 1)
    state = unet.state_dict()
    save_both("unet", unet)
    save_both("natural", trained(natural.Generator(), 2))
    save_both("d_batch", trained(networks.Discriminator("batch"), 3))
    save_both("d_instance", trained(networks.Discriminator("instance"), 4))
    save_both("channels_last", trained(networks.Generator(), 5).to(memory_format=torch.channels_last))
    for dtype in (torch.half, torch.double, torch.bfloat16):
        save_both(str(dtype).split(".")[1], trained(networks.Generator(), 6).to(dtype))
    save("parameters", unet.state_dict(keep_vars=True))
    save("one_storage", in_one_storage(state))
    save("parallel", torch.nn.DataParallel(unet).state_dict())
    save("plain_dict", dict(state))
    save("old", {name: value for name, value in state.items() if not name.endswith("_tracked")})
    # What newer versions of PyTorch add; compressed, as no version does.
    rewrite(os.path.join(folder, "unet.pth"), os.path.join(folder, "newer.pth"),
            compression=zipfile.ZIP_DEFLATED,
            add={"byteorder": b"little", ".format_version": b"1", ".data/serialization_id": b"0" * 40})


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def make_bad(folder, good):
    def path(name):
        return os.path.join(folder, name + ".pth")

    unet = trained(networks.Generator(), 1)
    state = unet.state_dict()
    torch.save(unet, path("whole_network"))
    torch.save(state, path("legacy"), _use_new_zipfile_serialization=False)
    torch.save(state, path("protocol"), pickle_protocol=4)
    torch.save({"generator": state, "epoch": 3}, path("checkpoint"))
    torch.save({"enc1.0.weight": Evil()}, path("evil"))
    torch.save({}, path("empty"))
    torch.save(torch.zeros(3), path("tensor"))
    torch.save(collections.OrderedDict(list(state.items())[1:]), path("missing"))
    torch.save({**state, "enc9.0.weight": torch.zeros(1)}, path("extra"))
    torch.save({**state, "enc1.0.weight": torch.zeros(32, 1, 3, 3)}, path("shape"))
    torch.save({**state, "enc1.0.weight": torch.zeros(32, 1, 5, 5, dtype=torch.int32)}, path("int32"))
    torch.save({**state, "enc1.0.weight": torch.zeros(32, 1, 5, 5, dtype=torch.int64)}, path("int64"))
    torch.save({**state, "enc1.1.num_batches_tracked": torch.tensor(1.5)}, path("counter"))
    torch.save({**state, "enc1.1.num_batches_tracked": torch.tensor([1, 2])}, path("counters"))
    torch.save({**state, "enc1.0.bias": torch.full((32,), np.nan)}, path("nan"))
    with open(path("pickle_alone"), "wb") as file:
        pickle.dump({"enc1.0.weight": 1}, file)
    with zipfile.ZipFile(path("other_zip"), "w") as file:
        file.writestr("readme.txt", "nothing")
    # (32, 1, 5, 5) by strides (25, 25, 5, 1) of a storage of 800
    size, stride, count = b"K\x20K\x01K\x05K\x05t", b"K\x19K\x19K\x05K\x01t", b"M\x20\x03"
    rewrite(good, path("stride"), replaced(stride, b"K\x19K\x19K\x05K\x02t"))
    rewrite(good, path("stride_negative"), replaced(stride, b"K\x19K\x19K\x05J\xff\xff\xff\xfft"))
    rewrite(good, path("stride_huge"), replaced(stride, b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + stride[2:]))
    rewrite(good, path("size_huge"), replaced(size, b"J\xff\xff\xff\x7f" + size[2:]))
    rewrite(good, path("count"), replaced(count, b"M\x21\x03"))
    rewrite(good, path("count_huge"), replaced(count, b"J\xff\xff\xff\x7f"))
    rewrite(good, path("offset"), replaced(b"QK\x00(" + size[:2], b"QK\x01(" + size[:2]))
    rewrite(good, path("storage"), drop="/data/0")
    rewrite(good, path("no_pickle"), drop="/data.pkl")
    rewrite(good, path("byte_order"), add={"byteorder": b"big"})
    # What is refused by its first tensors, or without looking at values, needs no others.
    for name in os.listdir(folder):
        full = os.path.join(folder, name)
        if zipfile.is_zipfile(full) and name not in ("int64.pth", "counter.pth", "nan.pth", "other_zip.pth"):
            rewrite(full, full + ".small", largest=20000)
            os.replace(full + ".small", full)
    rewrite(good, path("huge_pickle"), lambda data: data + bytes(1 << 21), compression=zipfile.ZIP_DEFLATED)
    with open(good, "rb") as file:
        data = file.read()
    with open(path("truncated"), "wb") as file:
        file.write(data[:len(data) - 100])
    place = data.index(state["enc1.0.weight"].numpy().tobytes())
    with open(path("checksum"), "wb") as file:
        file.write(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])


def main():
    folders = [os.path.join(sys.argv[1], name) for name in ("good", "bad")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    torch.set_num_threads(1)
    make_good(folders[0])
    good = os.path.join(folders[0], "unet.pth")
    make_bad(folders[1], good)
    with zipfile.ZipFile(good) as archive, open(os.path.join(sys.argv[1], "data.pkl"), "wb") as file:
        file.write(archive.read(next(n for n in archive.namelist() if n.endswith("/data.pkl"))))


if __name__ == "__main__":
    main()
