/* Measures of the vertices, see observe.py. */

/* Sum of a ring's vertices times a column of their section. */
INLINE void weighted(const double *x, const double *section, int64_t column, int64_t ring, double out[3]) {
    out[0] = out[1] = out[2] = 0.0;
    for (int q = 0; q < SIZE; q++)
        for (int i = 0; i < 3; i++) out[i] += section[3 * q + column] * x[BLOCK * ring + 3 * q + i];
}

INLINE double normalise(double *a) {
    const double length = sqrt(dot(a, a));
    for (int i = 0; i < 3; i++) a[i] /= length;
    return length;
}

void read_midline(
    const double *x, const double *origin, const double *section, int64_t worms, int64_t rings, double *out) {
    for (int64_t k = 0; k < worms * rings; k++) {
        weighted(x, section, CENTRE, k, out + 3 * k);
        for (int i = 0; i < 3; i++) out[3 * k + i] += origin[3 * (k / rings) + i];
    }
}

void read_side(const double *x, const double *section, int64_t side, int64_t worms, int64_t rings, double *out) {
    for (int64_t k = 0; k < worms * rings; k++) {
        weighted(x, section, side, k, out + 3 * k);
        normalise(out + 3 * k);
    }
}

void read_curvature(
    const double *x, const double *section, double length, int64_t side, int64_t worms, int64_t rings, double *out) {
    for (int64_t worm = 0; worm < worms; worm++)
        for (int64_t inner = 0; inner < rings - 2; inner++) {
            double centre[3][3], ahead[3], behind[3], along[3], towards[3], bend[3];
            const int64_t first = worm * rings + inner;
            for (int k = 0; k < 3; k++) weighted(x, section, CENTRE, first + k, centre[k]);
            for (int i = 0; i < 3; i++) {
                ahead[i] = centre[1][i] - centre[0][i];
                behind[i] = centre[2][i] - centre[1][i];
            }
            const double span = 0.5 * (normalise(ahead) + normalise(behind));
            for (int i = 0; i < 3; i++) {
                along[i] = ahead[i] + behind[i];
                bend[i] = behind[i] - ahead[i];
            }
            normalise(along);
            weighted(x, section, side, first + 1, towards);
            const double tilt = dot(towards, along);
            for (int i = 0; i < 3; i++) towards[i] -= tilt * along[i];
            normalise(towards);
            const double half = 0.5 * sqrt(dot(bend, bend));
            const double stretched = half > 1e-9 ? asin(half < 1.0 ? half : 1.0) / half : 1.0;
            out[worm * (rings - 2) + inner] = length * stretched * dot(bend, towards) / span;
        }
}

/* Whether no ring is within reach of a segment at least skip slabs away on its own worm, or of another worm: then no
   half-spaces need to be sought, see contact.py. centres has worms x rings x 3 numbers and is filled; skip is 0 where
   worms cannot touch themselves, boxes has worms x 6 numbers where worms can touch each other, else it is null. */
int64_t nothing_near(
    const double *x, const double *origin, const double *section, const double *radii, int64_t worms, int64_t rings,
    int64_t skip, double limit, double *centres, double *boxes) {
    double thick = 0.0;
    for (int64_t r = 0; r < rings; r++) thick = radii[r] > thick ? radii[r] : thick;
    read_midline(x, origin, section, worms, rings, centres);
    for (int64_t worm = 0; worm < worms && boxes; worm++) {
        const double *c = centres + 3 * rings * worm, near = thick + 0.5 * limit + 1e-6;
        double *box = boxes + 6 * worm;
        for (int i = 0; i < 3; i++) {
            double low = c[i], high = c[i];
            for (int64_t r = 0; r < rings; r++) {
                if (!(c[3 * r + i] == c[3 * r + i])) return 0;
                low = c[3 * r + i] < low ? c[3 * r + i] : low;
                high = c[3 * r + i] > high ? c[3 * r + i] : high;
            }
            box[i] = low - near, box[3 + i] = high + near;
        }
        for (const double *other = boxes; other < box; other += 6) {
            int apart = 0;
            for (int i = 0; i < 3; i++) apart |= box[i] > other[3 + i] || other[i] > box[3 + i];
            if (!apart) return 0;
        }
    }
    for (int64_t worm = 0; worm < worms && skip > 0; worm++) {
        const double *c = centres + 3 * rings * worm;
        for (int64_t s = 0; s + 1 < rings; s++) {
            const double *a = c + 3 * s, *b = a + 3, e[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, square = dot(e, e);
            const double inverse = 1.0 / (square > 1e-30 ? square : 1e-30);
            const double wide = (radii[s] > radii[s + 1] ? radii[s] : radii[s + 1]) + limit + 1e-6;
            int64_t near = 0;
            for (int64_t r = 0; r < rings; r++) {
                if (r <= s + skip && r > s - skip) continue;
                double d[3] = {c[3 * r] - a[0], c[3 * r + 1] - a[1], c[3 * r + 2] - a[2]}, share = dot(d, e) * inverse;
                share = share > 0.0 ? share < 1.0 ? share : 1.0 : 0.0;
                for (int i = 0; i < 3; i++) d[i] -= share * e[i];
                const double far = radii[r] + wide;
                near |= !(dot(d, d) > far * far);
            }
            if (near) return 0;
        }
    }
    return 1;
}
