/* The reverse sweep of the native engine: the exact adjoint of the steps of kernel.c.

   A run leaves a checkpoint of its states at the start of every segment. Segment by segment, from
   the last to the first, the steps are taken again with a tape: one row per step with all states
   before it, the voltages that corrections start from, the diagonal of its matrix and its ion currents.
   Then every step is walked backwards.
   With A x = b, A symmetric, and the adjoint of x in hand, l = A^-1 (adjoint of x) is the adjoint of
   b, and -l x that of the diagonal. adjoint.h is generated from the .mod files (emit_adjoint.py). */

#include "kernel.c"

/* Adjoints, named as what they belong to in Brain. */
typedef struct Sweep {
    R *v, *x, *d, *b, *first_b;
    R *tick_d, *tick_b, *sum_d, *sum_b, *capacitance; /* sums over a piece of the run, and over all of it */
    R *concentration, *ion_current, *ion_slope, *external, *clamp;
    R *scratch;
    R *const *const *bar; /* set by set, field by field */
    /* where the states lie: of each, the engine's own pointer to it; v first, concentrations second */
    int64_t states;
    R ***state;
    const int64_t *length;
    int64_t row; /* of the tape: all states, uncorrected voltages, the diagonal, ion currents and their slopes */
    /* what a loss depends on, every so many steps */
    int64_t outputs, every, step;
    const R *const *output;
    R *const *output_bar;
    R *record;
    const R *record_bar;
} Sweep;

typedef void Reverse(const Set *restrict s, Brain *restrict b, R *const *restrict bar, Sweep *restrict w);
typedef struct {
    Reverse *initial, *prepare, *tick, *current, *correct, *state;
    int owns; /* a concentration */
} Back;

#include "adjoint.h"

#define EVERY_BACK(phase)                                    \
    for (int64_t j = b->sets - 1; j >= 0; j--)               \
        if (backs[b->kind[j]].phase && b->set[j].n) backs[b->kind[j]].phase(&b->set[j], b, w->bar[j], w)

/* All states to a row, or back. */
void save(const Sweep *w, R *restrict row) {
    for (int64_t k = 0; k < w->states; row += w->length[k++]) memcpy(row, *w->state[k], sizeof(R) * w->length[k]);
}

void restore(const Sweep *w, const R *restrict row) {
    for (int64_t k = 0; k < w->states; row += w->length[k++]) memcpy(*w->state[k], row, sizeof(R) * w->length[k]);
}

/* The engine computes from a row as if it were its own arrays. */
static void look_at(const Sweep *w, R *row) {
    for (int64_t k = 0; k < w->states; row += w->length[k++]) *w->state[k] = row;
}

static R *uncorrected(const Brain *b, const Sweep *w, R *row, int64_t c) {
    return row + w->row - (b->corrections - c + 1) * b->nodes - 2 * (b->ions + 1);
}

/* Take steps as `advance`; with a tape, write one row for each, and the states after the last. */
void forward(Brain *restrict b, Sweep *restrict w, int64_t steps, R *tape) {
    begin(b);
    const double start = b->t;
    const int64_t ions = b->ions + 1;
    for (int64_t step = 0; step < steps; step++) {
        R *const row = tape ? tape + step * w->row : 0;
        if (row) save(w, row);
        b->t = start + ((double)step + 0.5) * b->step;
        currents(b);
        if (row) {
            R *const rest = row + w->row - b->nodes - 2 * ions;
            memcpy(rest, b->d, sizeof(R) * b->nodes);
            memcpy(rest + b->nodes, b->ion_current, sizeof(R) * ions);
            memcpy(rest + b->nodes + ions, b->ion_slope, sizeof(R) * ions);
        }
        if (b->corrections) memcpy(b->first_b, b->b, sizeof(R) * b->nodes);
        eliminate(b);
        for (int64_t c = 0; c < b->corrections; c++) {
            substitute_back(b);
            if (row) memcpy(uncorrected(b, w, row, c), b->x, sizeof(R) * b->nodes);
            memcpy(b->b, b->first_b, sizeof(R) * b->nodes);
            EVERY(correct);
            eliminate_again(b);
        }
        if (b->order == 2) {
            finish_second_order(b);
            move_ion_currents(b);
        } else {
            finish_first_order(b);
        }
        b->t = start + (double)(step + 1) * b->step;
        EVERY(state);
        w->step++;
        if (!row && w->step % w->every == 0) {
            R *restrict to = w->record + (w->step / w->every - 1) * w->outputs;
            for (int64_t k = 0; k < w->outputs; k++) to[k] = *w->output[k];
        }
    }
    if (tape) save(w, tape + steps * w->row);
}

/* Adjoint of the states after a step to that of the states before it, of v after it, of ion currents. */
static void back_through_states(Brain *restrict b, Sweep *restrict w, R *row, R *next) {
    look_at(w, row);
    b->v = next;
    b->concentration = next + w->length[0];
    int owners = 0;
    for (int64_t j = b->sets - 1; j >= 0; j--) {
        const Back *kind = &backs[b->kind[j]];
        /* Owners moved their concentrations before anybody else read them. */
        if (kind->owns && !owners++) b->concentration = row + w->length[0];
        if (kind->state && b->set[j].n) kind->state(&b->set[j], b, w->bar[j], w);
    }
}

