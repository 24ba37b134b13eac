#include "base/version.h"

#include "version_commit.h" /* made by version.cmake at every build */

const char *vkp_version(void) { return VKP_VERSION; }
const char *vkp_version_commit(void) { return VKP_COMMIT; }
