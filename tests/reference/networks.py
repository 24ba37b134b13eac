"""vkpix's networks, colours, losses and training step in PyTorch: the reference that vkpix is held to.

Names are those of the published experiments' state_dicts, so strict loading works both ways. Generator blocks
are Sequentials that begin with their pool or upsampling (enc2.1.weight is the convolution after the pool at
enc2.0); enc1, dec4 and conv1 have none and begin with the convolution. `out_patch` is one convolution outside
any Sequential: out_patch.weight, out_patch.bias. InstanceNorm is PyTorch's default, without affine
parameters and without running statistics, and so has no entry in the state_dict.

Readings where a choice was needed:
  - D sees the photograph's own RGB (0..1) as real, not RGB -> YCrCb -> RGB; the two differ by under 1e-6.
  - L1(CrCb) is over the two planes in their -1..1 scale, L1(RGB) over 0..1, each the mean of all elements.
  - With d_every 2 the halves of an update are summed, not averaged; what an epoch's end leaves is dropped.
  - The learning rate follows the epoch: cosine(e mod restart_every), constant within an epoch.
  - PSNR takes RGB * 255 clamped to 0..255 as it is, without rounding to 8 bits.
"""
import math
import zlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

GENERATOR_PARAMETERS = 872418
LAMBDA_CRCB, LAMBDA_RGB = 75.0, 25.0
COSINE = dict(schedule="cosine", lr=1e-4, lr_min=1e-6, restart_every=200)
CONSTANT = dict(schedule="constant", lr=2e-4, lr_min=2e-4, restart_every=200)
PRESETS = {
    "train01": dict(loss="bce", d_norm="batch", d_pools=(4, 2, 2, 2), d_every=1, **COSINE),
    "train02": dict(loss="hinge", d_norm="instance", d_pools=(4, 2, 2, 2), d_every=2, **COSINE),
    "train03": dict(loss="bce", d_norm="batch", d_pools=(4, 4, 2, 2), d_every=1, **CONSTANT),
    "train04": dict(loss="hinge", d_norm="instance", d_pools=(4, 2, 2, 2), d_every=2, **CONSTANT),
}


def same(inputs, outputs, kernel):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class Generator(nn.Module):
    """Gray (n, 1, h, w) in -1..1 to CrCb (n, 2, h, w) in -1..1; h and w multiples of 16."""

    def __init__(self):
        super().__init__()

        def block(before, inputs, outputs, kernel=3):
            return nn.Sequential(*before, same(inputs, outputs, kernel), nn.BatchNorm2d(outputs), nn.ReLU())

        def pool(n):
            return [nn.AvgPool2d(n)]

        def up(n):
            return [nn.Upsample(scale_factor=n, mode="nearest")]

        self.enc1 = block([], 1, 32, 5)
        self.enc2 = block(pool(4), 32, 64)
        self.enc3 = block(pool(2), 64, 128)
        self.enc4 = block(pool(2), 128, 256)
        self.dec1 = block(up(2), 256, 128)
        self.dec2 = block(up(2), 256, 64)
        self.dec3 = block(up(4), 128, 32)
        self.dec4 = nn.Sequential(same(64, 2, 5), nn.Tanh())
        count = sum(p.numel() for p in self.parameters())
        assert count == GENERATOR_PARAMETERS, count

    def forward(self, gray):
        enc1 = self.enc1(gray)
        enc2 = self.enc2(enc1)
        enc3 = self.enc3(enc2)
        dec1 = self.dec1(self.enc4(enc3))
        dec2 = self.dec2(torch.cat([dec1, enc3], 1))
        dec3 = self.dec3(torch.cat([dec2, enc2], 1))
        return self.dec4(torch.cat([dec3, enc1], 1))


class Discriminator(nn.Module):
    """RGB (n, 3, h, w) in 0..1 to one logit a patch (n, 1, h', w')."""

    def __init__(self, d_norm="batch", d_pools=(4, 2, 2, 2)):
        super().__init__()
        norm = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}[d_norm]

        def leaky():
            return nn.LeakyReLU(0.2)

        def block(pool, channels):
            return nn.Sequential(
                nn.AvgPool2d(pool),
                same(channels, 2 * channels, 3), norm(2 * channels), leaky(),
                same(2 * channels, 2 * channels, 3), norm(2 * channels), leaky())

        self.conv1 = nn.Sequential(same(3, 16, 5), norm(16), leaky())
        self.conv2 = nn.Sequential(
            nn.AvgPool2d(d_pools[0]), same(16, 32, 3), leaky(), same(32, 32, 3), leaky())
        self.conv3 = block(d_pools[1], 32)
        self.conv4 = block(d_pools[2], 64)
        self.conv5 = block(d_pools[3], 128)
        self.out_patch = nn.Conv2d(256, 1, 1)

    def forward(self, rgb):
        x = self.conv1(rgb)
        for block in (self.conv2, self.conv3, self.conv4, self.conv5):
            x = block(x)
        return self.out_patch(x)


