/* A CUDA device that computes nothing: "device" memory is host memory, copies and fills are real, kernels are counted and
 * not run, captures are tracked, and calls that a capture forbids fail as CUDA makes them fail.
 *
 * Preloaded under the soname libcuda.so.1 it takes the place of libcudart, libcublas(Lt) and cuDNN's legacy interface for
 * a stock CUDA build of PyTorch, so that all of PyTorch's own host code runs: allocator, streams, events, pinned memory,
 * graph capture, autograd's device threads, device and dtype checks of every operator.
 *
 * No values: a comparison read from the device is false, a loss is what lay in memory. `__init__.py` builds and starts it.
 *
 * NULLCUDA_DEVICES   how many devices there are; 1
 * NULLCUDA_MEMORY    bytes of each; 80 GiB
 * NULLCUDA_POISON    a file that holds a number of launches: the first process that comes past it removes the file, and
 *                    its kernel fails as an illegal address does; from then on every call of the process fails, as on a
 *                    real device
 */
#define _GNU_SOURCE
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OK cudaSuccess
#define API __attribute__((visibility("default")))
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int current_device = 0;
static __thread cudaError_t last_error = 0;
static __thread int capture_mode = cudaStreamCaptureModeGlobal;

/* ------------------------------------------------------------------ counters */
typedef struct { const char *name; long count; long captured; } Counter;
static Counter counters[8192];
static int counter_count = 0;
static int strict_sync = 0;   /* a wait for the device is an error */
static long devices = -1;
static size_t memory_total = 0, memory_used = 0, memory_peak = 0;
static long by_device[8], mallocs_by_device[8];
static long launches = 0, captured_launches = 0, replays = 0, syncs = 0, escaped = 0;

typedef struct Stream { int device; int capturing; unsigned long long id; cudaGraph_t graph; int broken; int used; } Stream;
static long streams_used = 0;
typedef struct Graph { long nodes; } Graph;
static Stream *capturing = NULL;
static int capturing_mode = 0;

static void count(const char *name, int captured) {
    pthread_mutex_lock(&lock);
    int i;
    for (i = 0; i < counter_count; i++) if (counters[i].name == name || !strcmp(counters[i].name, name)) break;
    if (i == counter_count && counter_count < 8192) counters[counter_count++].name = name;
    if (captured) counters[i].captured++; else counters[i].count++;
    pthread_mutex_unlock(&lock);
}
API void nullcuda_reset(void) {
    pthread_mutex_lock(&lock);
    memset(counters, 0, sizeof counters); counter_count = 0;
    launches = captured_launches = replays = syncs = escaped = 0; memory_peak = memory_used;
    pthread_mutex_unlock(&lock);
}
API void nullcuda_strict(int on) { strict_sync = on; }
API long nullcuda_get(const char *what) {
    if (!strcmp(what, "launches")) return launches;
    if (!strcmp(what, "captured")) return captured_launches;
    if (!strcmp(what, "replays")) return replays;
    if (!strcmp(what, "syncs")) return syncs;
    if (!strcmp(what, "escaped")) return escaped;
    if (!strcmp(what, "used")) return memory_used;
    if (!strcmp(what, "streams")) return streams_used;
    if (!strncmp(what, "launches on ", 12)) return by_device[atoi(what + 12) & 7];
    if (!strncmp(what, "mallocs on ", 11)) return mallocs_by_device[atoi(what + 11) & 7];
    if (!strcmp(what, "peak")) return memory_peak;
    return -1;
}
API int nullcuda_counters(int i, const char **name, long *n, long *captured) {
    if (i >= counter_count) return 0;
    *name = counters[i].name; *n = counters[i].count; *captured = counters[i].captured; return 1;
}
static void setup(void) {
    if (devices >= 0) return;
    const char *d = getenv("NULLCUDA_DEVICES"), *m = getenv("NULLCUDA_MEMORY");
    devices = d ? atol(d) : 1;
    memory_total = m ? strtoull(m, NULL, 10) : 80ull << 30;
}
static cudaError_t fail(cudaError_t e) { last_error = e; return e; }

