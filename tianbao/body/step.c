/* An implicit step of soft bodies on a CPU, one worm after the other: the equations, the order of decisions and the
   tolerances of kernels.py, whose names it keeps. Taichi's kernels are the reference, and what runs on a card.

   constants.h is written by compiled.py: the size of a ring, and the columns of every array. Units: mm, s, uN. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "constants.h"
#include "tissue.c"
#include "banded.c"
#include "turning.c"

#define NEAR 0.1 /* of the step so far: a larger move tells nothing of the next */

/* The arrays of all worms, as in solver.py. */
typedef struct {
    const Mesh *mesh;
    const double *physics;
    double *x, *start, *velocity, *tangent;
    const double *flow, *planes;
    const int32_t *count;
    double *grip, *status;
} Bodies;

/* The rows of one of them. */
typedef struct {
    const Mesh *mesh;
    const double *physics, *tension;
    double *x, *start, *velocity, *tangent;
    const double *flow, *planes;
    const int32_t *count;
    double *grip, *status;
    Work *work;
    int64_t turning;
} Worm;

INLINE double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/* Memory for what a step computes on the way; the first call measures it. */
static int64_t take(const Mesh *m, char *memory, Work *w) {
    const int64_t rings = m->slabs + 1, group = m->groups * sizeof(V), real = sizeof(double);
    const int64_t sizes[] = {
        group * m->tets * 6, group * 2 * BLOCK, group * 2 * BLOCK, group * 4, CELLS * sizeof(V),
        rings * BLOCK * PAD * real, rings * NEXT * real, (rings + 1) * NEXT * real, rings * BLOCK * real,
        rings * BLOCK * real, rings * BLOCK * real, rings * BLOCK * real,
    };
    void **parts[] = {
        (void **)&w->strain, (void **)&w->force, (void **)&w->swell, (void **)&w->scalars, (void **)&w->cells,
        (void **)&w->factor, (void **)&w->inverse, (void **)&w->aim, (void **)&w->residual, (void **)&w->turn,
        (void **)&w->base, (void **)&w->first,
    };
    int64_t at = 0;
    for (int k = 0; k < 12; k++) {
        *parts[k] = memory + at;
        at += (sizes[k] + 63) / 64 * 64;
    }
    return at;
}

int64_t work_size(const Mesh *m) {
    Work w;
    return take(m, 0, &w);
}

/* What holds from the start of a step to its end: reference strain, axis of drag, friction of contacts. */
static void freeze(const Worm *b) {
    const double *physics = b->physics;
    const int64_t rings = b->mesh->slabs + 1;
    freeze_slabs(b->mesh, b->x, b->work);
    for (int64_t r = 0; r < rings; r++) {
        const double *ahead = b->x + BLOCK * (r > 0 ? r - 1 : 0), *behind = b->x + BLOCK * (r + 1 < rings ? r + 1 : r);
        double *t = b->tangent + 3 * r;
        for (int i = 0; i < 3; i++) t[i] = behind[i] - ahead[i];
        const double length = sqrt(dot(t, t));
        for (int i = 0; i < 3; i++) t[i] /= length;
    }
    for (int64_t r = 0; r < rings; r++)
        for (int k = 0; k < b->count[r]; k++) {
            const double *n = b->planes + (r * PLANES + k) * COLUMNS;
            double load = 0.0, slip[3] = {0}, square = 0.0;
            for (int64_t v = 3 * (SIZE * (r + 1) - SIDES); v < BLOCK * (r + 1); v += 3) {
                const double depth = n[OFFSET] + physics[MARGIN] - dot(n, b->x + v);
                load += physics[PUSH] * (depth > 0.0 ? depth : 0.0);
                for (int i = 0; i < 3; i++) slip[i] += b->velocity[v + i] / SIDES;
            }
            const double off = dot(n, slip);
            for (int i = 0; i < 3; i++) square += (slip[i] - off * n[i]) * (slip[i] - off * n[i]);
            const double speed = sqrt(square), slowest = physics[SLOWEST];
            b->grip[r * PLANES + k] = n[FRICTION] * load / SIDES / (speed > slowest ? speed : slowest);
        }
}

