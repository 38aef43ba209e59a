/* What the parts of the fake NVML share. Structures and codes are those of nvml.h. */
#ifndef FAKE_H
#define FAKE_H
#include <sys/stat.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
    NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15, VERSION_MISMATCH = 25, HANG = -1
};
enum { GPUS = 16, INSTANCES = 128, PROCESSES = 1024, RULES = 64, UUID_SIZE = 96 };

typedef unsigned long long bytes_t;
struct memory { bytes_t total, used, reserved, free; int including; };
struct gpu {
    char uuid[UUID_SIZE], name[96];
    unsigned minor, addressing, mig;
    struct memory memory;
};
struct gi {
    int gpu;
    unsigned id, start, size, slices;
    struct memory memory;
    char profile[32];
};
struct ci { int gpu, gi; unsigned id; char uuid[UUID_SIZE]; };
struct process { int gpu, ci, mps; unsigned pid; bytes_t used; };
struct rule { char function[64], uuid[UUID_SIZE]; int code; };
struct control {
    struct stat file;
    char driver[80];
    unsigned loads, announced, announcements;
    int by_slot, gpu_count, gi_count, ci_count, process_count, rule_count;
    struct gpu gpus[GPUS];
    struct gi gis[INSTANCES];
    struct ci cis[INSTANCES];
    struct process processes[PROCESSES];
    struct rule rules[RULES];
};
/* What nvmlDevice_t points to. `mig` is the place among the MIG devices of its GPU, or -1. */
struct handle {
    unsigned init;
    int slot, mig;
    char gpu[UUID_SIZE], ci[UUID_SIZE];
};
/* Where a handle leads now; `ci` is NULL for a GPU. */
struct target { const struct gpu *gpu; const struct gi *gi; const struct ci *ci; };

/* Nothing of this may be taken for a symbol of the program that loads the library. */
#pragma GCC visibility push(hidden)

extern struct control now;

/* control.c */
void refuse(const char *line) __attribute__((noreturn));
void refresh(void);

/* handles.c */
int initialised(void);
void initialise(void);
void shut_down(void);
int gpu_by_uuid(const char *uuid);
int ci_by_place(int gpu, int place);
int ci_by_uuid(const char *uuid);
struct handle *issue(int gpu, int mig);
int resolve(const struct handle *handle, struct target *target);

/* calls.c */
int enter(const char *function, const struct handle *handle, int index, struct target *target);
int leave(int code);
int answer(const char *text, char *out, unsigned size);
int tell(unsigned value, unsigned *out);

#pragma GCC visibility pop

/* Begin a call about a handle, or about the library if that is NULL, and give `at`. */
#define BEGIN(handle)                                                                              \
    struct target at = {0};                                                                        \
    int refused = enter(__func__, (handle), -1, &at);                                              \
    if (refused)                                                                                   \
        return refused

#endif