/* With the adjoint of x in b->b: that of the right side, and what the diagonal and the first right side gain. */
static void back_through_matrix(Brain *restrict b, Sweep *restrict w, const R *restrict x) {
    substitute_back(b);
    const R *restrict l = b->x;
    R *restrict d = w->d, *restrict r = w->b, *restrict first = w->first_b;
    SIMD for (int64_t i = 0; i < b->nodes; i++) {
        d[i] -= l[i] * x[i];
        r[i] = l[i];
        first[i] += l[i];
    }
}

/* Adjoint of v after the step, in w->v, to that of v before it, of the diagonal and of the right side. */
static void back_through_solve(Brain *restrict b, Sweep *restrict w, R *row, const R *restrict next,
                               const R *restrict diagonal) {
    const int second = b->order == 2;
    const R rate = (R)(second ? 2 : 1) / b->step;
    const size_t size = sizeof(R) * b->nodes;
    R *restrict x = w->x, *restrict v = w->v, *restrict d = w->d, *restrict first = w->first_b, *const kept = b->x;
    memset(w->d, 0, size);
    memset(w->first_b, 0, size);
    SIMD for (int64_t i = 0; i < b->nodes; i++) {
        b->b[i] = x[i] + (second ? 2 * v[i] : v[i]);
        x[i] = second ? (R)0.5 * (row[i] + next[i]) : next[i];
    }
    memcpy(b->d, diagonal, size);
    eliminate(b);
    back_through_matrix(b, w, x);
    memset(w->x, 0, size);
    for (int64_t c = b->corrections - 1; c >= 0; c--) {
        b->x = uncorrected(b, w, row, c);
        EVERY_BACK(correct);
        b->x = kept;
        memcpy(b->b, w->x, size);
        memset(w->x, 0, size);
        eliminate_again(b);
        back_through_matrix(b, w, uncorrected(b, w, row, c));
    }
    const R *restrict charge = b->charge;
    R *restrict r = w->b, *restrict tick_d = w->tick_d, *restrict tick_b = w->tick_b;
    R *restrict capacitance = w->capacitance;
    SIMD for (int64_t i = 0; i < b->nodes; i++) {
        r[i] = first[i];
        tick_d[i] += d[i];
        tick_b[i] += r[i];
        capacitance[i] += rate * (d[i] + r[i] * row[i]);
        v[i] = charge[i] * r[i] - (second ? v[i] : 0);
    }
}

static void back_one_step(Brain *restrict b, Sweep *restrict w, R *row, R *next) {
    const int64_t ions = b->ions + 1;
    const double before = b->t;
    const R *const diagonal = row + w->row - b->nodes - 2 * ions, *const current = diagonal + b->nodes;
    const R *const slope = current + ions;
    memcpy(b->ion_current, current, sizeof(R) * ions);
    for (int64_t i = 0; i < (b->order == 2 ? b->ions : 0); i++) {
        const int n = b->ion_node[i];
        b->ion_current[i] += slope[i] * (R)0.5 * (next[n] - row[n]);
    }
    if (w->step % w->every == 0) {
        const R *restrict from = w->record_bar + (w->step / w->every - 1) * w->outputs;
        for (int64_t k = 0; k < w->outputs; k++) *w->output_bar[k] += from[k];
    }
    memset(w->ion_current, 0, sizeof(R) * ions);
    memset(w->ion_slope, 0, sizeof(R) * ions);
    b->t = before + b->step;
    back_through_states(b, w, row, next);
    for (int64_t i = 0; i < (b->order == 2 ? b->ions : 0); i++) {
        const int n = b->ion_node[i];
        w->ion_slope[i] = w->ion_current[i] * (R)0.5 * (next[n] - row[n]);
        w->v[n] += w->ion_current[i] * slope[i];
        w->x[n] -= w->ion_current[i] * slope[i];
    }
    b->v = row;
    b->concentration = row + w->length[0];
    b->t = before + 0.5 * b->step;
    back_through_solve(b, w, row, next, diagonal);
    const double middle = b->t;
    for (int64_t i = 0; i < b->clamps; i++)
        if (middle >= b->clamp_start[i] && middle < b->clamp_stop[i]) w->clamp[i] += w->b[b->clamp_node[i]];
    EVERY_BACK(current);
    b->t = before;
    w->step--;
}

/* Walk steps backwards that `forward` left on the tape; b->t is the time before the first of them. */
void backward(Brain *restrict b, Sweep *restrict w, int64_t steps, R *tape) {
    R *kept[w->states];
    for (int64_t k = 0; k < w->states; k++) kept[k] = *w->state[k];
    const double start = b->t;
    memset(w->tick_d, 0, sizeof(R) * b->nodes);
    memset(w->tick_b, 0, sizeof(R) * b->nodes);
    for (int64_t step = steps - 1; step >= 0; step--) {
        b->t = start + (double)step * b->step;
        back_one_step(b, w, tape + step * w->row, tape + (step + 1) * w->row);
    }
    for (int64_t k = 0; k < w->states; k++) *w->state[k] = kept[k];
    EVERY_BACK(tick);
    for (int64_t i = 0; i < b->nodes; i++) {
        w->sum_d[i] += w->tick_d[i];
        w->sum_b[i] += w->tick_b[i];
    }
}

/* From the states at the start, which the engine must hold, to parameters and the voltages there. */
void finish(Brain *restrict b, Sweep *restrict w) {
    EVERY_BACK(initial);
    EVERY_BACK(prepare);
}

int64_t size_of_sweep(void) { return sizeof(Sweep); }