/* Sums slab forces, drag, surface film, weight and contacts into the residual of every vertex and the status. */
static void sum_up(const Worm *b) {
    const double *physics = b->physics, dt = physics[DT], hold = physics[HOLD], push = physics[PUSH];
    const double normal = physics[NORMAL], less = normal - physics[TANGENTIAL];
    const Work *w = b->work;
    const int64_t slabs = b->mesh->slabs;
    double energy = 0.0, squared = 0.0, scale = 0.0, least = 1e300, net[3] = {0};
    for (int64_t s = 0; s < slabs; s++) {
        const double mine = w->scalars[4 * (s / W) + LEAST_RATIO][s % W];
        energy += w->scalars[4 * (s / W) + INCREMENTAL][s % W];
        least = mine >= least ? least : mine; /* NaN counts as least */
    }
    for (int64_t r = 0; r <= slabs; r++) {
        const double *t = b->tangent + 3 * r, *flow = b->flow + 3 * r;
        const V *ahead = w->force + 2 * BLOCK * ((r - 1) / W) + BLOCK, *behind = w->force + 2 * BLOCK * (r / W);
        for (int q = 0; q < SIZE; q++) {
            const int64_t v = r * SIZE + q;
            const double *x = b->x + 3 * v, *vertex = b->mesh->vertex + 3 * v, weight = vertex[WEIGHT];
            double moved[3], along[3], total[3];
            for (int i = 0; i < 3; i++) {
                moved[i] = x[i] - b->start[3 * v + i];
                along[i] = moved[i] - dt * flow[i];
            }
            const double forward = dot(t, along);
            for (int i = 0; i < 3; i++) total[i] = weight / dt * (normal * along[i] - less * forward * t[i]);
            energy += 0.5 * dot(total, along);
            scale += dot(total, total);
            const double lift = x[2] - vertex[HEIGHT], heavy = physics[GRAVITY] * vertex[MASS];
            total[2] += hold * weight * lift + heavy;
            energy += 0.5 * hold * weight * lift * lift + heavy * x[2];
            for (int k = 0; q >= SIZE - SIDES && k < b->count[r]; k++) {
                const double *n = b->planes + (r * PLANES + k) * COLUMNS, grip = b->grip[r * PLANES + k] / dt;
                const double depth = n[OFFSET] + physics[MARGIN] - dot(n, x), off = dot(n, moved);
                if (depth > 0.0) {
                    for (int i = 0; i < 3; i++) total[i] -= push * depth * n[i];
                    energy += 0.5 * push * depth * depth;
                }
                for (int i = 0; i < 3; i++) {
                    const double slip = grip * (moved[i] - off * n[i]);
                    total[i] += slip;
                    energy += 0.5 * slip * moved[i];
                }
            }
            for (int i = 0; i < 3; i++) {
                net[i] += total[i];
                if (r < slabs) total[i] += behind[3 * q + i][r % W];
                if (r > 0) total[i] += ahead[3 * q + i][(r - 1) % W];
                w->residual[3 * v + i] = total[i];
            }
            squared += dot(total, total);
        }
    }
    double *status = b->status;
    status[ENERGY] = energy, status[RESIDUAL] = squared, status[LEAST] = least;
    const double drag = sqrt(scale), floor = status[FORCE_FLOOR], tolerance = physics[TOLERANCE];
    const double rigid = b->turning || tolerance < RIGID_TOLERANCE ? tolerance : RIGID_TOLERANCE;
    const int balanced = sqrt(dot(net, net)) <= rigid * drag + floor;
    status[MOVING] = balanced && sqrt(squared) <= tolerance * drag + floor ? 0.0 : 1.0;
}

/* The velocity of a worm that has come to the end of its step. */
static void arrive(const Worm *b) {
    for (int64_t k = 0; k < (b->mesh->slabs + 1) * BLOCK; k++)
        b->velocity[k] = (b->x[k] - b->start[k]) / b->physics[DT];
}

/* Energy and residual at the present positions; takes or rejects the last move of the line search. */
static void evaluate(const Worm *b) {
    forces_of_slabs(b->mesh, b->x, b->tension, b->physics, b->work);
    sum_up(b);
    double *status = b->status, share = status[SHARE];
    const double allowed = status[ENERGY_BEFORE] + ARMIJO * share * status[SLOPE];
    const int lower = status[ENERGY] <= allowed || status[RESIDUAL] < status[RESIDUAL_BEFORE];
    const int taken = share == 0.0 || (lower && status[LEAST] > 0.0);
    status[REJECTED] = taken ? 0.0 : 1.0;
    status[CHANGE] = taken ? 0.0 : -0.5 * share;
    status[SHARE] = share + status[CHANGE];
    if (taken && status[MOVING] == 0.0) arrive(b);
}

