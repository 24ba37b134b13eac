/* The table of keys, and all that follows from it. Values pass as text everywhere, from YAML as from --set,
 * so that one parser checks them and one kind of message tells what is wrong. */
#include "nn/config.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

typedef enum key_kind { WHOLE, NUMBER, CHOICE, WHOLES } key_kind;

typedef struct config_key {
    const char *name;
    size_t offset;
    key_kind kind;
    double min, max;
    const char *const *choices; /* ends with NULL; the index is the enum's value */
    const char *meaning;
} config_key;

static const char *const losses[] = {"bce", "hinge", NULL};
static const char *const norms[] = {"batch", "instance", NULL};
static const char *const schedules[] = {"constant", "cosine", "warmup_cosine", NULL};
static const char *const networks[] = {"unet", "natural", NULL};
static const char *const fits[] = {"wrap", "stretch", "black", "crop", "rotate", NULL};

#define PLACE(member) #member, offsetof(vkp_config, member)
#define KEY(member, kind, min, max, meaning) {PLACE(member), kind, min, max, NULL, meaning}
#define KEY_OF(member, choices, meaning) {PLACE(member), CHOICE, 0, 0, choices, meaning}

static const config_key keys[] = {
    KEY_OF(network, networks, "the generator"),
    KEY(size, WHOLE, 16, 4096, "side of the square pictures, pixels; a multiple of 16"),
    KEY(work_size, WHOLE, 0, 4096, "side at which pictures are validated and coloured; 0: size"),
    KEY(batch, WHOLE, 1, 4096, "pictures a step"),
    KEY(epochs, WHOLE, 1, 1000000, "passes over the training pictures"),
    KEY_OF(loss, losses, "adversarial loss"),
    KEY_OF(d_norm, norms, "normalization in the discriminator"),
    KEY(d_pools, WHOLES, 1, 64, "average pools of the discriminator, outermost first"),
    KEY(d_every, WHOLE, 1, 1024, "the discriminator steps on every Nth batch"),
    KEY(lr, NUMBER, 0, 1e6, "learning rate, at the start of a cosine"),
    KEY(lr_min, NUMBER, 0, 1, "learning rate at the end of a cosine"),
    KEY_OF(schedule, schedules, "course of the learning rate"),
    KEY(restart_every, WHOLE, 1, 1000000, "epochs until the cosine starts again"),
    KEY(warmup, WHOLE, 0, 1000000, "steps until warmup_cosine reaches its learning rate"),
    KEY(beta1, NUMBER, 0, 0.9999, "Adam's decay of the mean gradient"),
    KEY(weight_decay, NUMBER, 0, 1, "AdamW's decay of the generator's weights; 0: plain Adam"),
    KEY(ema, NUMBER, 0, 0.99999, "decay of the average of weights that is kept; 0: the weights themselves"),
    KEY(lambda_crcb, NUMBER, 0, 1e6, "weight of the L1 loss of the chroma"),
    KEY(lambda_rgb, NUMBER, 0, 1e6, "weight of the L1 loss of the RGB picture"),
    KEY(lambda_class, NUMBER, 0, 1e6, "weight of the cross-entropy of chroma classes (natural)"),
    KEY(lambda_adv, NUMBER, 0, 1e6, "weight of the adversarial loss; 0: no discriminator"),
    KEY(adv_from, WHOLE, 0, 1000000, "epochs before the adversarial loss begins"),
    KEY(rare, NUMBER, 0, 100, "how much more saturated classes weigh than gray"),
    KEY(saturation, NUMBER, 0.1, 4, "factor on the chroma to be learned"),
    KEY(boost, NUMBER, 0, 10, "factor on the colours when pictures are coloured"),
    KEY(dropout, NUMBER, 0, 0.9, "probability in the global path (natural)"),
    KEY(flip, NUMBER, 0, 1, "probability that a training picture is mirrored"),
    KEY(blur, NUMBER, 0, 1, "probability that a training picture is blurred"),
    KEY(view_min, WHOLE, 0, 65536, "crops: least long side of the whole photograph, pixels; 0: no crops"),
    KEY(view_max, WHOLE, 0, 65536, "crops: greatest long side of the whole photograph, pixels"),
    KEY(jitter, NUMBER, 0, 1, "probability that the input's gamma and contrast vary"),
    KEY(degrade, NUMBER, 0, 1, "probability that the input is degraded as old photographs are"),
    KEY_OF(fit, fits, "how a picture becomes a square"),
    KEY(seed, WHOLE, 0, UINT32_MAX, "seed of first weights, order and augmentation"),
    KEY(checkpoint_every, WHOLE, 1, 1000000, "epochs between checkpoints"),
    KEY(preview_every, WHOLE, 1, 1000000, "epochs between previews"),
};

