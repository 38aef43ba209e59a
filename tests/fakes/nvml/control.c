/* What the library is to say: the file `control` that lies beside it.
 *
 * It is read anew at every call if it was replaced, which has to be done by a rename.
 * tests/fake_nvml.py writes it. Its lines, where what follows a device belongs to it:
 *
 *   driver VERSION LOADS               LOADS is another number after each reload of the driver
 *   handles uuid|slot                  what a handle means: a device, or a place among devices
 *   rule FUNCTION|* UUID|* CODE|hang   what a call does instead of its work; the first that fits
 *   gpu UUID MINOR TOTAL USED RESERVED FREE|- including|excluding ADDRESSING MIG NAME
 *   gi ID START SIZE SLICES TOTAL USED RESERVED FREE|- including|excluding PROFILE
 *   ci ID UUID
 *   process compute|mps PID BYTES|-
 *   announce COUNT TIMES               the first TIMES questions for a list's length answer COUNT
 *
 * Memory that RESERVED names is apart from USED here. NVML's first call counts it as used, its
 * second does so only where the line says `including`. FREE is what the two leave, unless it is
 * given. Structures and codes are those of nvml.h, as nvidia-ml-py declares them.
 */
#define _GNU_SOURCE
#include "fake.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct control now;

void refuse(const char *line)
{
    fprintf(stderr, "fake NVML: cannot read the control line: %s\n", line);
    abort();
}

static int room(int count, int limit, const char *line)
{
    if (count >= limit)
        refuse(line);
    return count;
}

static void complete(struct memory *memory, const char *free_text, const char *counting)
{
    memory->including = strcmp(counting, "including") == 0;
    memory->free = strcmp(free_text, "-") == 0 ? memory->total - memory->used - memory->reserved
                                               : strtoull(free_text, NULL, 10);
}

static int parse_rule(const char *line)
{
    struct rule *rule = &now.rules[room(now.rule_count, RULES, line)];
    char code[16];
    if (sscanf(line, "rule %63s %95s %15s", rule->function, rule->uuid, code) != 3)
        return 0;
    rule->code = strcmp(code, "hang") == 0 ? HANG : atoi(code);
    now.rule_count++;
    return 1;
}

static int parse_gpu(const char *line)
{
    struct gpu *gpu = &now.gpus[room(now.gpu_count, GPUS, line)];
    struct memory *m = &gpu->memory;
    char free_text[24], counting[12];
    if (sscanf(line, "gpu %95s %u %llu %llu %llu %23s %11s %u %u %95[^\n]", gpu->uuid, &gpu->minor,
               &m->total, &m->used, &m->reserved, free_text, counting, &gpu->addressing,
               &gpu->mig, gpu->name) != 10)
        return 0;
    complete(m, free_text, counting);
    now.gpu_count++;
    return 1;
}

static int parse_instance(const char *line)
{
    struct gi *gi = &now.gis[room(now.gi_count, INSTANCES, line)];
    struct ci *ci = &now.cis[room(now.ci_count, INSTANCES, line)];
    struct memory *m = &gi->memory;
    char free_text[24], counting[12];
    if (sscanf(line, "ci %u %95s", &ci->id, ci->uuid) == 2) {
        ci->gpu = now.gpu_count - 1;
        ci->gi = now.gi_count - 1;
        now.ci_count++;
        return 1;
    }
    if (sscanf(line, "gi %u %u %u %u %llu %llu %llu %23s %11s %31s", &gi->id, &gi->start,
               &gi->size, &gi->slices, &m->total, &m->used, &m->reserved, free_text, counting,
               gi->profile) != 10)
        return 0;
    gi->gpu = now.gpu_count - 1;
    complete(m, free_text, counting);
    now.gi_count++;
    return 1;
}

static int parse_process(const char *line)
{
    struct process *process = &now.processes[room(now.process_count, PROCESSES, line)];
    char list[12], used[24];
    if (sscanf(line, "process %11s %u %23s", list, &process->pid, used) != 3)
        return 0;
    process->mps = strcmp(list, "mps") == 0;
    process->used = strcmp(used, "-") == 0 ? ~0ull : strtoull(used, NULL, 10);
    process->gpu = now.gpu_count - 1;
    process->ci = now.ci_count - 1;
    if (process->ci >= 0 && now.cis[process->ci].gpu != process->gpu)
        process->ci = -1;
    now.process_count++;
    return 1;
}

static void parse(const char *line)
{
    char word[8];
    int known = sscanf(line, "driver %79s %u", now.driver, &now.loads) == 2 ||
                sscanf(line, "announce %u %u", &now.announced, &now.announcements) == 2 ||
                parse_rule(line) || parse_gpu(line) || parse_instance(line) ||
                parse_process(line);
    if (!known && sscanf(line, "handles %7s", word) == 1)
        now.by_slot = strcmp(word, "slot") == 0;
    else if (!known)
        refuse(line);
}

/* Read the control file if it is another than before. Called with the lock held. */
void refresh(void)
{
    static char path[4096];
    struct stat seen;
    char line[512];
    FILE *file;
    Dl_info self;

    if (path[0] == '\0' && dladdr(&now, &self)) {
        const char *end = strrchr(self.dli_fname, '/');
        snprintf(path, sizeof path, "%.*scontrol", end ? (int)(end + 1 - self.dli_fname) : 0,
                 self.dli_fname);
    }
    if (stat(path, &seen) == 0 && seen.st_ino == now.file.st_ino &&
        seen.st_mtim.tv_sec == now.file.st_mtim.tv_sec &&
        seen.st_mtim.tv_nsec == now.file.st_mtim.tv_nsec)
        return;
    file = fopen(path, "r");
    if (file == NULL)
        refuse(path);
    memset(&now, 0, sizeof now);
    fstat(fileno(file), &now.file);
    while (fgets(line, sizeof line, file))
        parse(line);
    fclose(file);
}
