/* How every call begins and ends: the lock, the rules of the control file, and the counters. */
#define _DEFAULT_SOURCE
#include "fake.h"
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { NAMES = 64, HANG_MICROSECONDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { const char *function; int calls; } counters[NAMES];
static int hanging;

static void count(const char *function)
{
    int i = 0;
    while (counters[i].function && strcmp(counters[i].function, function) != 0)
        i++;
    if (i < NAMES - 1) {
        counters[i].function = function;
        counters[i].calls++;
    }
}

static int fits(const char *pattern, const char *text)
{
    return strcmp(pattern, "*") == 0 || strcmp(pattern, text) == 0;
}

static int ruled(const char *function, const char *gpu, const char *ci)
{
    for (int i = 0; i < now.rule_count; i++) {
        const struct rule *rule = &now.rules[i];
        if (fits(rule->function, function) && (fits(rule->uuid, gpu) || fits(rule->uuid, ci)))
            return rule->code;
    }
    return SUCCESS;
}

/* Begin a call about a handle, or about an index, or about the library if there is neither: wait
 * while the control file says hang, and hold the lock if and only if the answer is SUCCESS. */
int enter(const char *function, const struct handle *handle, int index, struct target *target)
{
    int code, found, waiting = 0;

    for (;;) {
        const char *gpu = "", *ci = "";
        pthread_mutex_lock(&lock);
        refresh();
        hanging -= waiting;
        if (!waiting)
            count(function);
        found = SUCCESS;
        if (handle) {
            found = resolve(handle, target);
            gpu = found == SUCCESS ? target->gpu->uuid : handle->gpu;
            ci = found == SUCCESS && target->ci ? target->ci->uuid : handle->ci;
        } else if (index >= 0 && index < now.gpu_count) {
            gpu = now.gpus[index].uuid;
        }
        code = ruled(function, gpu, ci);
        if (code != HANG)
            break;
        waiting = 1;
        hanging++;
        pthread_mutex_unlock(&lock);
        usleep(HANG_MICROSECONDS);
    }
    if (code == SUCCESS && !initialised() && strncmp(function, "nvmlInit", 8) != 0)
        code = UNINITIALIZED;
    if (code == SUCCESS)
        code = found;
    if (code != SUCCESS)
        pthread_mutex_unlock(&lock);
    return code;
}

int leave(int code)
{
    pthread_mutex_unlock(&lock);
    return code;
}

int answer(const char *text, char *out, unsigned size)
{
    if (strlen(text) >= size)
        return leave(INSUFFICIENT_SIZE);
    strcpy(out, text);
    return leave(SUCCESS);
}

int tell(unsigned value, unsigned *out)
{
    *out = value;
    return leave(SUCCESS);
}

/* For tests in the same process. */
int pdFakeCalls(const char *function)
{
    int calls = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; counters[i].function; i++)
        if (fits(function, counters[i].function))
            calls += counters[i].calls;
    pthread_mutex_unlock(&lock);
    return calls;
}

int pdFakeHanging(void)
{
    int waiting;
    pthread_mutex_lock(&lock);
    waiting = hanging;
    pthread_mutex_unlock(&lock);
    return waiting;
}
