"""The preset `natural` in PyTorch: network, losses, optimizer, learning rate and moving average.

The state_dict names are those of engine/nn/natural.c, so strict loading works both ways: a stage is a
Sequential that begins with its unshuffling, pool or upsampling (enc2.1 is the convolution, enc2.2 its norm);
`mix` and `fine` have none of these and begin with the convolution; enc4 and enc5 hold a residual block `res`
behind their ReLU. The linear layers of `film` are 1x1 convolutions on a 1x1 plane.

Written from the description of the network, not from vkpix's shaders: the classes are splatted by index where
vkpix weighs all nodes by a hat, the rates come from PyTorch's LinearLR and CosineAnnealingLR, the average is
kept as a state_dict.
"""
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import networks
from networks import same

PARAMETERS = 3499637
CLASS_SIDE, CLASS_RANGE = 11, 0.7
SETTINGS = dict(loss="hinge", d_norm="instance", d_pools=(4, 2, 2, 2), d_every=1, lr=1.2e-3, lr_min=1e-6,
                warmup=150, epochs=66, beta1=0.9, weight_decay=0.02, ema=0.998, lambda_crcb=7.5,
                lambda_rgb=2.5, lambda_class=1.0, lambda_adv=0.0, rare=0.0, saturation=1.0)


def twice():
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def stage(before, inputs, outputs):
    return nn.Sequential(*before, same(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU())


class Residual(nn.Sequential):
    """A stage with a basic block behind it: relu(x + norm(conv(relu(norm(conv(x))))))."""

    def __init__(self, before, inputs, outputs):
        super().__init__(*stage(before, inputs, outputs))
        self.res = nn.Sequential(same(outputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU(),
                                 same(outputs, outputs, 3), nn.BatchNorm2d(outputs))

    def forward(self, x):
        for layer in list(self)[:-1]:
            x = layer(x)
        return F.relu(x + self.res(x))


class Generator(nn.Module):
    """Gray (n, 1, h, w) in -1..1 to CrCb (n, 2, h, w) and logits of chroma classes (n, 121, h/4, w/4)."""

    def __init__(self, dropout=0.0):
        super().__init__()

        def pool():
            return [nn.AvgPool2d(2)]

        def up():
            return [nn.Upsample(scale_factor=2, mode="nearest")]

        self.stem = stage([nn.PixelUnshuffle(2)], 4, 24)
        self.enc2 = stage(pool(), 24, 64)
        self.enc3 = stage(pool(), 64, 128)
        self.enc4 = Residual(pool(), 128, 192)
        self.enc5 = Residual(pool(), 192, 256)
        self.film = nn.Sequential(nn.Conv2d(256, 256, 1), nn.ReLU(), nn.Dropout(dropout),
                                  nn.Conv2d(256, 2 * (128 + 192 + 256), 1))
        self.dec1 = stage(up(), 256, 96)
        self.dec2 = stage(up(), 96 + 192, 80)
        self.dec3 = stage(up(), 80 + 128, 32)
        self.mix = stage([], 32 + 64, 40)
        self.up = stage(up(), 40, 12)
        self.fine = stage([], 12 + 24, 12)
        self.chroma = same(40, 2, 3)
        self.classes = nn.Conv2d(40, CLASS_SIDE ** 2, 1)
        self.fine_chroma = same(12, 2, 3)
        self.twice = twice()
        count = sum(p.numel() for p in self.parameters())
        assert count == PARAMETERS, count

    def forward(self, gray):
        stem = self.stem(gray)
        enc2 = self.enc2(stem)
        enc3 = self.enc3(enc2)
        enc4 = self.enc4(enc3)
        enc5 = self.enc5(enc4)
        films = self.film(enc5.mean((2, 3), keepdim=True)).split([256, 384, 512], 1)
        skip3, skip4, deepest = (x * (1 + film[:, :x.shape[1]]) + film[:, x.shape[1]:]
                                 for x, film in zip((enc3, enc4, enc5), films))
        x = torch.cat([self.dec1(deepest), skip4], 1)
        x = torch.cat([self.dec2(x), skip3], 1)
        x = self.mix(torch.cat([self.dec3(x), enc2], 1))
        fine = self.fine(torch.cat([self.up(x), stem], 1))
        chroma = torch.tanh(self.twice(self.chroma(x)) + self.fine_chroma(fine))
        return self.twice(chroma), self.classes(x)


def splat(crcb):
    """CrCb (n, 2, h, w) as shares of the CLASS_SIDE^2 nodes (n, 121, h, w): Cr's node times the side, plus
    Cb's."""
    place = (crcb.clamp(-CLASS_RANGE, CLASS_RANGE) + CLASS_RANGE) / (2 * CLASS_RANGE) * (CLASS_SIDE - 1)
    low = place.floor().clamp(max=CLASS_SIDE - 2)
    part, low = place - low, low.long()
    shares = crcb.new_zeros(crcb.shape[0], CLASS_SIDE ** 2, *crcb.shape[2:])
    for right in (0, 1):
        for below in (0, 1):
            share = ((part[:, 0] if right else 1 - part[:, 0]) * (part[:, 1] if below else 1 - part[:, 1]))
            index = (low[:, 0] + right) * CLASS_SIDE + low[:, 1] + below
            shares.scatter_add_(1, index.unsqueeze(1), share.unsqueeze(1))
    return shares


def class_weights(rare, like):
    """1 at gray, 1 + rare at the four corners, linear in the distance between."""
    middle = CLASS_SIDE // 2
    weights = [1 + rare * math.hypot(r - middle, b - middle) / math.hypot(middle, middle)
               for r in range(CLASS_SIDE) for b in range(CLASS_SIDE)]
    return torch.tensor(weights, dtype=like.dtype)


def class_loss(logits, crcb, rare):
    """Cross-entropy with soft targets, each pixel weighed by its target's classes; mean over all pixels."""
    shares = splat(F.avg_pool2d(crcb, crcb.shape[-1] // logits.shape[-1]))
    weights = torch.einsum("nkhw,k->nhw", shares, class_weights(rare, crcb))
    return (weights * F.cross_entropy(logits, shares, reduction="none")).mean()


def warmup_cosine(optimizer, settings, steps):
    """The rate of each step: up to lr in `warmup` steps, the first of them lr / warmup; then half a cosine to
    lr_min at the end of all epochs."""
    warmup = settings["warmup"]
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup, 1, warmup - 1)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings["epochs"] * steps - warmup,
                                                      settings["lr_min"])
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [warmup])


def rates(settings, steps):
    """What warmup_cosine gives to every step of a run."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], settings["lr"])
    schedule, found = warmup_cosine(optimizer, settings, steps), []
    for _ in range(settings["epochs"] * steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


class Training(networks.Training):
    """Steps of `natural`; D's are those of the published presets. `average` is a network of its own."""

    def __init__(self, generator, discriminator, settings, steps):
        self.g, self.d, self.preset = generator, discriminator, settings
        betas = (settings["beta1"], 0.999)
        self.adam_g = torch.optim.AdamW(generator.parameters(), settings["lr"], betas, 1e-8,
                                        settings["weight_decay"])
        self.adam_d = torch.optim.Adam(discriminator.parameters(), settings["lr"], betas, 1e-8)
        self.schedules = [warmup_cosine(adam, settings, steps) for adam in (self.adam_g, self.adam_d)]
        self.average = copy.deepcopy(generator)
        self.batches = self.steps = 0

    def step(self, gray, crcb, rgb, seen, record=None):
        """One batch, of which G sees `seen`. Returns the losses; fills record with gradients by name."""
        self.g.train()
        self.d.train()
        crcb = crcb * self.preset["saturation"]
        if self.preset["saturation"] != 1:
            rgb = networks.ycc_to_rgb(torch.cat([gray, crcb], 1))
        fake_rgb, losses = self.generator_step(gray, crcb, rgb, seen, record)
        if self.preset["lambda_adv"] > 0:
            losses["d_adv"] = self.discriminator_step(rgb, fake_rgb, record)
        self.follow()
        for schedule in self.schedules:
            schedule.step()
        self.steps += 1
        return losses

    def generator_step(self, gray, crcb, rgb, seen, record):
        weights, losses = self.preset, {}
        fake, logits = self.g(seen)
        fake_rgb = networks.ycc_to_rgb(torch.cat([gray, fake], 1))
        l1 = weights["lambda_crcb"] * F.l1_loss(fake, crcb) + weights["lambda_rgb"] * F.l1_loss(fake_rgb, rgb)
        classes = class_loss(logits, crcb, weights["rare"])
        total = l1 + weights["lambda_class"] * classes
        if weights["lambda_adv"] > 0:
            self.d.requires_grad_(False)
            adversarial = networks.generator_adversarial(weights["loss"], self.d(fake_rgb))
            self.d.requires_grad_(True)
            total = total + weights["lambda_adv"] * adversarial
            losses["g_adv"] = adversarial.item()
        self.adam_g.zero_grad()
        total.backward()
        if record is not None:
            record.update(networks.parameter_gradients(self.g, "G"))
        self.adam_g.step()
        return fake_rgb.detach(), {**losses, "g_l1": l1.item(), "classes": classes.item()}

    def follow(self):
        """The average steps towards all that G has, running statistics included."""
        decay = min(self.preset["ema"], (1 + self.steps) / (10 + self.steps))
        for kept, new in zip(self.average.state_dict().values(), self.g.state_dict().values()):
            if new.is_floating_point():
                kept.mul_(decay).add_(new, alpha=1 - decay)
            else:
                kept.copy_(new)
