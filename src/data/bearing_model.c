/*
 * Vibration of a deep-groove ball bearing with a single local defect, as an accelerometer on the
 * housing sees it.
 *
 *   x(t) = gain * [ sum_k a_k q(theta(t_k)) sum_r g_r h_r(t - t_k)  +  imbalance(t)  +  noise(t) ]
 *   h_r(t) = exp(-zeta_r w_r t) sin(w_r t),  t_(k+1) = t_k + T (1 + slip)
 *   q(theta) = max(0, 1 - (1 - cos theta) / (2 epsilon))^1.5
 *
 * A defect is struck once per ball pass (twice per spin for a ball), each strike rings the
 * structure's resonances. The load q depends on where the defect stands in the load zone: it turns
 * with the shaft (inner race), stands still (outer) or goes round with the cage (ball). Balls slip,
 * so that the intervals are random and the train is cyclostationary, not periodic. A spall is
 * struck twice, on entry and on exit, apart by the time a ball takes to cross it. Noise is half
 * white, half coloured by the structure.
 *
 * Sources: McFadden, Smith, 'Model for the vibration produced by a single point defect in a rolling
 * element bearing', J. Sound and Vibration 96(1), 1984 (impulses, load zone, transmission);
 * Antoni, Randall, 'A stochastic model for simulation and diagnostics of rolling element bearings
 * with localized faults', J. Vibration and Acoustics 125(3), 2003 (slip); Randall, Antoni, 'Rolling
 * element bearing diagnostics - a tutorial', MSSP 25(2), 2011 (kinematics, cage modulation);
 * Sawalhi, Randall, 'Vibration response of spalled rolling element bearings', MSSP 25(3), 2011
 * (entry and exit). Geometry: bearing 6205 of the test rig of Case Western Reserve University.
 *
 * Time O(length), no memory. Pure: any thread may call it.
 */
#include "bearing_model.h"

#include <math.h>
#include <stdbool.h>

#include "rng.h"

#define PI 3.14159265358979323846

/* Geometry, in mm. */
static const double balls = 9.0;
static const double ball_diameter = 7.94;
static const double pitch_diameter = 39.04;

/* The structure: natural frequency in Hz, share of critical damping, gain of the path. */
static const struct {
    double frequency, damping, gain;
} resonances[] = {{3000.0, 0.05, 1.0}, {1450.0, 0.06, 0.5}};
enum { RESONANCES = sizeof resonances / sizeof *resonances };

/* The two sizes of a spall: width in mm (0.007 and 0.021 inch), strength of the strike in g. */
static const struct { double width, strength; } severities[] = {{0.178, 1.0}, {0.533, 1.7}};

static const double entry_share = -0.4; /* of the strike on entry; the unloading ball pulls */
static const double inner_path = 0.8;   /* transmission from the inner race, farther away */
static const double ball_paths[] = {0.9, 0.6}; /* ball strikes on outer and inner race, by turns */

/* What load and speed change. */
static const double speeds[] = {1797.0, 1772.0, 1750.0, 1730.0}; /* of the motor, by load */
static const double zone_extent = 0.35;   /* epsilon at load 0: extent of the load zone */
static const double zone_per_load = 0.05; /* and what a step of load adds */
static const double strength_per_load = 0.15;
static const double strength_exponent = 1.5;    /* strength over speed */
static const double stiffening_per_load = 0.02; /* of the resonances */

/* Shaft: once (imbalance) and twice (misalignment) per revolution, in g; the first grows with the
 * square of the speed. */
static const double shaft_amplitudes[] = {0.10, 0.05};
enum { SHAFT_HARMONICS = sizeof shaft_amplitudes / sizeof *shaft_amplitudes };

/* Samples before a window in which ringing and noise settle. */
enum { settling = 128 };

static const double coloured_share = 0.5; /* of the noise's power */

