/* Folders with a small model in them, for tests that colour pictures as a user would. */
#ifndef VKP_TEST_MODEL_FOLDER_H
#define VKP_TEST_MODEL_FOLDER_H

/* The options that name the folder's model. */
#define MODEL "--model model.safetensors --size 32"

/* A group's set-up: a scratch folder (scratch_leave afterwards) with the model. */
int model_folders_enter(void **state);

/* Goes to a new folder in it, which has the model too; a test's teardown comes back. */
void model_folder_new(const char *name);
int model_folder_leave(void **state);

#endif
