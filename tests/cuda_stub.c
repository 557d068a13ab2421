/* The part of a graphics card's driver that tianbao.engine.driver calls, with the processor for a card: memory is the
   processor's own and a launch runs the twin of the kernel, whose path stands in TIANBAO_STUB_TWIN. The declarations
   follow NVIDIA's documentation of the driver interface, so that an argument of another width shows here. */

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int Result;
typedef unsigned long long Address;
static void *twin;
static const size_t memory = (size_t)1 << 30;
static size_t taken;
static int retained;

Result cuInit(unsigned int flags) { return flags != 0; }
Result cuDeviceGetCount(int *count) { return *count = 1, 0; }
Result cuDeviceGet(int *device, int ordinal) { return *device = 40 + ordinal, 0; }
Result cuDeviceGetName(char *name, int length, int device) {
    return strncpy(name, "a stub", (size_t)length), device != 40;
}
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    return *value = attribute == 75 ? 9 : attribute == 76 ? 0 : -1, device != 40;
}
Result cuDevicePrimaryCtxRetain(void **context, int device) { return *context = &retained, retained++, device != 40; }
Result cuDevicePrimaryCtxRelease_v2(int device) { return retained--, device != 40; }
Result cuCtxSetCurrent(void *context) { return context != &retained; }
Result cuMemGetInfo_v2(size_t *left, size_t *whole) { return *left = memory - taken, *whole = memory, 0; }
Result cuMemAlloc_v2(Address *address, size_t size) {
    if (size == 0 || size > memory - taken) return 2;
    /* Not zeroed: a card's memory is not either. */
    char *found = malloc(size);
    memset(found, 0xA5, size);
    return *address = (Address)(uintptr_t)found, taken += size, 0;
}
Result cuMemFree_v2(Address address) { return free((void *)(uintptr_t)address), 0; }
Result cuMemcpyHtoD_v2(Address to, const void *from, size_t size) {
    return memcpy((void *)(uintptr_t)to, from, size), 0;
}
Result cuMemcpyDtoH_v2(void *to, Address from, size_t size) {
    return memcpy(to, (const void *)(uintptr_t)from, size), 0;
}
Result cuModuleLoadData(void **module, const void *image) {
    if (memcmp(image, "\177ELF", 4)) return 200;
    twin = dlopen(getenv("TIANBAO_STUB_TWIN"), RTLD_NOW | RTLD_LOCAL);
    return *module = twin, twin == NULL;
}
Result cuModuleUnload(void *module) { return module != twin; }
Result cuModuleGetFunction(void **function, void *module, const char *name) {
    return *function = dlsym(module, name), *function == NULL;
}
Result cuLaunchKernel(void *function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                      unsigned int by, unsigned int bz, unsigned int shared, void *stream, void **arguments,
                      void **extra) {
    if (gy != 1 || gz != 1 || bx != 128 || by != 1 || bz != 1 || shared || stream || extra) return 1;
    int (*const entry)(void *, int64_t, int64_t, int64_t, int64_t) =
        (int (*)(void *, int64_t, int64_t, int64_t, int64_t))function;
    /* One thread for the block's: the bits do not depend on their number. */
    return entry(*(void **)arguments[0], *(int64_t *)arguments[1], gx, 1, 0);
}
Result cuGetErrorString(Result status, const char **text) {
    return *text = status == 2 ? "out of memory" : "failed", 0;
}
