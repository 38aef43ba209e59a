/* A libnvidia-ml.so.1 without GPUs: the library itself, devices and their memory. */
#include "fake.h"
#include <stdio.h>
#include <string.h>

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    BEGIN(NULL);
    initialise();
    return leave(SUCCESS);
}

int nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

int nvmlShutdown(void)
{
    BEGIN(NULL);
    shut_down();
    return leave(SUCCESS);
}

const char *nvmlErrorString(int code)
{
    return code == SUCCESS ? "Success" : "An error of the fake NVML";
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    BEGIN(NULL);
    return answer(now.driver, out, size);
}

int nvmlSystemGetNVMLVersion(char *out, unsigned size)
{
    BEGIN(NULL);
    return answer("13.580.65.06", out, size);
}

int nvmlDeviceGetCount_v2(unsigned *out)
{
    BEGIN(NULL);
    return tell(now.gpu_count, out);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct handle **out)
{
    struct target at;
    int refused = enter(__func__, NULL, (int)index, &at);
    if (refused)
        return refused;
    if ((int)index >= now.gpu_count)
        return leave(INVALID_ARGUMENT);
    *out = issue((int)index, -1);
    return leave(SUCCESS);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, struct handle **out)
{
    int gpu, ci;
    BEGIN(NULL);
    gpu = gpu_by_uuid(uuid);
    ci = ci_by_uuid(uuid);
    if (gpu < 0 && ci < 0)
        return leave(NOT_FOUND);
    if (gpu >= 0) {
        *out = issue(gpu, -1);
    } else {
        int place = 0;
        while (ci_by_place(now.cis[ci].gpu, place) != ci)
            place++;
        *out = issue(now.cis[ci].gpu, place);
    }
    return leave(SUCCESS);
}

int nvmlDeviceGetUUID(const struct handle *handle, char *out, unsigned size)
{
    BEGIN(handle);
    return answer(at.ci ? at.ci->uuid : at.gpu->uuid, out, size);
}

int nvmlDeviceGetName(const struct handle *handle, char *out, unsigned size)
{
    char name[160];
    BEGIN(handle);
    if (at.ci)
        snprintf(name, sizeof name, "%s MIG %s", at.gpu->name, at.gi->profile);
    return answer(at.ci ? name : at.gpu->name, out, size);
}

int nvmlDeviceGetIndex(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return tell((unsigned)(at.gpu - now.gpus), out);
}

int nvmlDeviceGetMinorNumber(const struct handle *handle, unsigned *out)
{
    BEGIN(handle);
    return tell(at.gpu->minor, out);
}

int nvmlDeviceGetAddressingMode(const struct handle *handle, unsigned mode[2])
{
    BEGIN(handle);
    if (mode[0] != 0x1000008)
        return leave(VERSION_MISMATCH);
    return tell(at.gpu->addressing, &mode[1]);
}

struct pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

int nvmlDeviceGetPciInfo_v3(const struct handle *handle, struct pci *out)
{
    BEGIN(handle);
    memset(out, 0, sizeof *out);
    out->bus = at.gpu->minor + 1;
    snprintf(out->legacy_id, sizeof out->legacy_id, "0000:%02X:00.0", out->bus & 0xff);
    snprintf(out->id, sizeof out->id, "00000000:%02X:00.0", out->bus & 0xff);
    return leave(SUCCESS);
}

int nvmlDeviceGetUtilizationRates(const struct handle *handle, unsigned gpu_and_memory[2])
{
    BEGIN(handle);
    gpu_and_memory[0] = gpu_and_memory[1] = 0;
    return leave(SUCCESS);
}

/* With MIG on, the memory of the GPU as a whole is for privileged callers only. */
static const struct memory *memory_of(const struct target *at)
{
    if (at->gi)
        return &at->gi->memory;
    return at->gpu->mig ? NULL : &at->gpu->memory;
}

int nvmlDeviceGetMemoryInfo(const struct handle *handle, bytes_t total_free_used[3])
{
    const struct memory *memory;
    BEGIN(handle);
    memory = memory_of(&at);
    if (memory == NULL)
        return leave(NO_PERMISSION);
    total_free_used[0] = memory->total;
    total_free_used[1] = memory->free;
    total_free_used[2] = memory->used + memory->reserved;
    return leave(SUCCESS);
}

struct memory_v2 { unsigned version; bytes_t total, reserved, free, used; };

int nvmlDeviceGetMemoryInfo_v2(const struct handle *handle, struct memory_v2 *out)
{
    const struct memory *memory;
    BEGIN(handle);
    memory = memory_of(&at);
    if (out->version != (sizeof *out | 2u << 24))
        return leave(VERSION_MISMATCH);
    if (memory == NULL)
        return leave(NO_PERMISSION);
    out->total = memory->total;
    out->reserved = memory->reserved;
    out->free = memory->free;
    out->used = memory->used + (memory->including ? memory->reserved : 0);
    return leave(SUCCESS);
}
