/* A libnvidia-ml.so.1 for tests: every answer follows the file named by TTFTOP_FAKE_NVML, also when it changes.
 *
 * Lines of that file are `key value`, looked up as KEY.GPU (for a MIG instance KEY.GPUmPLACE), then KEY:
 *   count 2             number of GPUs
 *   init 9              what nvmlInit returns; init_delay_ms and count_delay_ms: how long it and the count block
 *   util.0 55           a value, in NVML's own unit
 *   error.NAME.0 3      what function NAME returns for GPU 0 (error.NAME: for all)
 *   error.all.0 15      the same for every function that takes GPU 0
 *   error.field186 3    what one field value returns; fieldN is its value, stamp_us the driver's time of it
 *   delay_ms.NAME.0 500 how long it blocks before it answers
 *   mig.0 2             MIG instances of GPU 0
 *   gpm.0 1             whether GPM is supported; gpm2, gpm10, ... are its metrics, errorgpm2 their errors
 *   pid1.0 4711         a process on GPU 0, with pid1_memory.0
 *   uuid_from 8         the number in the UUID of the first GPU
 *   name_latin1.0 1     a name that is no UTF-8; so uuid_latin1.0, driver_latin1 and error_latin1 (words of an error)
 *   event 1             to be counted up: another event happens, of event_type, event_data, event_gpu
 * Struct layouts are those of the NVML header. -DOLD leaves out symbols that old drivers do not have.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef long long number;
typedef struct device_s { int index, mig; } *device;
struct utilization { unsigned gpu, memory; };
struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
struct temperature { unsigned version; int sensor, celsius; };
struct process { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; };
struct event { device gpu; unsigned long long type, data; unsigned gpu_instance, compute_instance; };
struct field {
    uint32_t id, scope;
    int64_t timestamp, latency_us;
    int type, error;
    union { double d; unsigned u; unsigned long long ull; } value;
};
struct gpm_support { unsigned version, supported; };
struct gpm_metric { unsigned id; int error; double value; const char *names[3]; };
struct gpm_request { unsigned version, count; struct gpm_sample *one, *two; struct gpm_metric metrics[]; };
struct gpm_sample { device gpu; int taken; };

#define MIGS 8
static struct device_s devices[16], instances[16][MIGS];

/* The file is parsed when it has become another one, not at every look: a poll of 8 GPUs looks 500 times. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static struct { char name[96]; number value; } lines[512];
static int line_count;
static struct stat seen;

static void refresh(void) {
    const char *path = getenv("TTFTOP_FAKE_NVML");
    struct stat now;
    FILE *file;
    if (!path || stat(path, &now)) return;
    if (now.st_ino == seen.st_ino && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec
        && now.st_mtim.tv_sec == seen.st_mtim.tv_sec && now.st_size == seen.st_size) return;
    if (!(file = fopen(path, "r"))) return;
    seen = now;
    line_count = 0;
    while (line_count < 512
           && fscanf(file, "%95s %lli", lines[line_count].name, &lines[line_count].value) == 2) line_count++;
    fclose(file);
}

static number exactly(const char *key, number otherwise) {
    number found = otherwise;
    pthread_mutex_lock(&reading);
    for (int i = 0; i < line_count; i++)
        if (!strcmp(lines[i].name, key)) found = lines[i].value;
    pthread_mutex_unlock(&reading);
    return found;
}

static number look(const char *key, number otherwise) {
    pthread_mutex_lock(&reading);
    refresh();
    pthread_mutex_unlock(&reading);
    return exactly(key, otherwise);
}

static number get(const char *key, device d, number otherwise) {
    char name[160];
    if (d->mig) snprintf(name, sizeof name, "%s.%dm%d", key, d->index, d->mig - 1);
    else snprintf(name, sizeof name, "%s.%d", key, d->index);
    return exactly(name, exactly(key, otherwise));
}

static int called(const char *function, device d) {
    char name[128];
    look("", 0);
    snprintf(name, sizeof name, "delay_ms.%s", function);
    for (int waited = 0; waited < get(name, d, 0); waited += 5) {
        usleep(5000); /* until the file says else */
        look("", 0);
    }
    snprintf(name, sizeof name, "error.%s", function);
    return (int)get(name, d, get("error.all", d, 0));
}

static int has(device d, const char *key) { return get(key, d, -999) != -999; }

#define ENTER(d)                                      \
    int error = called(__func__, d);                  \
    if (error) return error
#define WHOLE(d)                                      \
    ENTER(d);                                         \
    if ((d)->mig) return 3