/* ------------------------------------------------------------------ a broken context */
static int poisoned = 0;
static const char *poison = NULL;
static long spared = 0;  /* launches before the one that fails */
static int is_poisoned(int may_begin) {
    static int looked = 0;
    if (!looked) { poison = getenv("NULLCUDA_POISON"); looked = 1; }
    if (may_begin && poison && !poisoned && launches >= spared) {
        FILE *f = fopen(poison, "r");
        if (f && (fscanf(f, "%ld", &spared) != 1 || launches >= spared)) { unlink(poison); poisoned = 1; }
        if (f) fclose(f);
    }
    return poisoned;
}

/* What a capture forbids. A broken capture stays broken until it ends. */
static cudaError_t forbidden(const char *name, int stream_sync, cudaStream_t s) {
    if (is_poisoned(0)) return fail(cudaErrorIllegalAddress);
    if (stream_sync) { syncs++; count(name, 0); }
    if (capturing && capture_mode != cudaStreamCaptureModeRelaxed) {
        capturing->broken = 1;
        return fail(cudaErrorStreamCaptureUnsupported);
    }
    if (stream_sync && strict_sync) return fail(cudaErrorNotPermitted);
    return OK;
}

/* ------------------------------------------------------------------ registration: names of kernels */
typedef struct { const void *host; const char *name; } Kernel;
static Kernel *kernels = NULL; static size_t kernel_count = 0, kernel_room = 0;
API void **__cudaRegisterFatBinary(void *f) { static void *h[1]; return h; }
API void __cudaRegisterFatBinaryEnd(void **h) {}
API void __cudaUnregisterFatBinary(void **h) {}
API char __cudaInitModule(void **h) { return 1; }
API void __cudaRegisterVar(void **h, char *v, char *a, const char *n, int e, size_t s, int c, int g) {}
API void __cudaRegisterFunction(void **h, const char *host, char *dev, const char *name, int t, void *a, void *b, void *c, void *d, int *w) {
    if (kernel_count == kernel_room) kernels = realloc(kernels, (kernel_room = kernel_room ? 2 * kernel_room : 65536) * sizeof *kernels);  /* at load, by one thread */
    kernels[kernel_count].host = host; kernels[kernel_count++].name = name;
}
static int by_host(const void *a, const void *b) { const Kernel *x = a, *y = b; return x->host < y->host ? -1 : x->host > y->host; }
static const char *name_of(const void *host) {
    static size_t sorted = 0;
    pthread_mutex_lock(&lock);
    if (sorted != kernel_count) { qsort(kernels, kernel_count, sizeof *kernels, by_host); sorted = kernel_count; }
    Kernel key = { host, 0 }, *found = bsearch(&key, kernels, kernel_count, sizeof *kernels, by_host);
    pthread_mutex_unlock(&lock);
    return found ? found->name : "?";
}
static __thread struct { dim3 g, b; size_t s; void *st; } config;
API unsigned __cudaPushCallConfiguration(dim3 g, dim3 b, size_t s, struct CUstream_st *st) { config.g = g; config.b = b; config.s = s; config.st = st; return 0; }
API cudaError_t __cudaPopCallConfiguration(dim3 *g, dim3 *b, size_t *s, void *st) { *g = config.g; *b = config.b; *s = config.s; *(void **)st = config.st; return OK; }
API cudaError_t __cudaGetKernel(cudaKernel_t *k, const void *host) { *k = (cudaKernel_t)host; return OK; }