def cancelled_biases(network):
    """Names of the convolution biases that a norm right behind them cancels.

    Their true gradient is zero in training; what arithmetic gives is rounding noise, and Adam turns noise
    into steps of the whole learning rate. After N steps they, and the running means that contain them, are
    comparable to N * lr only, never relatively.
    """
    names = []
    for block, layers in network.named_modules():
        if not isinstance(layers, nn.Sequential):
            continue
        children = list(layers.named_children())
        for (index, layer), (_, following) in zip(children, children[1:]):
            if isinstance(layer, nn.Conv2d) and isinstance(following, (nn.BatchNorm2d, nn.InstanceNorm2d)):
                names.append(f"{block}.{index}.bias")
    return names


def uniform(seed, count):
    """count floats in [0, 1): the top 24 bits of SplitMix64 at the counters 1..count, state begun at seed."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 24)


def initialize(network, seed):
    """PyTorch's Conv2d default, uniform in +-1/sqrt(fan_in), by a generator no PyTorch version changes.

    Each tensor's stream begins at seed * 2**32 + crc32(name). Norms keep weight 1, bias 0.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            bound = 1 / math.sqrt(module.in_channels * module.kernel_size[0] * module.kernel_size[1])
            for kind in ("weight", "bias"):
                parameter = getattr(module, kind)
                stream = (seed << 32) + zlib.crc32(f"{name}.{kind}".encode())
                values = (2 * uniform(stream, parameter.numel()) - 1) * bound
                parameter.data.copy_(torch.from_numpy(values.astype(np.float32)).reshape(parameter.shape))


def rgb_to_ycc(rgb):
    """RGB 0..1 (n, 3, h, w) to Y, Cr, Cb in -1..1, full-range BT.601."""
    r, g, b = rgb.unbind(1)
    y = .299 * r + .587 * g + .114 * b
    cr = .5 * r - .418688 * g - .081312 * b
    cb = -.168736 * r - .331264 * g + .5 * b
    return torch.stack([2 * y - 1, 2 * cr, 2 * cb], 1)


def ycc_to_rgb(ycc):
    """Y, Cr, Cb in -1..1 to RGB, not clamped."""
    y, cr, cb = ycc.unbind(1)
    y, cr, cb = (y + 1) / 2, cr / 2, cb / 2
    return torch.stack([y + 1.402 * cr, y - .714136 * cr - .344136 * cb, y + 1.772 * cb], 1)


def generator_adversarial(loss, fake):
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    return -fake.mean()


def discriminator_adversarial(loss, real, fake):
    """(what is differentiated, what is logged)."""
    if loss == "bce":
        value = (F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
                 + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)))
        return value, value
    total = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return total / 2, total


def psnr(fake_rgb, rgb):
    """dB of each picture over RGB 0..255 after clamping."""
    error = (fake_rgb.clamp(0, 1) - rgb.clamp(0, 1)) * 255
    return 10 * torch.log10(255 ** 2 / error.pow(2).mean((1, 2, 3)))


def learning_rate(preset, epoch):
    """The rate of an epoch counted from 0."""
    if preset["schedule"] == "constant":
        return preset["lr"]
    phase = (epoch % preset["restart_every"]) / preset["restart_every"]
    return preset["lr_min"] + (preset["lr"] - preset["lr_min"]) * (1 + math.cos(math.pi * phase)) / 2