static void block(const char *key) {
    for (int waited = 0; waited < look(key, 0); waited += 5) usleep(5000); /* until the file says else */
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    block("init_delay_ms");
    return (int)look("init", 0);
}
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) {
    (void)code;
    return look("error_latin1", 0) ? "d\xe9" "faut" : "said by the fake";
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, look("driver_latin1", 0) ? "999\xff" "1" : "999.1");
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned *count) {
    block("count_delay_ms");
    *count = (unsigned)look("count", 2);
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) {
    devices[index].index = (int)index;
    *found = &devices[index];
    return called(__func__, &devices[index]);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, device *found) {
    return nvmlDeviceGetHandleByIndex_v2((unsigned)atoi(uuid + strlen("GPU-fake-")) - (unsigned)exactly("uuid_from", 0), found);
}

int nvmlDeviceGetName(device d, char *text, unsigned size) {
    ENTER(d);
    if (d->mig) snprintf(text, size, "Fake GPU MIG %dg.10gb", d->mig);
    else snprintf(text, size, get("name_latin1", d, 0) ? "Caf\xe9 GPU" : "Fake GPU\x1b[31m");
    return 0;
}

int nvmlDeviceGetUUID(device d, char *text, unsigned size) {
    ENTER(d);
    if (d->mig) snprintf(text, size, "MIG-fake-%d-%d", d->index, d->mig - 1);
    else snprintf(text, size, get("uuid_latin1", d, 0) ? "GPU-\xe9-%d" : "GPU-fake-%d", d->index + (int)exactly("uuid_from", 0));
    return 0;
}

int nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *later) {
    ENTER(d);
    if (!has(d, "mig")) return 3;
    *now = *later = get("mig", d, 0) > 0;
    return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) {
    WHOLE(d);
    *count = MIGS - 1;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned place, device *found) {
    WHOLE(d);
    if ((int)place >= get("mig", d, 0)) return 6;
    *found = &instances[d->index][place];
    (*found)->index = d->index;
    (*found)->mig = (int)place + 1;
    return 0;
}

int nvmlDeviceGetGpuInstanceId(device d, unsigned *instance) {
    ENTER(d);
    *instance = (unsigned)d->mig + 6;
    return 0;
}

static int processes(device d, unsigned *count, struct process *found) {
    unsigned room = *count;
    char key[32], memory[32];
    *count = 0;
    for (int i = 1; i < 10; i++) {
        snprintf(key, sizeof key, "pid%d", i);
        snprintf(memory, sizeof memory, "pid%d_memory", i);
        if (!has(d, key)) continue;
        if (found && *count < room) {
            found[*count].pid = (unsigned)get(key, d, 0);
            found[*count].memory = (unsigned long long)get(memory, d, -1);
        }
        ++*count;
    }
    return *count > room ? 7 : 0;
}

int nvmlDeviceGetComputeRunningProcesses_v2(device d, unsigned *count, struct process *found) {
    ENTER(d);
    return processes(d, count, found);
}

int nvmlDeviceGetUtilizationRates(device d, struct utilization *rates) {
    WHOLE(d);
    rates->gpu = (unsigned)get("util", d, 50);
    rates->memory = 10;
    return 0;
}

int nvmlDeviceGetMemoryInfo(device d, struct memory *memory) {
    ENTER(d);
    memory->total = (unsigned long long)get("memory_total", d, 1000);
    memory->used = (unsigned long long)(get("memory_used", d, 400) + get("memory_reserved", d, 25));
    memory->free = memory->total - memory->used;
    return 0;
}

static int number_of(device d, const char *function, const char *key, number otherwise, unsigned *value) {
    int error = called(function, d);
    if (!error && d->mig) error = 3;
    if (!error) *value = (unsigned)get(key, d, otherwise);
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
    WHOLE(d);
    *mj = (unsigned long long)get("energy", d, 5000);
    return 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device d, unsigned long long *bits) {
    WHOLE(d);
    *bits = (unsigned long long)get("reasons_old", d, 0x8);
    return 0;
}

/* It blocks as the real one does: a poll that called it would show. */
int nvmlDeviceGetPcieThroughput(device d, int counter, unsigned *kb) {
    (void)d; (void)counter;
    fprintf(stderr, "nvmlDeviceGetPcieThroughput was called\n");
    abort();
    *kb = 0;
    return 0;
}

struct event_set { number told; };