/* What differs from window to window: half-widths of uniform or sd of normal (log-)deviations. */
static const double speed_spread = 0.01;     /* uniform, relative */
static const double slip_spread = 0.01;      /* normal, relative, of each interval */
static const double resonance_spread = 0.05; /* uniform, relative */
static const double damping_spread = 0.2;    /* normal, log */
static const double path_spread = 0.25;      /* normal, log, of each resonance's gain */
static const double strength_spread = 0.25;  /* normal, log */
static const double strike_spread = 0.15;    /* normal, log, of each strike */
static const double shaft_spread = 0.3;      /* normal, log */
static const double gain_spread = 0.1;       /* normal, log */

/* One window's machine, nuisance drawn. */
typedef struct machine {
    double revolutions;           /* of the shaft per second */
    double decay[RESONANCES];     /* 1/s */
    double pulsation[RESONANCES]; /* rad/s */
    double path_gain[RESONANCES];
    double extent; /* epsilon of the load zone */
    double strength;
    double gain;
} machine;

static double uniform(kd2m_rng *rng, double half_width) {
    return half_width * (2.0 * kd2m_rng_uniform(rng) - 1.0);
}

static double lognormal(kd2m_rng *rng, double sd) {
    return exp(sd * kd2m_rng_normal(rng));
}

kd2m_bearing_orders kd2m_bearing_kinematics(void) {
    double ratio = ball_diameter / pitch_diameter; /* contact angle 0 */
    return (kd2m_bearing_orders){.cage = 0.5 * (1.0 - ratio),
                                 .outer = 0.5 * balls * (1.0 - ratio),
                                 .inner = 0.5 * balls * (1.0 + ratio),
                                 .ball = (1.0 - ratio * ratio) / ratio};
}

double kd2m_bearing_nominal_speed(int load) {
    return speeds[load];
}

/* Mean strength of a strike under a condition, of a defect of strength 1. */
static double strength_under(const kd2m_bearing_condition *condition) {
    double nominal = speeds[KD2M_BEARING_NOMINAL_LOAD];
    return (1.0 + strength_per_load * (condition->load - KD2M_BEARING_NOMINAL_LOAD)) *
           pow(condition->speed / nominal, strength_exponent);
}

/* Seconds that a ball takes to cross a spall of `width` mm. */
static double crossing_time(double width, double revolutions) {
    return width / (PI * pitch_diameter * kd2m_bearing_kinematics().cage * revolutions);
}

double kd2m_bearing_noise_power(const kd2m_bearing_condition *condition) {
    /* a strike rings with energy gain^2 / (4 decay); entry and exit, `apart` seconds, overlap */
    double revolutions = speeds[KD2M_BEARING_NOMINAL_LOAD] / 60.0;
    double apart = crossing_time(severities[0].width, revolutions);
    double energy = 0.0;
    for (int r = 0; r < RESONANCES; r++) {
        double pulsation = 2.0 * PI * resonances[r].frequency;
        double decay = resonances[r].damping * pulsation;
        double overlap = exp(-decay * apart) * cos(pulsation * apart);
        energy += resonances[r].gain * resonances[r].gain / (4.0 * decay) *
                  (1.0 + entry_share * entry_share + 2.0 * entry_share * overlap);
    }
    double fault = severities[0].strength * severities[0].strength * energy *
                   kd2m_bearing_kinematics().outer * revolutions;
    return fault * pow(10.0, -condition->snr / 10.0);
}

static machine draw_machine(const kd2m_bearing_condition *condition, kd2m_rng *rng) {
    machine m;
    double stiffening = 1.0 + stiffening_per_load * (condition->load - KD2M_BEARING_NOMINAL_LOAD);
    m.revolutions = condition->speed / 60.0 * (1.0 + uniform(rng, speed_spread));
    for (int r = 0; r < RESONANCES; r++) {
        double frequency =
            resonances[r].frequency * stiffening * (1.0 + uniform(rng, resonance_spread));
        m.pulsation[r] = 2.0 * PI * frequency;
        m.decay[r] = resonances[r].damping * lognormal(rng, damping_spread) * m.pulsation[r];
        m.path_gain[r] = resonances[r].gain * lognormal(rng, path_spread);
    }
    m.extent = zone_extent + zone_per_load * condition->load;
    m.strength = strength_under(condition) * lognormal(rng, strength_spread);
    m.gain = lognormal(rng, gain_spread);
    return m;
}

