#!/usr/bin/env python3
"""Makes the files that fuzzing begins with, corpus/NAME/seed_*: small and whole, one or more for each thing that a
target can meet. By hand: python3 tests/fuzz/make_corpus.py. Other files there are findings, kept for ever."""
import io, json, pathlib, struct, zipfile, zlib

here = pathlib.Path(__file__).parent
kinds = here.parent / "data" / "kinds"


def put(target, name, content):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed_{name}").write_bytes(content.encode() if isinstance(content, str) else content)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, before=b"", interlace=0):
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 0)  # stored: every byte is a pixel's
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def exif(orientation):
    return b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + struct.pack(">HH", orientation, 0) + b"\0\0\0\0"


def pictures():
    for name in ("gray1.png", "gray4_adam7.png", "palette_trns.png", "palette_trns_adam7.png", "rgb16.png",
                 "gray.jpg", "progressive.jpg", "cmyk.jpg", "ycck.jpg", "one.jpg", "arithmetic.jpg"):
        put("picture", name, (kinds / name).read_bytes())
    pixels = bytes(range(0, 240, 5))
    rows = [pixels[i:i + 12] for i in range(0, 48, 12)]
    put("picture", "rgb.png", png(4, 4, 8, 2, rows))
    put("picture", "key.png", png(4, 4, 8, 2, rows, chunk(b"tRNS", b"\0\0\0\5\0\x0a")))
    put("picture", "palette8.png", png(4, 4, 8, 3, [b"\0\1\2\1"] * 4, chunk(b"PLTE", pixels[:9])))
    profile = struct.pack(">I", 132) + b"\0" * 12 + b"RGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 92
    beside = chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) + chunk(b"eXIf", exif(6)) + chunk(b"acTL", b"\0\0\0\1" * 2)
    put("picture", "beside.png", png(2, 2, 16, 6, [pixels[:16]] * 2, beside))
    turned = (kinds / "one.jpg").read_bytes()
    segment = b"Exif\0\0" + exif(8)
    put("picture", "turned.jpg", turned[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + turned[2:])
    put("picture", "p1.pbm", "P1\n# bits\n3 2\n101\n0 1 0\n")
    put("picture", "p3.ppm", "P3\n2 1\n65535\n0 257 65535 32768 1 60000\n")
    put("picture", "p4.pbm", b"P4\n9 2\n\x80\x00\x00\x80")
    put("picture", "p5.pgm", b"P5 2 2 255\n\x0a\x0b\x0c\xfe")
    put("picture", "p6.ppm", b"P6\n1 1\n65535\n\xff\xff\x80\x00\x00\x00")
    head = struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, 24, 0, 24, 0, 0, 0, 0)
    put("picture", "a.bmp", b"BM" + struct.pack("<IHHI", 78, 0, 0, 54) + head + pixels[:24])
    head = struct.pack("<IiiHHIIiiII", 40, 9, -2, 1, 1, 0, 8, 0, 0, 2, 2)
    put("picture", "bits.bmp", b"BM" + struct.pack("<IHHI", 70, 0, 0, 62) + head + b"\0\0\0\0\xff\xff\xff\0" + pixels[:8])
    put("picture", "a.tga", b"\0\0\2" + b"\0" * 9 + struct.pack("<HHBB", 3, 2, 24, 0x20) + pixels[:18])
    put("picture", "run.tga", b"\0\0\x0a" + b"\0" * 9 + struct.pack("<HHBB", 5, 2, 24, 0) +
        b"\x83\1\2\3\1\4\5\6\7\x08\x09\x83\x0a\x0b\x0c")
    put("picture", "map.tga", b"\0\1\1\0\0\2\0\x18" + b"\0" * 4 + struct.pack("<HHBB", 2, 2, 8, 0) + pixels[:6] + b"\0\1\1\0")


