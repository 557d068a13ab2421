/* Forces and stiffness of tissue and cuticle, W slabs side by side: the equations of tissue.py and cuticle.py, whose
   names and order they keep. A V holds one number of W consecutive slabs; the last group repeats the last slab. */

#define W 8
#define BLOCK (3 * SIZE)               /* rows of a ring */
#define NEXT ((BLOCK + W - 1) / W * W) /* a column of the factor: its own ring's rows from 0, the next ring's from NEXT */
#define PAD (2 * NEXT)
#define NV (NEXT / W)
#define CELLS (BLOCK * (PAD + NEXT)) /* of the matrix of a slab */

typedef double V __attribute__((vector_size(8 * W)));
typedef int64_t VI __attribute__((vector_size(8 * W)));
#define INLINE static inline __attribute__((always_inline))

/* Constants of the mesh, alike for all worms. */
typedef struct {
    int64_t slabs, tets, groups;
    const int32_t *corner; /* tets x 5: four local vertices in rising order, quadrant of the fibres */
    const V *element;      /* groups x tets x 13: shape gradients, volume */
    const V *slab;         /* groups x 6: shear modulus, viscosity, bulk modulus, volume, cuticle's spring and length */
    const double *vertex;  /* vertices x 3 */
} Mesh;

/* What a step of one worm computes on the way; taken from the same memory by one worm after the other. */
typedef struct {
    V *strain;               /* groups x tets x 6 */
    V *force, *swell;        /* groups x 2 BLOCK */
    V *scalars;              /* groups x 4 */
    V *cells;                /* CELLS: the matrix of W slabs */
    double *factor;          /* rings x BLOCK x PAD */
    double *inverse;         /* rings x NEXT: reciprocals of its diagonal */
    double *aim;             /* (rings + 1) x NEXT */
    double *residual, *turn; /* vertices x 3: gradient of the energy, Newton direction */
    double *base;            /* vertices x 3: where that direction starts, see turning.c */
    double *first;           /* vertices x 3: where the step starts */
} Work;

INLINE V splat(double a) { return a - (V){0}; }
INLINE V pick(VI m, V a, V b) { return (V)((m & (VI)a) | (~m & (VI)b)); }
INLINE V larger(V a, V b) { return pick(a > b, a, b); }
INLINE V smaller(V a, V b) { return pick(a < b, a, b); }

INLINE V root(V a) {
    V r;
    for (int l = 0; l < W; l++) r[l] = sqrt(a[l]);
    return r;
}

/* Natural logarithm of positive numbers: exponent and atanh series of the mantissa between 1 / sqrt 2 and sqrt 2. */
INLINE V logarithm(V x) {
    VI bits;
    memcpy(&bits, &x, sizeof x);
    VI up = (bits - 0x3fe6a09e667f3bcdLL) >> 52;
    bits -= up << 52;
    V m;
    memcpy(&m, &bits, sizeof m);
    const V n = __builtin_convertvector(up, V), z = (m - 1.0) / (m + 1.0), w = z * z;
    V p = splat(1.0 / 21.0);
    for (int k = 19; k > 0; k -= 2) p = p * w + 1.0 / k;
    return n * 1.42860682030941723212e-6 + 2.0 * z * p + n * 6.93145751953125e-1;
}

/* The slab in lane l of group g. */
INLINE int64_t in_lane(const Mesh *m, int64_t g, int l) { return g * W + l < m->slabs ? g * W + l : m->slabs - 1; }

INLINE void gather(const Mesh *m, const double *x, int64_t g, V *X) {
    for (int l = 0; l < W; l++) {
        const double *from = x + in_lane(m, g, l) * BLOCK;
        for (int k = 0; k < 2 * BLOCK; k++) X[k][l] = from[k];
    }
}

INLINE V tension_of(const Mesh *m, const double *tension, int64_t g, int quadrant) {
    V t;
    for (int l = 0; l < W; l++) t[l] = tension[4 * in_lane(m, g, l) + quadrant];
    return t;
}

