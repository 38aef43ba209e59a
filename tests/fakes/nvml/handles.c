/* Initialisations, and the handles that each gives out. Called with the lock held. */
#include "fake.h"
#include <string.h>

enum { HANDLES = 1024 };

static struct handle handles[HANDLES];
static unsigned issued, references, inits, loads_at_init;

int initialised(void)
{
    return references > 0 && loads_at_init == now.loads;
}

int gpu_by_uuid(const char *uuid)
{
    for (int i = 0; i < now.gpu_count; i++)
        if (strcmp(now.gpus[i].uuid, uuid) == 0)
            return i;
    return -1;
}

/* The compute instance at a place among those of a GPU, or -1. */
int ci_by_place(int gpu, int place)
{
    for (int i = 0; i < now.ci_count; i++)
        if (now.cis[i].gpu == gpu && place-- == 0)
            return i;
    return -1;
}

int ci_by_uuid(const char *uuid)
{
    for (int i = 0; i < now.ci_count; i++)
        if (strcmp(now.cis[i].uuid, uuid) == 0)
            return i;
    return -1;
}

struct handle *issue(int gpu, int mig)
{
    struct handle made = {.init = inits, .slot = gpu, .mig = mig};
    strcpy(made.gpu, now.gpus[gpu].uuid);
    if (mig >= 0)
        strcpy(made.ci, now.cis[ci_by_place(gpu, mig)].uuid);
    for (int i = 0; i < HANDLES; i++)
        if (memcmp(&handles[i], &made, sizeof made) == 0)
            return &handles[i];
    /* The oldest, in whose place the new one comes, is one of many initialisations ago. */
    handles[issued % HANDLES] = made;
    return &handles[issued++ % HANDLES];
}

int resolve(const struct handle *handle, struct target *target)
{
    int gpu, ci = -1;

    if (handle < handles || handle >= handles + HANDLES)
        return INVALID_ARGUMENT;
    if (!now.by_slot && handle->init != inits)
        return INVALID_ARGUMENT;
    gpu = now.by_slot ? handle->slot : gpu_by_uuid(handle->gpu);
    if (gpu < 0 || gpu >= now.gpu_count)
        return GPU_IS_LOST;
    if (handle->mig >= 0) {
        ci = now.by_slot ? ci_by_place(gpu, handle->mig) : ci_by_uuid(handle->ci);
        if (ci < 0 || now.cis[ci].gpu != gpu || !now.gpus[gpu].mig)
            return INVALID_ARGUMENT;
    }
    target->gpu = &now.gpus[gpu];
    target->ci = ci < 0 ? NULL : &now.cis[ci];
    target->gi = ci < 0 ? NULL : &now.gis[now.cis[ci].gi];
    return SUCCESS;
}

void initialise(void)
{
    if (!initialised()) {
        references = 0;
        inits++;
        loads_at_init = now.loads;
    }
    references++;
}

void shut_down(void)
{
    references--;
}