enum { KEY_COUNT = sizeof keys / sizeof *keys, VALUE_TEXT = 64, RANGE_TEXT = 128, KEYS_TEXT = 600 };

_Static_assert(sizeof(vkp_config_loss) == sizeof(uint32_t), "choices are stored as 32 bits");

#define SHARED                                                                                             \
    .lr_min = 1e-6, .restart_every = 200, .flip = 0.5, .fit = VKP_CONFIG_FIT_WRAP, .seed = 1,              \
    .checkpoint_every = 20, .preview_every = 20, .saturation = 1
#define COMMON                                                                                             \
    SHARED, .boost = 1, .batch = 32, .beta1 = 0.5, .lambda_crcb = 75, .lambda_rgb = 25, .lambda_adv = 1
#define BCE .loss = VKP_CONFIG_LOSS_BCE, .d_norm = VKP_CONFIG_NORM_BATCH, .d_every = 1
#define HINGE .loss = VKP_CONFIG_LOSS_HINGE, .d_norm = VKP_CONFIG_NORM_INSTANCE, .d_every = 2
#define COSINE .schedule = VKP_CONFIG_COSINE, .lr = 1e-4
#define CONSTANT .schedule = VKP_CONFIG_CONSTANT, .lr = 2e-4

static const struct {
    const char *name;
    vkp_config config;
} presets[] = {
    {"train01", {COMMON, BCE, COSINE, .size = 320, .d_pools = {4, 2, 2, 2}, .blur = 0.2, .epochs = 200}},
    {"train02", {COMMON, HINGE, COSINE, .size = 320, .d_pools = {4, 2, 2, 2}, .blur = 0.2, .epochs = 200}},
    {"train03", {COMMON, BCE, CONSTANT, .size = 256, .d_pools = {4, 4, 2, 2}, .blur = 0, .epochs = 200}},
    {"train04", {COMMON, HINGE, CONSTANT, .size = 352, .d_pools = {4, 2, 2, 2}, .blur = 0.2, .epochs = 97}},
    {"natural",
     {SHARED, .loss = VKP_CONFIG_LOSS_HINGE, .d_norm = VKP_CONFIG_NORM_INSTANCE, .d_every = 1, .batch = 16,
      .lambda_crcb = 7.5, .lambda_rgb = 2.5, .network = VKP_CONFIG_NATURAL, .size = 128, .work_size = 256,
      .d_pools = {4, 2, 2, 2}, .epochs = 66,
      .schedule = VKP_CONFIG_WARMUP_COSINE, .warmup = 150, .lr = 1.2e-3, .beta1 = 0.9, .weight_decay = 0.02,
      .ema = 0.998, .lambda_class = 1, .boost = 1.25, .dropout = 0.1, .view_min = 150, .view_max = 330,
      .jitter = 0.5, .degrade = 0.4}},
};

enum { PRESET_COUNT = sizeof presets / sizeof *presets };

const char *vkp_config_preset_name(size_t index) { return index < PRESET_COUNT ? presets[index].name : NULL; }

/* Appends to a text of `room` bytes that holds `at`; returns its new length, at most room - 1. */
static size_t append(char *text, size_t room, size_t at, const char *between, const char *more)
{
    int length = snprintf(text + at, room - at, "%s%s", at ? between : "", more);
    return length < 0 || at + (size_t)length >= room ? room - 1 : at + (size_t)length;
}

