/* ONNX files of the generators: `test_onnx FOLDER`. What they hold is read back here; FOLDER gets each file,
 * with pictures and what vkpix makes of them, for tests/reference/check_onnx.py to compute. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "base/random.h"
#include "base/version.h"
#include "batch.h"
#include "blob.h"
#include "dense.h"
#include "device_fixture.h"
#include "formats/onnx.h"
#include "formats/onnx_network.h"
#include "nn/model_file.h"
#include "nn/networks.h"
#include "onnx.pb-c.h"
#include "program.h"

static const struct network {
    const char *name, *preset;
    vkp_config_network kind;
    const char *multiple_of;
    size_t norms;
} networks[] = {
    {"unet", "train03", VKP_CONFIG_UNET, "16", 7},
    {"natural", "natural", VKP_CONFIG_NATURAL, "32", 15},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* The pictures that each network colours. */
static const vkp_shape shapes[] = {{1, 1, 32, 64}, {2, 1, 96, 32}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static void make_params(const struct network *n, vkp_params *p)
{
    *p = (vkp_params){0};
    assert_ok(vkp_generator_declare(p, n->kind));
    assert_ok(vkp_params_allocate(p, test_device, false));
}

static float *read_params(const vkp_params *p)
{
    float *values = malloc(p->total * sizeof *values);
    assert_non_null(values);
    assert_ok(vkp_buffer_read(test_device, &p->values, 0, values, p->total * 4));
    return values;
}

/* Random weights, and norms that have seen something: no scale is 1, no shift 0. */
static void randomize(vkp_params *p)
{
    uint64_t drawn = 0;
    assert_ok(vkp_params_initialize(p, 5, 0));
    float *values = read_params(p);
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        const bool around_one = e->rank == 1 && (e->fill > 0 || ends_with(e->name, "running_var"));
        float *own = values + e->offset;
        if (e->rank == 4)
            for (uint64_t k = 0; k < vkp_shape_count(e->shape); k++) own[k] *= 2;
        else
            for (uint64_t k = 0; k < vkp_shape_count(e->shape); k++)
                own[k] = (around_one ? 1 : 0) + 0.8f * (vkp_random_float(5, VKP_RANDOM_TEST, drawn++) - 0.5f);
    }
    assert_ok(vkp_buffer_write(test_device, &p->values, 0, values, p->total * 4));
    free(values);
}

/* CrCb of gray pictures, as vkpix computes them: malloc'd, dense. */
static float *colour(const vkp_params *p, vkp_shape shape, const float *gray)
{
    vkp_program *program;
    vkp_graph *graph;
    vkp_arena arena = {0};
    vkp_bound_params bound, folded;
    vkp_pass pass;
    vkp_value value;
    batch pictures = batch_make(shape.n, 1, shape.h, shape.w);
    vkp_tensor t = pictures.layout;
    dense_spread(&t, gray, pictures.buffer.mapped);
    assert_ok(vkp_program_create(test_device, &program));
    assert_ok(vkp_graph_create(program, false, &graph));
    assert_ok(vkp_program_external(program, &pictures.buffer, 0, pictures.buffer.bytes, "gray", &t.buffer));
    assert_ok(vkp_graph_tensor(graph, &t, VKP_GRADS_NONE, NULL, "gray", &value));
    assert_ok(vkp_params_bind(p, graph, VKP_GRADS_NONE, &bound));
    assert_ok(vkp_generator_fold(&bound, &folded));
    assert_ok(vkp_generator_forward(&folded, value, false, NULL, "G", &pass));
    const vkp_tensor out = vkp_graph_at(graph, pass.out);
    vkp_program_keep(program, out.buffer);
    assert_ok(vkp_program_build(program, &arena));
    assert_ok(vkp_program_run(program, 0, 1));
    float *chroma = dense_read(program, &out);
    vkp_graph_destroy(graph);
    vkp_program_destroy(program);
    vkp_arena_destroy(test_device, &arena);
    batch_free(&pictures);
    return chroma;
}

/* Writes FILE.expected with the pictures and their colours. */
static void write_expected(const vkp_params *p, const char *file)
{
    char path[96], names[2 * SHAPES][32];
    vkp_safetensor list[2 * SHAPES];
    for (size_t i = 0; i < SHAPES; i++) {
        const vkp_shape s = shapes[i];
        float *gray = malloc(vkp_shape_count(s) * sizeof *gray);
        assert_non_null(gray);
        for (uint64_t k = 0; k < vkp_shape_count(s); k++) gray[k] = 2 * vkp_random_float(6, i, k) - 1;
        float *const data[] = {gray, colour(p, s, gray)};
        for (size_t part = 0; part < 2; part++) {
            snprintf(names[2 * i + part], sizeof names[0], "%s.%zu", part ? "chroma" : "gray", i);
            list[2 * i + part] = (vkp_safetensor){.name = names[2 * i + part], .dtype = VKP_SAFETENSORS_F32,
                                                  .rank = 4, .shape = {s.n, 1 + part, s.h, s.w},
                                                  .data = data[part]};
        }
    }
    snprintf(path, sizeof path, "%s.expected", file);
    assert_ok(vkp_safetensors_write(path, list, 2 * SHAPES, NULL, 0));
    for (size_t i = 0; i < 2 * SHAPES; i++) free((void *)list[i].data);
}

