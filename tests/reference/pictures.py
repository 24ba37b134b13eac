"""Pictures for the reference: PNG by hand (zlib), and synthetic photographs that depend on a seed only.

read_png understands what image writers commonly make: 8 bits a sample, gray, gray+alpha, RGB or RGBA, not
interlaced, all five row filters. write_png writes RGB or gray with the Sub filter.
photograph(seed, size) paints a sky-like gradient and soft-edged coloured shapes; it is the same picture on
every machine (numpy's frozen RandomState and roundings far from ties do not differ in practice; the PNG files
that a run wrote are what both sides read anyway).
"""
import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(path, picture):
    """picture: uint8, (height, width) gray or (height, width, 3) RGB."""
    picture = np.ascontiguousarray(picture, dtype=np.uint8)
    height, width = picture.shape[:2]
    rows = picture.reshape(height, width, -1)
    left = np.zeros_like(rows)
    left[:, 1:] = rows[:, :-1]
    sub = (rows - left).reshape(height, -1)
    data = np.concatenate([np.ones((height, 1), np.uint8), sub], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if rows.shape[2] == 1 else 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data, 9))
                   + chunk(b"IEND", b""))


def paeth(left, up, corner):
    guess = left + up - corner
    near = [abs(guess - left), abs(guess - up), abs(guess - corner)]
    if near[0] <= near[1] and near[0] <= near[2]:
        return left
    return up if near[1] <= near[2] else corner


def unfilter(kind, row, above, step):
    """One row of the PNG filters 0..4 undone; step is bytes a pixel."""
    if kind == 0:
        return row
    if kind == 2:
        return row + above
    out = np.zeros_like(row)
    for i in range(len(row)):
        left = int(out[i - step]) if i >= step else 0
        up, corner = int(above[i]), int(above[i - step]) if i >= step else 0
        guess = {1: left, 3: (left + up) // 2, 4: paeth(left, up, corner)}[kind]
        out[i] = (int(row[i]) + guess) & 255
    return out


def read_png(path):
    """The picture as uint8 (height, width, channels)."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != SIGNATURE:
        raise ValueError(f"{path}: not a PNG file")
    at, packed, head = 8, b"", None
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        at += 12 + size
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
    width, height, bits, colour, _, _, interlaced = head
    if bits != 8 or colour not in CHANNELS or interlaced:
        raise ValueError(f"{path}: only plain 8-bit PNG is read")
    step = CHANNELS[colour]
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * step)
    rows, above = [], np.zeros(width * step, np.uint8)
    for line in raw:
        above = unfilter(int(line[0]), line[1:], above, step)
        rows.append(above)
    return np.stack(rows).reshape(height, width, step)


def photograph(seed, size):
    """A synthetic colour photograph, uint8 (size, size, 3): gradients, soft shapes, a little grain."""
    random = np.random.RandomState(1000 + seed)
    y, x = np.mgrid[0:size, 0:size] / size
    top, bottom = random.uniform(40, 230, 3), random.uniform(20, 200, 3)
    tilt = random.uniform(-0.5, 0.5)
    blend = np.clip(y + tilt * (x - 0.5), 0, 1)[..., None]
    picture = top * (1 - blend) + bottom * blend
    for _ in range(6):
        centre, radius = random.uniform(0, 1, 2), random.uniform(0.08, 0.3, 2)
        distance = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2
        if random.randint(2):
            distance = np.maximum(abs(x - centre[0]) / radius[0], abs(y - centre[1]) / radius[1])
        cover = 1 / (1 + np.exp(np.clip(12 * (distance - 1), -60, 60)))[..., None]
        shade = 0.7 + 0.3 * np.cos(9 * x + 7 * y + random.uniform(0, 6))
        colour = random.uniform(0, 255, 3) * shade[..., None]
        picture = picture * (1 - cover) + colour * cover
    grain = random.uniform(-4, 4, (size, size, 1))
    return np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
