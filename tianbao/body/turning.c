/* A move of a worm that turns its slabs and rings, where a straight one shifts their vertices.

   Both agree to first order in the move, so that Newton's method ends at the same minimum. A straight move stretches
   whatever it turns, by half the square of the angle; a slender body resists that with most of its energy, and a long
   step in a thin medium then takes tens of short moves. Turned ones keep lengths. */

#define FIRST (BLOCK - 3 * SIDES) /* row of the first outer vertex of a ring */

INLINE void cross(const double *a, const double *b, double out[3]) {
    for (int i = 0; i < 3; i++) out[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

/* Mean of the outer vertices of a ring. */
INLINE void middle(const double *ring, double out[3]) {
    out[0] = out[1] = out[2] = 0.0;
    for (int q = SIZE - SIDES; q < SIZE; q++)
        for (int i = 0; i < 3; i++) out[i] += ring[3 * q + i] / SIDES;
}

/* Arms of a ring's vertices about its centre, and the inverse of the inertia of the outer ones. */
static void ring_arms(const double *ring, double centre[3], double arm[SIZE][3], double inverse[3][3]) {
    double m[3][3] = {{0}}, minor[3][3], det = 0.0;
    middle(ring, centre);
    for (int q = 0; q < SIZE; q++) {
        for (int i = 0; i < 3; i++) arm[q][i] = ring[3 * q + i] - centre[i];
        for (int i = 0; q >= SIZE - SIDES && i < 3; i++) {
            for (int j = 0; j < 3; j++) m[i][j] -= arm[q][i] * arm[q][j];
            m[i][i] += arm[q][0] * arm[q][0] + arm[q][1] * arm[q][1] + arm[q][2] * arm[q][2];
        }
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
            minor[i][j] = m[a][c] * m[b][d] - m[a][d] * m[b][c];
        }
    for (int j = 0; j < 3; j++) det += m[0][j] * minor[0][j];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) inverse[i][j] = minor[i][j] / det;
}

/* Rotation [rad] that a displacement of the outer vertices contains, by least squares. */
static void turn_of(const double arm[SIZE][3], const double inverse[3][3], const double *by, double turn[3]) {
    double torque[3] = {0}, each[3];
    for (int q = SIZE - SIDES; q < SIZE; q++) { /* the mean displacement drops out: these arms sum to zero */
        cross(arm[q], by + 3 * q, each);
        for (int i = 0; i < 3; i++) torque[i] += each[i];
    }
    for (int i = 0; i < 3; i++)
        turn[i] = inverse[i][0] * torque[0] + inverse[i][1] * torque[1] + inverse[i][2] * torque[2];
}

/* Rotates a vector by an angle, given as an axis of that length. */
static void rotate(const double turn[3], double a[3]) {
    const double square = turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2], angle = sqrt(square);
    const double first = angle > 1e-8 ? sin(angle) / angle : 1.0;
    const double second = angle > 1e-8 ? (1.0 - cos(angle)) / square : 0.5;
    double once[3], twice[3];
    cross(turn, a, once);
    cross(turn, once, twice);
    for (int i = 0; i < 3; i++) a[i] += first * once[i] + second * twice[i];
}

/* From one centre to the next after a displacement of `more` between them. */
static void turn_span(double span[3], const double more[3]) {
    const double length = sqrt(span[0] * span[0] + span[1] * span[1] + span[2] * span[2]);
    double along = 0.0, across[3], sideways = 0.0;
    for (int i = 0; i < 3; i++) along += more[i] * span[i] / length;
    for (int i = 0; i < 3; i++) across[i] = more[i] - along * span[i] / length, sideways += across[i] * across[i];
    sideways = sqrt(sideways);
    const double angle = sideways / length, gained = angle > 1e-8 ? sin(angle) / angle : 1.0;
    for (int i = 0; i < 3; i++) span[i] = (cos(angle) + along / length) * span[i] + gained * across[i];
}

