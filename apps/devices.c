/* vkpix devices: what Vulkan devices there are, what vkpix uses of them, and whether they compute rightly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/self_test.h"
#include "options.h"
#include "report.h"
#include "vk/pipeline.h"

/* The limits and features that vkpix uses, as vkp_limits has them: member, how it is shown, unit. */
#define LIMITS(X)                                                       \
    X(memory_budget, BYTES, "")                                         \
    X(max_allocation, BYTES, "")                                        \
    X(storage_range, BYTES, "")                                         \
    X(storage_buffers, COUNT, " a shader")                              \
    X(storage_align, COUNT, " bytes")                                   \
    X(texel_elements, COUNT, " texels")                                 \
    X(texel_align, COUNT, " bytes")                                     \
    X(group_invocations, COUNT, "")                                     \
    X(shared_bytes, COUNT, " bytes")                                    \
    X(push_bytes, COUNT, " bytes")                                      \
    X(subgroup_size, COUNT, " lanes (0: not to be relied on)")          \
    X(shuffle, FLAG, "")                                                \
    X(timestamp_ns, REAL, " ns (0: none)")

typedef enum kind { BYTES, COUNT, FLAG, REAL } kind;

typedef struct limit {
    const char *name, *unit;
    kind kind;
    double value;
} limit;

enum {
#define X(name, kind, unit) +1
    LIMIT_COUNT = 0 LIMITS(X)
#undef X
};

static void list_limits(const vkp_limits *l, limit list[LIMIT_COUNT])
{
    const limit all[] = {
#define X(name, kind, unit) {#name, unit, kind, (double)l->name},
        LIMITS(X)
#undef X
    };
    for (int i = 0; i < LIMIT_COUNT; i++) list[i] = all[i];
}

/* The PCI numbers of those who make GPUs, and the numbers that Khronos gives to the others. */
static const char *vendor_name(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } vendors[] = {
        {0x1002, "AMD"},        {0x1010, "Imagination"}, {0x106b, "Apple"},      {0x10de, "NVIDIA"},
        {0x13b5, "Arm"},        {0x144d, "Samsung"},     {0x14e4, "Broadcom"},   {0x1ae0, "Google"},
        {0x19e5, "Huawei"},     {0x5143, "Qualcomm"},    {0x8086, "Intel"},      {0x10001, "Vivante"},
        {0x10002, "VeriSilicon"}, {0x10003, "Kazan"},    {0x10004, "Codeplay"},  {0x10005, "Mesa"},
        {0x10006, "PoCL"},      {0x1414, "Microsoft"},
    };
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
        if (vendors[i].id == id) return vendors[i].name;
    return "unknown";
}

/* Opens the device of that number and tests it. */
static vkp_status test_device(size_t number)
{
    char choice[24];
    vkp_device *device;
    snprintf(choice, sizeof choice, "%zu", number);
    VKP_TRY(vkp_device_open(choice, &device));
    const vkp_status status = vkp_self_test(device);
    vkp_device_close(device);
    return status;
}

/* A three-dimensional limit: "a x b x c". */
static void print_triple(const char *name, const uint32_t v[3])
{
    printf("  %-18s %" PRIu32 " x %" PRIu32 " x %" PRIu32 "\n", name, v[0], v[1], v[2]);
}

/* Cooperative matrices, and whether this vkpix can use them. */
static void print_matrix(const vkp_matrix *x)
{
    const bool built = vkp_shader_is_built(VKP_SHADER_conv2d_gemm_pixels_coopmat);
    const char *use = x->loops ? " (made up of loops)"
                      : built  ? ""
                               : " (not used: the build's shader compiler was too old)";
    printf("  %-18s ", "matrix");
    if (!x->m) puts("none");
    else
        printf("%" PRIu32 " x %" PRIu32 " x %" PRIu32 ", %" PRIu32 " lanes%s\n", x->m, x->n, x->k, x->lanes,
               use);
}