class Capture:
    """Keeps every layer's output and the gradient that reached it, by name, while attached to a network.

    In a block the layers are called pool, up, conv, norm, act in order, with _2 for a second of a kind, and
    the block's last is `out`: conv3 has pool conv norm act conv_2 norm_2 out. The prefix says network and
    pass.
    """
    KINDS = {nn.AvgPool2d: "pool", nn.Upsample: "up", nn.Conv2d: "conv", nn.BatchNorm2d: "norm",
             nn.InstanceNorm2d: "norm", nn.ReLU: "act", nn.LeakyReLU: "act", nn.Tanh: "act"}

    def __init__(self, network, prefix):
        self.prefix, self.outputs, self.hooks = prefix, {}, []
        for block, layers in network.named_children():
            children = list(layers.children())
            seen = {}
            for i, layer in enumerate(children):
                kind = self.KINDS[type(layer)]
                seen[kind] = seen.get(kind, 0) + 1
                short = kind if seen[kind] == 1 else f"{kind}_{seen[kind]}"
                self.watch(layer, f"{block}.{'out' if i == len(children) - 1 else short}")
            if not children:
                self.watch(layers, block)

    def watch(self, layer, name):
        def hook(_module, _inputs, output):
            if output.requires_grad:
                output.retain_grad()
            self.outputs[f"{self.prefix}.{name}"] = output
        self.hooks.append(layer.register_forward_hook(hook))

    def values(self):
        return {name: value.detach().clone() for name, value in self.outputs.items()}

    def gradients(self):
        return {f"grad.{name}": value.grad.clone() for name, value in self.outputs.items()}

    def close(self):
        for hook in self.hooks:
            hook.remove()


def parameter_gradients(network, prefix):
    return {f"grad.{prefix}.{name}": p.grad.clone() for name, p in network.named_parameters()}


class Training:
    """The training step of all four experiments. G and D train by their own Adam (0.5, 0.999, 1e-8)."""

    def __init__(self, generator, discriminator, preset):
        self.g, self.d, self.preset = generator, discriminator, preset
        self.adam_g = torch.optim.Adam(generator.parameters(), preset["lr"], (0.5, 0.999), 1e-8)
        self.adam_d = torch.optim.Adam(discriminator.parameters(), preset["lr"], (0.5, 0.999), 1e-8)
        self.batches = 0

    def begin_epoch(self, epoch):
        """Sets the epoch's rate, forgets a half-made D update."""
        self.batches = 0
        self.adam_d.zero_grad()
        for adam in (self.adam_g, self.adam_d):
            adam.param_groups[0]["lr"] = learning_rate(self.preset, epoch)

    def step(self, gray, crcb, rgb, record=None):
        """One batch. Returns the three logged losses; fills record with activations and gradients by name."""
        self.g.train()
        self.d.train()
        fake, fake_rgb, losses = self.generator_step(gray, crcb, rgb, record)
        losses["d_adv"] = self.discriminator_step(rgb, fake_rgb.detach(), record)
        if record is not None:
            record.update({"gray": gray, "crcb": crcb, "rgb": rgb, "fake": fake.detach(),
                           "fake_rgb": fake_rgb.detach()})
        return losses

    def generator_step(self, gray, crcb, rgb, record):
        watches = [Capture(self.g, "G"), Capture(self.d, "D.fake")] if record is not None else []
        # The gradient of G's loss passes through D without one for D's parameters.
        self.d.requires_grad_(False)
        fake = self.g(gray)
        fake_rgb = ycc_to_rgb(torch.cat([gray, fake], 1))
        fake_rgb.retain_grad()
        adversarial = generator_adversarial(self.preset["loss"], self.d(fake_rgb))
        l1 = LAMBDA_CRCB * F.l1_loss(fake, crcb) + LAMBDA_RGB * F.l1_loss(fake_rgb, rgb)
        self.adam_g.zero_grad()
        (adversarial + l1).backward()
        self.d.requires_grad_(True)
        for watch, step in zip(watches, ("", "g_step.")):
            watch.close()
            record.update(watch.values())
            record.update({step + name: value for name, value in watch.gradients().items()})
        if record is not None:
            record.update(parameter_gradients(self.g, "G"))
            record["grad.fake_rgb"] = fake_rgb.grad.clone()
        self.adam_g.step()
        return fake, fake_rgb, {"g_adv": adversarial.item(), "g_l1": l1.item()}

    def discriminator_step(self, rgb, fake_rgb, record):
        outputs, watches = {}, []
        for name, picture in (("real", rgb), ("fake", fake_rgb)):
            watch = Capture(self.d, f"D.{name}") if record is not None else None
            outputs[name] = self.d(picture)
            if watch:
                watch.close()
                watches.append(watch)
        loss, logged = discriminator_adversarial(self.preset["loss"], outputs["real"], outputs["fake"])
        loss.backward()
        self.batches += 1
        for watch in watches:
            for name, value in watch.values().items():
                # D has not changed since G's step, so its second look at the fake is its first.
                assert name not in record or torch.equal(record[name], value), name
                record[name] = value
            record.update(watch.gradients())
        if record is not None:
            record.update(parameter_gradients(self.d, "D"))
        if self.batches % self.preset["d_every"] == 0:
            self.adam_d.step()
            self.adam_d.zero_grad()
        return logged.item()
