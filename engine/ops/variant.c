#include "ops/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool vkp_for_cpu(const vkp_device_info *info) { return info->type == VK_PHYSICAL_DEVICE_TYPE_CPU; }
bool vkp_for_gpu(const vkp_device_info *info) { return !vkp_for_cpu(info); }

bool vkp_fits_always(const vkp_device *device, const vkp_node *node)
{
    (void)device;
    (void)node;
    return true;
}

const vkp_variant *vkp_variant_named(const vkp_variants *variants, const char *name)
{
    for (size_t i = 0; i < variants->count; i++)
        if (strcmp(variants->list[i].name, name) == 0) return &variants->list[i];
    return NULL;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

/* One op=name of a list of them. */
typedef struct item {
    const char *op, *name;
    size_t op_length, name_length;
} item;

/* Takes the item at *list and moves on; false at the end. An item without '=' has no name. */
static bool next_item(const char **list, item *out)
{
    if (!*list || !**list) return false;
    const size_t length = strcspn(*list, ",");
    const char *equals = memchr(*list, '=', length);
    const size_t op_length = equals ? (size_t)(equals - *list) : length;
    *out = (item){.op = *list, .op_length = op_length};
    if (equals) {
        out->name = equals + 1;
        out->name_length = length - op_length - 1;
    }
    *list += length + ((*list)[length] == ',');
    return true;
}

static bool is_about(const item *i, const vkp_op *op, const vkp_variants *variants)
{
    return is_word(i->op, i->op_length, variants->name) || is_word(i->op, i->op_length, op->name);
}

static const vkp_variant *find(const vkp_variants *variants, const item *i)
{
    for (size_t k = 0; k < variants->count; k++)
        if (i->name && is_word(i->name, i->name_length, variants->list[k].name)) return &variants->list[k];
    return NULL;
}

/* The first item about this list that it has wins, where it fits. */
static const vkp_variant *by_force(const vkp_device *device, const vkp_node *node,
                                   const vkp_variants *variants)
{
    const char *list = getenv("VKPIX_VARIANT");
    for (item i; next_item(&list, &i);) {
        const vkp_variant *variant = is_about(&i, node->op, variants) ? find(variants, &i) : NULL;
        if (variant) return variant->fits(device, node) ? variant : NULL;
    }
    return NULL;
}

const vkp_variant *vkp_variant_by_order(const vkp_device *device, const vkp_node *node,
                                        const vkp_variants *variants)
{
    for (int meant = 1; meant >= 0; meant--)
        for (size_t i = 0; i < variants->count; i++) {
            const vkp_variant *v = &variants->list[i];
            if (v->on_proof || (meant && !(v->meant_for && v->meant_for(&device->info)))) continue;
            if (v->fits(device, node)) return v;
        }
    return NULL;
}

vkp_status vkp_variant_choose(vkp_device *device, const vkp_node *node, const vkp_variants *variants,
                              const vkp_variant **chosen)
{
    vkp_chooser *chooser = device->chooser;
    *chosen = by_force(device, node, variants);
    if (chooser)
        VKP_TRY(*chosen ? chooser->note(chooser, node, variants, *chosen)
                        : chooser->choose(chooser, device, node, variants, chosen));
    if (!*chosen) *chosen = vkp_variant_by_order(device, node, variants);
    if (*chosen) return VKP_OK;
    return vkp_fail(VKP_INTERNAL, "no variant of %s fits (a mistake in vkpix; please report it)",
                    variants->name);
}

vkp_status vkp_variant_save(vkp_device *device, const char *path)
{
    return device->chooser ? device->chooser->save(device->chooser, path) : VKP_OK;
}

bool vkp_variant_load(vkp_device *device, const char *path)
{
    return !device->chooser || device->chooser->load(device->chooser, path);
}

vkp_status vkp_variant_record(vkp_program *p, const vkp_node *node, const vkp_variants *variants)
{
    const vkp_variant *chosen;
    VKP_TRY(vkp_variant_choose(vkp_program_device(p), node, variants, &chosen));
    return chosen->record(p, node);
}

/* A text that grows by words, and stops growing where it is full. */
typedef struct words {
    char text[400];
    size_t length;
} words;

static bool has_word(const words *w, const char *word)
{
    for (const char *at = w->text; *at; at += strspn(at, ", ")) {
        const size_t length = strcspn(at, ",");
        if (is_word(at, length, word)) return true;
        at += length;
    }
    return false;
}

static void add_word(words *w, const char *word)
{
    if (w->length + strlen(word) + 3 > sizeof w->text || has_word(w, word)) return;
    w->length += (size_t)snprintf(w->text + w->length, sizeof w->text - w->length, "%s%s",
                                  w->length ? ", " : "", word);
}

static vkp_status check_item(const item *i)
{
    words lists = {{0}, 0}, names = {{0}, 0};
    bool found = false;
    for (size_t k = 0; k < vkp_op_count; k++)
        for (size_t l = 0; l < vkp_ops[k]->variants_count; l++) {
            const vkp_variants *variants = &vkp_ops[k]->variants[l];
            add_word(&lists, variants->name);
            if (!is_about(i, vkp_ops[k], variants)) continue;
            found = found || find(variants, i);
            for (size_t v = 0; v < variants->count; v++) add_word(&names, variants->list[v].name);
        }
    if (found) return VKP_OK;
    if (!names.length)
        return vkp_fail(VKP_USAGE,
                        "cannot choose a variant of '%.*s' (nothing with variants is called so; there "
                        "are %s)",
                        (int)i->op_length, i->op, lists.text);
    return vkp_fail(VKP_USAGE, "%.*s has no variant '%.*s' (op=name is needed; its variants are %s)",
                    (int)i->op_length, i->op, (int)i->name_length, i->name ? i->name : "", names.text);
}

vkp_status vkp_variant_check(const char *forced)
{
    for (item i; next_item(&forced, &i);) VKP_TRY(check_item(&i));
    return VKP_OK;
}
