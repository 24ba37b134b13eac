#include "formats/pickle.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* What a pickle's name stands for. */
typedef enum word { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_TYPE } word;

static const struct {
    const char *module, *name;
    word word;
    vkp_safetensors_dtype dtype;
} words[] = {
    {"collections", "OrderedDict", ORDERED_DICT, VKP_SAFETENSORS_OTHER},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, VKP_SAFETENSORS_OTHER},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, VKP_SAFETENSORS_OTHER},
    {"torch", "DoubleStorage", STORAGE_TYPE, VKP_SAFETENSORS_F64},
    {"torch", "FloatStorage", STORAGE_TYPE, VKP_SAFETENSORS_F32},
    {"torch", "HalfStorage", STORAGE_TYPE, VKP_SAFETENSORS_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, VKP_SAFETENSORS_BF16},
    {"torch", "LongStorage", STORAGE_TYPE, VKP_SAFETENSORS_I64},
};

typedef enum kind { NONE, BOOLEAN, INTEGER, TEXT, WORD, TUPLE, DICT, STORAGE, TENSOR } kind;

/* A value of the machine, by its number in `objects`. */
typedef struct object {
    kind kind;
    int64_t integer;     /* INTEGER; WORD: its row of `words` */
    const uint8_t *text; /* TEXT: in the pickle, not terminated */
    uint32_t first; /* TUPLE: its first item in `items`; DICT: its first pair, plus 1; STORAGE: its tuple;
                       TENSOR: its place in `tensors` */
    uint32_t last;  /* DICT: its last pair, plus 1 */
    uint32_t count; /* TEXT: bytes; TUPLE: items */
} object;

typedef struct pair {
    uint32_t key, value, next; /* next: the dictionary's following pair, plus 1; 0: none */
} pair;

typedef struct list {
    void *items;
    size_t count, capacity;
} list;

typedef struct machine {
    const char *name;
    const uint8_t *at, *end;
    list objects, items, pairs, stack, marks, memo, tensors;
    bool stopped;
} machine;

static vkp_status refuse(const machine *m, const char *why)
{
    return vkp_fail(VKP_FORMAT, "cannot use %s (%s; save network.state_dict() alone with torch.save)",
                    m->name, why);
}

static vkp_status malformed(const machine *m) { return refuse(m, "its pickle is damaged or no state_dict"); }

static vkp_status append(list *l, const void *item, size_t size)
{
    VKP_TRY(vkp_grow(&l->items, &l->capacity, l->count, size));
    memcpy((char *)l->items + size * l->count++, item, size);
    return VKP_OK;
}

static object *object_at(const machine *m, uint32_t id) { return (object *)m->objects.items + id; }
static uint32_t number_at(const list *l, size_t i) { return ((const uint32_t *)l->items)[i]; }

static vkp_status push_id(machine *m, uint32_t id) { return append(&m->stack, &id, sizeof id); }

static vkp_status push(machine *m, object o)
{
    const uint32_t id = (uint32_t)m->objects.count;
    VKP_TRY(append(&m->objects, &o, sizeof o));
    return push_id(m, id);
}

/* The stack's items above the latest mark are for the opcode that takes them; below it nobody reaches. */
static size_t floor_of(const machine *m)
{
    return m->marks.count ? number_at(&m->marks, m->marks.count - 1) : 0;
}

static vkp_status pop(machine *m, uint32_t *id)
{
    *id = 0;
    if (m->stack.count <= floor_of(m)) return malformed(m);
    *id = number_at(&m->stack, --m->stack.count);
    return VKP_OK;
}

static vkp_status take(machine *m, size_t bytes, const uint8_t **data)
{
    *data = m->at;
    if (bytes > (size_t)(m->end - m->at)) return refuse(m, "its pickle is truncated");
    m->at += bytes;
    return VKP_OK;
}

/* An unsigned number of `bytes`, at most 8, little endian. */
static vkp_status take_number(machine *m, size_t bytes, uint64_t *value)
{
    const uint8_t *data;
    *value = 0;
    VKP_TRY(take(m, bytes, &data));
    while (bytes--) *value = *value << 8 | data[bytes];
    return VKP_OK;
}

static vkp_status push_integer(machine *m, size_t bytes, bool is_signed)
{
    uint64_t value;
    VKP_TRY(take_number(m, bytes, &value));
    const uint64_t sign = bytes ? (uint64_t)1 << (8 * bytes - 1) : 0;
    if (is_signed && value & sign && bytes < 8) value |= ~(sign * 2 - 1);
    return push(m, (object){.kind = INTEGER, .integer = (int64_t)value});
}

