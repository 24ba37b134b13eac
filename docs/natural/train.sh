#!/bin/sh
# Trains the built-in model `natural` as it was trained: four runs, each from the weights of the one before
# (docs/models.md says why). Stopped at any time, the same command goes on.
# Usage: sh docs/natural/train.sh PHOTOGRAPHS VALIDATION OUT
set -eu
[ $# -eq 3 ] || { sed -n 's/^# Usage: /usage: /p' "$0" >&2; exit 2; }
photographs=$1 validation=$2 out=$3
vkpix=$(dirname "$0")/../../build/vkpix
best=checkpoints/best/generator.safetensors

# run N STEPS OPTIONS...
run() {
    folder=$out/$1 steps=$2
    shift 2
    if [ -e "$folder/config.yml" ]; then
        "$vkpix" train "$photographs" --out "$folder" --max-steps "$steps" --resume
    else
        "$vkpix" train "$photographs" --val "$validation" --out "$folder" --max-steps "$steps" --preset natural "$@"
    fi
}

mkdir -p "$out"
run 1 8316
run 2 252 --init-g "$out/1/$best" --set size=192 --set view_min=210 --set view_max=310 --set epochs=8 \
    --set lr=0.0003 --set dropout=0.2 --set weight_decay=0.05 --set degrade=0.3 --set checkpoint_every=4
run 3 1512 --init-g "$out/2/$best" --set size=192 --set view_min=200 --set view_max=310 --set epochs=24 \
    --set lr=0.0004 --set dropout=0.05 --set degrade=0.3 --set checkpoint_every=4 --set seed=2
"$vkpix" export "$out/3/checkpoints/epoch_004" "$out/3/checkpoints/epoch_008" "$out/3/checkpoints/epoch_012" \
    --out "$out/mean.safetensors"
run 4 126 --init-g "$out/mean.safetensors" --set size=192 --set view_min=250 --set view_max=290 --set epochs=1 \
    --set lr=0.0000001 --set lr_min=0.0000000001 --set warmup=1 --set dropout=0 --set weight_decay=0 \
    --set degrade=0 --set jitter=0 --set ema=0.99 --set seed=5
"$vkpix" export "$out/4/checkpoints/last" --half --out "$out/natural.safetensors"
