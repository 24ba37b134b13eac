"""Is the reference itself right? Its formulas once more in plain numpy, from their definitions.

    /usr/bin/python3 self_check.py

Checks what make_ops.py writes (convolution, both norms with gradients and running statistics, pooling, BCE,
hinge, colour, Adam, resize, PSNR, bilinear upsampling, chroma classes) against loops and closed formulas;
safetensors and PNG both ways, damaged files included; the networks' names and parameter counts; that a step
updates the running statistics three times in D, once in G; that half-rate D sums two batches and drops an odd
last one; that two runs are bit for bit the same. Prints one line a check; exit status 1 at the first that
fails.
"""
import os
import struct
import tempfile
import zlib

import numpy as np
import torch

import check_weights
import make_ops
import make_steps
import natural
import networks
import pictures
import safetensors_io


def near(found, expected, what, tolerance=2e-6):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    off = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    assert off <= tolerance, (what, off)


def cases_of(cases):
    """Each case as ({name: float64 array}, {attribute: value})."""
    for i in range(cases.count):
        prefix = f"case{i}."
        yield ({k[len(prefix):]: v.numpy() for k, v in cases.tensors.items() if k.startswith(prefix)},
               {k[len(prefix):]: v for k, v in cases.metadata.items() if k.startswith(prefix)})


def check_conv2d():
    for t, a in cases_of(make_ops.conv2d()):
        stride, pad, kernel = a["stride"], a["padding"], a["kernel"]
        x = t["x"].repeat(a["upsample"], 2).repeat(a["upsample"], 3)
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        y, dx, dweight = np.zeros_like(t["y"]), np.zeros_like(x), np.zeros_like(t["weight"])
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                window = np.s_[:, :, i * stride:i * stride + kernel, j * stride:j * stride + kernel]
                y[:, :, i, j] = np.einsum("nchw,ochw->no", x[window], t["weight"]) + t["bias"]
                dx[window] += np.einsum("no,ochw->nchw", t["dy"][:, :, i, j], t["weight"])
                dweight += np.einsum("no,nchw->ochw", t["dy"][:, :, i, j], x[window])
        n, c, h, w = t["x"].shape
        dx = dx[:, :, pad:dx.shape[2] - pad, pad:dx.shape[3] - pad]
        dx = dx.reshape(n, c, h, a["upsample"], w, a["upsample"]).sum((3, 5))
        for name, value in (("y", y), ("dx", dx), ("dweight", dweight), ("dbias", t["dy"].sum((0, 2, 3)))):
            near(t[name], value, f"conv2d {a} {name}")


def check_avg_pool():
    for t, a in cases_of(make_ops.avg_pool()):
        k, (_, _, h, w) = a["kernel"], t["y"].shape
        kept, dx = t["x"][:, :, :h * k, :w * k], np.zeros_like(t["x"])
        near(t["y"], kept.reshape(*kept.shape[:2], h, k, w, k).mean((3, 5)), "avg_pool")
        dx[:, :, :h * k, :w * k] = t["dy"].repeat(k, 2).repeat(k, 3) / k ** 2
        near(t["dx"], dx, "avg_pool dx")


def check_norm():
    slopes = {"none": 1.0, "relu": 0.0, "leaky_relu": 0.2}
    for t, a in cases_of(make_ops.norm()):
        axes = (2, 3) if a["kind"] == "instance" else (0, 2, 3)
        count = np.prod([t["x"].shape[axis] for axis in axes])
        shape = (1, -1, 1, 1)
        mean, var = t["x"].mean(axes, keepdims=True), t["x"].var(axes, keepdims=True)
        if a["mode"] == "eval":
            mean, var = t["running_mean"].reshape(shape), t["running_var"].reshape(shape)
        weight, bias = t.get("weight", np.ones(1)).reshape(shape), t.get("bias", np.zeros(1)).reshape(shape)
        scale = 1 / np.sqrt(var + 1e-5)
        hat = (t["x"] - mean) * scale
        before = hat * weight + bias
        y = np.where(before > 0, before, slopes[a["activation"]] * before)
        dy = t["dy"] * np.where(before > 0, 1, slopes[a["activation"]])
        dhat = dy * weight
        dx = dhat * scale
        if a["mode"] == "train":
            along = (dhat * hat).mean(axes, keepdims=True)
            dx = scale * (dhat - dhat.mean(axes, keepdims=True) - hat * along)
        near(t["y"], y, f"norm {a} y")
        near(t["dx"], dx, f"norm {a} dx", 1e-5)
        if a["kind"] == "batch":
            near(t["dweight"], (dy * hat).sum((0, 2, 3)), f"norm {a} dweight")
            near(t["dbias"], dy.sum((0, 2, 3)), f"norm {a} dbias")
            train = a["mode"] == "train"
            share = 0.1 if train else 0.0
            unbiased = var.reshape(-1) * count / (count - 1) if train else var.reshape(-1)
            for name, seen in (("running_mean", mean.reshape(-1)), ("running_var", unbiased)):
                near(t[name + "_after"], (1 - share) * t[name] + share * seen, name)


