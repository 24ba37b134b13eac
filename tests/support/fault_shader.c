/* Of SPIR-V (Khronos, section 2.3, "Physical Layout"): five words of head, the fourth of which is larger than
 * every id, then instructions whose first word has the number of their words above and the opcode below. */
#include "fault_shader.h"

#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"

enum { HEAD = 5, BOUND = 3 };
enum {
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_CONSTANT = 43,
    OP_CONSTANT_COMPOSITE = 44,
    OP_STORE = 62
};

/* What is known of an id. */
typedef struct known {
    uint32_t type;        /* of a value; 0: not known, or none */
    uint32_t replacement; /* of a type: the constant that is stored instead; 0: it is no float's */
} known;

static uint32_t opcode(uint32_t word) { return word & 0xffff; }

/* Adds the constant of a float type or a vector of them after its declaration. */
static size_t add_constant(known *ids, const uint32_t *type, uint32_t *next, float value, uint32_t *to)
{
    const bool vector = opcode(*type) == OP_TYPE_VECTOR;
    const uint32_t part = vector ? ids[type[2]].replacement : 0, length = vector ? 3 + type[3] : 4;
    if ((vector && !part) || (!vector && type[2] != 32)) return 0;
    to[0] = length << 16 | (vector ? OP_CONSTANT_COMPOSITE : OP_CONSTANT);
    to[1] = type[1];
    to[2] = ids[type[1]].replacement = (*next)++;
    if (!vector) memcpy(&to[3], &value, sizeof value);
    for (uint32_t i = 3; vector && i < length; i++) to[i] = part;
    return length;
}

uint32_t *fault_shader(const uint32_t *code, size_t *bytes, float value, unsigned *stores)
{
    const size_t words = *bytes / sizeof *code;
    uint32_t next = code[BOUND];
    known *ids = calloc(next, sizeof *ids);
    uint32_t *copy = malloc(8 * *bytes);
    assert_true(ids && copy);
    memcpy(copy, code, HEAD * sizeof *copy);
    size_t used = HEAD;
    *stores = 0;
    for (size_t at = HEAD; at < words; at += code[at] >> 16) {
        const uint32_t *in = &code[at], length = *in >> 16;
        memcpy(&copy[used], in, length * sizeof *copy);
        used += length;
        /* In all instructions that make a value and that a store could follow, its type and id come first. */
        if (length >= 3 && in[1] < code[BOUND] && in[2] < code[BOUND] && ids[in[1]].replacement)
            ids[in[2]].type = in[1];
        if (opcode(*in) == OP_TYPE_FLOAT || opcode(*in) == OP_TYPE_VECTOR)
            used += add_constant(ids, in, &next, value, &copy[used]);
        if (opcode(*in) != OP_STORE || !ids[in[2]].type) continue;
        copy[used - length + 2] = ids[ids[in[2]].type].replacement;
        ++*stores;
    }
    copy[BOUND] = next;
    *bytes = used * sizeof *copy;
    free(ids);
    return copy;
}
