/* Contacts with obstacles on a CPU: the half-spaces that contact_kernels.py finds, in the same order and equal to
   rounding, and the load they carry. Worms among each other are left to the kernels.

   constants.h is written by compiled_contacts.py: columns of every array. Units: mm, s, uN. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "constants.h"

/* Arrays as in contact.py: ring and worm run fastest but for the columns. */
typedef struct {
    const double *x, *section, *facts, *obstacles;
    const int32_t *index;
    double *planes, *partners;
    int32_t *count;
    int64_t worms, rings;
} Touch;

/* What an obstacle offers to one ring. */
typedef struct {
    const double *centre;
    double furthest;
    double *planes, *partners;
    int32_t *count;
} Ring;

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/* Keeps a half-space if it is among the nearest, ordered by distance from the ring's centre. */
static void offer(const Ring *ring, const double n[3], double distance, double friction, double owner) {
    const double *c = ring->centre, offset = dot(n, c) - distance;
    const int32_t held = *ring->count;
    int32_t place = 0;
    for (int32_t k = 0; k < held; k++) {
        const double *other = ring->planes + COLUMNS * k;
        if (dot(other, c) - other[OFFSET] <= dot(n, c) - offset) place = k + 1;
    }
    if (place >= PLANES) return;
    const int32_t last = held < PLANES - 1 ? held : PLANES - 1;
    double *at = ring->planes + COLUMNS * place;
    memmove(at + COLUMNS, at, sizeof(double) * COLUMNS * (last - place));
    memmove(ring->partners + place + 1, ring->partners + place, sizeof(double) * (last - place));
    for (int i = 0; i < 3; i++) at[i] = n[i];
    at[OFFSET] = offset, at[FRICTION] = friction, ring->partners[place] = owner;
    *ring->count = last + 1;
}

/* Normal towards a ring of the plane that touches a pillar at the point nearest to it; the distance there. */
static double tangent(double x, double y, double radius, const double *c, double n[3]) {
    const double across = c[0] - x, up = c[1] - y, far = sqrt(across * across + up * up);
    n[0] = far > NOWHERE ? across / far : 1.0, n[1] = far > NOWHERE ? up / far : 0.0, n[2] = 0.0;
    return far - radius;
}

static void test_obstacle(const Ring *ring, const double *o) {
    double n[3] = {o[NORMAL], o[NORMAL + 1], o[NORMAL + 2]}, distance;
    if (o[KIND] == PLANE) {
        const double away[3] = {ring->centre[0] - o[POINT], ring->centre[1] - o[POINT + 1],
                                ring->centre[2] - o[POINT + 2]};
        distance = dot(n, away);
    } else {
        distance = tangent(o[POINT], o[POINT + 1], o[RADIUS], ring->centre, n);
        if (o[KIND] == DISH) n[0] = -n[0], n[1] = -n[1], distance = -distance;
    }
    if (distance <= ring->furthest)
        offer(ring, n, distance, o[SLIDING], o[KIND] == PLANE && n[2] > LEVEL ? GROUND : NOBODY);
}

/* A number of 32 bits, each bit of which depends on all bits of the given one. */
static uint32_t mixed(uint32_t value) {
    value = (value ^ value >> 16) * FIRST_MIX;
    value = (value ^ value >> 13) * SECOND_MIX;
    return value ^ value >> 16;
}

static int inside(const double *area, double x, double y) {
    const double across = x - area[1], up = y - area[2];
    if (area[0] == CIRCLE) return across * across + up * up <= area[3] * area[3];
    return fabs(across) <= area[3] && fabs(up) <= area[4];
}

/* Where a pillar of a lattice stands, and whether it does. */
static int place_of(const double *o, int64_t across, int64_t up, double *x, double *y) {
    *x = o[POINT] + ((double)across + o[SHIFT] * (double)(up & 1)) * o[PITCH];
    *y = o[POINT + 1] + (double)up * o[RISE];
    if (o[SIDE] > 0.0) {
        const uint32_t first = mixed((uint32_t)across ^ mixed((uint32_t)up ^ mixed((uint32_t)o[SEED])));
        *x += o[SIDE] * (first * 0x1p-31 - 1.0);
        *y += o[SIDE] * (mixed(first ^ TURN) * 0x1p-31 - 1.0);
    }
    if (!(fabs(*x) <= LARGEST && fabs(*y) <= LARGEST)) return 0;
    if (o[WITHIN] != 0.0 && !inside(o + WITHIN, *x, *y)) return 0;
    return !(o[FREE] != 0.0 && inside(o + FREE, *x, *y));
}