static vkp_status push_long(machine *m)
{
    uint64_t bytes;
    VKP_TRY(take_number(m, 1, &bytes));
    if (bytes > 8) return refuse(m, "its pickle has a number of more than 64 bits");
    return push_integer(m, (size_t)bytes, true);
}

static vkp_status push_text(machine *m)
{
    uint64_t bytes;
    object o = {.kind = TEXT};
    VKP_TRY(take_number(m, 4, &bytes));
    VKP_TRY(take(m, (size_t)bytes, &o.text));
    o.count = (uint32_t)bytes;
    return push(m, o);
}

/* What another's bytes say, fit to be shown. */
static void show(char *to, size_t room, const uint8_t *text, size_t length)
{
    size_t i = 0;
    for (; i < length && i + 1 < room; i++) to[i] = (char)(text[i] >= ' ' && text[i] < 127 ? text[i] : '?');
    to[i] = 0;
}

static vkp_status take_line(machine *m, const uint8_t **line, size_t *length)
{
    const uint8_t *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    *line = m->at;
    *length = 0;
    if (!end) return refuse(m, "its pickle is truncated");
    *length = (size_t)(end - m->at);
    m->at = end + 1;
    return VKP_OK;
}

static bool is_text(const uint8_t *bytes, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

static vkp_status push_word(machine *m)
{
    const uint8_t *module, *name;
    size_t module_length, name_length;
    VKP_TRY(take_line(m, &module, &module_length));
    VKP_TRY(take_line(m, &name, &name_length));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_text(module, module_length, words[i].module) && is_text(name, name_length, words[i].name))
            return push(m, (object){.kind = WORD, .integer = (int64_t)i});
    char shown[2][48], why[192];
    show(shown[0], sizeof shown[0], module, module_length);
    show(shown[1], sizeof shown[1], name, name_length);
    snprintf(why, sizeof why,
             "its pickle calls for %s.%s, which no state_dict of floats needs; nothing was run", shown[0],
             shown[1]);
    return refuse(m, why);
}

/* The memory that opcodes refer to by numbers, which count up. */
static vkp_status put(machine *m, uint64_t index)
{
    if (m->stack.count <= floor_of(m) || index > m->memo.count) return malformed(m);
    const uint32_t id = number_at(&m->stack, m->stack.count - 1);
    if (index == m->memo.count) return append(&m->memo, &id, sizeof id);
    ((uint32_t *)m->memo.items)[index] = id;
    return VKP_OK;
}

static vkp_status get(machine *m, uint64_t index)
{
    return index < m->memo.count ? push_id(m, number_at(&m->memo, (size_t)index)) : malformed(m);
}

static vkp_status push_tuple(machine *m, size_t count)
{
    if (m->stack.count - floor_of(m) < count) return malformed(m);
    const object o = {.kind = TUPLE, .first = (uint32_t)m->items.count, .count = (uint32_t)count};
    m->stack.count -= count;
    for (size_t i = 0; i < count; i++) {
        const uint32_t id = number_at(&m->stack, m->stack.count + i);
        VKP_TRY(append(&m->items, &id, sizeof id));
    }
    return push(m, o);
}

static const object *item(const machine *m, const object *tuple, uint32_t i)
{
    return object_at(m, number_at(&m->items, tuple->first + i));
}

/* Ends what the latest mark began: *count items on top of the stack belong to it. */
static vkp_status end_mark(machine *m, size_t *count)
{
    *count = 0;
    if (!m->marks.count) return malformed(m);
    *count = m->stack.count - floor_of(m);
    m->marks.count--;
    return VKP_OK;
}

/* The `count` topmost items, key and value in turn, go into the dictionary below them. */
static vkp_status set_items(machine *m, size_t count)
{
    if (count % 2 || m->stack.count - floor_of(m) < count + 1) return malformed(m);
    const size_t from = m->stack.count - count;
    const uint32_t id = number_at(&m->stack, from - 1);
    if (object_at(m, id)->kind != DICT) return malformed(m);
    for (size_t i = from; i < m->stack.count; i += 2) {
        const pair p = {number_at(&m->stack, i), number_at(&m->stack, i + 1), 0};
        VKP_TRY(append(&m->pairs, &p, sizeof p));
        object *dict = object_at(m, id);
        const uint32_t here = (uint32_t)m->pairs.count;
        if (dict->last)
            ((pair *)m->pairs.items)[dict->last - 1].next = here;
        else
            dict->first = here;
        dict->last = here;
    }
    m->stack.count = from;
    return VKP_OK;
}

/* False when the text is too long, empty or has a zero in it. */
static bool copy_text(const object *o, char to[VKP_PICKLE_TEXT])
{
    if (o->kind != TEXT || !o->count || o->count >= VKP_PICKLE_TEXT || memchr(o->text, 0, o->count))
        return false;
    memcpy(to, o->text, o->count);
    to[o->count] = 0;
    return true;
}