int nvmlEventSetCreate(struct event_set **set) {
    int error = (int)look("error.events", 0);
    if (error) return error;
    *set = malloc(sizeof **set);
    (*set)->told = exactly("event", 0);
    return 0;
}
int nvmlEventSetFree(struct event_set *set) { free(set); return 0; }
int nvmlDeviceGetSupportedEventTypes(device d, unsigned long long *types) { ENTER(d); *types = 0xb; return 0; }
int nvmlDeviceRegisterEvents(device d, unsigned long long types, struct event_set *set) {
    (void)types; (void)set;
    ENTER(d);
    return 0;
}
int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned wait_ms) {
    for (unsigned waited = 0; look("event", 0) <= set->told; waited += 25) {
        if (waited >= wait_ms) return 10;
        usleep(25000);
    }
    set->told++;
    int gpu = (int)exactly("event_gpu", 0);
    devices[gpu].index = gpu;
    event->gpu = &devices[gpu];
    event->type = (unsigned long long)exactly("event_type", 8);
    event->data = (unsigned long long)exactly("event_data", 79);
    return 0;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(device d, struct memory_v2 *memory) {
    ENTER(d);
    if (memory->version != 0x02000028) return 25;
    memory->total = (unsigned long long)get("memory_total", d, 1000);
    memory->reserved = (unsigned long long)get("memory_reserved", d, 25);
    memory->used = (unsigned long long)get("memory_used", d, 400);
    memory->free = memory->total - memory->used - memory->reserved;
    return 0;
}

int nvmlDeviceGetTemperatureV(device d, struct temperature *temperature) {
    ENTER(d);
    if (temperature->version != 0x100000C) return 25;
    temperature->celsius = (int)get("temperature", d, 55);
    return 0;
}

/* Without a line of its own, a field is not supported. */
int nvmlDeviceGetFieldValues(device d, int count, struct field *fields) {
    WHOLE(d);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "refuse_batch%u", fields[i].id);
        if (get(name, d, 0)) return 2;
    }
    for (int i = 0; i < count; i++) {
        char error_name[32], name[32];
        snprintf(error_name, sizeof error_name, "error.field%u", fields[i].id);
        snprintf(name, sizeof name, "field%u", fields[i].id);
        int links = fields[i].id == 138 || fields[i].id == 139;
        int known = fields[i].id == 186 || has(d, name);
        fields[i].error = (int)get(error_name, d, !known || (links && fields[i].scope != 0xFFFFFFFF) ? 3 : 0);
        fields[i].timestamp = get("stamp_us", d, 0);
        fields[i].type = fields[i].id == 186 || fields[i].id == 185 || fields[i].id == 82 ? 1 : 3;
        fields[i].value.ull = 0;
        if (fields[i].type == 1) fields[i].value.u = (unsigned)get(fields[i].id == 186 ? "power" : name, d, 222500);
        else fields[i].value.ull = (unsigned long long)get(name, d, 0);
    }
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *count, struct process *found) {
    ENTER(d);
    return processes(d, count, found);
}

int nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *bits) {
    WHOLE(d);
    *bits = (unsigned long long)get("reasons", d, 0);
    return 0;
}

int nvmlGpmQueryDeviceSupport(device d, struct gpm_support *support) {
    ENTER(d);
    if (support->version != 1) return 25;
    support->supported = (unsigned)get("gpm", d, 0);
    return 0;
}
int nvmlGpmSampleAlloc(struct gpm_sample **sample) { *sample = calloc(1, sizeof **sample); return 0; }
int nvmlGpmSampleFree(struct gpm_sample *sample) { free(sample); return 0; }
int nvmlGpmSampleGet(device d, struct gpm_sample *sample) {
    WHOLE(d);
    sample->gpu = d;
    sample->taken = 1;
    return 0;
}
int nvmlGpmMigSampleGet(device d, unsigned instance, struct gpm_sample *sample) {
    WHOLE(d);
    sample->gpu = &instances[d->index][instance - 7];
    sample->taken = 1;
    return 0;
}
/* In the file, metrics stand in thousandths. */
int nvmlGpmMetricsGet(struct gpm_request *request) {
    if (request->version != 1) return 25;
    if (!request->one->taken || !request->two->taken) return 2;
    device d = request->two->gpu;
    int error = called(__func__, d);
    if (error) return error;
    for (unsigned i = 0; i < request->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "errorgpm%u", request->metrics[i].id);
        request->metrics[i].error = (int)get(name, d, 0);
        snprintf(name, sizeof name, "gpm%u", request->metrics[i].id);
        if (!has(d, name)) request->metrics[i].error = 3;
        request->metrics[i].value = (double)get(name, d, 0) / 1000;
    }
    return 0;
}
#endif
