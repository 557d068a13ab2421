/* The native engine: a network of branched cables, gates and synapses, stepped as NEURON steps it.

   One unit of voltage is mV, of current nA, of conductance uS, of capacitance nF, of time ms.

   The nodes of all trees lie in one order (layout.py). Each tree is cut into unbranched chains;
   chains of equal nesting depth form a batch, and a batch is stored level by level, so that one
   level of all its chains is a contiguous row ("lanes"). Elimination runs over whole rows at a
   time and only the heads of chains reach their parent through an index. Rows are padded with
   nodes that are connected to nothing.

   REAL is double or float. mechanisms.h is generated from the .mod files (emit.py).

   Loops are written once: simd.c runs them on one processor, block.c on a block of threads. Between two
   SYNCs no turn of a loop may touch what a turn of another number writes. */

typedef REAL R;
#ifndef BLOCK
#include "simd.c"
#endif

/* --- elementary functions: inline, so that every compiler can vectorise them -------------------- */

INLINE R tb_exp(R x) {
    /* 2^n e^r with |r| <= ln 2 / 2; the ends are those of NEURON's exp. */
    const int wide = sizeof(R) == 8;
    const R low = wide ? (R)-700 : (R)-87, high = wide ? (R)700 : (R)88;
    x = x < low ? low : x;
    x = x > high ? high : x;
    const R magic = wide ? (R)6755399441055744.0 : (R)12582912.0f; /* 1.5 * 2^52, 2^23: rounds to integer */
    const R n = (x * (R)1.4426950408889634074 + magic) - magic;
    R p;
    if (wide) {
        R r = x - n * (R)6.93145751953125e-1;
        r = r - n * (R)1.42860682030941723212e-6;
        p = (R)1.6059043836821613e-10;
        p = p * r + (R)2.0876756987868099e-09;
        p = p * r + (R)2.5052108385441719e-08;
        p = p * r + (R)2.7557319223985891e-07;
        p = p * r + (R)2.7557319223985893e-06;
        p = p * r + (R)2.4801587301587302e-05;
        p = p * r + (R)1.9841269841269841e-04;
        p = p * r + (R)1.3888888888888889e-03;
        p = p * r + (R)8.3333333333333332e-03;
        p = p * r + (R)4.1666666666666664e-02;
        p = p * r + (R)1.6666666666666666e-01;
        p = p * r + (R)0.5;
        p = p * r + (R)1.0;
        p = p * r + (R)1.0;
        const int64_t bits = ((int64_t)n + 1023) << 52;
        double scale;
        memcpy(&scale, &bits, 8);
        return p * (R)scale;
    }
    R r = x - n * (R)0.693359375;
    r = r + n * (R)2.12194440e-4;
    p = (R)1.9841270e-4;
    p = p * r + (R)1.3888889e-3;
    p = p * r + (R)8.3333333e-3;
    p = p * r + (R)4.1666667e-2;
    p = p * r + (R)1.6666667e-1;
    p = p * r + (R)0.5;
    p = p * r + (R)1.0;
    p = p * r + (R)1.0;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * (R)scale;
}

INLINE R tb_log(R x) {
    /* x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m by the odd series in (m - 1)/(m + 1). */
    R n, m;
    if (sizeof(R) == 8) {
        const double value = (double)x;
        int64_t bits;
        memcpy(&bits, &value, 8);
        const int64_t up = (bits - 0x3fe6a09e667f3bcdLL) >> 52;
        bits -= up << 52;
        double mantissa;
        memcpy(&mantissa, &bits, 8);
        n = (R)up;
        m = (R)mantissa;
    } else {
        const float value = (float)x;
        int32_t bits;
        memcpy(&bits, &value, 4);
        const int32_t up = (bits - 0x3f3504f3) >> 23;
        bits -= up * 8388608;
        float mantissa;
        memcpy(&mantissa, &bits, 4);
        n = (R)up;
        m = (R)mantissa;
    }
    const R z = (m - (R)1) / (m + (R)1), w = z * z;
    R p = (R)(1.0 / 21);
    p = p * w + (R)(1.0 / 19);
    p = p * w + (R)(1.0 / 17);
    p = p * w + (R)(1.0 / 15);
    p = p * w + (R)(1.0 / 13);
    p = p * w + (R)(1.0 / 11);
    p = p * w + (R)(1.0 / 9);
    p = p * w + (R)(1.0 / 7);
    p = p * w + (R)(1.0 / 5);
    p = p * w + (R)(1.0 / 3);
    p = p * w + (R)1.0;
    const R value = n * (R)1.42860682030941723212e-6 + (R)2 * z * p + n * (R)6.93145751953125e-1;
    return x > (R)0 ? value : (x < (R)0 ? (R)NAN : (R)-INFINITY);
}