vkp_status vkp_config_preset(vkp_config *config, const char *name)
{
    char names[KEYS_TEXT];
    size_t length = 0;
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (strcmp(name ? name : "train01", presets[i].name) == 0) {
            *config = presets[i].config;
            return VKP_OK;
        }
        length = append(names, sizeof names, length, ", ", presets[i].name);
    }
    return vkp_fail(VKP_USAGE, "cannot use preset %.80s (no such preset; the presets are %s)", name, names);
}

static const char *all_keys(char text[KEYS_TEXT])
{
    size_t length = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) length = append(text, KEYS_TEXT, length, ", ", keys[i].name);
    return text;
}

size_t vkp_config_key_count(void) { return KEY_COUNT; }
const char *vkp_config_key_name(size_t key) { return keys[key].name; }
const char *vkp_config_key_meaning(size_t key) { return keys[key].meaning; }

const char *vkp_config_key_range(size_t key, char *text, size_t room)
{
    const config_key *k = &keys[key];
    size_t length = 0;
    switch (k->kind) {
    case WHOLE: snprintf(text, room, "a whole number, %.0f..%.0f", k->min, k->max); break;
    case NUMBER: snprintf(text, room, "a number, %g..%g", k->min, k->max); break;
    case WHOLES:
        snprintf(text, room, "%d whole numbers, each %.0f..%.0f, as 4,2,2,2 or in YAML [4, 2, 2, 2]",
                 VKP_CONFIG_POOLS, k->min, k->max);
        break;
    case CHOICE:
        for (size_t i = 0; k->choices[i]; i++) length = append(text, room, length, " or ", k->choices[i]);
        break;
    }
    return text;
}

/* A whole number in the key's range at the start of `text`; *end is what follows. */
static bool parse_whole(const config_key *key, const char *text, const char **end, uint32_t *value)
{
    char *stop;
    text += strspn(text, " ");
    if (*text < '0' || *text > '9') return false; /* strtoull would take a sign */
    errno = 0;
    unsigned long long wide = strtoull(text, &stop, 10);
    *end = stop;
    if (errno || (double)wide < key->min || (double)wide > key->max) return false;
    *value = (uint32_t)wide;
    return true;
}

static bool parse_wholes(const config_key *key, const char *text, void *member)
{
    uint32_t values[VKP_CONFIG_POOLS];
    for (size_t i = 0; i < VKP_CONFIG_POOLS; i++) {
        const char end = i + 1 < VKP_CONFIG_POOLS ? ',' : 0;
        if (!parse_whole(key, text, &text, &values[i]) || *text != end) return false;
        text++;
    }
    memcpy(member, values, sizeof values);
    return true;
}

static bool parse_number(const config_key *key, const char *text, void *member)
{
    char *end;
    double value = strtod(text, &end);
    /* Also refuses NaN, which compares false. */
    if (end == text || *end || !(value >= key->min && value <= key->max)) return false;
    memcpy(member, &value, sizeof value);
    return true;
}

static bool parse_choice(const config_key *key, const char *text, void *member)
{
    for (uint32_t i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) != 0) continue;
        memcpy(member, &i, sizeof i);
        return true;
    }
    return false;
}

static bool parse_value(vkp_config *config, const config_key *key, const char *text)
{
    void *member = (char *)config + key->offset;
    const char *end;
    uint32_t whole;
    switch (key->kind) {
    case WHOLE:
        if (!parse_whole(key, text, &end, &whole) || *end) return false;
        memcpy(member, &whole, sizeof whole);
        return true;
    case WHOLES: return parse_wholes(key, text, member);
    case NUMBER: return parse_number(key, text, member);
    case CHOICE: return parse_choice(key, text, member);
    }
    return false;
}

