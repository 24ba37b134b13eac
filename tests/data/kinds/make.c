/* Makes JPEGs of the kinds that ImageMagick does not write, from RGB on standard input: make KIND WIDTH
 * HEIGHT. libjpeg's own colours; no part of the build (make.sh compiles it). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

int main(int count, char **words)
{
    if (count != 4) return 2;
    const char *kind = words[1];
    const int cmyk = strcmp(kind, "arithmetic") != 0 && strcmp(kind, "rgb") != 0;
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, stdout);
    c.image_width = (unsigned)atoi(words[2]);
    c.image_height = (unsigned)atoi(words[3]);
    c.input_components = cmyk ? 4 : 3;
    c.in_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    if (!strcmp(kind, "ycck")) jpeg_set_colorspace(&c, JCS_YCCK);
    if (!strcmp(kind, "rgb")) jpeg_set_colorspace(&c, JCS_RGB);
    if (!strcmp(kind, "arithmetic")) c.arith_code = TRUE;
    if (!strcmp(kind, "bare")) c.write_Adobe_marker = FALSE;
    for (int i = 0; i < c.num_components; i++)
        c.comp_info[i].h_samp_factor = c.comp_info[i].v_samp_factor = 1;
    jpeg_start_compress(&c, TRUE);
    unsigned char *row = calloc(c.image_width, 4);
    while (c.next_scanline < c.image_height) {
        for (unsigned x = 0; x < c.image_width; x++) {
            unsigned char rgb[3];
            if (fread(rgb, 1, 3, stdin) != 3) return 1;
            unsigned char *p = row + x * (unsigned)c.input_components;
            /* Adobe stores inks inverted: 255 is none. A third of the darkness goes into the black ink. */
            unsigned top = rgb[0] > rgb[1] ? rgb[0] : rgb[1];
            if (rgb[2] > top) top = rgb[2];
            const unsigned black = 255 - (255 - top) / 3;
            for (int k = 0; k < 3; k++) p[k] = (unsigned char)(cmyk ? rgb[k] * 255u / black : rgb[k]);
            if (cmyk) p[3] = (unsigned char)black;
        }
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    free(row);
    return 0;
}
