/* Which vkpix this is. */
#ifndef VKP_BASE_VERSION_H
#define VKP_BASE_VERSION_H

/* The release, as "0.1.0". */
const char *vkp_version(void);

/* The git commit that it was built from, "-dirty" after it when files had been changed; "unknown" when it
 * was built outside a git checkout. */
const char *vkp_version_commit(void);

#endif
