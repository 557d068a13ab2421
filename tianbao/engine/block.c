/* The native engine for many worms of one nervous system: a block of threads per worm.

   NVRTC compiles this file for a graphics card; a C compiler makes of it a twin that takes the turns of
   a block's threads one thread after another, the last one first, so that a loop that depends on the
   order of its turns does not pass unnoticed. Sums are taken in the order of kernel.c on one processor,
   each by one thread, so that the bits do not depend on the number of threads. */

#define BLOCK

#ifdef __CUDACC_RTC__
typedef long long int64_t;
typedef int int32_t;
#define restrict __restrict__
#define NAN __int_as_float(0x7fc00000)
#define INFINITY __int_as_float(0x7f800000)
#define INLINE static __forceinline__
#define EACH(i, from, to) for (int i = (int)(from) + (int)threadIdx.x; i < (int)(to); i += (int)blockDim.x)
#define SYNC __syncthreads()
#define ONCE if (threadIdx.x == 0)
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __clang__ /* rounded after every operation, as NVRTC is told to */
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif
#define INLINE static inline __attribute__((always_inline))
static int threads;
#define EACH(i, from, to)                                  \
    for (int thread = threads - 1; thread >= 0; thread--)  \
        for (int i = (int)(from) + thread; i < (int)(to); i += threads)
#define SYNC
#define ONCE
#endif

#define EXPORTED static /* the system's C library has an `advance` of its own */

/* Turns that add to the same place, by place: item[first[p]] to item[first[p + 1] - 1], in order. */
typedef struct {
    int64_t places;
    const int *first, *item;
} Sharing;

#define SHARING(name) const Sharing *name;
#define EACH_SHARING(i, n, sharing)                       \
    EACH(place, 0, (sharing).places)                      \
    for (int at = (sharing).first[place], i = 0; at < (sharing).first[place + 1] && (i = (sharing).item[at], 1); at++)
#define EACH_BY_INDEX(i, from, to) EACH(i, from, to)
#define COPY(to, from, n) EACH(each, 0, n) (to)[each] = (from)[each]
#define GATHER(slot, array, index) const R *const g##slot = b->array; const int *const at##slot = s->k[index];
#define GATHERED(slot) g##slot[at##slot[i]]
/* The kinds of a network are known: mechanisms.h names its sets one by one. */
#define EVERY(phase) EVERY_##phase
/* What the host reads after each call: places in the worm's own states. */
#define FETCHED const R *own; const int *fetched; int64_t outputs; R *output;

#include "kernel.c"

static void fetch(Brain *b) { EACH(i, 0, b->outputs) b->output[i] = b->own[b->fetched[i]]; }

#ifdef __CUDACC_RTC__
#define ENTRY(name, ...)                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS) name(Brain *brains, int64_t steps) { \
        __shared__ Brain here;                                                         \
        if (threadIdx.x == 0) here = brains[blockIdx.x];                               \
        __syncthreads();                                                               \
        Brain *const b = &here;                                                        \
        __VA_ARGS__;                                                                   \
        SYNC;                                                                          \
        if (threadIdx.x == 0) brains[blockIdx.x].t = here.t;                           \
    }
#else
#define ENTRY(name, ...)                                                               \
    void name(Brain *brains, int64_t steps, int64_t blocks, int64_t wide) {            \
        threads = (int)wide;                                                           \
        for (int64_t block = 0; block < blocks; block++) {                             \
            Brain *const b = &brains[block];                                           \
            (void)steps;                                                               \
            __VA_ARGS__;                                                               \
        }                                                                              \
    }
#endif

/* What all worms share: for one block. */
ENTRY(prepare_shared, prepare(b))
ENTRY(start_each, EVERY(initial); SYNC; fetch(b))
ENTRY(advance_each, advance(b, steps); SYNC; fetch(b))
ENTRY(fetch_each, fetch(b))