static cudaError_t launch(const char *name, cudaStream_t stream) {
    Stream *s = (Stream *)stream;
    if (is_poisoned(1)) return fail(cudaErrorIllegalAddress);
    if (s && !s->used) { s->used = 1; streams_used++; }
    if (s && s->capturing) { captured_launches++; ((Graph *)s->graph)->nodes++; count(name, 1); return OK; }
    if (capturing) escaped++;
    by_device[current_device & 7]++;
    if (s && s->device != current_device) count("LAUNCH ON A STREAM OF ANOTHER DEVICE", 0);
    launches++; count(name, 0);
    return OK;
}
static cudaError_t bad_geometry(dim3 g, dim3 b) {
    if (!g.x || !g.y || !g.z || !b.x || !b.y || !b.z || (size_t)b.x * b.y * b.z > 1024 || g.y > 65535 || g.z > 65535) return fail(cudaErrorInvalidConfiguration);
    return OK;
}
API cudaError_t cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **a, size_t sm, cudaStream_t s) { return bad_geometry(g, b) ? last_error : launch(name_of(f), s); }
API cudaError_t __cudaLaunchKernel(cudaKernel_t f, dim3 g, dim3 b, void **a, size_t sm, cudaStream_t s) { return bad_geometry(g, b) ? last_error : launch(name_of(f), s); }
API cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *f, void **a) { return launch(name_of(f), c->stream); }
API cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void *d) { f(d); return OK; }
API cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *f) { memset(a, 0, sizeof *a); a->maxThreadsPerBlock = 1024; a->numRegs = 32; a->binaryVersion = 90; a->ptxVersion = 90; a->maxDynamicSharedSizeBytes = 49152; return OK; }
API cudaError_t cudaFuncSetAttribute(const void *f, enum cudaFuncAttribute a, int v) { return OK; }
API cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t k, enum cudaFuncAttribute a, int v, int d) { return OK; }
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, const void *f, int b, size_t s, unsigned fl) { *n = b ? 2048 / b : 1; if (*n > 32) *n = 32; return OK; }
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *n, const void *f, int b, size_t s) { return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, b, s, 0); }
API cudaError_t cudaGetSymbolAddress(void **p, const void *s) { static char some[65536]; *p = some; return OK; }

/* ------------------------------------------------------------------ devices */
API cudaError_t cudaGetDeviceCount(int *n) { setup(); *n = devices; return devices ? OK : fail(cudaErrorNoDevice); }
API cudaError_t cudaGetDevice(int *d) { *d = current_device; return OK; }
API cudaError_t cudaSetDevice(int d) { setup(); if (d < 0 || d >= devices) return fail(cudaErrorInvalidDevice); current_device = d; return OK; }
API cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int d) {
    setup(); memset(p, 0, sizeof *p); strcpy(p->name, "Null CUDA device");
    p->totalGlobalMem = memory_total; p->sharedMemPerBlock = 49152; p->sharedMemPerMultiprocessor = 233472; p->sharedMemPerBlockOptin = 232448;
    p->regsPerBlock = 65536; p->regsPerMultiprocessor = 65536; p->warpSize = 32; p->maxThreadsPerBlock = 1024; p->maxThreadsPerMultiProcessor = 2048;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024; p->maxThreadsDim[2] = 64; p->maxGridSize[0] = 2147483647; p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->major = 9; p->minor = 0; p->multiProcessorCount = 132; p->l2CacheSize = 52428800; p->textureAlignment = 512; p->totalConstMem = 65536;
    p->concurrentKernels = 1; p->unifiedAddressing = 1; p->canMapHostMemory = 1; p->memoryBusWidth = 5120; p->cooperativeLaunch = 1;
    return OK;
}
API cudaError_t cudaDeviceGetAttribute(int *v, enum cudaDeviceAttr a, int d) {
    switch (a) {
    case cudaDevAttrMultiProcessorCount: *v = 132; break;
    case cudaDevAttrMaxThreadsPerBlock: *v = 1024; break;
    case cudaDevAttrWarpSize: *v = 32; break;
    case cudaDevAttrComputeCapabilityMajor: *v = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *v = 0; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *v = 232448; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *v = 49152; break;
    default: *v = 0;
    }
    return OK;
}
API cudaError_t cudaDeviceGetPCIBusId(char *s, int n, int d) { snprintf(s, n, "0000:%02x:00.0", d); return OK; }
API cudaError_t cudaDeviceGetStreamPriorityRange(int *l, int *g) { if (l) *l = 0; if (g) *g = -5; return OK; }
API cudaError_t cudaDeviceCanAccessPeer(int *c, int a, int b) { *c = 0; return OK; }
API cudaError_t cudaDriverGetVersion(int *v) { *v = 13000; return OK; }
API cudaError_t cudaRuntimeGetVersion(int *v) { *v = 13000; return OK; }
API cudaError_t cudaGetLastError(void) { cudaError_t e = last_error; last_error = 0; return e; }
API cudaError_t cudaPeekAtLastError(void) { return last_error; }
API cudaError_t cudaDeviceSynchronize(void) { return forbidden("cudaDeviceSynchronize", 1, NULL); }
API cudaError_t cudaProfilerStart(void) { return OK; }
API cudaError_t cudaProfilerStop(void) { return OK; }
static int unsupported() { return 801; }
static int primary(int d, unsigned *flags, int *active) { *flags = 0; *active = 1; return 0; }
API cudaError_t cudaGetDriverEntryPointByVersion(const char *sym, void **f, unsigned v, unsigned long long fl, enum cudaDriverEntryPointQueryResult *st) {
    *f = !strcmp(sym, "cuDevicePrimaryCtxGetState") ? (void *)primary : (void *)unsupported;
    if (st) *st = cudaDriverEntryPointSuccess;
    return OK;
}
#define DRIVER(n) API int n() { return 801; }
DRIVER(cuCtxGetCurrent) DRIVER(cuCtxSetCurrent) DRIVER(cuDeviceGet) DRIVER(cuDeviceGetAttribute) DRIVER(cuDevicePrimaryCtxRetain)
DRIVER(cuFuncGetAttribute) DRIVER(cuFuncSetAttribute) DRIVER(cuFuncSetCacheConfig) DRIVER(cuGetErrorString) DRIVER(cuLaunchCooperativeKernel)
DRIVER(cuLaunchKernel) DRIVER(cuLinkAddData_v2) DRIVER(cuLinkComplete) DRIVER(cuLinkCreate_v2) DRIVER(cuModuleGetFunction) DRIVER(cuModuleLoad)
DRIVER(cuModuleLoadData) DRIVER(cuModuleLoadDataEx) DRIVER(cuModuleUnload) DRIVER(cuOccupancyMaxActiveBlocksPerMultiprocessor)
DRIVER(cuPointerGetAttribute) DRIVER(cuTensorMapEncodeTiled)
API int cuDevicePrimaryCtxGetState(int d, unsigned *flags, int *active) { return primary(d, flags, active); }