/* Sets key number `key`; `source` is the file's name, or NULL for the command line. */
static vkp_status set_value(vkp_config *config, size_t key, const char *text, const char *source)
{
    char range[RANGE_TEXT];
    if (parse_value(config, &keys[key], text)) return VKP_OK;
    vkp_config_key_range(key, range, sizeof range);
    return vkp_fail(VKP_USAGE, "cannot set %s to '%.80s'%s%s (the value is not allowed; give %s)",
                    keys[key].name, text, source ? " from " : "", source ? source : "", range);
}

vkp_status vkp_config_set(vkp_config *config, const char *assignment)
{
    char names[KEYS_TEXT];
    const char *equals = strchr(assignment, '=');
    if (!equals) return vkp_fail(VKP_USAGE, "cannot set '%.80s' (no '='; write KEY=VALUE)", assignment);
    const size_t length = (size_t)(equals - assignment);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strlen(keys[i].name) == length && memcmp(keys[i].name, assignment, length) == 0) {
            return set_value(config, i, equals + 1, NULL);
        }
    }
    return vkp_fail(VKP_USAGE, "cannot set '%.*s' (no such key; the keys are %s)",
                    (int)(length < 80 ? length : 80), assignment, all_keys(names));
}

/* Numbers in the fewest digits that read back as the same double. */
static void number_text(double value, char *text, size_t room)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, room, "%.*g", digits, value);
        if (strtod(text, NULL) == value) return;
    }
}

const char *vkp_config_key_value(const vkp_config *config, size_t key, char *text, size_t room)
{
    const config_key *k = &keys[key];
    const char *member = (const char *)config + k->offset;
    uint32_t whole[VKP_CONFIG_POOLS];
    double number;
    size_t length = 0;
    switch (k->kind) {
    case NUMBER:
        memcpy(&number, member, sizeof number);
        number_text(number, text, room);
        break;
    case WHOLE:
        memcpy(whole, member, sizeof *whole);
        snprintf(text, room, "%u", (unsigned)whole[0]);
        break;
    case CHOICE:
        memcpy(whole, member, sizeof *whole);
        snprintf(text, room, "%s", k->choices[whole[0]]);
        break;
    case WHOLES:
        memcpy(whole, member, sizeof whole);
        for (size_t i = 0; i < VKP_CONFIG_POOLS; i++) {
            char part[VALUE_TEXT];
            snprintf(part, sizeof part, "%u", (unsigned)whole[i]);
            length = append(text, room, length, ",", part);
        }
        break;
    }
    return text;
}

/* What libcyaml fills and saves for a key: `text`, or `items` when the key is a list. */
typedef struct yaml_value {
    char *text;
    char **items;
    uint32_t item_count;
} yaml_value;

typedef struct yaml_config {
    yaml_value values[KEY_COUNT];
} yaml_config;

static const cyaml_schema_value_t item_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

/* The schema that follows from the table: every key optional, every value text. */
typedef struct yaml_schema {
    cyaml_schema_field_t fields[KEY_COUNT + 1];
    cyaml_schema_value_t top;
} yaml_schema;

static void make_schema(yaml_schema *schema)
{
    const cyaml_flag_e flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL | CYAML_FLAG_FLOW;
    memset(schema, 0, sizeof *schema);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const size_t at = offsetof(yaml_config, values) + i * sizeof(yaml_value);
        cyaml_schema_field_t *field = &schema->fields[i];
        field->key = keys[i].name;
        if (keys[i].kind == WHOLES) {
            field->data_offset = (uint32_t)(at + offsetof(yaml_value, items));
            field->count_offset = (uint32_t)(at + offsetof(yaml_value, item_count));
            field->count_size = sizeof(uint32_t);
            field->value = (cyaml_schema_value_t){
                CYAML_VALUE_SEQUENCE(flags, char *, &item_schema, VKP_CONFIG_POOLS, VKP_CONFIG_POOLS)};
        } else {
            field->data_offset = (uint32_t)(at + offsetof(yaml_value, text));
            field->value = (cyaml_schema_value_t){CYAML_VALUE_STRING(flags, char, 0, CYAML_UNLIMITED)};
        }
    }
    schema->top =
        (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, yaml_config, schema->fields)};
}

