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

/* Writes *data to `path`, atomically (errors as vkp_file_write). VKP_INTERNAL: data outside the schema. */
VKP_MUST_USE vkp_status vkp_yaml_save(const char *path, const cyaml_schema_value_t *schema, const void *data);

/* Frees what vkp_yaml_load made; NULL is allowed. */
void vkp_yaml_free(const cyaml_schema_value_t *schema, void *data);

#endif
