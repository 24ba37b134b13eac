#!/bin/sh
# Fuzzes the readers of files with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer:
#     sh tests/fuzz/run.sh [SECONDS [TARGET]...]
# Without SECONDS: $VKPIX_FUZZ_SECONDS, else 60, for each target; without TARGET: all of them, two at a time.
# Begins with tests/fuzz/corpus/TARGET and with what earlier runs found worth keeping (build/fuzz/corpus/TARGET).
# A finding ends its target; it lies in build/fuzz/findings, and belongs into tests/fuzz/corpus/TARGET, where every
# build's tests read it, together with the repair.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-${VKPIX_FUZZ_SECONDS:-60}}
[ $# -eq 0 ] || shift
all=$(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_\(.*\)\.c|\1|')

fail() {
    echo "vkpix: error: cannot fuzz ($1; $2)" >&2
    exit 1
}

build() {
    command -v clang >/dev/null || fail "clang is missing" "as root: apt-get install clang libclang-rt-dev"
    echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return !d && n; }' |
        clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null ||
        fail "clang has no libFuzzer" "as root: apt-get install libclang-rt-dev"
    launcher=
    ! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
    mkdir -p build/fuzz
    cmake --preset fuzz -DVKPIX_WERROR=ON $launcher >build/fuzz/configure.log 2>&1 || {
        cat build/fuzz/configure.log
        exit 1
    }
    cmake --build --preset fuzz -j "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" >build/fuzz/build.log 2>&1 || {
        cat build/fuzz/build.log
        exit 1
    }
}

# fuzz TARGET: one program for its time; prints one line.
fuzz() {
    mkdir -p "build/fuzz/corpus/$1" build/fuzz/findings
    log=build/fuzz/$1.log
    if build/fuzz/tests/fuzz_$1 -max_total_time="$seconds" -timeout=25 -rss_limit_mb=3000 -max_len=8192 \
        -use_value_profile=1 -artifact_prefix="build/fuzz/findings/$1-" "build/fuzz/corpus/$1" \
        "tests/fuzz/corpus/$1" >"$log" 2>&1
    then
        echo "fuzz $1: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$log"), no finding"
    else
        tail -40 "$log"
        echo "vkpix: error: fuzz $1 has a finding (see build/fuzz/findings and $log; repair it and keep the file in tests/fuzz/corpus/$1)" >&2
        return 1
    fi
}

build
status=0
left=
for target in ${*:-$all}; do
    [ -f "tests/fuzz/fuzz_$target.c" ] || fail "there is no target $target" "the targets are $(echo $all)"
    # Two at a time: the one that still runs is waited for before the next pair.
    if [ -z "$left" ]; then
        fuzz "$target" &
        left=$!
    else
        fuzz "$target" || status=1
        wait "$left" || status=1
        left=
    fi
done
[ -z "$left" ] || wait "$left" || status=1
exit $status
