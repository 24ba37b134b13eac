#!/bin/sh
# Installs what is missing of third_party/packages.txt, silently when nothing is.
# Usage: sh third_party/install.sh [SECTION]...    (of build, run, test, fuzz, extra; without any: build run)
# With apt-get it installs (through sudo when not root); elsewhere it names what to install and fails.
set -eu
list=$(dirname "$0")/packages.txt
[ $# -gt 0 ] || set -- build run

# The packages of section $1, one a line.
section() {
    awk -v wanted="[$1]" '/^\[/ { inside = $1 == wanted; next }
        { sub(/#.*/, "") } inside && NF { print $1 }' "$list"
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    # Another system names its packages otherwise: the build itself is the judge of what is there.
    if command -v cmake >/dev/null && command -v ninja >/dev/null && command -v glslangValidator >/dev/null &&
        command -v spirv-val >/dev/null &&
        command -v protoc-c >/dev/null &&
        pkg-config --exists libcyaml libcjson libexif libpng zlib plplot libxxhash libzip libprotobuf-c \
            libmicrohttpd 2>/dev/null
    then
        exit 0
    fi
    echo "vkpix: error: packages are missing (no apt-get here; install what corresponds to these)" >&2
    for name; do
        echo "section $name of third_party/packages.txt:" >&2
        section "$name" | sed 's/^/    /' >&2
    done
    exit 1
fi

required=
extra=
for name; do
    for package in $(section "$name"); do
        is_installed "$package" || case $name in
            extra) extra="$extra $package" ;;
            *) required="$required $package" ;;
        esac
    done
done
[ -n "$required$extra" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null; then
        as_root=sudo
    elif [ -n "$required" ]; then
        echo "vkpix: error: packages are missing (only root may; as root: apt-get install$required)" >&2
        exit 1
    else
        exit 0
    fi
fi
if [ -n "$required" ] || ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then
    $as_root apt-get update -qq </dev/null >&2
fi
for package in $extra; do
    ! has_candidate "$package" || required="$required $package"
done
[ -n "$required" ] || exit 0
echo "installing$required" >&2
# Not quoted: a list of names.
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $required </dev/null >&2