static void print_device(size_t number, const vkp_device_info *d)
{
    const uint32_t v = d->api_version;
    printf("%zu: %s\n", number, d->name);
    printf("  %-18s %s (0x%04" PRIx32 ", device 0x%04" PRIx32 ")\n", "vendor", vendor_name(d->vendor_id),
           d->vendor_id, d->device_id);
    printf("  %-18s %s\n", "type", vkp_device_type_name(d->type));
    printf("  %-18s %s (0x%08" PRIx32 ")\n", "driver", d->driver[0] ? d->driver : "unnamed",
           d->driver_version);
    printf("  %-18s %u.%u.%u\n", "Vulkan", VK_API_VERSION_MAJOR(v), VK_API_VERSION_MINOR(v),
           VK_API_VERSION_PATCH(v));
    limit list[LIMIT_COUNT];
    list_limits(&d->limits, list);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        printf("  %-18s ", list[i].name);
        switch (list[i].kind) {
        case BYTES: printf("%.0f MiB\n", list[i].value / (1 << 20)); break;
        case COUNT: printf("%.0f%s\n", list[i].value, list[i].unit); break;
        case FLAG: puts(list[i].value != 0 ? "yes" : "no"); break;
        case REAL: printf("%g%s\n", list[i].value, list[i].unit); break;
        }
    }
    print_triple("group_size", d->limits.group_size);
    print_triple("group_count", d->limits.group_count);
    print_matrix(&d->limits.matrix);
}

static cJSON *triple(const uint32_t v[3])
{
    return cJSON_CreateDoubleArray((const double[]){v[0], v[1], v[2]}, 3);
}

static cJSON *json_limits(const vkp_limits *l)
{
    cJSON *object = cJSON_CreateObject();
    limit list[LIMIT_COUNT];
    list_limits(l, list);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        if (list[i].kind == FLAG) cJSON_AddBoolToObject(object, list[i].name, list[i].value != 0);
        else cJSON_AddNumberToObject(object, list[i].name, list[i].value);
    }
    cJSON_AddItemToObject(object, "group_size", triple(l->group_size));
    cJSON_AddItemToObject(object, "group_count", triple(l->group_count));
    const vkp_matrix *x = &l->matrix;
    cJSON_AddItemToObject(object, "matrix", triple((const uint32_t[]){x->m, x->n, x->k}));
    return object;
}

static cJSON *json_device(size_t number, const vkp_device_info *d, const char *problem)
{
    cJSON *object = cJSON_CreateObject();
    char version[48];
    const uint32_t v = d->api_version;
    snprintf(version, sizeof version, "%u.%u.%u", VK_API_VERSION_MAJOR(v), VK_API_VERSION_MINOR(v),
             VK_API_VERSION_PATCH(v));
    cJSON_AddNumberToObject(object, "number", (double)number);
    cJSON_AddStringToObject(object, "name", d->name);
    cJSON_AddNumberToObject(object, "vendor_id", d->vendor_id);
    cJSON_AddStringToObject(object, "vendor", vendor_name(d->vendor_id));
    cJSON_AddNumberToObject(object, "device_id", d->device_id);
    cJSON_AddStringToObject(object, "type", vkp_device_type_name(d->type));
    cJSON_AddStringToObject(object, "driver", d->driver);
    cJSON_AddNumberToObject(object, "driver_version", d->driver_version);
    cJSON_AddStringToObject(object, "vulkan", version);
    cJSON_AddItemToObject(object, "limits", json_limits(&d->limits));
    cJSON_AddBoolToObject(object, "self_test_passed", !problem);
    cJSON_AddStringToObject(object, "self_test", problem ? problem : "passed");
    return object;
}

static vkp_status print_all(const vkp_device_info *list, size_t count, bool json)
{
    cJSON *document = json ? cJSON_CreateObject() : NULL;
    cJSON *devices = json ? cJSON_AddArrayToObject(document, "devices") : NULL;
    for (size_t i = 0; i < count; i++) {
        if (!json) print_device(i, &list[i]);
        const char *problem = test_device(i) == VKP_OK ? NULL : vkp_error();
        if (json) cJSON_AddItemToArray(devices, json_device(i, &list[i], problem));
        else printf("  %-18s %s%s\n", "self-test", problem ? "failed: " : "passed", problem ? problem : "");
    }
    return json ? vkp_print_json(document) : VKP_OK;
}

static vkp_status run(const vkp_options *options)
{
    vkp_device_info *list;
    size_t count;
    VKP_TRY(vkp_device_list(&list, &count));
    const vkp_status status =
        count ? print_all(list, count, vkp_options_given(options, "json"))
              : vkp_fail(VKP_NO_DEVICE, "no Vulkan 1.1 device (no driver offers one; install a "
                                        "driver such as mesa-vulkan-drivers)");
    free(list);
    return status;
}

static const vkp_option options_taken[] = {VKP_OPTION_JSON, {0}};

const vkp_command vkp_command_devices = {
    .name = "devices",
    .synopsis = "[--json]",
    .summary = "list the Vulkan devices, what vkpix uses of them, and the verdict of a short self-test",
    .options = options_taken,
    .run = run,
};
