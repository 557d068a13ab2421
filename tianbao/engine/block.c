/* The native engine for many worms of one nervous system: a block of threads per worm.

   NVRTC compiles this file for a graphics card, a C compiler makes its twin of it, which needs none.
   Sums are taken in the order of kernel.c on one processor, each by one thread, so that the bits do not
   depend on the number of threads. */

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
#include <stdlib.h>
#include <ucontext.h>
#define INLINE static inline __attribute__((always_inline))
/* A block's threads as contexts that pass on at every SYNC: each goes from one SYNC to the next before another
   starts, so that whatever depends on what another thread has done meanwhile comes out differently. */
static int threads, thread, last_first, done;
static ucontext_t host, *context;
static void pass_on(void) { if (threads > 1) swapcontext(&context[thread], &host); }
#define EACH(i, from, to) for (int i = (int)(from) + thread; i < (int)(to); i += threads)
#define SYNC pass_on()
#define ONCE if (thread == 0)
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
#define ENTRY(name, ...)                                                                         \
    extern "C" __global__ void __launch_bounds__(THREADS) name(Brain *brains, int64_t steps) {   \
        __shared__ Brain here;                                                                   \
        ONCE here = brains[blockIdx.x];                                                          \
        SYNC;                                                                                    \
        Brain *const b = &here;                                                                  \
        __VA_ARGS__;                                                                             \
        SYNC;                                                                                    \
        ONCE brains[blockIdx.x].t = here.t;                                                      \
    }
#else
static Brain *of_block;
static int64_t steps_of_block;
enum { STACK = 1 << 18 };

/* One block; returns 0, or 1 if its threads did not meet at the same SYNCs. */
static int run(void (*body)(void)) {
    thread = done = 0;
    if (threads == 1) return body(), 0;
    context = malloc(sizeof(ucontext_t) * threads);
    char *stacks = malloc((size_t)STACK * threads);
    for (int k = 0; k < threads; k++) {
        getcontext(&context[k]);
        context[k].uc_stack.ss_sp = stacks + (size_t)STACK * k;
        context[k].uc_stack.ss_size = STACK;
        context[k].uc_link = &host;
        makecontext(&context[k], body, 0);
    }
    while (done == 0)
        for (int k = 0; k < threads; k++) {
            thread = last_first ? threads - 1 - k : k;
            swapcontext(&host, &context[thread]);
        }
    free(context);
    free(stacks);
    return done != threads;
}

#define ENTRY(name, ...)                                                                         \
    static void name##_by_thread(void) {                                                         \
        Brain *const b = of_block;                                                               \
        const int64_t steps = steps_of_block;                                                    \
        (void)steps;                                                                             \
        __VA_ARGS__;                                                                             \
        done++;                                                                                  \
    }                                                                                            \
    int name(Brain *brains, int64_t steps, int64_t blocks, int64_t wide, int64_t backwards) {    \
        int apart = 0;                                                                           \
        threads = (int)wide, last_first = (int)backwards, steps_of_block = steps;                \
        for (int64_t k = 0; k < blocks; k++) {                                                   \
            of_block = &brains[k];                                                               \
            apart |= run(name##_by_thread);                                                      \
        }                                                                                        \
        return apart;                                                                            \
    }
#endif

/* What all worms share: for one block. */
ENTRY(prepare_shared, prepare(b))
ENTRY(start_each, EVERY(initial); SYNC; fetch(b))
ENTRY(advance_each, advance(b, steps); SYNC; fetch(b))
ENTRY(fetch_each, fetch(b))
