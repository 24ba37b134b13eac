// The columns of the gradient of an upsampled input's convolution, for the weight gradient by phases: of the
// UPSAMPLE (2 to 4) columns of each of 4 pixels of the input the first, the sum of all, and the last.
void phase_columns(vec4 quads[4], out vec4 columns[3])
{
    columns = vec4[](vec4(0.0), vec4(0.0), vec4(0.0));
    [[unroll]] for (int i = 0; i < 4 * UPSAMPLE; i++) {
        const float v = quads[i / 4][i % 4];
        if (i % UPSAMPLE == 0) columns[0][i / UPSAMPLE] = v;
        columns[1][i / UPSAMPLE] += v;
        if (i % UPSAMPLE == UPSAMPLE - 1) columns[2][i / UPSAMPLE] = v;
    }
}