/* ------------------------------------------------------------------ memory */
typedef struct { char *p; size_t n; int host; int device; } Range;
static Range ranges[65536]; static int range_count = 0;
static void *take(size_t n, int host) {
    void *p = mmap(NULL, n ? n : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_mutex_lock(&lock);
    int i; for (i = 0; i < range_count; i++) if (!ranges[i].p) break;
    if (i == range_count) range_count++;
    ranges[i] = (Range){ p, n, host, current_device };
    if (!host) { memory_used += n; if (memory_used > memory_peak) memory_peak = memory_used; }
    pthread_mutex_unlock(&lock);
    return p;
}
static void give(void *p) {
    if (!p) return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < range_count; i++) if (ranges[i].p == p) { munmap(p, ranges[i].n ? ranges[i].n : 1); if (!ranges[i].host) memory_used -= ranges[i].n; ranges[i].p = NULL; break; }
    pthread_mutex_unlock(&lock);
}
static Range *range_of(const void *p) {
    Range *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < range_count && !found; i++) if (ranges[i].p && (char *)p >= ranges[i].p && (char *)p < ranges[i].p + ranges[i].n) found = &ranges[i];
    pthread_mutex_unlock(&lock);
    return found;
}
API cudaError_t cudaMalloc(void **p, size_t n) {
    setup(); cudaError_t e = forbidden("cudaMalloc", 0, NULL); if (e) return e;
    count("cudaMalloc", 0);
    if (memory_used + n > memory_total) return fail(cudaErrorMemoryAllocation);
    mallocs_by_device[current_device & 7]++;
    *p = take(n, 0); return OK;
}
API cudaError_t cudaFree(void *p) { cudaError_t e = p ? forbidden("cudaFree", 0, NULL) : OK; if (e) return e; if (p) count("cudaFree", 0); give(p); return OK; }
API cudaError_t cudaHostAlloc(void **p, size_t n, unsigned f) { cudaError_t e = forbidden("cudaHostAlloc", 0, NULL); if (e) return e; count("cudaHostAlloc", 0); *p = take(n, 1); return OK; }
API cudaError_t cudaFreeHost(void *p) { give(p); return OK; }
API cudaError_t cudaHostRegister(void *p, size_t n, unsigned f) { return OK; }
API cudaError_t cudaHostUnregister(void *p) { return OK; }
API cudaError_t cudaMemGetInfo(size_t *f, size_t *t) { setup(); *f = memory_total - memory_used; *t = memory_total; return OK; }
API cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *p) {
    memset(a, 0, sizeof *a); Range *r = range_of(p);
    a->type = !r ? cudaMemoryTypeUnregistered : r->host ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
    if (r) { a->device = r->device; a->devicePointer = a->hostPointer = (void *)p; }
    return OK;
}
static cudaError_t copy(const char *how, void *d, const void *s, size_t n, enum cudaMemcpyKind k, cudaStream_t st, int async) {
    Range *rd = range_of(d), *rs = range_of(s);
    const char *name = k == cudaMemcpyDeviceToDevice ? "memcpy D2D" : k == cudaMemcpyHostToDevice ? (rs && rs->host ? "memcpy H2D pinned" : "memcpy H2D pageable")
                     : k == cudaMemcpyDeviceToHost ? (rd && rd->host ? "memcpy D2H pinned" : "memcpy D2H pageable") : "memcpy";
    Stream *q = (Stream *)st;
    if (q && q->capturing && k != cudaMemcpyDeviceToDevice && !(rs && rd)) { q->broken = 1; return fail(cudaErrorStreamCaptureUnsupported); }
    launch(name, st);
    if (n) memmove(d, s, n);
    return OK;
}
API cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, enum cudaMemcpyKind k, cudaStream_t st) { return copy("async", d, s, n, k, st, 1); }
API cudaError_t cudaMemcpy(void *d, const void *s, size_t n, enum cudaMemcpyKind k) { cudaError_t e = forbidden("cudaMemcpy", 1, NULL); return e ? e : copy("sync", d, s, n, k, NULL, 0); }
API cudaError_t cudaMemcpyPeerAsync(void *d, int dd, const void *s, int sd, size_t n, cudaStream_t st) { memmove(d, s, n); return launch("memcpy peer", st); }
API cudaError_t cudaMemcpyToSymbol(const void *s, const void *p, size_t n, size_t o, enum cudaMemcpyKind k) { return OK; }
API cudaError_t cudaMemsetAsync(void *p, int v, size_t n, cudaStream_t st) { if (n <= 1 << 16 || v) memset(p, v, n); else madvise((void *)(((size_t)p + 4095) & ~4095ul), (n - 4096) & ~4095ul, MADV_DONTNEED); return launch("memset", st); }
API cudaError_t cudaMemset(void *p, int v, size_t n) { return cudaMemsetAsync(p, v, n, NULL); }