INLINE void deformation(const V *X, const V *e, const int32_t *corner, V f[3][3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            V s = X[3 * corner[0] + i] * e[j];
            for (int a = 1; a < 4; a++) s += X[3 * corner[a] + i] * e[3 * a + j];
            f[i][j] = s;
        }
}

INLINE void cofactor(V f[3][3], V c[3][3]) {
    for (int j = 0; j < 3; j++) {
        const int p = (j + 1) % 3, q = (j + 2) % 3;
        for (int i = 0; i < 3; i++) {
            const int r = (i + 1) % 3, s = (i + 2) % 3;
            c[i][j] = f[r][p] * f[s][q] - f[s][p] * f[r][q];
        }
    }
}

/* Cauchy-Green tensor. */
INLINE void metric(V f[3][3], V c[3][3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j <= i; j++) c[i][j] = c[j][i] = f[0][i] * f[0][j] + f[1][i] * f[1][j] + f[2][i] * f[2][j];
}

INLINE void viscous_strain(V c[3][3], const V *before, V s[3][3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j <= i; j++) s[i][j] = s[j][i] = c[i][j] - before[i * (i + 1) / 2 + j];
}

/* Deviation of a fibre from its optimal length, limited to where its tension vanishes. */
INLINE V overlap(V stretch, double falloff) {
    const double reach = falloff > 0.0 ? 1.0 / sqrt(falloff) : 1e300;
    return larger(smaller(stretch - 1.0, splat(reach)), splat(-reach));
}

static void freeze_slabs(const Mesh *m, const double *x, Work *w) {
    for (int64_t g = 0; g < m->groups; g++) {
        V X[2 * BLOCK];
        gather(m, x, g, X);
        for (int64_t n = 0; n < m->tets; n++) {
            V f[3][3], c[3][3], *s = w->strain + (g * m->tets + n) * 6;
            deformation(X, m->element + (g * m->tets + n) * 13, m->corner + 5 * n, f);
            metric(f, c);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j <= i; j++) *s++ = c[i][j];
        }
    }
}

/* From the centre of the anterior ring to that of the posterior one. */
INLINE void span_of(const V *X, V span[3]) {
    for (int i = 0; i < 3; i++) {
        V s = {0};
        for (int q = SIZE - SIDES; q < SIZE; q++) s += X[BLOCK + 3 * q + i] - X[3 * q + i];
        span[i] = s / (double)SIDES;
    }
}

/* Adds the gradient of the cuticle's energy, which it gives. */
INLINE V resist(const V *X, const V *slab, V *F) {
    const V spring = slab[SPRING];
    V span[3];
    span_of(X, span);
    const V length = root(span[0] * span[0] + span[1] * span[1] + span[2] * span[2]), longer = length - slab[REST];
    for (int i = 0; i < 3; i++) {
        const V pull = spring * longer / ((double)SIDES * length) * span[i];
        for (int q = SIZE - SIDES; q < SIZE; q++) {
            F[3 * q + i] -= pull;
            F[BLOCK + 3 * q + i] += pull;
        }
    }
    return 0.5 * spring * longer * longer;
}