def check_losses():
    for t, a in cases_of(make_ops.bce_with_logits()):
        # -log sigmoid(x) for target 1, -log(1 - sigmoid(x)) for 0: log(1 + e^z) with z = -x or x
        z = t["x"] if a["target"] == 0 else -t["x"]
        near(t["y"], np.logaddexp(0, z).mean(), "bce")
        near(t["dx"], t["dy"] * (1 / (1 + np.exp(-t["x"])) - a["target"]) / t["x"].size, "bce dx")
    for t, a in cases_of(make_ops.hinge()):
        sign = {"g": -1, "d_real": -1, "d_fake": 1}[a["mode"]]
        value = sign * t["x"] + (0 if a["mode"] == "g" else 1)
        active = np.ones_like(value) if a["mode"] == "g" else value > 0
        near(t["y"], (value * active).mean(), "hinge")
        near(t["dx"], t["dy"] * sign * active / value.size, "hinge dx")
    for t, _ in cases_of(make_ops.l1()):
        near(t["y"], np.abs(t["x"] - t["target"]).mean(), "l1")
        near(t["dx"], t["dy"] * np.sign(t["x"] - t["target"]) / t["x"].size, "l1 dx")


def check_colour():
    there = np.array([[.299, .587, .114], [.5, -.418688, -.081312], [-.168736, -.331264, .5]]) * 2
    back = np.array([[1, 1.402, 0], [1, -.714136, -.344136], [1, 0, 1.772]]) / 2
    offset = np.array([1.0, 0, 0]).reshape(1, 3, 1, 1)
    for function, low, matrix, before, after in ((networks.rgb_to_ycc, 0, there, 0, -1),
                                                 (networks.ycc_to_rgb, -1, back, 1, 0)):
        for t, _ in cases_of(make_ops.colour(function.__name__, lambda x: function(x), low)):
            y = np.einsum("oc,nchw->nohw", matrix, t["x"] + before * offset) + after * offset
            near(t["y"], y, function.__name__)
            near(t["dx"], np.einsum("oc,nohw->nchw", matrix, t["dy"]), function.__name__ + " dx")