/* Adds the second derivative of drag, surface film and contacts, plus a shift. */
static void outside_stiffness(const Worm *b) {
    const double *physics = b->physics, dt = physics[DT], normal = physics[NORMAL], less = normal - physics[TANGENTIAL];
    for (int64_t r = 0; r <= b->mesh->slabs; r++)
        for (int q = 0; q < SIZE; q++) {
            const int64_t v = r * SIZE + q;
            const double *t = b->tangent + 3 * r, *x = b->x + 3 * v, weight = b->mesh->vertex[3 * v + WEIGHT];
            double d[3][3], *own = b->work->factor + r * BLOCK * PAD + 3 * q * PAD + 3 * q;
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) d[i][j] = -(weight / dt) * less * t[i] * t[j];
                d[i][i] += weight / dt * normal + b->status[SHIFT];
            }
            d[2][2] += physics[HOLD] * weight;
            for (int k = 0; q >= SIZE - SIDES && k < b->count[r]; k++) {
                const double *n = b->planes + (r * PLANES + k) * COLUMNS, hold = b->grip[r * PLANES + k] / dt;
                const double across = (n[OFFSET] + physics[MARGIN] - dot(n, x) > 0.0 ? physics[PUSH] : 0.0) - hold;
                for (int i = 0; i < 3; i++) {
                    for (int j = 0; j < 3; j++) d[i][j] += across * n[i] * n[j];
                    d[i][i] += hold;
                }
            }
            for (int j = 0; j < 3; j++)
                for (int i = j; i < 3; i++) own[j * PAD + i] += d[i][j];
        }
}

static void assemble(const Worm *b) {
    const Mesh *m = b->mesh;
    Work *w = b->work;
    V carry[BLOCK][NV];
    memset(carry, 0, sizeof carry);
    for (int64_t g = 0; g < m->groups; g++) {
        stiffness_of_slabs(m, b->x, b->tension, b->physics, w, g);
        into_columns(m, w->cells, g, carry, w->factor);
    }
    double *last = w->factor + m->slabs * BLOCK * PAD;
    for (int c = 0; c < BLOCK; c++, last += PAD) {
        memcpy(last, carry[c], sizeof carry[c]);
        memset(last + NEXT, 0, NEXT * sizeof *last);
    }
    outside_stiffness(b);
    if (b->turning) stiffen_turning(m->slabs + 1, b->x, w->residual, w->factor);
    /* What a pivot is compared with, kept where its reciprocal root will be. */
    for (int64_t r = 0; r <= m->slabs; r++)
        for (int c = 0; c < BLOCK; c++) w->inverse[NEXT * r + c] = w->factor[(r * BLOCK + c) * PAD + c];
}

/* Newton direction of a worm that has still to move. */
static void aim(const Worm *b) {
    double *status = b->status;
    const double shift = status[SHIFT], unit = status[SHIFT_UNIT];
    status[ENERGY_BEFORE] = status[ENERGY];
    status[RESIDUAL_BEFORE] = status[RESIDUAL];
    status[SHARE] = 0.0;
    if (b->turning) memcpy(b->work->base, b->x, (b->mesh->slabs + 1) * BLOCK * sizeof(double));
    assemble(b);
    if (factorise(b->mesh, b->work) == 0) {
        substitute(b->mesh, b->work);
        double slope = 0.0;
        for (int64_t k = 0; k < (b->mesh->slabs + 1) * BLOCK; k++) slope += b->work->turn[k] * b->work->residual[k];
        status[SLOPE] = slope;
        status[SHARE] = 1.0;
        status[SHIFT] = 0.1 * shift < unit ? 0.0 : 0.1 * shift;
    } else {
        status[SHIFT] = 10.0 * shift > unit ? 10.0 * shift : unit;
    }
    status[CHANGE] = status[SHARE];
}

static void move(const Worm *b) {
    const double change = b->status[CHANGE];
    if (change == 0.0) return;
    const int64_t rings = b->mesh->slabs + 1;
    if (b->turning) move_turning(rings, b->work->base, b->work->turn, b->status[SHARE], b->x);
    else for (int64_t k = 0; k < rings * BLOCK; k++) b->x[k] += change * b->work->turn[k];
}

/* The last move over the step so far, as weighted by drag. */
static double part_of_step(const Worm *b) {
    double last = 0.0, all = 0.0;
    for (int64_t v = 0; v < (b->mesh->slabs + 1) * SIZE; v++)
        for (int64_t k = 3 * v; k < 3 * v + 3; k++) {
            const double weight = b->mesh->vertex[3 * v + WEIGHT], moved = b->x[k] - b->start[k];
            last += weight * b->work->turn[k] * b->work->turn[k];
            all += weight * moved * moved;
        }
    return sqrt(last / all);
}