static bool natural_number(const object *o, uint64_t *value)
{
    *value = (uint64_t)o->integer;
    return o->kind == INTEGER && o->integer >= 0;
}

/* ("storage", type, key, place, elements), which the tensors refer to. */
static vkp_status push_storage(machine *m)
{
    uint32_t id;
    VKP_TRY(pop(m, &id));
    const object *t = object_at(m, id);
    if (t->kind != TUPLE || t->count != 5) return malformed(m);
    const object *tag = item(m, t, 0), *type = item(m, t, 1);
    uint64_t elements;
    char key[VKP_PICKLE_TEXT];
    if (tag->kind != TEXT || !is_text(tag->text, tag->count, "storage") || type->kind != WORD ||
        words[type->integer].word != STORAGE_TYPE || !copy_text(item(m, t, 2), key) ||
        item(m, t, 3)->kind != TEXT || !natural_number(item(m, t, 4), &elements))
        return malformed(m);
    return push(m, (object){.kind = STORAGE, .first = id});
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static vkp_status push_tensor(machine *m, const object *args)
{
    vkp_pickled_tensor t = {.rank = 0};
    if (args->count != 6 && args->count != 7) return malformed(m);
    const object *storage = item(m, args, 0), *size = item(m, args, 2), *stride = item(m, args, 3);
    if (storage->kind != STORAGE || !natural_number(item(m, args, 1), &t.offset) || size->kind != TUPLE ||
        stride->kind != TUPLE || size->count != stride->count)
        return malformed(m);
    if (size->count > VKP_SAFETENSORS_MAX_RANK)
        return refuse(m, "one of its tensors has too many dimensions");
    const object *about = object_at(m, storage->first);
    t.dtype = words[item(m, about, 1)->integer].dtype;
    t.rank = size->count;
    copy_text(item(m, about, 2), t.storage);
    natural_number(item(m, about, 4), &t.storage_count);
    for (uint32_t i = 0; i < t.rank; i++)
        if (!natural_number(item(m, size, i), &t.size[i]) ||
            !natural_number(item(m, stride, i), &t.stride[i]))
            return malformed(m);
    const object o = {.kind = TENSOR, .first = (uint32_t)m->tensors.count};
    VKP_TRY(append(&m->tensors, &t, sizeof t));
    return push(m, o);
}

/* A word that is called, with a tuple of arguments. */
static vkp_status reduce(machine *m)
{
    uint32_t args_id, called_id;
    VKP_TRY(pop(m, &args_id));
    VKP_TRY(pop(m, &called_id));
    const object *args = object_at(m, args_id), *called = object_at(m, called_id);
    if (called->kind != WORD || args->kind != TUPLE) return malformed(m);
    switch (words[called->integer].word) {
    case ORDERED_DICT: return args->count ? malformed(m) : push(m, (object){.kind = DICT});
    case REBUILD_TENSOR: return push_tensor(m, args);
    case REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (args->count != 3 || item(m, args, 0)->kind != TENSOR) return malformed(m);
        return push_id(m, number_at(&m->items, args->first));
    case STORAGE_TYPE: break;
    }
    return malformed(m);
}

/* Attributes of a dictionary, as PyTorch's _metadata: they say nothing that is needed. */
static vkp_status build(machine *m)
{
    uint32_t state;
    VKP_TRY(pop(m, &state));
    if (m->stack.count <= floor_of(m) || object_at(m, state)->kind != DICT ||
        object_at(m, number_at(&m->stack, m->stack.count - 1))->kind != DICT)
        return malformed(m);
    return VKP_OK;
}

/* PROTO: what comes later than protocol 2 has opcodes that the rest does not know. */
static vkp_status protocol(machine *m)
{
    uint64_t number;
    VKP_TRY(take_number(m, 1, &number));
    return number == 2 ? VKP_OK : refuse(m, "its pickle protocol is not torch.save's own, 2");
}

static vkp_status mark(machine *m)
{
    const uint32_t height = (uint32_t)m->stack.count;
    return append(&m->marks, &height, sizeof height);
}

static vkp_status indexed(machine *m, size_t bytes, vkp_status (*what)(machine *, uint64_t))
{
    uint64_t index;
    VKP_TRY(take_number(m, bytes, &index));
    return what(m, index);
}

static vkp_status to_mark(machine *m, vkp_status (*what)(machine *, size_t))
{
    size_t count;
    VKP_TRY(end_mark(m, &count));
    return what(m, count);
}

static vkp_status unknown(const machine *m, uint8_t opcode)
{
    char why[128];
    snprintf(why, sizeof why, "its pickle has opcode 0x%02x, which no state_dict needs; nothing was run",
             opcode);
    return refuse(m, why);
}

/* The names are those of Python's pickletools. */
static vkp_status step(machine *m)
{
    const uint8_t *opcode;
    VKP_TRY(take(m, 1, &opcode));
    switch (*opcode) {
    case 0x80: return protocol(m);
    case '.': m->stopped = true; return VKP_OK;           /* STOP */
    case '(': return mark(m);                             /* MARK */
    case ')': return push_tuple(m, 0);                    /* EMPTY_TUPLE */
    case 0x85: return push_tuple(m, 1);                   /* TUPLE1 */
    case 0x86: return push_tuple(m, 2);                   /* TUPLE2 */
    case 0x87: return push_tuple(m, 3);                   /* TUPLE3 */
    case 't': return to_mark(m, push_tuple);              /* TUPLE */
    case '}': return push(m, (object){.kind = DICT});     /* EMPTY_DICT */
    case 's': return set_items(m, 2);                     /* SETITEM */
    case 'u': return to_mark(m, set_items);               /* SETITEMS */
    case 'N': return push(m, (object){.kind = NONE});     /* NONE */
    case 0x88: return push(m, (object){.kind = BOOLEAN}); /* NEWTRUE */
    case 0x89: return push(m, (object){.kind = BOOLEAN}); /* NEWFALSE */
    case 'K': return push_integer(m, 1, false);           /* BININT1 */
    case 'M': return push_integer(m, 2, false);           /* BININT2 */
    case 'J': return push_integer(m, 4, true);            /* BININT */
    case 0x8a: return push_long(m);                       /* LONG1 */
    case 'X': return push_text(m);                        /* BINUNICODE */
    case 'c': return push_word(m);                        /* GLOBAL */
    case 'q': return indexed(m, 1, put);                  /* BINPUT */
    case 'r': return indexed(m, 4, put);                  /* LONG_BINPUT */
    case 'h': return indexed(m, 1, get);                  /* BINGET */
    case 'j': return indexed(m, 4, get);                  /* LONG_BINGET */
    case 'Q': return push_storage(m);                     /* BINPERSID */
    case 'R': return reduce(m);                           /* REDUCE */
    case 'b': return build(m);                            /* BUILD */
    default: return unknown(m, *opcode);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const vkp_pickled_tensor *)a)->name, ((const vkp_pickled_tensor *)b)->name);
}