static void forces_of_slabs(const Mesh *m, const double *x, const double *tension, const double *physics, Work *w) {
    const double dt = physics[DT], falloff = physics[FALLOFF], brake = physics[BRAKE];
    for (int64_t g = 0; g < m->groups; g++) {
        V X[2 * BLOCK], F[2 * BLOCK] = {{0}}, S[2 * BLOCK] = {{0}};
        gather(m, x, g, X);
        const V *slab = m->slab + 6 * g, mu = slab[0], rate = slab[1] / (2.0 * dt), bulk = slab[2], rest = slab[3];
        V elastic = {0}, active = {0}, volume = {0}, least = splat(1e300);
        for (int64_t n = 0; n < m->tets; n++) {
            const V *e = m->element + (g * m->tets + n) * 13, *before = w->strain + (g * m->tets + n) * 6, size = e[12];
            const int32_t *corner = m->corner + 5 * n;
            V f[3][3], cof[3][3], c[3][3], s[3][3], p[3][3], norm = {0};
            deformation(X, e, corner, f);
            cofactor(f, cof);
            metric(f, c);
            viscous_strain(c, before, s);
            const V j = f[0][0] * cof[0][0] + f[1][0] * cof[1][0] + f[2][0] * cof[2][0];
            least = smaller(j, least);
            volume += size * j;
            const V safe = larger(j, splat(1e-12)), over = mu / safe;
            for (int i = 0; i < 3; i++)
                for (int k = 0; k < 3; k++) {
                    norm += s[i][k] * s[i][k];
                    p[i][k] = mu * f[i][k] - over * cof[i][k];
                    p[i][k] += rate * (f[i][0] * s[0][k] + f[i][1] * s[1][k] + f[i][2] * s[2][k]);
                }
            elastic += size * 0.5 * mu * (c[0][0] + c[1][1] + c[2][2] - 3.0 - 2.0 * logarithm(safe));
            active += size * 0.25 * rate * norm;
            if (corner[FIBRE] >= 0) {
                const V pull = tension_of(m, tension, g, corner[FIBRE]), stretch = root(c[0][0]);
                const V off = overlap(stretch, falloff), change = stretch - root(before[0]);
                active += size * pull * (off - falloff * off * off * off / 3.0 + 0.5 * brake / dt * change * change);
                const V share = pull * (1.0 - falloff * off * off + brake / dt * change) / stretch;
                for (int i = 0; i < 3; i++) p[i][0] += share * f[i][0];
            }
            for (int a = 0; a < 4; a++) {
                const V *ga = e + 3 * a;
                const int at = 3 * corner[a];
                for (int i = 0; i < 3; i++) {
                    F[at + i] += size * (p[i][0] * ga[0] + p[i][1] * ga[1] + p[i][2] * ga[2]);
                    S[at + i] += size * (cof[i][0] * ga[0] + cof[i][1] * ga[1] + cof[i][2] * ga[2]);
                }
            }
        }
        const V pressure = bulk * (volume / rest - 1.0);
        for (int k = 0; k < 2 * BLOCK; k++) F[k] += pressure * S[k];
        elastic += 0.5 * pressure * (volume - rest) + resist(X, slab, F);
        memcpy(w->force + 2 * BLOCK * g, F, sizeof F);
        memcpy(w->swell + 2 * BLOCK * g, S, sizeof S);
        V *out = w->scalars + 4 * g;
        out[ELASTIC] = elastic, out[INCREMENTAL] = elastic + active, out[LEAST_RATIO] = least, out[SLAB_VOLUME] = volume;
    }
}

/* Place of a row and a column, not above the diagonal, in the matrix of a slab: columns as in the factor, those of
   the next ring last. */
INLINE int cell(int row, int column) {
    if (column < BLOCK) return PAD * column + (row < BLOCK ? row : row - BLOCK + NEXT);
    return BLOCK * PAD + NEXT * (column - BLOCK) + row - BLOCK;
}

/* Adds the second derivative of the cuticle's energy. */
INLINE void stiffen(const V *X, const V *slab, V *K) {
    V span[3], k[3][3];
    span_of(X, span);
    const V length = root(span[0] * span[0] + span[1] * span[1] + span[2] * span[2]);
    const V share = slab[SPRING] / (double)(SIDES * SIDES), shorter = slab[REST] / length;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            k[i][j] = share * shorter * (span[i] / length) * (span[j] / length);
            if (i == j) k[i][j] += share * (1.0 - shorter);
        }
    for (int a = SIZE - SIDES; a < SIZE; a++)
        for (int c = SIZE - SIDES; c < SIZE; c++)
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) {
                    const int row = 3 * a + i, column = 3 * c + j;
                    K[cell(BLOCK + row, column)] -= k[i][j];
                    if (column <= row) {
                        K[cell(row, column)] += k[i][j];
                        K[cell(BLOCK + row, BLOCK + column)] += k[i][j];
                    }
                }
}