static vkp_status set_from_yaml(vkp_config *config, size_t key, const yaml_value *value, const char *path)
{
    if (keys[key].kind != WHOLES) return value->text ? set_value(config, key, value->text, path) : VKP_OK;
    char joined[2 * VALUE_TEXT];
    size_t length = 0;
    for (uint32_t i = 0; i < value->item_count; i++) {
        length = append(joined, sizeof joined, length, ",", value->items[i]);
    }
    return value->item_count ? set_value(config, key, joined, path) : VKP_OK;
}

/* Where libcyaml's complaint is about the form of a known key's value, what is allowed for that key is a
 * better remedy than the list of all keys. */
static vkp_status refine_complaint(const char *keys_remedy)
{
    char text[1024], field[VALUE_TEXT], range[RANGE_TEXT];
    snprintf(text, sizeof text, "%s", vkp_error());
    char *tail = strstr(text, keys_remedy);
    for (size_t i = 0; tail && i < KEY_COUNT; i++) {
        snprintf(field, sizeof field, "in mapping field '%s'", keys[i].name);
        if (!strstr(text, field) || strstr(text, "libyaml")) continue;
        *tail = 0;
        return vkp_fail(VKP_USAGE, "%sgive %s)", text, vkp_config_key_range(i, range, sizeof range));
    }
    return VKP_USAGE;
}

vkp_status vkp_config_load(vkp_config *config, const char *path)
{
    char remedy[KEYS_TEXT + 32] = "the keys are ";
    yaml_schema schema;
    void *data;
    make_schema(&schema);
    all_keys(remedy + strlen(remedy));
    vkp_status loading = vkp_yaml_load(path, &schema.top, VKP_USAGE, remedy, &data);
    if (loading != VKP_OK) return loading == VKP_USAGE ? refine_complaint(remedy) : loading;
    const yaml_config *loaded = data;
    vkp_config changed = *config;
    vkp_status status = VKP_OK;
    for (size_t i = 0; loaded && i < KEY_COUNT && status == VKP_OK; i++) {
        status = set_from_yaml(&changed, i, &loaded->values[i], path);
    }
    vkp_yaml_free(&schema.top, data);
    if (status == VKP_OK) *config = changed;
    return status;
}

/* Cuts "4,2,2,2" at its commas into items. */
static void split(char *text, char **items)
{
    for (size_t i = 0; i < VKP_CONFIG_POOLS; i++) {
        items[i] = text;
        text += strcspn(text, ",");
        if (*text) *text++ = 0;
    }
}

vkp_status vkp_config_save(const vkp_config *config, const char *path)
{
    char texts[KEY_COUNT][VALUE_TEXT];
    char *items[VKP_CONFIG_POOLS];
    yaml_schema schema;
    yaml_config saved = {0};
    make_schema(&schema);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        vkp_config_key_value(config, i, texts[i], VALUE_TEXT);
        if (keys[i].kind == WHOLES) {
            split(texts[i], items);
            saved.values[i] = (yaml_value){.items = items, .item_count = VKP_CONFIG_POOLS};
        } else {
            saved.values[i].text = texts[i];
        }
    }
    return vkp_yaml_save(path, &schema.top, &saved);
}

uint32_t vkp_config_patches(const vkp_config *config)
{
    uint32_t side = config->size;
    for (size_t i = 0; i < VKP_CONFIG_POOLS; i++) side = config->d_pools[i] ? side / config->d_pools[i] : 0;
    return side;
}

uint32_t vkp_config_work_size(const vkp_config *config)
{
    return config->work_size ? config->work_size : config->size;
}

uint32_t vkp_config_granularity(const vkp_config *config)
{
    return config->network == VKP_CONFIG_NATURAL ? 32 : 16;
}

bool vkp_config_adversarial(const vkp_config *config, uint32_t epoch)
{
    return config->lambda_adv > 0 && epoch >= config->adv_from;
}