/* ------------------------------------------------------------------ streams, events, graphs */
API cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned f, int p) { Stream *n = calloc(1, sizeof *n); n->device = current_device; *s = (cudaStream_t)n; return OK; }
API cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned f) { return cudaStreamCreateWithPriority(s, f, 0); }
API cudaError_t cudaStreamCreate(cudaStream_t *s) { return cudaStreamCreateWithPriority(s, 0, 0); }
API cudaError_t cudaStreamDestroy(cudaStream_t s) { return OK; }
API cudaError_t cudaStreamGetPriority(cudaStream_t s, int *p) { *p = 0; return OK; }
API cudaError_t cudaStreamQuery(cudaStream_t s) { return forbidden("cudaStreamQuery", 0, s); }
API cudaError_t cudaStreamSynchronize(cudaStream_t s) { return forbidden("cudaStreamSynchronize", 1, s); }
API cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned f) { return OK; }
API cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t c, void *d, unsigned f) { return OK; }
API cudaError_t cudaStreamIsCapturing(cudaStream_t s, enum cudaStreamCaptureStatus *st) { *st = s && ((Stream *)s)->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone; return OK; }
API cudaError_t cudaStreamGetCaptureInfo(cudaStream_t s, enum cudaStreamCaptureStatus *st, unsigned long long *id, cudaGraph_t *g, const cudaGraphNode_t **d, const cudaGraphEdgeData **e, size_t *n) {
    cudaStreamIsCapturing(s, st); Stream *q = (Stream *)s;
    if (id) *id = q ? q->id : 0; if (g) *g = q ? q->graph : NULL; if (d) *d = NULL; if (e) *e = NULL; if (n) *n = 0; return OK;
}
API cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t s, cudaGraphNode_t *d, const cudaGraphEdgeData *e, size_t n, unsigned f) { return OK; }
API cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *m) { int was = capture_mode; capture_mode = *m; *m = was; return OK; }
API cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode m) {
    static unsigned long long ids = 0; Stream *q = (Stream *)s;
    if (!q) return fail(cudaErrorStreamCaptureUnsupported);
    if (capturing) return fail(cudaErrorIllegalState);
    q->capturing = 1; q->broken = 0; q->id = ++ids; q->graph = (cudaGraph_t)calloc(1, sizeof(Graph)); capturing = q; capturing_mode = m; return OK;
}
API cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g) {
    Stream *q = (Stream *)s; if (!q || !q->capturing) return fail(cudaErrorIllegalState);
    q->capturing = 0; capturing = NULL;
    if (q->broken) { *g = NULL; return fail(cudaErrorStreamCaptureInvalidated); }
    *g = q->graph; return OK;
}
API cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *n, size_t *c) { *c = ((Graph *)g)->nodes; return OK; }
API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long f) { Graph *n = malloc(sizeof *n); *n = *(Graph *)g; *e = (cudaGraphExec_t)n; return OK; }
API cudaError_t cudaGraphDestroy(cudaGraph_t g) { free(g); return OK; }
API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e) { count("cudaGraphExecDestroy", 0); free(e); return OK; }
API cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s) { replays++; return launch("graph launch", s); }
API cudaError_t cudaUserObjectCreate(cudaUserObject_t *o, void *p, cudaHostFn_t d, unsigned n, unsigned f) { *o = NULL; return OK; }
API cudaError_t cudaUserObjectRelease(cudaUserObject_t o, unsigned n) { return OK; }
API cudaError_t cudaGraphRetainUserObject(cudaGraph_t g, cudaUserObject_t o, unsigned n, unsigned f) { return OK; }
API cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned f) { *e = (cudaEvent_t)malloc(8); return OK; }
API cudaError_t cudaEventCreate(cudaEvent_t *e) { return cudaEventCreateWithFlags(e, 0); }
API cudaError_t cudaEventDestroy(cudaEvent_t e) { free(e); return OK; }
API cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return OK; }
API cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned f) { return OK; }
API cudaError_t cudaEventQuery(cudaEvent_t e) { return forbidden("cudaEventQuery", 0, NULL); }
API cudaError_t cudaEventSynchronize(cudaEvent_t e) { return forbidden("cudaEventSynchronize", 1, NULL); }
API cudaError_t cudaEventElapsedTime(float *t, cudaEvent_t a, cudaEvent_t b) { *t = 1; return OK; }