/* Second derivative of the energy of W slabs, lower half. */
static void stiffness_of_slabs(
    const Mesh *m, const double *x, const double *tension, const double *physics, Work *w, int64_t g) {
    const double dt = physics[DT], falloff = physics[FALLOFF], brake = physics[BRAKE];
    V X[2 * BLOCK], *K = w->cells;
    gather(m, x, g, X);
    const V *slab = m->slab + 6 * g, mu = slab[0], rate = slab[1] / (2.0 * dt), *S = w->swell + 2 * BLOCK * g;
    const V pressure = slab[2] * (w->scalars[4 * g + SLAB_VOLUME] / slab[3] - 1.0), stiff = slab[2] / slab[3];
    for (int c = 0; c < 2 * BLOCK; c++) {
        const V mine = stiff * S[c];
        for (int r = c; r < 2 * BLOCK; r++) K[cell(r, c)] = mine * S[r];
    }
    for (int64_t n = 0; n < m->tets; n++) {
        const V *e = m->element + (g * m->tets + n) * 13, size = e[12], drag = size * rate;
        const V *before = w->strain + (g * m->tets + n) * 6;
        const int32_t *corner = m->corner + 5 * n, fibres = corner[FIBRE] >= 0;
        V f[3][3], cof[3][3], strained[3][3], s[3][3], left[3][3], spatial[4][3], pushed[4][3], viscous[4][3];
        V fibre[3] = {{0}}, pull = {0}, stiffening = {0};
        deformation(X, e, corner, f);
        cofactor(f, cof);
        metric(f, strained);
        viscous_strain(strained, before, s);
        const V det = f[0][0] * cof[0][0] + f[1][0] * cof[1][0] + f[2][0] * cof[2][0], inverse = 1.0 / det;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j <= i; j++)
                left[i][j] = left[j][i] = drag * (f[i][0] * f[j][0] + f[i][1] * f[j][1] + f[i][2] * f[j][2]);
        for (int a = 0; a < 4; a++)
            for (int i = 0; i < 3; i++) {
                const V *ga = e + 3 * a;
                spatial[a][i] = inverse * (ga[0] * cof[i][0] + ga[1] * cof[i][1] + ga[2] * cof[i][2]);
                pushed[a][i] = ga[0] * f[i][0] + ga[1] * f[i][1] + ga[2] * f[i][2];
                viscous[a][i] = drag * (ga[0] * s[0][i] + ga[1] * s[1][i] + ga[2] * s[2][i]);
            }
        if (fibres) {
            const V full = size * tension_of(m, tension, g, corner[FIBRE]), stretch = root(strained[0][0]);
            const V off = overlap(stretch, falloff), change = stretch - root(before[0]);
            for (int i = 0; i < 3; i++) fibre[i] = f[i][0] / stretch;
            pull = full * (1.0 - falloff * off * off + brake / dt * change) / stretch;
            const V inside = pick(off == stretch - 1.0, splat(1.0), splat(0.0));
            stiffening = full * (brake / dt - 2.0 * falloff * off * inside);
        }
        const V swap = size * (mu - pressure * det), squeeze = size * pressure * det, shear = size * mu;
        for (int c = 0; c < 4; c++)
            for (int a = c; a < 4; a++) {
                const V *ga = e + 3 * a, *gc = e + 3 * c;
                const V gg = ga[0] * gc[0] + ga[1] * gc[1] + ga[2] * gc[2], axial = pull * ga[0] * gc[0];
                V diagonal = shear * gg + viscous[a][0] * gc[0] + viscous[a][1] * gc[1] + viscous[a][2] * gc[2];
                V swapped[3], squeezed[3], dragged[3], drawn[3];
                for (int i = 0; i < 3; i++) {
                    swapped[i] = swap * spatial[c][i];
                    squeezed[i] = squeeze * spatial[a][i];
                    dragged[i] = drag * pushed[c][i];
                    drawn[i] = (axial - stiffening * ga[0] * gc[0]) * fibre[i];
                }
                if (fibres) diagonal += axial;
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < (a > c ? 3 : i + 1); j++) {
                        V k = swapped[i] * spatial[a][j] + squeezed[i] * spatial[c][j] + dragged[i] * pushed[a][j];
                        k += gg * left[i][j];
                        if (fibres) k -= drawn[i] * fibre[j];
                        if (i == j) k += diagonal;
                        K[cell(3 * corner[a] + i, 3 * corner[c] + j)] += k;
                    }
            }
    }
    stiffen(X, slab, K);
}