static Onnx__ModelProto *read_model(const char *path)
{
    const blob file = blob_read(path);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, file.size, file.bytes);
    assert_non_null(model);
    free(file.bytes);
    return model;
}

static const Onnx__TensorProto *find_tensor(const Onnx__ModelProto *model, const char *name)
{
    for (size_t i = 0; i < model->graph->n_initializer; i++)
        if (strcmp(model->graph->initializer[i]->name, name) == 0) return model->graph->initializer[i];
    return NULL;
}

static size_t count_nodes(const Onnx__ModelProto *model, const char *op)
{
    size_t count = 0;
    for (size_t i = 0; i < model->graph->n_node; i++) count += !strcmp(model->graph->node[i]->op_type, op);
    return count;
}

static const char *metadata(const Onnx__ModelProto *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata_props; i++)
        if (strcmp(model->metadata_props[i]->key, key) == 0) return model->metadata_props[i]->value;
    return "";
}

static void check_value(const Onnx__ValueInfoProto *value, const char *name, int64_t channels)
{
    static const char *const free_sizes[] = {"batch", NULL, "height", "width"};
    const Onnx__TypeProto__Tensor *type = value->type->tensor_type;
    assert_string_equal(value->name, name);
    assert_int_equal(type->elem_type, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    assert_int_equal(type->shape->n_dim, 4);
    for (size_t i = 0; i < 4; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[i];
        const bool varies = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        assert_true(varies == (free_sizes[i] != NULL));
        if (varies) assert_string_equal(dim->dim_param, free_sizes[i]);
        else assert_int_equal(dim->dim_value, channels);
    }
}

/* The weights that are used are there by their PyTorch names, of the right size; norms unless folded. */
static void check_weights(const Onnx__ModelProto *model, const vkp_params *p, const vkp_onnx_options *how)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        const Onnx__TensorProto *t = find_tensor(model, e->name);
        const bool norm = e->rank == 1 && !e->bound;
        const bool wanted = strncmp(e->name, "classes.", strlen("classes.")) && !(norm && how->fold);
        if ((t != NULL) != wanted) fail_msg("%s is %s", e->name, t ? "there" : "missing");
        if (!t) continue;
        size_t shape[4];
        vkp_param_shape(e, shape);
        assert_int_equal(t->n_dims, e->rank);
        for (uint32_t k = 0; k < e->rank; k++) assert_int_equal(t->dims[k], shape[k]);
        assert_int_equal(t->data_type, how->half ? VKP_ONNX_F16 : VKP_ONNX_F32);
        assert_int_equal(t->raw_data.len, vkp_shape_count(e->shape) * (how->half ? 2 : 4));
    }
}

static void check_model(const Onnx__ModelProto *model, const struct network *n, const vkp_params *p,
                        const vkp_onnx_options *how)
{
    vkp_config config;
    assert_ok(vkp_config_preset(&config, n->preset));
    char *settings = vkp_model_file_settings(&config);
    assert_int_equal(model->ir_version, 7);
    assert_int_equal(model->n_opset_import, 1);
    assert_int_equal(model->opset_import[0]->version, 13);
    assert_string_equal(model->producer_name, "vkpix");
    assert_string_equal(metadata(model, "vkpix.version"), vkp_version());
    assert_string_equal(metadata(model, "vkpix.config"), settings);
    assert_string_equal(metadata(model, "vkpix.multiple_of"), n->multiple_of);
    assert_non_null(strstr(model->doc_string, n->multiple_of));
    assert_int_equal(model->graph->n_input, 1);
    assert_int_equal(model->graph->n_output, 1);
    check_value(model->graph->input[0], "gray", 1);
    check_value(model->graph->output[0], "chroma", 2);
    check_weights(model, p, how);
    assert_int_equal(count_nodes(model, "BatchNormalization"), how->fold ? 0 : n->norms);
    assert_true((count_nodes(model, "Cast") > 0) == how->half);
    free(settings);
}

/* Makes the parameters what a folded file holds, with norms that do nothing. */
static void take_folded(const Onnx__ModelProto *model, vkp_params *p)
{
    float *values = read_params(p);
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        const Onnx__TensorProto *t = find_tensor(model, e->name);
        float *own = values + e->offset;
        for (uint64_t k = 0; k < vkp_shape_count(e->shape); k++) {
            uint16_t half;
            if (t) memcpy(&half, t->raw_data.data + 2 * k, sizeof half);
            own[k] = t ? vkp_half_to_float(half) : e->trained ? e->fill * sqrtf(1 + VKP_NORM_EPS) : e->fill;
        }
    }
    assert_ok(vkp_buffer_write(test_device, &p->values, 0, values, p->total * 4));
    free(values);
}