static void test_lattice(const Ring *ring, const double *o) {
    const double *c = ring->centre, reach = ring->furthest + o[RADIUS], far = reach + o[SIDE] + SPARE;
    /* Also for what is lost. */
    if (!(fabs(c[0]) <= 2.0 * LARGEST && fabs(c[1]) <= 2.0 * LARGEST)) return;
    const int64_t last = (int64_t)floor((c[1] + far - o[POINT + 1]) / o[RISE]);
    for (int64_t up = (int64_t)ceil((c[1] - far - o[POINT + 1]) / o[RISE]); up <= last; up++) {
        const double start = o[POINT] + o[SHIFT] * (double)(up & 1) * o[PITCH];
        const int64_t stop = (int64_t)floor((c[0] + far - start) / o[PITCH]);
        for (int64_t across = (int64_t)ceil((c[0] - far - start) / o[PITCH]); across <= stop; across++) {
            double x, y, n[3];
            if (!place_of(o, across, up, &x, &y)) continue;
            const double distance = tangent(x, y, o[RADIUS], c, n);
            if (distance <= ring->furthest) offer(ring, n, distance, o[SLIDING], NOBODY);
        }
    }
}

/* Half-spaces of all rings among obstacles but solids, the nearest first, in world coordinates. */
void find_obstacles(const Touch *t, const double *origin) {
    const int32_t *index = t->index;
    const double stones = t->facts[STONES];
    for (int64_t k = 0; k < t->worms * t->rings; k++) {
        double c[3] = {0.0, 0.0, 0.0};
        for (int64_t v = (k + 1) * SIZE - SIDES; v < (k + 1) * SIZE; v++)
            for (int i = 0; i < 3; i++) c[i] += t->x[3 * v + i];
        for (int i = 0; i < 3; i++) c[i] = c[i] / SIDES + origin[3 * (k / t->rings) + i];
        const Ring ring = {c, t->facts[RADII + k % t->rings] + t->facts[LIMIT], t->planes + PLANES * COLUMNS * k,
                           t->partners + PLANES * k, t->count + k};
        *ring.count = 0;
        for (int32_t o = 0; o < index[EVERYWHERE]; o++) {
            const double *obstacle = t->obstacles + WIDTH * o;
            if (obstacle[KIND] == LATTICE) test_lattice(&ring, obstacle);
            else test_obstacle(&ring, obstacle);
        }
        const double across = floor(c[0] / stones), up = floor(c[1] / stones);
        if (index[BUCKETS] > 0 && fabs(across) < 0x1p31 && fabs(up) < 0x1p31) {
            const uint32_t cell = (uint32_t)(int32_t)across + ROW * (uint32_t)(int32_t)up;
            const int32_t *bucket = index + HEAD + (cell & (uint32_t)(index[BUCKETS] - 1));
            for (int32_t place = bucket[0]; place < bucket[1]; place++)
                test_obstacle(&ring, t->obstacles + WIDTH * index[place]);
        }
    }
}

/* Makes the offsets of half-spaces relative to the origin of each worm's frame. */
void localise(const Touch *t, const double *origin) {
    for (int64_t k = 0; k < t->worms * t->rings; k++)
        for (int32_t n = 0; n < t->count[k]; n++) {
            double *plane = t->planes + COLUMNS * (PLANES * k + n);
            for (int i = 0; i < 3; i++) plane[OFFSET] -= plane[i] * origin[3 * (k / t->rings) + i];
        }
}

/* Unit vector from the middle of a ring towards a side of the worm. */
static void towards(const Touch *t, int64_t ring, int column, double out[3]) {
    double sum[3] = {0.0, 0.0, 0.0};
    for (int64_t local = 0; local < SIZE; local++)
        for (int i = 0; i < 3; i++) sum[i] += t->section[3 * local + column] * t->x[3 * (ring * SIZE + local) + i];
    const double length = sqrt(dot(sum, sum));
    for (int i = 0; i < 3; i++) out[i] = sum[i] / length;
}

static double half(double component) { return component < -1.0 ? 0.0 : component > 0.0 ? 1.0 : 1.0 + component; }

/* Force of the contacts on every ring and side of the body [uN], see contact_kernels.weigh. */
void weigh(const Touch *t, double stiffness, double margin, double *out) {
    memset(out, 0, sizeof(double) * LOADS * t->worms * t->rings);
    for (int64_t k = 0; k < t->worms * t->rings; k++, out += LOADS) {
        if (!t->count[k]) continue;
        double dorsal[3], right[3];
        towards(t, k, DORSAL, dorsal), towards(t, k, RIGHT, right);
        for (int32_t n = 0; n < t->count[k]; n++) {
            const double *plane = t->planes + COLUMNS * (PLANES * k + n), owner = t->partners[PLANES * k + n];
            const int own = owner >= 0.0 && (int64_t)owner / t->rings == k / t->rings;
            double load = 0.0;
            for (int64_t v = (k + 1) * SIZE - SIDES; v < (k + 1) * SIZE; v++) {
                const double depth = plane[OFFSET] + margin - dot(plane, t->x + 3 * v);
                if (depth > 0.0) load += stiffness * depth;
            }
            if (!(load > 0.0) || owner == GROUND || own) continue;
            /* An obstacle lies against its normal. */
            const double up = -dot(plane, dorsal), aside = -dot(plane, right);
            const double d = half(up), v = half(-up), left = half(-aside), r = half(aside);
            const double shares[LOADS] = {1.0, d, v, left, r, d * left, d * r, v * left, v * r};
            for (int side = 0; side < LOADS; side++) out[side] += load * shares[side];
        }
    }
}