/* ------------------------------------------------------------------ cuBLAS */
/* A handle holds its stream. */
#define NOTHING(n) API int n() { return 0; }
#define COUNTED(n) API int n(cudaStream_t *h) { return launch(#n, *h); }
#define MAKES(n) API int n(void **h) { *h = calloc(1, 64); return 0; }
MAKES(cublasCreate_v2) NOTHING(cublasDestroy_v2) NOTHING(cublasSetWorkspace_v2) NOTHING(cublasSetMathMode) NOTHING(cublasSetPointerMode_v2) NOTHING(cublasSetSmCountTarget)
API int cublasSetStream_v2(cudaStream_t *h, cudaStream_t s) { *h = s; return 0; }
API int cublasGetMathMode(void *h, int *m) { *m = 0; return 0; }
API int cublasGetPointerMode_v2(void *h, int *m) { *m = 0; return 0; }
COUNTED(cublasSgemm_v2) COUNTED(cublasDgemm_v2) COUNTED(cublasGemmEx) COUNTED(cublasSgemmEx) COUNTED(cublasGemmStridedBatchedEx) COUNTED(cublasSgemmStridedBatched)
COUNTED(cublasDgemmStridedBatched) COUNTED(cublasSgemv_v2) COUNTED(cublasDgemv_v2) COUNTED(cublasSdot_v2) COUNTED(cublasDotEx)
API size_t cublasLtGetVersion(void) { return 130100; }
API int cublasLtMatmul(void *h, void *d, void *al, void *a, void *ad, void *b, void *bd, void *be, void *c, void *cd, void *o, void *od, void *algo, void *ws, size_t n, cudaStream_t s) { return launch("cublasLtMatmul", s); }
MAKES(cublasLtMatmulDescCreate) MAKES(cublasLtMatmulPreferenceCreate) MAKES(cublasLtMatrixLayoutCreate)
NOTHING(cublasLtMatmulDescDestroy) NOTHING(cublasLtMatmulDescSetAttribute) NOTHING(cublasLtMatmulPreferenceDestroy) NOTHING(cublasLtMatmulPreferenceSetAttribute)
NOTHING(cublasLtMatrixLayoutDestroy) NOTHING(cublasLtMatrixLayoutSetAttribute) NOTHING(cublasLtMatmulAlgoConfigSetAttribute) NOTHING(cublasLtMatmulAlgoInit)
API int cublasLtMatmulAlgoGetHeuristic(void *h, void *o, void *a, void *b, void *c, void *d, void *p, int n, void *r, int *found) { memset(r, 0, 16 * 8); *found = 1; return 0; }