def safetensors(header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def weights():
    def tensor(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    put("safetensors", "three", safetensors({
        "n": tensor("I64", [], 0, 8), "w": tensor("F32", [2, 1], 8, 16), "h": tensor("F16", [3], 16, 22),
        "__metadata__": {"format": "pt"}}, bytes(range(22))))
    put("safetensors", "config", safetensors({
        "w": tensor("F32", [1], 0, 4),
        "__metadata__": {"vkpix.config": "network=natural\nsize=128\nd_pools=4,2,2,2\nlr=0.001\n",
                         "vkpix.version": "0.1.0"}}, bytes(4)))
    put("safetensors", "other", safetensors({"a": tensor("F8_E4M3", [4], 0, 4), "b": tensor("BOOL", [0], 4, 4)}, bytes(4)))
    put("safetensors", "sum", safetensors({"__metadata__": {"xxh3_64": "2d06800538d394c2"}}, b""))


def torch_files():
    """A state_dict of one tensor, 2 x 2, in a storage of 4."""
    pickle = (b"\x80\2ccollections\nOrderedDict\nq\0)Rq\1(X\1\0\0\0aq\2ctorch._utils\n_rebuild_tensor_v2\nq\3((X\7\0\0\0"
              b"storageq\4ctorch\nFloatStorage\nq\5X\1\0\0\0000q\6X\3\0\0\0cpuq\7K\4tq\x08QK\0K\2K\2\x86q\x09K\2K\1\x86q\x0a"
              b"\x89h\0)Rq\x0btq\x0cRq\x0du}q\x0eX\x09\0\0\0_metadataq\x0fh\0)Rsb.")
    put("torch", "pickle", b"\0" + pickle)
    put("torch", "parameter", b"\0" + pickle.replace(b"q\2ctorch", b"q\2ctorch._utils\n_rebuild_parameter\n(ctorch")
        .replace(b"q\x0cR", b"q\x0cR\x88NtR").replace(b"}q\x0e", b"}r\x0e\0\0\0"))
    put("torch", "numbers", b"\0" + pickle.replace(b"QK\0", b"Q\x8a\1\0").replace(b"K\4t", b"M\4\0t").replace(b"K\1\x86", b"J\1\0\0\0\x86"))
    put("torch", "system", b"\0" + pickle.replace(b"ccollections\nOrderedDict", b"cposix\nsystem"))
    for name, method in (("zip", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", method) as files:
            for entry, content in (("data.pkl", pickle), ("byteorder", b"little"), ("data/0", bytes(16)), ("version", b"3\n")):
                files.writestr(zipfile.ZipInfo("a/" + entry), content)
        put("torch", name, b"\1" + archive.getvalue())


def settings():
    put("config", "all.yml", "network: natural\nsize: 128\nbatch: 2\nloss: hinge\nd_norm: instance\nd_pools: [4, 2, 2, 2]\n"
        "lr: 1.2e-3\nlr_min: 0\nschedule: warmup_cosine\nwarmup: 7\nema: 0.998\nfit: wrap\nseed: 4294967295\n")
    put("config", "blocks.yml", "---\nd_pools:\n  - 2\n  - 2\n  - 2\n  - 2\nsize: \"64\" # why\n...\n")
    put("config", "set", "size=64\nd_pools=4,2,2,2\nlr=1e-4\nfit=crop\nflip=0.5\nseed=0x10\nbatch=-1\n=\nlr=nan\n")


STATE = """format: 1
version: 0.1.0
epoch: 2
epoch_steps: 1
step: 7
seed: 1
d_batches: 1
g_adam_steps: 7
d_adam_steps: 3
best_epoch: 1
best_val_psnr: 21.25
seconds: 12.5
sum_d_adv: 0.5
sum_g_adv: 0.25
sum_g_l1: 10
sum_psnr: 20.125
generator_xxh3_64: 06cc94573ff53c71
discriminator_xxh3_64: 06cc94573ff53c71
optimizer_xxh3_64: 06cc94573ff53c71
"""


def runs():
    put("run", "state", "\0" + STATE)
    put("run", "state_first", "\0" + STATE.replace("best_epoch: 1", "best_epoch: 0").replace("21.25", "none"))
    summed = STATE.replace("format: 1", "format: 2")
    put("run", "state_2", "\4" + summed + "generator_bytes: 7\ndiscriminator_bytes: 7\noptimizer_bytes: 7\n")
    put("run", "split", "\1val: ''\nfolds: 10\nfold: 3\nshuffle: true\n")
    put("run", "split_val", "\1val: /somewhere/else\nfolds: 0\nfold: 0\nshuffle: false\n")
    put("run", "log", "\2epoch,train_D_adv_loss,train_G_adv_loss,train_G_l1_loss,val_G_l1_loss,train_psnr,val_psnr,lr,seconds\n"
        "1,0.5,0.25,10,,20,,0.0001,3.5\n2,0.4,0.3,9,8,21,20.5,0.0001,7\n")
    put("run", "steps", "\3step,d_adv,g_adv,g_l1\n1,1,2,3\n2,0.5,,1e-3\n")


def caches():
    line = "conv2d:0=1x1x32x32:1=64x1x3x3:k3:s1:p1:u1:f0:n0:m0:a1 gemm 120\n"
    put("caches", "whole", "\0vkpix variants 1\n" + line + "checksum 0123456789abcdef\n")
    put("caches", "lines", "\1" + line + "conv2d:0=1x1x8x8 direct 0\n")
    put("caches", "none", "\1")
    put("caches", "long", "\1" + "k" * 255 + " " + "v" * 31 + " 4294967295\n")
    put("caches", "pipelines", b"\2VKP1" + struct.pack("<III", 1, 2, 3) + bytes(16) + struct.pack("<QQ", 4, 0) + b"data")
    put("caches", "driver", "\3driver's data")


if __name__ == "__main__":
    for old in here.glob("corpus/*/seed_*"):
        old.unlink()
    for make in (pictures, weights, torch_files, settings, runs, caches):
        make()