/* Share of the load that a defect at `angle` from the middle of the load zone carries. */
static double load_zone(double angle, double extent) {
    double share = 1.0 - (1.0 - cos(angle)) / (2.0 * extent);
    return share > 0.0 ? pow(share, 1.5) : 0.0;
}

/* What the structure does with strikes: a decaying phasor per resonance, whose imaginary part is
 * the sum of all ringing so far. */
typedef struct structure {
    double real[RESONANCES], imaginary[RESONANCES];
    double turn_real[RESONANCES], turn_imaginary[RESONANCES]; /* what a sample does to them */
} structure;

static structure structure_at_rest(const machine *m) {
    structure s = {{0.0}, {0.0}, {0.0}, {0.0}};
    for (int r = 0; r < RESONANCES; r++) {
        double size = exp(-m->decay[r] / KD2M_BEARING_RATE);
        s.turn_real[r] = size * cos(m->pulsation[r] / KD2M_BEARING_RATE);
        s.turn_imaginary[r] = size * sin(m->pulsation[r] / KD2M_BEARING_RATE);
    }
    return s;
}

/* Adds a strike that happened `delay` seconds ago. */
static void strike_structure(structure *s, const machine *m, double strength, double delay) {
    for (int r = 0; r < RESONANCES; r++) {
        double size = strength * m->path_gain[r] * exp(-m->decay[r] * delay);
        s->real[r] += size * cos(m->pulsation[r] * delay);
        s->imaginary[r] += size * sin(m->pulsation[r] * delay);
    }
}

/* What is heard now; moves on by a sample. */
static double ring(structure *s) {
    double heard = 0.0;
    for (int r = 0; r < RESONANCES; r++) {
        double real = s->real[r];
        heard += s->imaginary[r];
        s->real[r] = real * s->turn_real[r] - s->imaginary[r] * s->turn_imaginary[r];
        s->imaginary[r] = real * s->turn_imaginary[r] + s->imaginary[r] * s->turn_real[r];
    }
    return heard;
}

/* A defect and its next strike. */
typedef struct defect {
    double interval; /* mean seconds between ball passes */
    double crossing; /* seconds between entry and exit */
    double strength;
    double rotation; /* in the load zone, revolutions per second */
    double angle;    /* in the load zone at time 0 */
    double paths[2]; /* transmission, by turns */
    int turn;
    bool exiting;  /* the ball is in the spall: the exit comes next */
    double next;   /* time of the next strike */
    double weight; /* what this ball pass carries */
} defect;

static void begin_pass(defect *d, const machine *m, kd2m_rng *rng) {
    double angle = d->angle + 2.0 * PI * d->rotation * d->next;
    d->weight = d->strength * d->paths[d->turn] * load_zone(angle, m->extent) *
                lognormal(rng, strike_spread);
    d->turn = 1 - d->turn;
    d->exiting = false;
}

/* A defect of a kind at a random phase, its first strike at `start` at the earliest. */
static defect draw_defect(kd2m_bearing_class kind, const machine *m, double start, kd2m_rng *rng) {
    kd2m_bearing_orders orders = kd2m_bearing_kinematics();
    bool large = kind == KD2M_BEARING_INNER_LARGE || kind == KD2M_BEARING_OUTER_LARGE ||
                 kind == KD2M_BEARING_BALL_LARGE;
    double order = 0.0;
    defect d = {.strength = m->strength * severities[large].strength, .paths = {1.0, 1.0}};
    d.crossing = crossing_time(severities[large].width, m->revolutions);
    if (kind == KD2M_BEARING_INNER_SMALL || kind == KD2M_BEARING_INNER_LARGE) {
        order = orders.inner;
        d.rotation = m->revolutions;
        d.paths[0] = d.paths[1] = inner_path;
    } else if (kind == KD2M_BEARING_OUTER_SMALL || kind == KD2M_BEARING_OUTER_LARGE) {
        order = orders.outer;
    } else {
        order = orders.ball;
        d.rotation = orders.cage * m->revolutions;
        d.paths[0] = ball_paths[0];
        d.paths[1] = ball_paths[1];
    }
    d.interval = 1.0 / (order * m->revolutions);
    if (d.rotation > 0.0)
        d.angle = 2.0 * PI * kd2m_rng_uniform(rng);
    d.next = start + d.interval * kd2m_rng_uniform(rng);
    begin_pass(&d, m, rng);
    return d;
}

