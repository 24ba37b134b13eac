#!/usr/bin/env python3
"""Prints the learning rates of PyTorch's CosineAnnealingWarmRestarts for tests/test_config.c."""
import torch

optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=200, eta_min=1e-6)
for epoch in range(402):
    if epoch in (0, 1, 57, 100, 199, 200, 333, 400):
        print("{%d, %.17g}," % (epoch, optimizer.param_groups[0]["lr"]))
    optimizer.step()
    schedule.step()