/* Writes one file, reads it back, and says what vkpix makes with the weights in it. */
static void write_one(const struct network *n, vkp_params *p, const vkp_onnx_options *how)
{
    char out[64], half[64];
    snprintf(out, sizeof out, "%s%s%s.onnx", n->name, how->fold ? "_fold" : "", how->half ? "_half" : "");
    snprintf(half, sizeof half, "%s_half.safetensors", n->name);
    program_expect(program_run("", "export %s.safetensors --out %s%s%s", n->name, out,
                               how->fold ? " --fold" : "", how->half ? " --half" : ""), 0, "");
    Onnx__ModelProto *model = read_model(out);
    check_model(model, n, p, how);
    if (how->half && how->fold) take_folded(model, p);
    else if (how->half) {
        program_expect(program_run("", "export %s.safetensors --half --out %s", n->name, half), 0, "");
        assert_ok(vkp_params_load(p, half));
    }
    onnx__model_proto__free_unpacked(model, NULL);
    write_expected(p, out);
}

static void every_generator(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        const struct network *n = &networks[i];
        vkp_params p;
        vkp_config config;
        char bare[64], path[64];
        make_params(n, &p);
        randomize(&p);
        snprintf(bare, sizeof bare, "%s.bare.safetensors", n->name);
        snprintf(path, sizeof path, "%s.safetensors", n->name);
        assert_ok(vkp_params_save(&p, bare));
        vkp_safetensors *file = dense_open(bare);
        size_t count;
        const vkp_safetensor *list = vkp_safetensors_list(file, &count);
        assert_ok(vkp_config_preset(&config, n->preset));
        assert_ok(vkp_model_file_write(path, list, count, bare, &config, false));
        vkp_safetensors_free(file);
        for (int way = 0; way < 4; way++) {
            assert_ok(vkp_params_load(&p, bare));
            write_one(n, &p, &(vkp_onnx_options){.fold = way & 1, .half = way & 2});
        }
        vkp_params_free(&p);
    }
}

/* The format is what --format says, or the name; a file without settings is told apart by its tensors. */
static void formats_and_names(void **state)
{
    (void)state;
    program_expect(program_run("", "export unet.safetensors --format onnx --out other.bin"), 0, "");
    const blob a = blob_read("unet.onnx"), b = blob_read("other.bin");
    assert_true(a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0);
    free(a.bytes);
    free(b.bytes);
    program_expect(program_run("", "export natural.bare.safetensors --out bare.bin --format=onnx"), 0, "");
    assert_non_null(strstr(program_errors(), "no settings are known"));
    Onnx__ModelProto *model = read_model("bare.bin");
    assert_string_equal(metadata(model, "vkpix.multiple_of"), "32");
    assert_string_equal(metadata(model, "vkpix.config"), "");
    onnx__model_proto__free_unpacked(model, NULL);
    program_expect(program_run("", "export unet.safetensors --format safetensors --out plain.onnx"), 0, "");
    vkp_safetensors_free(dense_open("plain.onnx"));
    assert_int_equal(remove("plain.onnx"), 0);
}

static void refusals(void **state)
{
    (void)state;
    vkp_params d = {0};
    vkp_config config;
    assert_ok(vkp_config_preset(&config, "train02"));
    assert_ok(vkp_discriminator_declare(&d, &config));
    assert_ok(vkp_params_allocate(&d, test_device, false));
    assert_ok(vkp_params_save(&d, "d.safetensors"));
    vkp_params_free(&d);
    const float values[] = {1, 70000};
    const vkp_safetensor one = {.name = "enc1.0.bias", .dtype = VKP_SAFETENSORS_F32, .rank = 1, .shape = {2},
                                .data = values};
    assert_ok(vkp_safetensors_write("one.safetensors", &one, 1, NULL, 0));
    program_expect(program_run("", "export unet.safetensors --fold --out no.safetensors"), 2, "--fold");
    program_expect(program_run("", "export unet.safetensors --format pdf --out no.pdf"), 2, "pdf");
    program_expect(program_run("", "export d.safetensors --out no.onnx"), 1, "the discriminator");
    program_expect(program_run("", "export one.safetensors --out no.onnx"), 1, "enc1.0.weight is missing");
    program_expect(program_run("", "export unet.safetensors --out missing/no.onnx"), 1, "missing");
    assert_false(vkp_file_exists("no.onnx") || vkp_folder_exists("missing"));

    vkp_params p;
    make_params(&networks[0], &p);
    assert_ok(vkp_params_load(&p, "unet.bare.safetensors"));
    const float much = 1e6f;
    assert_ok(vkp_buffer_write(test_device, &p.values, p.list[3].offset * 4, &much, 4));
    assert_ok(vkp_params_save(&p, "much.safetensors"));
    vkp_params_free(&p);
    program_expect(program_run("", "export much.safetensors --half --out no.onnx"), 1, "65504");
    assert_false(vkp_file_exists("no.onnx"));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    if (vkp_folder_make(argv[1]) != VKP_OK || chdir(argv[1]) != 0) {
        fprintf(stderr, "%s: cannot be used\n", argv[1]);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_generator),
        cmocka_unit_test(formats_and_names),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests_name("ONNX files", tests, open_test_device, close_test_device);
}