/* Moves vertices from where they are by a share of a displacement, into x, which may be where they are. */
static void move_turning(int64_t rings, const double *from, const double *by, double share, double *x) {
    double last[3], last_shift[3], now[3], off[3] = {0};
    for (int64_t r = 0; r < rings; r++) {
        const double *was = from + BLOCK * r, *displaced = by + BLOCK * r;
        double centre[3], shift[3], turn[3], span[3], more[3], arm[SIZE][3], inverse[3][3];
        ring_arms(was, centre, arm, inverse);
        middle(displaced, shift);
        turn_of(arm, inverse, displaced, turn);
        for (int i = 0; i < 3; i++) {
            span[i] = r ? centre[i] - last[i] : 0.0;
            more[i] = r ? share * (shift[i] - last_shift[i]) : 0.0;
        }
        if (r) turn_span(span, more);
        for (int i = 0; i < 3; i++) {
            now[i] = r ? now[i] + span[i] : centre[i] + share * shift[i];
            off[i] += (centre[i] + share * shift[i] - now[i]) / rings;
            last[i] = centre[i], last_shift[i] = shift[i];
        }
        double turned[3];
        for (int i = 0; i < 3; i++) turned[i] = share * turn[i];
        for (int q = 0; q < SIZE; q++) {
            double swept[3], out[3];
            cross(turn, arm[q], swept);
            for (int i = 0; i < 3; i++) out[i] = arm[q][i];
            rotate(turned, out);
            for (int i = 0; i < 3; i++)
                x[BLOCK * r + 3 * q + i] = now[i] + out[i] + share * (displaced[3 * q + i] - shift[i] - swept[i]);
        }
    }
    /* The chain began at the nose; its mean moves as that of a straight move. */
    for (int64_t k = 0; k < rings * SIZE; k++)
        for (int i = 0; i < 3; i++) x[3 * k + i] += off[i];
}

/* Adds to the stiffness what the gradient does in the second order of such a move: without it, a worm under a load
   that is not yet balanced has directions in which energy seems to fall, all of them turns. */
static void stiffen_turning(int64_t rings, const double *x, const double *gradient, double *factor) {
    double total[3] = {0}, behind[3] = {0}, centre[3], next[3];
    for (int64_t v = 0; v < rings * SIZE; v++)
        for (int i = 0; i < 3; i++) total[i] += gradient[3 * v + i];
    for (int64_t r = rings - 1; r >= 0; r--) {
        const double *f = gradient + BLOCK * r;
        double *own = factor + r * BLOCK * PAD, arm[SIZE][3], inverse[3][3];
        ring_arms(x + BLOCK * r, centre, arm, inverse);
        if (r + 1 < rings) {
            /* All behind a slab moves by -angle^2 / 2 of it, less the mean over the worm. */
            double span[3], square = 0.0, pull = 0.0;
            for (int i = 0; i < 3; i++) span[i] = next[i] - centre[i], square += span[i] * span[i];
            for (int i = 0; i < 3; i++) pull += (behind[i] - total[i] * (rings - 1 - r) / rings) * span[i];
            pull /= -square * SIDES * SIDES;
            double k[3][3 * SIDES];
            for (int j = 0; j < 3; j++)
                for (int c = 0; c < 3 * SIDES; c++) k[j][c] = pull * ((c % 3 == j) - span[c % 3] * span[j] / square);
            /* Rows above the diagonal are not read. */
            for (int c = 0; c < 3 * SIDES; c++) {
                double *column = own + (FIRST + c) * PAD + FIRST, *after = column + BLOCK * PAD;
                for (int i = 0; i < 3 * SIDES; i++) {
                    column[i] += k[c % 3][i];
                    after[i] += k[c % 3][i];
                    column[NEXT + i] -= k[c % 3][i];
                }
            }
        }
        /* f . turn x (turn x arm) is turn . A turn, and turn a sum over the outer vertices. */
        double a[3][3] = {{0}}, m[3][BLOCK], am[3][BLOCK];
        for (int q = 0; q < SIZE; q++) {
            const double *g = f + 3 * q;
            const double in = g[0] * arm[q][0] + g[1] * arm[q][1] + g[2] * arm[q][2];
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) a[i][j] += 0.5 * (g[i] * arm[q][j] + g[j] * arm[q][i]);
                a[i][i] -= in;
                behind[i] += g[i];
                for (int j = 0; j < 3; j++) {
                    /* turn_j by a unit displacement along i: inverse times arm x unit */
                    const int u = (i + 1) % 3, v = (i + 2) % 3;
                    m[j][3 * q + i] = inverse[j][u] * arm[q][v] - inverse[j][v] * arm[q][u];
                }
            }
        }
        for (int j = 0; j < 3; j++)
            for (int c = 0; c < BLOCK; c++) am[j][c] = a[j][0] * m[0][c] + a[j][1] * m[1][c] + a[j][2] * m[2][c];
        for (int c = FIRST; c < BLOCK; c++)
            for (int i = FIRST; i < BLOCK; i++)
                own[c * PAD + i] += m[0][i] * am[0][c] + m[1][i] * am[1][c] + m[2][i] * am[2][c];
        for (int i = 0; i < 3; i++) next[i] = centre[i];
    }
}
