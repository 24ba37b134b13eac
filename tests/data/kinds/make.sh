#!/bin/sh
# Makes the pictures of this folder, and beside each NAME that vkpix reads NAME.rgba: what ImageMagick's decoders
# (libpng, libjpeg) make of it, 8-bit RGBA. Needs ImageMagick 6, a C compiler and libjpeg's header; run by hand.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O1 -o "$work/make" make.c -ljpeg
w=29 h=18
# Smooth in every direction, so that JPEG keeps it; alpha falls from left to right.
convert -size ${w}x$h gradient:'#c03020'-'#2050c0' \( -size ${h}x$w gradient:'#204010'-'#c0e0a0' -rotate 90 \) \
    -compose blend -define compose:args=50 -composite -depth 8 "$work/rgb.png"
convert "$work/rgb.png" \( -size ${h}x$w gradient:white-black -rotate -90 \) -alpha off -compose CopyOpacity \
    -composite "$work/rgba.png"
convert "$work/rgb.png" -depth 8 RGB:"$work/rgb"

png() { out=$1; shift; convert "$@" -strip -define png:exclude-chunks=all "$out"; }
png gray1.png "$work/rgb.png" -colorspace Gray -monochrome -define png:bit-depth=1 -define png:color-type=0
png gray2.png "$work/rgb.png" -colorspace Gray +dither -posterize 4 -define png:bit-depth=2 -define png:color-type=0
png gray4_adam7.png "$work/rgb.png" -colorspace Gray +dither -posterize 16 -define png:bit-depth=4 \
    -define png:color-type=0 -interlace PNG
png gray16_adam7.png "$work/rgb.png" -colorspace Gray -depth 16 -define png:bit-depth=16 -define png:color-type=0 \
    -interlace PNG
png rgb16.png "$work/rgb.png" -depth 16 -define png:bit-depth=16 -define png:color-type=2
png rgba16_adam7.png "$work/rgba.png" -depth 16 -define png:bit-depth=16 -define png:color-type=6 -interlace PNG
png rgba_adam7.png "$work/rgba.png" -define png:color-type=6 -interlace PNG
convert "$work/rgba.png" -strip -colors 13 PNG8:"$work/palette.png"
convert "$work/palette.png" -strip -define png:exclude-chunks=gAMA,cHRM,bKGD,date palette_trns.png
convert "$work/palette.png" -strip -define png:exclude-chunks=gAMA,cHRM,bKGD,date -interlace PNG palette_trns_adam7.png
png one.png -size 1x1 xc:'#4080c0'
png tall.png -size 1x5000 gradient:black-white -depth 8
png wide.png -size 5000x1 xc:'#306090' -depth 8
jpg() { out=$1; shift; convert "$@" -strip "$out"; }
jpg progressive.jpg "$work/rgb.png" -interlace JPEG -sampling-factor 4:4:4 -quality 95
jpg gray.jpg "$work/rgb.png" -colorspace Gray -quality 95
jpg one.jpg -size 1x1 xc:'#4080c0' -quality 95
jpg tall.jpg -size 1x5000 gradient:black-white -colorspace Gray -quality 90
jpg wide.jpg -size 5000x1 xc:'#306090' -quality 90
for kind in cmyk ycck rgb; do "$work/make" $kind $w $h <"$work/rgb" >$kind.jpg; done
for f in *.png *.jpg; do convert "$f" -colorspace sRGB -depth 8 RGBA:"$f.rgba"; done
# Of the long ones every 50th pixel, from 25 on.
for f in tall.png tall.jpg wide.png wide.jpg; do
    od -An -v -to1 -w4 $f.rgba | awk 'NR % 50 == 26 { for (i = 1; i <= 4; i++) printf "\\%s", $i }' >"$work/octal"
    printf "$(cat "$work/octal")" >$f.rgba
done
# Those that are refused, and the animation, of which ImageMagick would show another frame.
"$work/make" arithmetic $w $h <"$work/rgb" >arithmetic.jpg
"$work/make" bare $w $h <"$work/rgb" >cmyk_without_adobe.jpg
convert -size 8x8 xc:red xc:blue -loop 0 animation.gif
convert -size 8x8 xc:red xc:blue -loop 0 animation.webp
convert -size 8x8 xc:red image.tif
