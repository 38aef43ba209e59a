/* A libnvidia-ml.so.1 without GPUs: MIG, and processes. */
#include "fake.h"
#include <string.h>

int nvmlDeviceGetMigMode(const struct handle *handle, unsigned *current, unsigned *pending)
{
    BEGIN(handle);
    *pending = at.gpu->mig;
    return tell(at.gpu->mig, current);
}

int nvmlDeviceGetMaxMigDeviceCount(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return tell(at.gpu->mig ? 7 : 0, out);
}

int nvmlDeviceGetMigDeviceHandleByIndex(const struct handle *handle, unsigned index,
                                        struct handle **out)
{
    int gpu;
    BEGIN(handle);
    gpu = (int)(at.gpu - now.gpus);
    if (!at.gpu->mig || ci_by_place(gpu, (int)index) < 0)
        return leave(NOT_FOUND);
    *out = issue(gpu, (int)index);
    return leave(SUCCESS);
}

int nvmlDeviceIsMigDeviceHandle(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return tell(at.ci != NULL, out);
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(const struct handle *handle, struct handle **out)
{
    BEGIN(handle);
    if (!at.ci)
        return leave(INVALID_ARGUMENT);
    *out = issue((int)(at.gpu - now.gpus), -1);
    return leave(SUCCESS);
}

int nvmlDeviceGetGpuInstanceId(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return at.ci ? tell(at.gi->id, out) : leave(NOT_SUPPORTED);
}

int nvmlDeviceGetComputeInstanceId(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return at.ci ? tell(at.ci->id, out) : leave(NOT_SUPPORTED);
}

struct attributes { unsigned counts[6], gi_slices, ci_slices; bytes_t memory_mib; };

int nvmlDeviceGetAttributes_v2(const struct handle *handle, struct attributes *out)
{
    BEGIN(handle);
    if (!at.ci)
        return leave(NOT_SUPPORTED);
    memset(out, 0, sizeof *out);
    out->gi_slices = out->ci_slices = at.gi->slices;
    out->memory_mib = at.gi->memory.total >> 20;
    return leave(SUCCESS);
}

int nvmlDeviceGetGpuInstanceById(const struct handle *handle, unsigned id, const struct gi **out)
{
    BEGIN(handle);
    for (int i = 0; i < now.gi_count; i++)
        if (now.gis[i].gpu == at.gpu - now.gpus && now.gis[i].id == id) {
            *out = &now.gis[i];
            return leave(SUCCESS);
        }
    return leave(NOT_FOUND);
}

struct gi_info { void *device; unsigned id, profile, start, size; };

int nvmlGpuInstanceGetInfo(const struct gi *gi, struct gi_info *out)
{
    BEGIN(NULL);
    if (gi < now.gis || gi >= now.gis + now.gi_count)
        return leave(INVALID_ARGUMENT);
    *out = (struct gi_info){issue(gi->gpu, -1), gi->id, 0, gi->start, gi->size};
    return leave(SUCCESS);
}

struct process_info { unsigned pid; bytes_t used; unsigned gi, ci; };

/* Called with the lock held, and gives it back. */
static int list(const struct target *at, int mps, unsigned *size, struct process_info *out)
{
    unsigned found = 0;

    for (int i = 0; i < now.process_count; i++) {
        const struct process *process = &now.processes[i];
        const struct ci *ci = process->ci < 0 ? NULL : &now.cis[process->ci];
        if (process->gpu != at->gpu - now.gpus || ci != at->ci || process->mps != mps)
            continue;
        if (out && found < *size)
            out[found] = (struct process_info){process->pid, process->used,
                                               at->ci ? at->gi->id : ~0u,
                                               at->ci ? at->ci->id : ~0u};
        found++;
    }
    if (out == NULL && found > 0 && now.announcements > 0) {
        now.announcements--;
        found = now.announced;
    }
    if (out == NULL || found > *size) {
        *size = found;
        return leave(found ? INSUFFICIENT_SIZE : SUCCESS);
    }
    *size = found;
    return leave(SUCCESS);
}

int nvmlDeviceGetComputeRunningProcesses_v3(const struct handle *handle, unsigned *size,
                                            struct process_info *out)
{
    BEGIN(handle);
    return list(&at, 0, size, out);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(const struct handle *handle, unsigned *size,
                                               struct process_info *out)
{
    BEGIN(handle);
    return list(&at, 1, size, out);
}