/* ------------------------------------------------------------------ cuDNN, legacy interface */
#define DNN(n) API int n(cudaStream_t *h) { return launch(#n, *h); }
MAKES(cudnnCreate) MAKES(cudnnCreateTensorDescriptor) MAKES(cudnnCreateFilterDescriptor) MAKES(cudnnCreateConvolutionDescriptor) MAKES(cudnnCreateActivationDescriptor)
API int cudnnSetStream(cudaStream_t *h, cudaStream_t s) { *h = s; return 0; }
API int cudnnGetStream(cudaStream_t *h, cudaStream_t *s) { *s = *h; return 0; }
API size_t cudnnGetCudartVersion(void) { return 13000; }
NOTHING(cudnnDestroy) NOTHING(cudnnDestroyTensorDescriptor) NOTHING(cudnnDestroyFilterDescriptor) NOTHING(cudnnDestroyConvolutionDescriptor) NOTHING(cudnnDestroyActivationDescriptor)
NOTHING(cudnnSetTensorNdDescriptor) NOTHING(cudnnSetFilterNdDescriptor) NOTHING(cudnnSetConvolutionNdDescriptor) NOTHING(cudnnSetConvolutionGroupCount)
NOTHING(cudnnSetConvolutionMathType) NOTHING(cudnnSetActivationDescriptor) NOTHING(cudnnGetTensorNdDescriptor) NOTHING(cudnnGetFilterNdDescriptor)
DNN(cudnnConvolutionForward) DNN(cudnnConvolutionBackwardData) DNN(cudnnConvolutionBackwardFilter) DNN(cudnnConvolutionBiasActivationForward)
DNN(cudnnBatchNormalizationForwardTrainingEx) DNN(cudnnBatchNormalizationBackwardEx) DNN(cudnnBatchNormalizationForwardInference)
typedef struct { int algo; int status; float time; size_t memory; int determinism; int math; int reserved[3]; } Perf;
static int one(Perf *p, int *n) { memset(p, 0, sizeof *p); p->algo = 1; p->time = 1; p->determinism = 1; *n = 1; return 0; }
API int cudnnGetConvolutionForwardAlgorithm_v7(void *h, void *x, void *w, void *c, void *y, int want, int *n, Perf *p) { return one(p, n); }
API int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *h, void *x, void *w, void *c, void *y, int want, int *n, Perf *p) { return one(p, n); }
API int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *h, void *x, void *w, void *c, void *y, int want, int *n, Perf *p) { return one(p, n); }
static int found(const char *name, Perf *p, int *n) { cudaError_t e = forbidden(name, 0, NULL); if (e) return 8; count(name, 0); return one(p, n); }
API int cudnnFindConvolutionForwardAlgorithmEx(void *h, void *xd, void *x, void *wd, void *w, void *c, void *yd, void *y, int want, int *n, Perf *p, void *ws, size_t s) { return found("cudnnFind forward", p, n); }
API int cudnnFindConvolutionBackwardDataAlgorithmEx(void *h, void *wd, void *w, void *dyd, void *dy, void *c, void *dxd, void *dx, int want, int *n, Perf *p, void *ws, size_t s) { return found("cudnnFind backward data", p, n); }
API int cudnnFindConvolutionBackwardFilterAlgorithmEx(void *h, void *xd, void *x, void *dyd, void *dy, void *c, void *dwd, void *dw, int want, int *n, Perf *p, void *ws, size_t s) { return found("cudnnFind backward filter", p, n); }
API int cudnnGetConvolutionForwardWorkspaceSize(void *h, void *a, void *b, void *c, void *d, int al, size_t *n) { *n = 1 << 20; return 0; }
API int cudnnGetConvolutionBackwardDataWorkspaceSize(void *h, void *a, void *b, void *c, void *d, int al, size_t *n) { *n = 1 << 20; return 0; }
API int cudnnGetConvolutionBackwardFilterWorkspaceSize(void *h, void *a, void *b, void *c, void *d, int al, size_t *n) { *n = 1 << 20; return 0; }
API int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void *h, int m, int o, void *x, void *z, void *y, void *b, void *a, size_t *n) { *n = 4096; return 0; }
API int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void *h, int m, int o, void *x, void *y, void *dy, void *dz, void *dx, void *d, void *a, size_t *n) { *n = 4096; return 0; }
API int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void *h, int m, int o, void *a, void *x, size_t *n) { *n = 4096; return 0; }

