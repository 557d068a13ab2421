/* How the loops of kernel.c run on one processor: one after another, with vector instructions. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef UNCONTRACTED /* no fused multiply-add: to compare bits with a processor that rounds in between */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif
#endif

#define SIMD _Pragma("omp simd")
#define INLINE static inline __attribute__((always_inline))
#define EXPORTED
#define EACH(i, from, to) SIMD for (int64_t i = from; i < (to); i++)
/* Through an index: one value after another, since the gather instructions of many processors are slower. */
#define EACH_BY_INDEX(i, from, to) for (int64_t i = from; i < (to); i++)
/* Adds to what several turns may share, in the order of the turns. */
#define EACH_SHARING(i, n, sharing) for (int64_t i = 0; i < (n); i++)
#define COPY(to, from, n) memcpy(to, from, sizeof(R) * (n))
#define SYNC
#define ONCE
#define SHARING(name)
#define FETCHED
/* What a loop reads through an index, fetched before it. */
#define GATHER(slot, array, index)                                   \
    gather(s->scratch + slot * s->n, b->array, s->k[index], s->n);   \
    const R *const restrict g##slot = s->scratch + slot * s->n;
#define GATHERED(slot) g##slot[i]
#define EVERY(phase)                                              \
    for (int64_t j = 0; j < b->sets; j++)                         \
        if (kinds[b->kind[j]].phase && b->set[j].n) kinds[b->kind[j]].phase(&b->set[j], b)

#ifdef __clang__
#define UNVECTORISED
#define IN_ORDER _Pragma("clang loop vectorize(disable)")
#else
#define UNVECTORISED __attribute__((noinline, optimize("no-tree-vectorize")))
#define IN_ORDER
#endif
UNVECTORISED static void gather(R *restrict to, const R *restrict from, const int *restrict index, int64_t n) {
    IN_ORDER for (int64_t i = 0; i < n; i++) to[i] = from[index[i]];
}