/* Adds the strike that is due to the structure; sets the time of the one after it. */
static void strike_defect(defect *d, structure *s, const machine *m, double now, kd2m_rng *rng) {
    strike_structure(s, m, d->weight * (d->exiting ? 1.0 : entry_share), now - d->next);
    if (!d->exiting) {
        d->exiting = true;
        d->next += d->crossing;
        return;
    }
    double slip = 1.0 + slip_spread * kd2m_rng_normal(rng);
    d->next += d->interval * (slip > 0.5 ? slip : 0.5) - d->crossing;
    begin_pass(d, m, rng);
}

static void add_fault(const machine *m, kd2m_bearing_class kind, kd2m_rng *rng, float *out,
                      size_t length) {
    double start = -(double)settling / KD2M_BEARING_RATE;
    structure s = structure_at_rest(m);
    defect d = draw_defect(kind, m, start, rng);
    for (size_t i = 0; i < settling + length; i++) {
        double now = start + (double)i / KD2M_BEARING_RATE;
        while (d.next <= now)
            strike_defect(&d, &s, m, now, rng);
        double heard = ring(&s);
        if (i >= settling)
            out[i - settling] += (float)heard;
    }
}

static void add_shaft(const machine *m, double speed, kd2m_rng *rng, float *out, size_t length) {
    double relative = speed / speeds[KD2M_BEARING_NOMINAL_LOAD];
    for (int h = 0; h < SHAFT_HARMONICS; h++) {
        double amplitude = shaft_amplitudes[h] * lognormal(rng, shaft_spread) * relative;
        double phase = 2.0 * PI * kd2m_rng_uniform(rng);
        double step = 2.0 * PI * (h + 1) * m->revolutions / KD2M_BEARING_RATE;
        amplitude *= h == 0 ? relative : 1.0;
        for (size_t i = 0; i < length; i++)
            out[i] += (float)(amplitude * sin(phase + step * (double)i));
    }
}

/* White noise plus white noise that has passed the first resonance, a second-order recursion whose
 * stationary variance is known. */
static void add_noise(const machine *m, double power, kd2m_rng *rng, float *out, size_t length) {
    double radius = exp(-m->decay[0] / KD2M_BEARING_RATE);
    double turn = m->pulsation[0] / KD2M_BEARING_RATE;
    double a1 = 2.0 * radius * cos(turn);
    double a2 = -radius * radius;
    double unit = (1.0 - a2) / ((1.0 + a2) * (1.0 + a2 * a2 + 2.0 * a2 * cos(2.0 * turn)));
    double coloured = sqrt(power * coloured_share / unit);
    double white = sqrt(power * (1.0 - coloured_share));
    double last = 0.0;
    double before = 0.0;
    for (size_t i = 0; i < settling + length; i++) {
        /* Box-Muller, both of the pair: one drives the recursion, the other is the white noise */
        double size = sqrt(-2.0 * log(1.0 - kd2m_rng_uniform(rng)));
        double angle = 2.0 * PI * kd2m_rng_uniform(rng);
        double value = a1 * last + a2 * before + coloured * size * cos(angle);
        before = last;
        last = value;
        if (i >= settling)
            out[i - settling] += (float)(value + white * size * sin(angle));
    }
}

void kd2m_bearing_window(const kd2m_bearing_condition *condition, kd2m_bearing_class kind,
                         uint64_t seed, uint64_t window, float *out, size_t length) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_GENERATOR, window);
    machine m = draw_machine(condition, &rng);
    for (size_t i = 0; i < length; i++)
        out[i] = 0.0F;
    if (kind != KD2M_BEARING_NORMAL)
        add_fault(&m, kind, &rng, out, length);
    add_shaft(&m, condition->speed, &rng, out, length);
    add_noise(&m, kd2m_bearing_noise_power(condition), &rng, out, length);
    for (size_t i = 0; i < length; i++)
        out[i] *= (float)m.gain;
}