INLINE R tb_sqrt(R x) { return sizeof(R) == 8 ? (R)sqrt((double)x) : (R)sqrtf((float)x); }
INLINE R tb_fabs(R x) { return x < (R)0 ? -x : x; }
INLINE R tb_pow(R x, R y) {
    const R size = tb_exp(y * tb_log(tb_fabs(x))), half = y * (R)0.5;
    const R whole = (R)floor((double)y), pair = (R)2 * (R)floor((double)half);
    const R of_negative = y != whole ? (R)NAN : (pair == y ? size : -size);
    return y == (R)0 ? (R)1 : (x < (R)0 ? of_negative : size);
}
INLINE R tb_tanh(R x) { return (R)tanh((double)x); }
INLINE R tb_sin(R x) { return (R)sin((double)x); }
INLINE R tb_cos(R x) { return (R)cos((double)x); }
INLINE R tb_floor(R x) { return (R)floor((double)x); }

/* --- data ----------------------------------------------------------------------------------------- */

/* Instances of one kind: arrays of reals and of indices, in the order of the generated code. */
typedef struct {
    int64_t n;
    R **f;
    int **k;
    R *scratch; /* 4 n: what is scattered after a loop, what was gathered before it */
    /* with tables: one table per distinct set of parameters */
    int64_t groups, width;
    const int *group, *first_of_group;
    R *table;
    SHARING(by_node)
} Set;

typedef struct Brain {
    /* trees */
    int64_t nodes, batches;
    const int *batch_level;   /* batches + 1: first level of each batch */
    const int *level_start;   /* first node of each level */
    const int *level_width;   /* its padded number of nodes */
    const int *head_start;    /* batches + 1: range of each batch in head_parent */
    const int *head_parent;   /* node that each chain hangs on */
    const R *axial;           /* conductance to the parent; 0 at roots and padding */
    const R *capacitance, *leak_d, *leak_b;
    R *base_d, *base_b;       /* what never changes during a run */
    R *tick_d, *tick_b;       /* what changes between two calls only */
    R *charge;                /* capacitance over the step of the matrix */
    R *d, *b, *x, *v, *first_b;
    /* mechanisms */
    int64_t sets;
    const Set *set;
    const int *kind;
    R *external, *concentration, *uniform;
    int64_t ions;
    R *ion_current, *ion_slope;
    const int *ion_node;
    int64_t clamps;
    const int *clamp_node;
    const R *clamp_current;
    const double *clamp_start, *clamp_stop;
    /* integration */
    double t;
    R step;
    int64_t order, corrections;
    /* what is written down each step */
    int64_t probes;
    const int *probe;
    R *record;
    SHARING(by_parent) /* one per batch */
    SHARING(by_clamped)
    FETCHED
} Brain;

typedef void Phase(const Set *restrict s, Brain *restrict b);
typedef struct {
    Phase *initial, *prepare, *tick, *current, *correct, *state;
#ifdef TABLES
    void (*table)(const Set *restrict s, Brain *restrict b, int64_t i, R *restrict to);
#endif
} Kind;

/* Tables of what depends on the voltage alone, interpolated linearly; the ends hold beyond them. Rows
   are so fine because a cell near a switch of its state magnifies their error a hundredfold. */
#define TABLE_LOW (-120.0)
#define TABLE_PITCH 0.0125
#define TABLE_ROWS 17601
INLINE void interpolate(const Set *restrict s, const R *restrict v, const int width, const int first) {
    const int *restrict node = s->k[0];
    for (int64_t i = 0; i < s->n; i++) {
        R at = (v[node[i]] - (R)TABLE_LOW) * (R)(1.0 / TABLE_PITCH);
        at = at > 0 ? at : 0;
        at = at < (R)(TABLE_ROWS - 2) ? at : (R)(TABLE_ROWS - 2);
        const int row = (int)at;
        const R part = at - (R)row;
        const R *restrict low = s->table + ((int64_t)s->group[i] * TABLE_ROWS + row) * width;
        for (int j = 0; j < width; j++) s->f[first + j][i] = low[j] + part * (low[width + j] - low[j]);
    }
}