static vkp_status check_side(const vkp_config *config, const char *key, uint32_t side)
{
    const uint32_t unit = vkp_config_granularity(config);
    if (side && side % unit == 0) return VKP_OK;
    return vkp_fail(VKP_USAGE, "cannot use %s %u (not a multiple of %u; %u is the next one)", key,
                    (unsigned)side, (unsigned)unit, (unsigned)(side / unit + 1) * unit);
}

/* Whether a discriminator can be made of these settings. */
static vkp_status check_discriminator(const vkp_config *config)
{
    const uint32_t patches = vkp_config_patches(config);
    if (patches == 0) {
        return vkp_fail(VKP_USAGE, "cannot use d_pools with size %u (no patch is left; use smaller pools or "
                        "a larger size)", (unsigned)config->size);
    }
    if (patches == 1 && config->d_norm == VKP_CONFIG_NORM_INSTANCE) {
        return vkp_fail(VKP_USAGE, "cannot use d_norm instance with size %u and these d_pools (a plane of "
                        "1x1 has nothing to normalize over; use smaller pools or d_norm batch)",
                        (unsigned)config->size);
    }
    if (config->batch == 1 && patches == 1) {
        return vkp_fail(VKP_USAGE, "cannot use batch 1 with size %u and these d_pools (a plane of 1x1 has "
                        "nothing to normalize over; use a larger batch or size)", (unsigned)config->size);
    }
    return VKP_OK;
}

vkp_status vkp_config_check(const vkp_config *config)
{
    VKP_TRY(check_side(config, "size", config->size));
    VKP_TRY(check_side(config, "work_size", vkp_config_work_size(config)));
    if (config->lambda_adv > 0) VKP_TRY(check_discriminator(config));
    if (config->batch == 1 && config->size == vkp_config_granularity(config)) {
        return vkp_fail(VKP_USAGE, "cannot use batch 1 with size %u (the deepest plane, 1x1, has nothing to "
                        "normalize over; use a larger batch or size)", (unsigned)config->size);
    }
    if (config->schedule != VKP_CONFIG_CONSTANT && config->lr_min > config->lr) {
        return vkp_fail(VKP_USAGE, "cannot use lr_min %g with lr %g (a cosine falls from lr to lr_min; use "
                        "lr_min at most lr)", config->lr_min, config->lr);
    }
    if (config->view_max < config->view_min || (config->view_max && !config->view_min)) {
        return vkp_fail(VKP_USAGE, "cannot use view_min %u with view_max %u (crops need 1 <= view_min <= "
                        "view_max, whole pictures 0 and 0; change one)",
                        (unsigned)config->view_min, (unsigned)config->view_max);
    }
    return VKP_OK;
}

/* From `lr` at 0 to lr_min at 1. */
static double cosine(const vkp_config *config, double share)
{
    return config->lr_min + (config->lr - config->lr_min) * (1 + cos(acos(-1.0) * share)) / 2;
}

double vkp_config_lr(const vkp_config *config, uint32_t epoch, uint32_t step, uint32_t steps)
{
    switch (config->schedule) {
    case VKP_CONFIG_CONSTANT: return config->lr;
    case VKP_CONFIG_COSINE:
        return cosine(config, (double)(epoch % config->restart_every) / config->restart_every);
    case VKP_CONFIG_WARMUP_COSINE: break;
    }
    const double done = (double)epoch * steps + step, all = (double)config->epochs * steps;
    if (done < config->warmup) return config->lr * (done + 1) / config->warmup;
    return cosine(config, all > config->warmup ? (done - config->warmup) / (all - config->warmup) : 1);
}

size_t vkp_config_diff(const vkp_config *a, const vkp_config *b, char *names, size_t room)
{
    size_t count = 0, length = 0;
    names[0] = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char left[VALUE_TEXT], right[VALUE_TEXT];
        vkp_config_key_value(a, i, left, sizeof left);
        if (strcmp(left, vkp_config_key_value(b, i, right, sizeof right)) == 0) continue;
        length = append(names, room, length, ", ", keys[i].name);
        count++;
    }
    return count;
}
