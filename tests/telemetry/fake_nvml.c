/* A libnvidia-ml.so.1 for tests: every answer is read anew from the file named by TTFTOP_FAKE_NVML.
 *
 * Lines of that file are `key value`, looked up as KEY.GPU, then KEY:
 *   count 2             number of GPUs
 *   init 9              what nvmlInit returns
 *   util.0 55           a value, in NVML's own unit
 *   error.NAME.0 3      what function NAME returns for GPU 0 (error.NAME: for all)
 *   error.all.0 15      the same for every function that takes GPU 0
 *   delay_ms.NAME 500   how long it blocks before it answers
 * Struct layouts are those of the NVML header. -DOLD leaves out symbols that old drivers do not have.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef long long number;
typedef struct device_s { int index; } *device;
struct utilization { unsigned gpu, memory; };
struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
struct temperature { unsigned version; int sensor, celsius; };
struct field {
    uint32_t id, scope;
    int64_t timestamp, latency_us;
    int type, error;
    union { double d; unsigned u; unsigned long long ull; } value;
};

static struct device_s devices[16];

static number exactly(const char *key, number otherwise) {
    const char *path = getenv("TTFTOP_FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char name[128];
    number value, found = otherwise;
    if (!file) return otherwise;
    while (fscanf(file, "%127s %lli", name, &value) == 2)
        if (!strcmp(name, key)) found = value;
    fclose(file);
    return found;
}

static number get(const char *key, int gpu, number otherwise) {
    char name[160];
    snprintf(name, sizeof name, "%s.%d", key, gpu);
    return exactly(name, exactly(key, otherwise));
}

static int called(const char *function, int gpu) {
    char name[128];
    snprintf(name, sizeof name, "delay_ms.%s", function);
    for (int waited = 0; waited < get(name, gpu, 0); waited += 5) usleep(5000); /* until the file says else */
    snprintf(name, sizeof name, "error.%s", function);
    return (int)get(name, gpu, get("error.all", gpu, 0));
}

#define ENTER(d)                                      \
    int gpu = (d)->index;                             \
    int error = called(__func__, gpu);                \
    if (error) return error

int nvmlInitWithFlags(unsigned flags) { (void)flags; return (int)exactly("init", 0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { (void)code; return "said by the fake"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "999.1"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)exactly("count", 2); return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) {
    int error = called(__func__, (int)index);
    devices[index].index = (int)index;
    *found = &devices[index];
    return error;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, device *found) {
    return nvmlDeviceGetHandleByIndex_v2((unsigned)atoi(uuid + strlen("GPU-fake-")), found);
}

int nvmlDeviceGetName(device d, char *text, unsigned size) {
    ENTER(d);
    snprintf(text, size, "Fake GPU\x1b[31m");
    return 0;
}

int nvmlDeviceGetUUID(device d, char *text, unsigned size) {
    ENTER(d);
    snprintf(text, size, "GPU-fake-%d", gpu);
    return 0;
}

int nvmlDeviceGetUtilizationRates(device d, struct utilization *rates) {
    ENTER(d);
    rates->gpu = (unsigned)get("util", gpu, 50);
    rates->memory = 10;
    return 0;
}

int nvmlDeviceGetMemoryInfo(device d, struct memory *memory) {
    ENTER(d);
    memory->total = (unsigned long long)get("memory_total", gpu, 1000);
    memory->used = (unsigned long long)(get("memory_used", gpu, 400) + get("memory_reserved", gpu, 25));
    memory->free = memory->total - memory->used;
    return 0;
}

static int number_of(device d, const char *function, const char *key, number otherwise, unsigned *value) {
    int error = called(function, d->index);
    if (!error) *value = (unsigned)get(key, d->index, otherwise);
    return error;
}

int nvmlDeviceGetPowerUsage(device d, unsigned *mw) {
    return number_of(d, __func__, "power_mean", 111000, mw);
}
int nvmlDeviceGetEnforcedPowerLimit(device d, unsigned *mw) {
    return number_of(d, __func__, "power_limit", 700000, mw);
}
int nvmlDeviceGetTemperature(device d, int sensor, unsigned *celsius) {
    (void)sensor;
    return number_of(d, __func__, "temperature_old", 41, celsius);
}
int nvmlDeviceGetClockInfo(device d, int clock, unsigned *mhz) {
    return number_of(d, __func__, clock == 1 ? "sm_clock" : "memory_clock", clock == 1 ? 1500 : 2600, mhz);
}
int nvmlDeviceGetMaxClockInfo(device d, int clock, unsigned *mhz) {
    return number_of(d, __func__, clock == 1 ? "sm_clock_max" : "memory_clock_max", clock == 1 ? 1980 : 2619, mhz);
}

int nvmlDeviceGetTotalEnergyConsumption(device d, unsigned long long *mj) {
    ENTER(d);
    *mj = (unsigned long long)get("energy", gpu, 5000);
    return 0;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(device d, struct memory_v2 *memory) {
    ENTER(d);
    if (memory->version != 0x02000028) return 25;
    memory->total = (unsigned long long)get("memory_total", gpu, 1000);
    memory->reserved = (unsigned long long)get("memory_reserved", gpu, 25);
    memory->used = (unsigned long long)get("memory_used", gpu, 400);
    memory->free = memory->total - memory->used - memory->reserved;
    return 0;
}

int nvmlDeviceGetTemperatureV(device d, struct temperature *temperature) {
    ENTER(d);
    if (temperature->version != 0x100000C) return 25;
    temperature->celsius = (int)get("temperature", gpu, 55);
    return 0;
}

int nvmlDeviceGetFieldValues(device d, int count, struct field *fields) {
    ENTER(d);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "error.field%u", fields[i].id);
        fields[i].type = 1;
        fields[i].error = (int)get(name, gpu, fields[i].id == 186 ? 0 : 3);
        fields[i].value.ull = 0;
        fields[i].value.u = (unsigned)get("power", gpu, 222500);
    }
    return 0;
}
#endif