def check_adam():
    for t, a in cases_of(make_ops.adam()):
        weight, m, v = t["weight"], 0, 0
        for step in range(1, 4):
            gradient = t[f"dweight{step - 1}"]
            m, v = 0.5 * m + 0.5 * gradient, 0.999 * v + 0.001 * gradient ** 2
            weight = weight - a["lr"] * a["decay"] * weight
            weight = weight - a["lr"] * (m / (1 - 0.5 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-8)
            near(t[f"weight{step}"], weight, "adam weight", 1e-9)
            near(t[f"exp_avg{step}"], m, "adam exp_avg", 1e-9)
            near(t[f"exp_avg_sq{step}"], v, "adam exp_avg_sq", 1e-9)


def check_pictures_operations():
    for t, a in cases_of(make_ops.resize()):
        def taps(size, wanted):
            """Rows of weights: output pixel centre i + 1/2 lies at (i + 1/2) * size / wanted of the input."""
            matrix = np.zeros((wanted, size))
            for i in range(wanted):
                at = min(max((i + 0.5) * size / wanted - 0.5, 0), size - 1)
                low = int(at)
                matrix[i, low] += 1 - (at - low)
                matrix[i, min(low + 1, size - 1)] += at - low
            return matrix
        rows, columns = taps(t["x"].shape[2], a["height"]), taps(t["x"].shape[3], a["width"])
        near(t["y"], np.einsum("ih,jw,nchw->ncij", rows, columns, t["x"]), "resize")
        near(t["dx"], np.einsum("ih,jw,ncij->nchw", rows, columns, t["dy"]), "resize dx")
    for t, _ in cases_of(make_ops.psnr()):
        error = 255 * (np.clip(t["x"], 0, 1) - t["target"])
        near(t["y"], 20 * np.log10(255) - 10 * np.log10((error ** 2).mean((1, 2, 3))), "psnr")


def check_files():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a")
        tensors = {"scalar": np.array(3, np.int64), "x": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
                   "empty": np.zeros((0, 4), np.float32)}
        safetensors_io.save(path, tensors, {"a": 1})
        loaded, metadata = safetensors_io.load(path)
        assert metadata == {"a": "1"} and set(loaded) == set(tensors)
        for name, value in tensors.items():
            assert loaded[name].dtype == value.dtype and loaded[name].shape == value.shape
            assert (loaded[name] == value).all()
        with open(path, "rb") as file:
            data = file.read()
        for damaged in (data[:5], data[:-1], data + b"x", struct.pack("<Q", 1 << 60) + data[8:]):
            with open(path, "wb") as file:
                file.write(damaged)
            try:
                safetensors_io.load(path)
            except ValueError:
                continue
            raise AssertionError("a damaged safetensors file was read")
        photograph = pictures.photograph(7, 33)
        for picture in (photograph, photograph[..., :1]):
            pictures.write_png(path, picture)
            assert (pictures.read_png(path) == picture).all()
        check_png_filters(path, photograph)


def check_png_filters(path, picture):
    """Each row with another of the five filters, made here byte by byte."""
    height, width, step = picture.shape
    flat = picture.reshape(height, -1).astype(int)
    raw = b""
    for y in range(height):
        above, kind = flat[y - 1] if y else np.zeros_like(flat[0]), y % 5
        left = np.concatenate([np.zeros(step, int), flat[y][:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        near_by = np.stack([left, above, corner])
        best = np.abs(near_by - (left + above - corner)).argmin(0)
        paeth = np.take_along_axis(near_by, best[None], 0)[0]
        guess = [0 * left, left, above, (left + above) // 2, paeth][kind]
        raw += bytes([kind]) + ((flat[y] - guess) % 256).astype(np.uint8).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(pictures.SIGNATURE + pictures.chunk(b"IHDR", head)
                   + pictures.chunk(b"IDAT", zlib.compress(raw)) + pictures.chunk(b"IEND", b""))
    assert (pictures.read_png(path) == picture).all()


def check_networks():
    generator = networks.Generator()
    names = set(generator.state_dict())
    assert {"enc1.0.weight", "enc1.1.running_mean", "enc2.1.weight", "enc2.2.num_batches_tracked",
            "dec3.1.bias", "dec4.0.weight"} <= names and len(names) == 8 * 2 + 7 * 5
    batch = networks.Discriminator("batch", (4, 2, 2, 2)).state_dict()
    instance = networks.Discriminator("instance", (4, 2, 2, 2)).state_dict()
    assert {"conv1.0.weight", "conv1.1.weight", "conv2.1.weight", "conv2.3.weight", "conv3.1.weight",
            "conv3.2.weight", "conv3.4.weight", "conv3.5.running_var", "out_patch.weight"} <= set(batch)
    assert len(instance) == 10 * 2 and len(batch) == 10 * 2 + 7 * 5
    for size, pools, patches in ((320, (4, 2, 2, 2), 10), (256, (4, 4, 2, 2), 4), (352, (4, 2, 2, 2), 11)):
        with torch.no_grad():
            out = networks.Discriminator("batch", pools)(torch.zeros(1, 3, size, size))
        assert out.shape == (1, 1, patches, patches), out.shape
    networks.initialize(generator, 3)
    weight = generator.enc2[1].weight
    bound = 1 / np.sqrt(32 * 9)
    assert 0.99 * bound < weight.abs().max() <= bound and abs(weight.std() / bound - 1 / np.sqrt(3)) < 0.01


def between(place, count):
    """The weights that `count` nodes of an axis have at a place among them."""
    weights = np.zeros(count)
    low = min(int(place), count - 1)
    weights[low] += 1 - (place - low)
    weights[min(low + 1, count - 1)] += place - low
    return weights


def check_upsample_bilinear():
    for t, a in cases_of(make_ops.upsample_bilinear()):
        rows, columns = (np.array([between(max((i + 0.5) / a["factor"] - 0.5, 0), size)
                                   for i in range(size * a["factor"])]) for size in t["x"].shape[2:])
        near(t["y"], np.einsum("ncij,yi,xj->ncyx", t["x"], rows, columns), f"upsample_bilinear {a}")
        near(t["dx"], np.einsum("ncyx,yi,xj->ncij", t["dy"], rows, columns), f"upsample_bilinear {a} dx")


def check_chroma_classes():
    for t, a in cases_of(make_ops.soft_classes()):
        k, reach, count = a["k"], a["range"], t["target"][:, 0].size
        weights, loss, dx = t.get("weights", np.ones(k * k)), 0, np.zeros_like(t["x"])
        for n, y, x in np.ndindex(t["target"][:, 0].shape):
            places = (np.clip(t["target"][n, :, y, x], -reach, reach) + reach) / (2 * reach) * (k - 1)
            label = np.outer(between(places[0], k), between(places[1], k)).ravel()
            likely = np.exp(t["x"][n, :, y, x]) / np.exp(t["x"][n, :, y, x]).sum()
            loss -= (label @ weights) * (label @ np.log(likely)) / count
            dx[n, :, y, x] = t["dy"] * (label @ weights) * (likely - label) / count
        near(t["y"], loss, f"soft_classes {a}")
        near(t["dx"], dx, f"soft_classes {a} dx")
    for t, a in cases_of(make_ops.expected_chroma()):
        likely = np.exp(t["x"] / a["temperature"])
        likely /= likely.sum(1, keepdims=True)
        node = np.arange(a["k"]) * 2 * a["range"] / (a["k"] - 1) - a["range"]
        both = np.array([np.repeat(node, a["k"]), np.tile(node, a["k"])])
        near(t["y"], np.einsum("nchw,oc->nohw", likely, both), f"expected_chroma {a}")


def check_natural():
    """The network's size, the splat and the rates from their definitions, not as natural.py writes them."""
    generator = natural.Generator().eval()
    names = set(generator.state_dict())
    assert {"stem.1.weight", "enc4.res.4.running_var", "film.3.bias", "mix.0.weight", "fine.1.bias",
            "up.2.running_mean", "chroma.weight", "classes.bias", "fine_chroma.weight"} <= names
    with torch.no_grad():
        crcb, logits = generator(torch.zeros(1, 1, 64, 96))
    assert crcb.shape == (1, 2, 64, 96) and logits.shape == (1, 121, 16, 24)
    assert len(networks.cancelled_biases(generator)) == 15
    target = 1.8 * torch.rand(2, 2, 3, 4, generator=torch.Generator().manual_seed(1)) - 0.9
    nodes = torch.linspace(-0.7, 0.7, 11)
    hats = (1 - (target.clamp(-0.7, 0.7).unsqueeze(2) - nodes.view(11, 1, 1)).abs() / 0.14).clamp(min=0)
    shares = torch.einsum("nrhw,nbhw->nrbhw", hats[:, 0], hats[:, 1]).flatten(1, 2)
    near(natural.splat(target), shares, "soft classes")
    weights = natural.class_weights(2.0, target).view(11, 11)
    near([weights[5, 5], weights[0, 10], weights[5, 0]], [1, 3, 1 + 2 / 2 ** 0.5], "class weights")
    settings = dict(natural.SETTINGS, warmup=3, epochs=2)
    found, lr, low = natural.rates(settings, 5), settings["lr"], settings["lr_min"]
    expected = [lr * (k + 1) / 3 for k in range(3)] + [
        low + (lr - low) * (1 + np.cos(np.pi * k / 7)) / 2 for k in range(7)]
    near(np.array(found) / lr, np.array(expected) / lr, "rates", 1e-9)


def check_committed():
    """What lies in tests/data/ops is what make_ops.py makes, give or take a last place of another PyTorch."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "ops")
    for cases in make_ops.every_operation():
        tensors, metadata = safetensors_io.load(os.path.join(folder, cases.name + ".safetensors"))
        assert set(tensors) == set(cases.tensors) and int(metadata["cases"]) == cases.count, cases.name
        for name, value in cases.metadata.items():
            assert metadata[name] == str(value), (cases.name, name)
        for name, value in cases.tensors.items():
            near(tensors[name], value, f"{cases.name} {name}", 1e-7)


def small(preset, *more):
    return make_steps.arguments(["unused", "--preset", preset, "--size", "64", "--batch", "2", *more])


def check_step(folder):
    for preset in sorted(networks.PRESETS):
        # Five batches in epochs of three: with d_every 2 D's updates are at batches 1 and 4 only.
        options = small(preset, "--steps", "5", "--pictures", "6")
        if preset == "train03":
            options.size = 128
        pictures_at = os.path.join(folder, preset)
        names = make_steps.make_pictures(pictures_at, options)
        first, again = (make_steps.compute(options, pictures_at, names) for _ in range(2))
        assert first[0] == again[0] and [row["epoch"] for row in first[0]] == [0, 0, 0, 1, 1]
        for a, b in zip(first[3:], again[3:]):
            assert all(torch.equal(a.state_dict()[name], b.state_dict()[name]) for name in a.state_dict())
        half = networks.PRESETS[preset]["d_every"] == 2
        assert first[3].state_dict()["enc1.1.num_batches_tracked"] == 5
        if not half:
            assert first[4].state_dict()["conv1.1.num_batches_tracked"] == 15
        check_record(first[1], half)


def check_record(record, half):
    """What step 0 recorded hangs together: losses' gradients at the logits and at the fake."""
    for name in ("G.enc1.conv", "G.enc2.pool", "G.dec1.up", "G.dec4.out", "D.real.conv3.conv_2",
                 "D.fake.out_patch", "grad.G.enc1.0.weight", "grad.D.conv5.4.bias",
                 "g_step.grad.D.fake.conv1.out"):
        assert name in record, name
    logits = record["D.real.out_patch"]
    expected = -(logits < 1).float() / 2 if half else torch.sigmoid(logits) - 1
    near(record["grad.D.real.out_patch"], expected / logits.numel(), "gradient at D(real)")
    logits = record["D.fake.out_patch"]
    expected = -torch.ones_like(logits) if half else torch.sigmoid(logits) - 1
    near(record["g_step.grad.D.fake.out_patch"], expected / logits.numel(), "gradient at D(fake), G's step")
    # G's L1 terms by hand on top of what came through D
    fake, rgb = record["fake"], record["fake_rgb"]
    through = record["grad.fake_rgb"]
    back = torch.tensor([[1.402, 0], [-.714136, -.344136], [0, 1.772]]) / 2
    expected = (torch.einsum("oc,nohw->nchw", back, through)
                + 75 * torch.sign(fake - record["crcb"]) / fake.numel())
    near(record["grad.G.dec4.out"], expected, "gradient at fake", 1e-5)
    near(rgb, networks.ycc_to_rgb(torch.cat([record["gray"], fake], 1)), "fake_rgb")


def check_half_rate():
    """d_every 2 gives Adam the sum of two batches' gradients."""
    torch.manual_seed(0)
    preset = networks.PRESETS["train02"]
    generator, discriminator = make_steps.first_networks(preset, 1)
    training = networks.Training(generator, discriminator, preset)
    training.begin_epoch(0)
    records, start = ({}, {}), {k: v.clone() for k, v in discriminator.state_dict().items()}
    batches = [[torch.rand(2, channels, 64, 64) for channels in (1, 2, 3)] for _ in range(2)]
    training.step(*batches[0], record=records[0])
    assert all(torch.equal(start[k], v) for k, v in discriminator.state_dict().items())
    training.step(*batches[1], record=records[1])
    total = records[1]["grad.D.out_patch.weight"]      # .grad accumulates, so this is the sum already
    assert not torch.equal(total, records[0]["grad.D.out_patch.weight"])
    moment = training.adam_d.state[discriminator.out_patch.weight]["exp_avg"]
    near(moment, 0.5 * total, "exp_avg of the summed gradient")


def check_strict_loading(folder):
    options = small("train01", "--steps", "1", "--no-activations")
    options.out = folder
    make_steps.make(options)
    path = os.path.join(folder, "final_generator.safetensors")
    picture = os.path.join(folder, "pictures", "000.png")
    assert check_weights.load_strictly(networks.Generator(), path) == 51
    made = os.path.join(folder, "made.png")
    check_weights.check(check_weights.arguments(["--generator", path, "--input", picture, "--out", made]))
    check_weights.check(check_weights.arguments(["--generator", path, "--input", picture, "--compare", made,
                                                 "--levels", "0"]))
    tensors, _ = safetensors_io.load(path)
    tensors.pop("enc1.1.num_batches_tracked")
    safetensors_io.save(path, tensors)
    try:
        check_weights.load_strictly(networks.Generator(), path)
    except ValueError:
        return
    raise AssertionError("a state_dict without num_batches_tracked was loaded")


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_files, check_networks, check_natural, check_conv2d, check_avg_pool,
                      check_norm, check_losses, check_colour, check_adam, check_pictures_operations,
                      check_upsample_bilinear, check_chroma_classes, check_committed,
                      lambda: check_step(folder), check_half_rate, lambda: check_strict_loading(folder)):
            check()
            print(f"ok {check.__name__ if check.__name__ != '<lambda>' else check.__code__.co_names[0]}")


if __name__ == "__main__":
    main()
