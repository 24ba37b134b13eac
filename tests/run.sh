#!/bin/sh
# Installs what is missing, builds, and runs all tests: the whole suite, then once more under AddressSanitizer
# and UndefinedBehaviorSanitizer, then the fuzzers, VKPIX_FUZZ_SECONDS (60) each.
# Usage: sh tests/run.sh [release|asan|fuzz]...   (without an argument: all three)
set -eu
cd "$(dirname "$0")/.."
sh third_party/install.sh build run test fuzz extra

launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
started=$(date +%s)
# One cache of what Mesa's drivers compile, for both stages: most of their time would go into doing it twice.
export MESA_SHADER_CACHE_DIR="$PWD/build/shader_cache"

# stage PRESET FOLDER: build and test one preset; returns ctest's status.
stage() {
    echo "== $1: building"
    mkdir -p "$2"
    cmake --preset "$1" -DVKPIX_WERROR=ON -DVKPIX_TESTS=ON -DVKPIX_TORCH_DATA="$PWD/build/torch" \
        $launcher >"$2/configure.log" 2>&1 || {
        cat "$2/configure.log"
        return 1
    }
    cmake --build "$2" -j "$jobs" || return 1
    echo "== $1: testing"
    ctest --test-dir "$2" --output-on-failure -j "$jobs" --timeout 600
}

status=0
for preset in ${*:-release asan fuzz}; do
    case $preset in
        fuzz)
            echo "== fuzz"
            sh tests/fuzz/run.sh || status=1
            continue
            ;;
        release) folder=build ;;
        *) folder=build/$preset ;;
    esac
    stage "$preset" "$folder" || status=1
done

# SwiftShader comes with Debian's Chromium: there its lane must have run. Elsewhere it may be missing, loudly.
if grep -q '^VKPIX_SWIFTSHADER:.*NOTFOUND' build/CMakeCache.txt 2>/dev/null; then
    echo "== no SwiftShader: its tests did NOT run (vk_swiftshader_icd.json of package chromium-common)"
    ! grep -q '^ID=debian' /etc/os-release || status=1
fi
echo "== done in $(($(date +%s) - started)) s"
exit $status
