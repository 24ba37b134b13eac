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
static const char *const schedules[] = {"constant", "cosine", NULL};
static const char *const fits[] = {"wrap", "stretch", "black", "crop", "rotate", NULL};

#define PLACE(member) #member, offsetof(vkp_config, member)
#define KEY(member, kind, min, max, meaning) {PLACE(member), kind, min, max, NULL, meaning}
#define KEY_OF(member, choices, meaning) {PLACE(member), CHOICE, 0, 0, choices, meaning}

static const config_key keys[] = {
    KEY(size, WHOLE, 16, 4096, "side of the square pictures, pixels; a multiple of 16"),
    KEY(batch, WHOLE, 1, 4096, "pictures a step"),
    KEY(epochs, WHOLE, 1, 1000000, "passes over the training pictures"),
    KEY_OF(loss, losses, "adversarial loss"),
    KEY_OF(d_norm, norms, "normalization in the discriminator"),
    KEY(d_pools, WHOLES, 1, 64, "average pools of the discriminator, outermost first"),
    KEY(d_every, WHOLE, 1, 1024, "the discriminator steps on every Nth batch"),
    KEY(lr, NUMBER, 0, 1, "learning rate, at the start of a cosine"),
    KEY(lr_min, NUMBER, 0, 1, "learning rate at the end of a cosine"),
    KEY_OF(schedule, schedules, "course of the learning rate"),
    KEY(restart_every, WHOLE, 1, 1000000, "epochs until the cosine starts again"),
    KEY(lambda_crcb, NUMBER, 0, 1e6, "weight of the L1 loss of the chroma"),
    KEY(lambda_rgb, NUMBER, 0, 1e6, "weight of the L1 loss of the RGB picture"),
    KEY(flip, NUMBER, 0, 1, "probability that a training picture is mirrored"),
    KEY(blur, NUMBER, 0, 1, "probability that a training picture is blurred"),
    KEY_OF(fit, fits, "how a picture becomes a square"),
    KEY(seed, WHOLE, 0, UINT32_MAX, "seed of first weights, order and augmentation"),
    KEY(checkpoint_every, WHOLE, 1, 1000000, "epochs between checkpoints"),
    KEY(preview_every, WHOLE, 1, 1000000, "epochs between previews"),
};

enum { KEY_COUNT = sizeof keys / sizeof *keys, VALUE_TEXT = 64, RANGE_TEXT = 128, KEYS_TEXT = 300 };

_Static_assert(sizeof(vkp_config_loss) == sizeof(uint32_t), "choices are stored as 32 bits");

#define COMMON                                                                                             \
    .batch = 32, .lr_min = 1e-6, .restart_every = 200, .lambda_crcb = 75, .lambda_rgb = 25, .flip = 0.5,   \
    .fit = VKP_CONFIG_FIT_WRAP, .seed = 1, .checkpoint_every = 20, .preview_every = 20
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
    case NUMBER: snprintf(text, room, "a number, %.0f..%.0f", k->min, k->max); break;
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

vkp_status vkp_config_check(const vkp_config *config)
{
    const uint32_t patches = vkp_config_patches(config);
    if (config->size % 16 != 0 || config->size == 0) {
        return vkp_fail(VKP_USAGE, "cannot use size %u (not a multiple of 16; %u is the next one)",
                        (unsigned)config->size, (unsigned)(config->size / 16 + 1) * 16);
    }
    if (patches == 0) {
        return vkp_fail(VKP_USAGE, "cannot use d_pools with size %u (no patch is left; use smaller pools or "
                        "a larger size)", (unsigned)config->size);
    }
    if (patches == 1 && config->d_norm == VKP_CONFIG_NORM_INSTANCE) {
        return vkp_fail(VKP_USAGE, "cannot use d_norm instance with size %u and these d_pools (a plane of "
                        "1x1 has nothing to normalize over; use smaller pools or d_norm batch)",
                        (unsigned)config->size);
    }
    if (config->batch == 1 && (patches == 1 || config->size == 16)) {
        return vkp_fail(VKP_USAGE, "cannot use batch 1 with size %u and these d_pools (a plane of 1x1 has "
                        "nothing to normalize over; use a larger batch or size)", (unsigned)config->size);
    }
    if (config->schedule == VKP_CONFIG_COSINE && config->lr_min > config->lr) {
        return vkp_fail(VKP_USAGE, "cannot use lr_min %g with lr %g (a cosine falls from lr to lr_min; use "
                        "lr_min at most lr)", config->lr_min, config->lr);
    }
    return VKP_OK;
}

double vkp_config_lr(const vkp_config *config, uint32_t epoch)
{
    if (config->schedule == VKP_CONFIG_CONSTANT) return config->lr;
    const double phase = acos(-1.0) * (epoch % config->restart_every) / config->restart_every;
    return config->lr_min + (config->lr - config->lr_min) * (1 + cos(phase)) / 2;
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
