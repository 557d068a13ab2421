/* Cholesky factor and substitution of a worm's block tridiagonal stiffness, see banded.py.

   The factor is stored by columns, which become vectors: column c of ring r holds the rows of its own ring from 0 and
   those of the next ring from NEXT. Rows above the diagonal are zero once a column is done. */

INLINE V load(const double *from) {
    V v;
    memcpy(&v, from, sizeof v);
    return v;
}
INLINE void store(double *to, V v) { memcpy(to, &v, sizeof v); }
INLINE double sum(V v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (VI){__VA_ARGS__})
#endif

/* From W numbers of each of eight rows to eight rows of each of W slabs. */
INLINE void transpose(const V *in, V *out) {
    V a[8], c[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = SHUFFLE(in[i], in[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        a[i + 1] = SHUFFLE(in[i], in[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            c[i + k] = SHUFFLE(a[i + k], a[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            c[i + k + 2] = SHUFFLE(a[i + k], a[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int k = 0; k < 4; k++) {
        out[k] = SHUFFLE(c[k], c[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        out[k + 4] = SHUFFLE(c[k], c[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* Puts the matrices of a group into the columns of their rings; carry is what a slab adds to its posterior ring. */
static void into_columns(const Mesh *m, const V *cells, int64_t g, V carry[BLOCK][NV], double *factor) {
    const int64_t lanes = m->slabs - g * W < W ? m->slabs - g * W : W, ring = BLOCK * PAD;
    for (int c = 0; c < BLOCK; c++) {
        double *column = factor + g * W * ring + c * PAD;
        for (int v = 0; v < NV; v++) {
            V own[W], behind[W], next[W];
            transpose(cells + PAD * c + W * v, own);
            transpose(cells + BLOCK * PAD + NEXT * c + W * v, behind);
            transpose(cells + PAD * c + NEXT + W * v, next);
            store(column + W * v, own[0] + carry[c][v]);
            for (int64_t l = 1; l < lanes; l++) store(column + l * ring + W * v, own[l] + behind[l - 1]);
            for (int64_t l = 0; l < lanes; l++) store(column + l * ring + NEXT + W * v, next[l]);
            carry[c][v] = behind[lanes - 1];
        }
    }
}

/* The next ring's diagonal block loses B B^T; the columns j to j + 2, rows from W * first. */
INLINE void downdate(const double *own, double *next, int j, int first) {
    V s[3][NV] = {{{0}}};
    for (int k = 0; k < BLOCK; k++) {
        const double *c = own + k * PAD + NEXT;
        for (int v = first; v < NV; v++)
            for (int u = 0; u < 3; u++) s[u][v] += load(c + W * v) * c[j + u];
    }
    for (int u = 0; u < 3; u++)
        for (int v = first; v < NV; v++) store(next + (j + u) * PAD + W * v, load(next + (j + u) * PAD + W * v) - s[u][v]);
}

INLINE void solve(double *c0, double *c1, double *c2, int v, const double i[3], const double l[3], V out[3]) {
    out[0] = load(c0 + W * v) * i[0];
    out[1] = (load(c1 + W * v) - out[0] * l[0]) * i[1];
    out[2] = (load(c2 + W * v) - out[0] * l[1] - out[1] * l[2]) * i[2];
    store(c0 + W * v, out[0]), store(c1 + W * v, out[1]), store(c2 + W * v, out[2]);
}

/* Reciprocal root of a pivot; written so that NaN counts as not positive, too. */
INLINE double reciprocal(double pivot, double before, int *bad) {
    if (!(pivot > 1e-13 * before)) {
        ++*bad;
        pivot = fabs(before) + 1.0;
    }
    return 1.0 / sqrt(pivot);
}

/* Factor in place, three columns at a time; counts pivots that are not positive. */
static int factorise(const Mesh *m, Work *w) {
    int bad = 0;
    for (int64_t r = 0; r <= m->slabs; r++) {
        double *own = w->factor + r * BLOCK * PAD, *inverse = w->inverse + NEXT * r;
        for (int t = 0; t < BLOCK; t += 3) {
            double *c0 = own + t * PAD, *c1 = c0 + PAD, *c2 = c1 + PAD, i[3], l[3];
            i[0] = reciprocal(c0[t], inverse[t], &bad);
            l[0] = c0[t + 1] * i[0], l[1] = c0[t + 2] * i[0];
            i[1] = reciprocal(c1[t + 1] - l[0] * l[0], inverse[t + 1], &bad);
            l[2] = (c1[t + 2] - l[1] * l[0]) * i[1];
            i[2] = reciprocal(c2[t + 2] - l[1] * l[1] - l[2] * l[2], inverse[t + 2], &bad);
            V mine[3], next[NV][3];
            for (int v = t / W; v < NV; v++) solve(c0, c1, c2, v, i, l, mine);
            for (int v = 0; v < NV; v++) solve(c0, c1, c2, NV + v, i, l, next[v]);
            for (int above = 0; above < t; above++) c0[above] = c1[above] = c2[above] = 0.0;
            c1[t] = c2[t] = c2[t + 1] = 0.0;
            memcpy(inverse + t, i, sizeof i);
            for (int j = t + 3; j < BLOCK; j++) {
                double *c = own + j * PAD;
                const double m0 = c0[j], m1 = c1[j], m2 = c2[j];
                for (int v = j / W; v < NV; v++) {
                    const V less = load(c0 + W * v) * m0 + load(c1 + W * v) * m1 + load(c2 + W * v) * m2;
                    store(c + W * v, load(c + W * v) - less);
                }
                for (int v = 0; v < NV; v++) {
                    const V less = next[v][0] * m0 + next[v][1] * m1 + next[v][2] * m2;
                    store(c + NEXT + W * v, load(c + NEXT + W * v) - less);
                }
            }
        }
        if (r == m->slabs) break;
        for (int j = 0; j < BLOCK; j += 3) {
            /* The number of vectors is known when this is compiled: sums then stay in registers. */
            if (j < W) downdate(own, own + BLOCK * PAD, j, 0);
            else if (j < 2 * W) downdate(own, own + BLOCK * PAD, j, 1);
            else if (j < 3 * W) downdate(own, own + BLOCK * PAD, j, 2);
            else downdate(own, own + BLOCK * PAD, j, 3);
        }
    }
    return bad;
}

/* turn = - (L L^T)^-1 residual. */
static void substitute(const Mesh *m, Work *w) {
    const int64_t rings = m->slabs + 1;
    double *z = w->aim;
    for (int64_t r = 0; r < rings; r++)
        for (int k = 0; k < BLOCK; k++) z[NEXT * r + k] = -w->residual[BLOCK * r + k];
    for (int64_t r = 0; r < rings; r++) {
        const double *own = w->factor + r * BLOCK * PAD, *i = w->inverse + NEXT * r;
        double *u = z + NEXT * r, done[BLOCK];
        V next[NV];
        for (int v = 0; v < NV; v++) next[v] = load(u + NEXT + W * v);
        for (int t = 0; t < BLOCK; t += 3) {
            const double *c0 = own + t * PAD, *c1 = c0 + PAD, *c2 = c1 + PAD;
            const double y0 = u[t] * i[t], y1 = (u[t + 1] - c0[t + 1] * y0) * i[t + 1];
            const double y2 = (u[t + 2] - c0[t + 2] * y0 - c1[t + 2] * y1) * i[t + 2];
            for (int v = (t + 3) / W; v < NV; v++) {
                const V less = load(c0 + W * v) * y0 + load(c1 + W * v) * y1 + load(c2 + W * v) * y2;
                store(u + W * v, load(u + W * v) - less);
            }
            for (int v = 0; v < NV; v++)
                next[v] -= load(c0 + NEXT + W * v) * y0 + load(c1 + NEXT + W * v) * y1 + load(c2 + NEXT + W * v) * y2;
            done[t] = y0, done[t + 1] = y1, done[t + 2] = y2;
        }
        memcpy(u, done, sizeof done);
        for (int v = 0; v < NV; v++) store(u + NEXT + W * v, next[v]);
    }
    V behind[NV] = {{0}};
    for (int64_t r = rings - 1; r >= 0; r--) {
        const double *own = w->factor + r * BLOCK * PAD, *i = w->inverse + NEXT * r, *u = z + NEXT * r;
        double found[NEXT] = {0}; /* zero where it is not known yet */
        for (int t = BLOCK - 3; t >= 0; t -= 3) {
            const double *c0 = own + t * PAD, *c1 = c0 + PAD, *c2 = c1 + PAD;
            V s0 = {0}, s1 = {0}, s2 = {0};
            for (int v = 0; v < NV; v++) {
                s0 += load(c0 + NEXT + W * v) * behind[v];
                s1 += load(c1 + NEXT + W * v) * behind[v];
                s2 += load(c2 + NEXT + W * v) * behind[v];
            }
            for (int v = t / W; v < NV; v++) {
                const V known = load(found + W * v);
                s0 += load(c0 + W * v) * known, s1 += load(c1 + W * v) * known, s2 += load(c2 + W * v) * known;
            }
            const double y2 = (u[t + 2] - sum(s2)) * i[t + 2], y1 = (u[t + 1] - sum(s1) - c1[t + 2] * y2) * i[t + 1];
            found[t] = (u[t] - sum(s0) - c0[t + 1] * y1 - c0[t + 2] * y2) * i[t];
            found[t + 1] = y1, found[t + 2] = y2;
        }
        memcpy(w->turn + BLOCK * r, found, BLOCK * sizeof(double));
        for (int v = 0; v < NV; v++) behind[v] = load(found + W * v);
    }
}