/* Newton's method on the energy of one step of one worm; the number of iterations, less than 0 if it fails:
   then one less than minus that number. */
static int64_t minimise_one(const Worm *b, double predict) {
    double *status = b->status;
    freeze(b);
    status[SHARE] = 0.0;
    status[SHIFT] = b->turning ? status[SHIFT_UNIT] : 0.0;
    status[FAR] = b->x[0] * b->x[0] + b->x[1] * b->x[1] > FAR_OFF * FAR_OFF ? 1.0 : 0.0;
    for (int64_t k = 0; k < (b->mesh->slabs + 1) * BLOCK; k++) {
        b->start[k] = b->x[k];
        if (!b->turning) b->x[k] += predict * b->physics[DT] * b->velocity[k];
    }
    /* A turning move starts best from where the worm is: extrapolated strain is what a long step overshoots in. */
    if (b->turning) move_turning(b->mesh->slabs + 1, b->start, b->velocity, (1.0 - predict) * b->physics[DT], b->x);
    evaluate(b);
    double before = 1.0; /* size of the last move */
    for (int64_t done = 0; done < ITERATIONS; done++) {
        if (!(status[LEAST] > 0.0)) return -1 - done;
        if (status[MOVING] == 0.0) return status[RESIDUAL] < INFINITY ? done : -1 - done;
        const double shift = status[SHIFT];
        aim(b);
        const int whole = b->turning && status[SHARE] == 1.0;
        move(b);
        evaluate(b);
        if (whole && shift == 0.0 && status[REJECTED] == 0.0) {
            /* Errors of Newton's method square from move to move, which tells the next one. A residual as small as the
               drag in water would ask for much more of a stiff body. */
            const double size = part_of_step(b), next = size * (size / before) * (size / before);
            if (size <= NEAR && next <= b->physics[TOLERANCE] && status[RESIDUAL] < INFINITY) {
                arrive(b);
                return done + 1;
            }
            before = size;
        } else before = 1.0; /* a move that was shifted or cut short is no move of Newton's: as large as the step */
        /* Where a residual grows, the next matrix is seldom positive without a shift. */
        if (whole && status[RESIDUAL] >= status[RESIDUAL_BEFORE]) status[SHIFT] = status[SHIFT_UNIT];
        for (int k = 0; status[REJECTED] != 0.0; k++) {
            if (k == BACKTRACKS) return -2 - done;
            move(b);
            evaluate(b);
        }
    }
    return -1 - ITERATIONS;
}

/* The same; with turning moves, a worm that fails takes two half steps instead, so that no other has to. */
static int64_t minimise_in_parts(const Worm *b, double predict, int halvings) {
    int64_t done = minimise_one(b, predict);
    if (done >= 0 || !b->turning || halvings == 0) return done;
    double physics[PHYSICS];
    Worm half = *b;
    memcpy(b->x, b->start, (b->mesh->slabs + 1) * BLOCK * sizeof(double));
    memcpy(physics, b->physics, sizeof physics);
    physics[DT] *= 0.5;
    half.physics = physics;
    done = -1 - done;
    for (int k = 0; k < 2; k++) {
        const int64_t more = minimise_in_parts(&half, predict, halvings - 1);
        if (more < 0) return more - done;
        done += more;
    }
    return done;
}

/* One step of the worms first to end; the most iterations that one took, as a failure if one failed. */
int64_t minimise(
    const Bodies *all, const double *tension, double predict, int64_t turning, int64_t first, int64_t end,
    char *memory) {
    const Mesh *m = all->mesh;
    const int64_t rings = m->slabs + 1, vertices = rings * BLOCK;
    Work work;
    take(m, memory, &work);
    int64_t most = 0, failed = 0;
    for (int64_t k = first; k < end; k++) {
        const Worm worm = {
            m, all->physics, tension + 4 * m->slabs * k, all->x + vertices * k, all->start + vertices * k,
            all->velocity + vertices * k, all->tangent + 3 * rings * k, all->flow + 3 * rings * k,
            all->planes + rings * PLANES * COLUMNS * k, all->count + rings * k, all->grip + rings * PLANES * k,
            all->status + STATUS * k, &work, turning,
        };
        memcpy(work.first, worm.x, vertices * sizeof(double));
        int64_t done = minimise_in_parts(&worm, predict, HALVINGS);
        if (done < 0) {
            memcpy(worm.start, work.first, vertices * sizeof(double));
            failed = 1, done = -1 - done;
        }
        most = done > most ? done : most;
    }
    return failed ? -1 - most : most;
}

#include "measures.c"
