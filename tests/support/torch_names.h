/* The names of values and gradients in what tests/reference/make_steps.py writes, and in vkpix's graph. */
#ifndef VKP_TESTS_TORCH_NAMES_H
#define VKP_TESTS_TORCH_NAMES_H

#include <stdbool.h>

#define TORCH_GRADIENT "grad." /* before a value's name: its gradient, D's by D's loss */
#define TORCH_G_STEP "g_step." /* before that: D's by G's loss */

/* The name in vkpix's graph of PyTorch's "PASS.BLOCK.LAYER" ("G.enc1.out" is G.enc1.2) or other value; empty
 * for a layer that makes no tensor here. Fails the test for a name that is not known. */
void torch_graph_name(const char *torch, char name[48]);

/* Whether a name is that of a gradient; whether a value is what a ReLU or LeakyReLU makes. */
bool torch_is_gradient(const char *torch);
bool torch_is_rectified(const char *torch);

bool torch_ends_with(const char *text, const char *end);

/* What a norm pools in its own pass: of its output, in vkpix's names, the next block's first layer, in a
 * static buffer; NULL for all other values. */
const char *torch_pooled_of(const char *name);

#endif
