/* libcyaml with its log gathered into a text, and with files read and written by base/file.h. */
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { FILE_LIMIT = 1 << 20 };

typedef struct complaint {
    char text[400];
    size_t length;
} complaint;

/* libcyaml says what is wrong in one message and where in those that follow, "  in mapping field 'size'
 * (line: 3, column: 7)". Each is appended after a comma; brackets go, since ours surround the text. */
static void gather(cyaml_log_t level, void *context, const char *format, va_list args)
{
    static const char prefix[] = "Load: ";
    complaint *into = context;
    char line[200];
    vsnprintf(line, sizeof line, format, args);
    const char *at = strncmp(line, prefix, strlen(prefix)) == 0 ? line + strlen(prefix) : line;
    at += strspn(at, " ");
    if (level < CYAML_LOG_ERROR || strncmp(at, "Backtrace", strlen("Backtrace")) == 0) return;
    const size_t room = sizeof into->text - 1;
    for (const char *comma = ", "; *comma && into->length < room;) into->text[into->length++] = *comma++;
    for (; *at && into->length < room; at++) {
        if (!strchr("()\n", *at)) into->text[into->length++] = *at;
    }
    into->text[into->length] = 0;
}

static cyaml_config_t configure(complaint *into)
{
    return (cyaml_config_t){.log_fn = gather,
                            .log_ctx = into,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_STYLE_BLOCK};
}

static vkp_status out_of_memory(const char *path)
{
    return vkp_fail(VKP_MEMORY, "cannot hold %s (host memory ran out; free some memory)", path);
}

vkp_status vkp_yaml_parse(const char *name, const char *text, size_t bytes, const cyaml_schema_value_t *schema,
                          vkp_status code, const char *remedy, void **data)
{
    complaint why = {0};
    const cyaml_config_t config = configure(&why);
    *data = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, bytes, &config, schema, data, NULL);
    if (error == CYAML_OK) return VKP_OK;
    *data = NULL;
    if (error == CYAML_ERR_OOM) return out_of_memory(name);
    return vkp_fail(code, "cannot use %s (%s%s; %s)", name, cyaml_strerror(error), why.text, remedy);
}

vkp_status vkp_yaml_load(const char *path, const cyaml_schema_value_t *schema, vkp_status code,
                         const char *remedy, void **data)
{
    void *content;
    size_t bytes;
    *data = NULL;
    VKP_TRY(vkp_file_read(path, FILE_LIMIT, &content, &bytes));
    vkp_status status = vkp_yaml_parse(path, content, bytes, schema, code, remedy, data);
    free(content);
    return status;
}

vkp_status vkp_yaml_print(const char *name, const cyaml_schema_value_t *schema, const void *data, char **text,
                          size_t *bytes)
{
    complaint why = {0};
    const cyaml_config_t config = configure(&why); /* whose memory is malloc's */
    *text = NULL;
    cyaml_err_t error = cyaml_save_data(text, bytes, &config, schema, data, 0);
    if (error == CYAML_OK) return VKP_OK;
    *text = NULL;
    if (error == CYAML_ERR_OOM) return out_of_memory(name);
    return vkp_fail(VKP_INTERNAL, "cannot write %s (%s%s; report it)", name, cyaml_strerror(error), why.text);
}

vkp_status vkp_yaml_save(const char *path, const cyaml_schema_value_t *schema, const void *data)
{
    char *text;
    size_t bytes;
    VKP_TRY(vkp_yaml_print(path, schema, data, &text, &bytes));
    vkp_status status = vkp_file_write(path, text, bytes);
    free(text);
    return status;
}

void vkp_yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    complaint why = {0};
    const cyaml_config_t config = configure(&why);
    if (data) cyaml_free(&config, schema, data, 0);
}
