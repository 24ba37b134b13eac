/* YAML files through libcyaml schemas, with its complaints turned into one-line errors. */
#ifndef VKP_BASE_YAML_H
#define VKP_BASE_YAML_H

#include <cyaml/cyaml.h>

#include "base/status.h"

/* Loads the YAML document in `path`, a mapping as `schema` (of pointer type) describes it. *data goes back to
 * vkp_yaml_free; it is NULL for a document without content. What libcyaml refuses fails with `code`,
 * "cannot use PATH (what, key, line and column; REMEDY)". Aliases are not allowed. VKP_INPUT: larger than
 * 1 MiB; VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_yaml_load(const char *path, const cyaml_schema_value_t *schema, vkp_status code,
                                      const char *remedy, void **data);
/* The same of `bytes` bytes of text; `name` is for messages. */
VKP_MUST_USE vkp_status vkp_yaml_parse(const char *name, const char *text, size_t bytes,
                                       const cyaml_schema_value_t *schema, vkp_status code,
                                       const char *remedy, void **data);

/* Writes *data to `path`, atomically (errors as vkp_file_write). VKP_INTERNAL: data outside the schema. */
VKP_MUST_USE vkp_status vkp_yaml_save(const char *path, const cyaml_schema_value_t *schema, const void *data);

/* The text that vkp_yaml_save writes, malloc'd (the caller frees); `name` is for messages. Errors likewise. */
VKP_MUST_USE vkp_status vkp_yaml_print(const char *name, const cyaml_schema_value_t *schema, const void *data,
                                       char **text, size_t *bytes);

/* Frees what vkp_yaml_load or vkp_yaml_parse made; NULL is allowed. */
void vkp_yaml_free(const cyaml_schema_value_t *schema, void *data);

#endif