#include "mechanisms.h"

/* --- the linear system ----------------------------------------------------------------------------- */

/* Factorise and eliminate towards the roots. d holds the diagonal without the conductance to the
   parent, so that nothing is ever subtracted: with q = 1/(d + a) the parent gains a d q on its
   diagonal and a q b on its right side. On return d holds q. A chain keeps its lane, and so its thread. */
static void eliminate(Brain *restrict b) {
    for (int64_t k = b->batches - 1; k >= 0; k--) {
        const int first = b->batch_level[k], last = b->batch_level[k + 1] - 1;
        for (int l = last; l > first; l--) {
            const int w = b->level_width[l];
            R *restrict d = b->d + b->level_start[l], *restrict up_d = b->d + b->level_start[l - 1];
            R *restrict r = b->b + b->level_start[l], *restrict up_r = b->b + b->level_start[l - 1];
            const R *restrict a = b->axial + b->level_start[l];
            EACH(c, 0, w) {
                const R q = (R)1 / (d[c] + a[c]), p = a[c] * q;
                up_d[c] += p * d[c];
                up_r[c] += p * r[c];
                d[c] = q;
            }
        }
        SYNC;
        const int w = b->level_width[first];
        R *restrict d = b->d + b->level_start[first], *restrict r = b->b + b->level_start[first];
        const R *restrict a = b->axial + b->level_start[first];
        const int *parent = b->head_parent + b->head_start[k];
        const int heads = b->head_start[k + 1] - b->head_start[k];
        EACH_SHARING(c, heads, b->by_parent[k]) {
            const R q = (R)1 / (d[c] + a[c]), p = a[c] * q;
            b->d[parent[c]] += p * d[c];
            b->b[parent[c]] += p * r[c];
            d[c] = q;
        }
        EACH(c, heads, w) d[c] = (R)1 / (d[c] + a[c]);
        SYNC;
    }
}

/* The right side alone, with the factors of the last elimination. */
static void eliminate_again(Brain *restrict b) {
    for (int64_t k = b->batches - 1; k >= 0; k--) {
        const int first = b->batch_level[k], last = b->batch_level[k + 1] - 1;
        for (int l = last; l > first; l--) {
            const int w = b->level_width[l];
            const R *restrict q = b->d + b->level_start[l], *restrict a = b->axial + b->level_start[l];
            R *restrict r = b->b + b->level_start[l], *restrict up_r = b->b + b->level_start[l - 1];
            EACH(c, 0, w) up_r[c] += a[c] * q[c] * r[c];
        }
        SYNC;
        const int o = b->level_start[first];
        const int *parent = b->head_parent + b->head_start[k];
        EACH_SHARING(c, b->head_start[k + 1] - b->head_start[k], b->by_parent[k])
            b->b[parent[c]] += b->axial[o + c] * b->d[o + c] * b->b[o + c];
        SYNC;
    }
}

/* Voltage after the step (at second order x is the voltage in its middle) and, since the factors at
   this node are used up, the matrix that the next step starts from. */
#define FINISH(i)                                                  \
    do {                                                           \
        const R now = second ? 2 * b->x[i] - b->v[i] : b->x[i];    \
        b->v[i] = now;                                             \
        b->d[i] = b->tick_d[i];                                    \
        b->b[i] = b->tick_b[i] + b->charge[i] * now;               \
    } while (0)

/* From the roots to the tips: x = q (b + a x_parent). */
INLINE void back(Brain *restrict b, const int finish, const int second) {
    for (int64_t k = 0; k < b->batches; k++) {
        const int first = b->batch_level[k], end = b->batch_level[k + 1], o = b->level_start[first];
        const int *parent = b->head_parent + b->head_start[k];
        const int heads = b->head_start[k + 1] - b->head_start[k];
        const int w0 = b->level_width[first];
        EACH_BY_INDEX(c, 0, heads) b->b[o + c] += b->axial[o + c] * b->x[parent[c]];
        EACH(i, o, o + w0) {
            b->x[i] = b->b[i] * b->d[i];
            if (finish) FINISH(i);
        }
        for (int l = first + 1; l < end; l++) {
            const R *restrict up = b->x + b->level_start[l - 1] - b->level_start[l];
            EACH(i, b->level_start[l], b->level_start[l] + b->level_width[l]) {
                b->x[i] = (b->b[i] + b->axial[i] * up[i]) * b->d[i];
                if (finish) FINISH(i);
            }
        }
        SYNC;
    }
}

