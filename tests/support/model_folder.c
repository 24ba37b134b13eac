#include "model_folder.h"

#include <unistd.h>

#include "base/file.h"
#include "device_fixture.h"
#include "scratch.h"
#include "small_model.h"

int model_folders_enter(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    small_model_write("model.safetensors");
    return close_test_device(state);
}

void model_folder_new(const char *name)
{
    assert_ok(vkp_folder_make(name));
    assert_int_equal(chdir(name), 0);
    assert_int_equal(symlink("../model.safetensors", "model.safetensors"), 0);
}

int model_folder_leave(void **state)
{
    (void)state;
    return chdir("..");
}