static vkp_status check_twice(const machine *m, const vkp_pickled_tensor *tensors, size_t count)
{
    vkp_pickled_tensor *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return vkp_fail(VKP_MEMORY, "no memory for a pickle (host memory ran out; close other programs)");
    bool twice = false;
    memcpy(sorted, tensors, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 1; i < count; i++) twice = twice || by_name(&sorted[i - 1], &sorted[i]) == 0;
    free(sorted);
    return twice ? refuse(m, "a name comes twice in it") : VKP_OK;
}

/* The entries of the dictionary that is left. */
static vkp_status collect(machine *m, list *found)
{
    uint32_t id;
    if (m->stack.count != 1 || m->marks.count) return malformed(m);
    VKP_TRY(pop(m, &id));
    if (object_at(m, id)->kind != DICT) return malformed(m);
    for (uint32_t at = object_at(m, id)->first; at;) {
        const pair *p = (const pair *)m->pairs.items + at - 1;
        const object *value = object_at(m, p->value);
        vkp_pickled_tensor t;
        if (value->kind != TENSOR) return refuse(m, "not everything in it is a tensor");
        t = ((const vkp_pickled_tensor *)m->tensors.items)[value->first];
        if (!copy_text(object_at(m, p->key), t.name)) return malformed(m);
        VKP_TRY(append(found, &t, sizeof t));
        at = p->next;
    }
    return found->count ? check_twice(m, found->items, found->count) : refuse(m, "there is nothing in it");
}

vkp_status vkp_pickle_read(const void *bytes, size_t size, const char *name, vkp_pickled_tensor **tensors,
                           size_t *count)
{
    machine m = {.name = name, .at = bytes, .end = (const uint8_t *)bytes + size};
    list found = {0};
    vkp_status status = VKP_OK;
    while (status == VKP_OK && !m.stopped) status = step(&m);
    if (status == VKP_OK) status = collect(&m, &found);
    list *const lists[] = {&m.objects, &m.items, &m.pairs, &m.stack, &m.marks, &m.memo, &m.tensors};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) free(lists[i]->items);
    if (status != VKP_OK) free(found.items);
    *tensors = status == VKP_OK ? found.items : NULL;
    *count = status == VKP_OK ? found.count : 0;
    return status;
}