static void substitute_back(Brain *restrict b) { back(b, 0, 0); }
static void finish_first_order(Brain *restrict b) { back(b, 1, 0); }
static void finish_second_order(Brain *restrict b) { back(b, 1, 1); }

/* --- a run ------------------------------------------------------------------------------------------- */

/* What depends on nothing but parameters and the step. */
EXPORTED void prepare(Brain *b) {
    const R rate = (R)(b->order == 2 ? 2 : 1) / b->step;
    EACH(i, 0, b->nodes) {
        b->charge[i] = rate * b->capacitance[i];
        b->base_d[i] = b->charge[i] + b->leak_d[i];
        b->base_b[i] = b->leak_b[i];
    }
    SYNC;
    EVERY(prepare);
#ifdef TABLES
    for (int64_t j = 0; j < b->sets; j++) {
        const Set *s = &b->set[j];
        for (int64_t g = 0; g < s->groups; g++)
            kinds[b->kind[j]].table(s, b, s->first_of_group[g], s->table + g * TABLE_ROWS * s->width);
    }
#endif
}

/* Start of a run: states from the voltages in v. */
EXPORTED void initial(Brain *b) {
    prepare(b);
    EVERY(initial);
    prepare(b); /* once more, from what INITIAL has set for good */
}

/* The right side and diagonal that every step starts from, before mechanisms add to them. */
static void begin(Brain *restrict b) {
    COPY(b->tick_d, b->base_d, b->nodes);
    COPY(b->tick_b, b->base_b, b->nodes);
    SYNC;
    EVERY(tick);
    EACH(i, 0, b->nodes) {
        b->d[i] = b->tick_d[i];
        b->b[i] = b->tick_b[i] + b->charge[i] * b->v[i];
    }
    SYNC;
}

/* As NEURON does it, `t` is the middle of the step in currents and its end in states. */
static void currents(Brain *restrict b) {
    const double middle = b->t;
    EACH_SHARING(i, b->clamps, b->by_clamped[0])
        if (middle >= b->clamp_start[i] && middle < b->clamp_stop[i]) b->b[b->clamp_node[i]] += b->clamp_current[i];
    EACH_BY_INDEX(i, 0, b->ions) b->ion_current[i] = b->ion_slope[i] = 0;
    SYNC;
    EVERY(current);
}

/* At second order NEURON moves ion currents to the middle of the step, too. */
static void move_ion_currents(Brain *restrict b) {
    EACH_BY_INDEX(i, 0, b->ions) {
        const int n = b->ion_node[i];
        b->ion_current[i] += b->ion_slope[i] * (b->v[n] - b->x[n]); /* x lies between the old v and the new */
    }
    SYNC;
}

/* Take steps. Everything set from outside (external, clamps) holds for all of them. */
EXPORTED void advance(Brain *restrict b, int64_t steps) {
    begin(b);
    const double start = b->t;
    for (int64_t step = 0; step < steps; step++) {
        ONCE b->t = start + ((double)step + 0.5) * b->step;
        SYNC;
        currents(b);
        if (b->corrections) COPY(b->first_b, b->b, b->nodes);
        SYNC;
        eliminate(b);
        for (int64_t c = 0; c < b->corrections; c++) {
            substitute_back(b);
            COPY(b->b, b->first_b, b->nodes);
            SYNC;
            EVERY(correct);
            eliminate_again(b);
        }
        if (b->order == 2) {
            finish_second_order(b);
            move_ion_currents(b);
        } else {
            finish_first_order(b);
        }
        ONCE b->t = start + (double)(step + 1) * b->step;
        SYNC;
        EVERY(state);
        EACH_BY_INDEX(i, 0, b->probes) b->record[step * b->probes + i] = b->v[b->probe[i]];
    }
}

EXPORTED int64_t table_rows(void) { return TABLE_ROWS; }
EXPORTED int64_t size_of_brain(void) { return sizeof(Brain); }