/* ------------------------------------------------------------------ cuDNN, graph interface (what Conv_v8.cpp uses): one engine for everything */
typedef struct { int type; int kind; } Backend;
static __thread int last_operation = 0;
API int cudnnBackendCreateDescriptor(int type, void **d) { Backend *b = calloc(1, 256); b->type = type; if (type >= 10 && type <= 12) last_operation = type; *d = b; return 0; }
API int cudnnBackendDestroyDescriptor(void *d) { free(d); return 0; }
API int cudnnBackendSetAttribute() { return 0; }
API int cudnnBackendFinalize(void *d) { Backend *b = d; b->kind = last_operation; if (b->type == 5) { count("cudnn plan built", 0); } return 0; }
API int cudnnBackendInitialize(void *d) { return 0; }
API int cudnnBackendGetAttribute(void *d, int attr, int type, long long want, long long *n, void *out) {
    long long got = 0;
    if (type == 15) got = attr == 1302 || attr == 302 || attr == 1304 || attr == 301 ? 0 : 1;       /* descriptors; no knobs */
    else if (type == 3) { got = 1; if (out && want) *(long long *)out = attr == 402 ? 1 << 20 : 0; }
    else if (type == 23 || type == 2) { got = 1; if (out && want) *(int *)out = 0; }
    if (n) *n = got;
    return 0;
}
API int cudnnBackendExecute(cudaStream_t *h, void *plan, void *pack) {
    int k = ((Backend *)plan)->kind;
    return launch(k == 10 ? "cudnn conv forward" : k == 11 ? "cudnn conv backward filter" : k == 12 ? "cudnn conv backward data" : "cudnn ?", *h);
}
