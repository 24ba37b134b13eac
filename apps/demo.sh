#!/bin/sh
# vkpix's main job on real photographs, from nothing: installs what is missing, builds, trains a short run,
# colours pictures that it did not train on, and says where everything lies. About five minutes on two cores.
# Usage: sh apps/demo.sh [FOLDER]     (photographs of one's own; without it some come out of system packages)
# All it makes lies in build/.
set -eu
given=
if [ $# -gt 0 ]; then
    given=$(cd "$1" && pwd) || exit 2
fi
cd "$(dirname "$0")/.."
demo=build/demo
photos=$demo/photos

step() {
    echo "== $*" >&2
}

fail() {
    echo "vkpix: error: $*" >&2
    exit 1
}

# Packages that hold photographs under free licences; they are unpacked here, not installed.
fetch_packages() {
    for package in scratch plasma-workspace-data lomiri-wallpapers-16.04; do
        [ ! -d "$demo/packages/$package" ] || continue
        step "fetching photographs: package $package"
        rm -rf "$demo/fetch"
        mkdir -p "$demo/fetch" "$demo/packages"
        (cd "$demo/fetch" && apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null 2>&1) || {
            echo "package $package could not be fetched; going on without it" >&2
            continue
        }
        dpkg-deb -x "$demo"/fetch/*.deb "$demo/fetch/x"
        mv "$demo/fetch/x" "$demo/packages/$package"
    done
    rm -rf "$demo/fetch"
}

# Those pictures of the packages that are photographs in natural colours, one a line.
package_photos() {
    drawings='chalkboard|party-room|room[123]|spotlight-stage|woods-and-bench|atom-playground|brick-wall1'
    drawings="$drawings|graffiti|school2|basketball-court2|analogpattern_.*|umang_.*"
    colourless='forest|moon|Astronaut'
    for folder in scratch/usr/share/scratch/Media/Backgrounds \
        plasma-workspace-data/usr/share/plasma/avatars/photos \
        lomiri-wallpapers-16.04/usr/share/backgrounds; do
        [ ! -d "$demo/packages/$folder" ] || find "$demo/packages/$folder" -type f -name '*.[jp][pn]g'
    done | grep -v -E "/($drawings|$colourless)\\.(jpg|png)\$"
}

# Every eighth photograph of the list goes to heldout/, the others to train/.
# Links and numbers in place of copies: two folders may hold files of one name.
deal_out() {
    rm -rf "$photos"
    mkdir -p "$photos/train" "$photos/heldout"
    count=0
    while IFS= read -r picture; do
        count=$((count + 1))
        place=train
        [ $((count % 8)) -ne 0 ] || place=heldout
        case $picture in
            /*) target=$picture ;;
            *) target=$PWD/$picture ;;
        esac
        ln -s "$target" "$photos/$place/$(printf '%05d' "$count")_${picture##*/}"
    done
    [ "$count" -ge 16 ] || fail "only $count photographs (16 are needed; give a folder with more)"
    step "$count photographs, every eighth held out"
}

sh third_party/install.sh build run
if [ -z "$given" ] && ! command -v apt-get >/dev/null; then
    fail "no photographs (this system has no apt-get to fetch some; give a folder: sh apps/demo.sh FOLDER)"
fi

step "building"
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
mkdir -p build
# With the tests only where they are built already: they need more packages.
tests=OFF
! grep -q '^VKPIX_TESTS:BOOL=ON' build/CMakeCache.txt 2>/dev/null || tests=ON
cmake --preset release -DVKPIX_TESTS=$tests $launcher >build/configure.log 2>&1 || {
    cat build/configure.log >&2
    fail "the build could not be configured (see above; build/configure.log has it too)"
}
cmake --build build --target vkpix >&2
build/vkpix devices >&2

if [ -n "$given" ]; then
    find "$given" -type f | grep -i -E '\.(jpe?g|png|bmp|tga|p[nbgp]m)$' | LC_ALL=C sort | deal_out
else
    fetch_packages
    package_photos | LC_ALL=C sort | deal_out
fi

step "training train04's recipe at 128x128 for three minutes"
rm -rf "$demo/run" "$demo/coloured"
build/vkpix train "$photos/train" --val "$photos/heldout" --out "$demo/run" --preset train04 --set size=128 \
    --set batch=8 --set preview_every=5 --max-minutes 3

step "colouring the photographs that were held out"
build/vkpix colorize "$photos/heldout" --out "$demo/coloured" --model "$demo/run" --pair

step "judging them: the last row is no colour at all"
build/vkpix eval "$photos/heldout" --model "$demo/run"

cat <<END

Coloured (left) beside the original (right):  $demo/coloured
Previews made while training:                 $demo/run/previews
Curves:                                       $demo/run/figures
Numbers by epoch and by step:                 $demo/run/log.csv, $demo/run/steps.csv
Checkpoints:                                  $demo/run/checkpoints
More training:  build/vkpix train $photos/train --val $photos/heldout --out $demo/run --resume
Your pictures:  build/vkpix colorize PICTURE --out coloured.jpg --model $demo/run
                or without --model, by the built-in network, which has seen much more
END
