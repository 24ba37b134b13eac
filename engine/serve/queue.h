/* The queue of pictures that wait for the one device: sessions, their pictures, and the thread that has them
 * coloured one after the other, in the order in which they came.
 *
 * A session is what one page has; it ends when the page closes it, or when nobody has asked for anything of
 * it for a while, and everything of it is gone then. Ids are 128 random bits: who knows one may use it.
 * Every call may come from any thread. */
#ifndef VKP_SERVE_QUEUE_H
#define VKP_SERVE_QUEUE_H

#include <stdbool.h>

#include "serve/blob.h"

enum { VKP_ID_LENGTH = 32, VKP_ID_ROOM = VKP_ID_LENGTH + 1, VKP_MODEL_ROOM = 128, VKP_NAME_ROOM = 256 };

/* 128 bits from the system's source of random numbers, as hexadecimal digits. VKP_IO. */
VKP_MUST_USE vkp_status vkp_id_make(char id[VKP_ID_ROOM]);

/* How a picture is to be coloured. */
typedef struct vkp_wish {
    char model[VKP_MODEL_ROOM]; /* a name from the list of models; "": the first */
    double strength;            /* factor on the model's own saturation */
    uint32_t size;              /* working size; 0: the model's own */
} vkp_wish;

/* What colouring one picture goes through. */
typedef enum vkp_stage {
    VKP_STAGE_READ,
    VKP_STAGE_PREDICT,
    VKP_STAGE_JOIN,
    VKP_STAGE_WRITE,
    VKP_STAGES
} vkp_stage;
typedef enum vkp_state { VKP_STATE_WAITING, VKP_STATE_WORKING, VKP_STATE_DONE, VKP_STATE_FAILED } vkp_state;

/* What a picture has: the uploaded file, the coloured file, and both made small for looking at. */
typedef enum vkp_part {
    VKP_PART_ORIGINAL,
    VKP_PART_RESULT,
    VKP_PART_BEFORE,
    VKP_PART_AFTER,
    VKP_PARTS
} vkp_part;

/* What colouring gives. The blobs are the queue's afterwards. */
typedef struct vkp_coloured {
    int width, height;
    vkp_blob *parts[VKP_PARTS]; /* without VKP_PART_ORIGINAL */
} vkp_coloured;

typedef struct vkp_queue vkp_queue;

typedef struct vkp_task {
    vkp_queue *queue;
    const char *name;         /* of the file, for messages */
    const vkp_blob *original; /* the file */
    vkp_wish wish;
} vkp_task;

typedef struct vkp_queue_options {
    size_t bytes;         /* that all pictures may take together */
    unsigned per_session; /* pictures */
    unsigned sessions;
    double idle_seconds; /* after which a session that nobody asks about ends */
    /* Colours one picture, on the queue's thread; *coloured is zeroed before, and the blobs that a failure
     * leaves in it are dropped. Its error text is what the picture's owner gets to read. */
    vkp_status (*work)(void *user, const vkp_task *task, vkp_coloured *coloured);
    void *user;
} vkp_queue_options;

/* Starts the thread. VKP_MEMORY, VKP_IO. vkp_queue_destroy waits for the picture in work to come to its next
 * stage; every blob that was taken must have been dropped before. */
VKP_MUST_USE vkp_status vkp_queue_create(const vkp_queue_options *options, vkp_queue **out);
void vkp_queue_destroy(vkp_queue *queue);

/* The bank that uploads and results are counted against. */
vkp_bank *vkp_queue_bank(vkp_queue *queue);

/* For `work`: it has come to this stage. False: nobody waits for this picture any more, it may give up with
 * whatever status. */
bool vkp_queue_stage(vkp_queue *queue, vkp_stage stage);

/* Begins a session. VKP_MEMORY: there are too many. */
VKP_MUST_USE vkp_status vkp_queue_begin(vkp_queue *queue, char id[VKP_ID_ROOM]);
/* Ends it: its pictures are gone, also those in work. False: there is no such session. */
bool vkp_queue_end(vkp_queue *queue, const char *session);
/* Whether there is such a session; it counts as asked about. */
bool vkp_queue_knows(vkp_queue *queue, const char *session);

/* Adds a picture at the end of the line; holds `original` once more. `name` is cut to VKP_NAME_ROOM - 1
 * bytes. VKP_USAGE: no such session; VKP_MEMORY: it has as many pictures as are allowed. */
VKP_MUST_USE vkp_status vkp_queue_add(vkp_queue *queue, const char *session, const char *name,
                                      vkp_blob *original, const vkp_wish *wish, char id[VKP_ID_ROOM]);
/* Has a picture coloured anew, from the end of the line; its old result stays until there is a new one.
 * False: there is no such picture. */
bool vkp_queue_again(vkp_queue *queue, const char *id, const vkp_wish *wish);
/* Removes a picture, also one in work. False: there is no such picture. */
bool vkp_queue_remove(vkp_queue *queue, const char *id);

/* A picture as it stands. */
typedef struct vkp_look {
    char id[VKP_ID_ROOM], name[VKP_NAME_ROOM];
    vkp_state state;
    vkp_wish wish;
    vkp_stage stage;     /* while VKP_STATE_WORKING */
    unsigned ahead;      /* while VKP_STATE_WAITING: pictures that come before it */
    double progress;     /* 0..1 of its own colouring, by the time that earlier pictures took */
    double seconds_left; /* until it is done; NaN while no picture has been done yet */
    unsigned version;    /* results so far: another one means another result */
    int width, height;   /* of the result; 0 while there is none */
    vkp_status status;   /* of VKP_STATE_FAILED, with its text */
    char error[512];
} vkp_look;

/* False: there is no such picture. */
bool vkp_queue_look(vkp_queue *queue, const char *id, vkp_look *look);
/* All pictures of a session in the order in which they were added. *looks is malloc'd (the caller frees).
 * VKP_USAGE: no such session; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_queue_list(vkp_queue *queue, const char *session, vkp_look **looks,
                                       size_t *count);

/* A part of a picture, held for the caller (vkp_blob_drop); NULL when there is no such picture, or it has no
 * such part (yet). */
vkp_blob *vkp_queue_part(vkp_queue *queue, const char *id, vkp_part part);

/* How busy it is. */
typedef struct vkp_queue_load {
    unsigned sessions, pictures, waiting;
    size_t bytes;
} vkp_queue_load;
void vkp_queue_measure(vkp_queue *queue, vkp_queue_load *load);

#endif
