/* The whole strategy of strategies/kernels.py in C, the same layout, the same order of arithmetic:
 * what a compiler makes of the work when nothing of Python is in the way. A rival, and no part of
 * the product. Built by bench/native_kernel.py with clang -O3 -march=native.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define G 32
#define STATES 6
#define LEVELS 5

enum { A_Z = 0, A_R = A_Z + 7 * STATES, B = A_R + 5 * STATES, UTILITY = B + STATES * STATES,
       START = UTILITY + STATES * LEVELS, LEVEL = START + STATES, GAMMA = LEVEL + LEVELS, KAPPA,
       C_FAST, C_SLOW, KEEP, A_FAST, A_SLOW, A_REVERSION, TARGET, C_BOOK, PARITY, LEVERAGE, BAND,
       CAP, GROSS, NET, STOP, COOLDOWN };
enum { PREDICTED = 0, FAST = 6, SLOW, REVERSION, FALL, BLOCKED, UNITS, ORDER, HELD, WEIGHT, USABLE,
       PAID, JOINT, EVIDENCE = 23, SLOTS };
enum { CASH, EQUITY, VARIANCE, SCALE, SUM, FACTOR, TRADED, TRADES, BOOK };

#define LANES(name, base, slot) double *restrict name = (base) + (slot) * G
#define ROW(name, slot) const double *restrict name = p + (slot) * G
#define EACH for (int g = 0; g < G; g++)
#define TO_INTEGER 6755399441055744.0

static inline double lower(double a, double b) { return a < b ? a : b; }
static inline double higher(double a, double b) { return a > b ? a : b; }

static inline double exponential(double x) {
    x = lower(higher(x, -700.0), 700.0);
    double shifted = x * 1.4426950408889634 + TO_INTEGER, k = shifted - TO_INTEGER;
    double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double c = (1.0 / 6227020800.0) * r + 1.0 / 479001600.0;
    c = c * r + 1.0 / 39916800.0;
    c = c * r + 1.0 / 3628800.0;
    c = c * r + 1.0 / 362880.0;
    c = c * r + 1.0 / 40320.0;
    c = c * r + 1.0 / 5040.0;
    c = c * r + 1.0 / 720.0;
    c = c * r + 1.0 / 120.0;
    c = c * r + 1.0 / 24.0;
    c = c * r + 1.0 / 6.0;
    c = c * r + 1.0 / 2.0;
    double q = (c * r) * r + r, power;
    int64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (int64_t)((uint64_t)(bits + 1023) << 52);
    memcpy(&power, &bits, 8);
    return q * power + power;
}

static void averages(double *restrict s, const double *restrict p, double z) {
    EACH {
        double fast = s[FAST * G + g], slow = s[SLOW * G + g], back = s[REVERSION * G + g];
        s[FAST * G + g] = fast + (z - fast) * p[C_FAST * G + g];
        s[SLOW * G + g] = slow + (z - slow) * p[C_SLOW * G + g];
        s[REVERSION * G + g] = (back + z) * p[KEEP * G + g];
        double held = s[HELD * G + g];
        double side = (held > 0.0 ? 1.0 : 0.0) - (held < 0.0 ? 1.0 : 0.0);
        double fallen = lower(0.0, s[FALL * G + g] + side * z);
        double fall = side == 0.0 ? 0.0 : fallen;
        int hit = fall < -p[STOP * G + g];
        double waiting = higher(s[BLOCKED * G + g] - 1.0, 0.0);
        s[FALL * G + g] = hit ? 0.0 : fall;
        s[BLOCKED * G + g] = hit ? p[COOLDOWN * G + g] : waiting;
    }
}

static void infer(double *restrict s, const double *restrict p, const double *restrict az,
                  const double *restrict ar) {
    for (int n = 0; n < STATES * G; n++) s[JOINT * G + n] = s[PREDICTED * G + n] * az[n];
    if (ar)
        for (int n = 0; n < STATES * G; n++) s[JOINT * G + n] *= ar[n];
    EACH {
        double *j = s + JOINT * G + g;
        double evidence = j[0] + j[G] + j[2 * G] + j[3 * G] + j[4 * G] + j[5 * G];
        s[EVIDENCE * G + g] = evidence;
        for (int m = 0; m < STATES; m++) j[m * G] /= evidence;
    }
    for (int m = 0; m < STATES; m++) {
        const double *restrict b = p + (B + m * STATES) * G;
        LANES(to, s, PREDICTED + m);
        const double *restrict j = s + JOINT * G;
        EACH to[g] = b[g] * j[g] + b[G + g] * j[G + g] + b[2 * G + g] * j[2 * G + g] +
                     b[3 * G + g] * j[3 * G + g] + b[4 * G + g] * j[4 * G + g] +
                     b[5 * G + g] * j[5 * G + g];
    }
}

static void size(double *restrict s, double *restrict book, const double *restrict p, double equal,
                 double lean, int active, double max_weight) {
    EACH {
        double share = equal > 0.0 ? equal + lean * p[PARITY * G + g] : 0.0;
        double scale = book[SCALE * G + g], capacity = share * scale, held = s[HELD * G + g];
        int able = capacity > 0.0;
        double lowest = p[LEVEL * G + g], highest = p[(LEVEL + 4) * G + g];
        double taken = held / (able ? capacity : 1.0);
        double h = able ? lower(higher(taken, lowest), highest) : 0.0;
        double kappa = -p[KAPPA * G + g], gamma = p[GAMMA * G + g], u[LEVELS], most, total = 0.0;
        for (int v = 0; v < LEVELS; v++) {
            double sum = 0.0;
            for (int m = 0; m < STATES; m++)
                sum += p[(UTILITY + m * LEVELS + v) * G + g] * s[m * G + g];
            u[v] = gamma * sum + kappa * fabs(p[(LEVEL + v) * G + g] - h);
        }
        most = higher(higher(higher(higher(u[0], u[1]), u[2]), u[3]), u[4]);
        double exposed = 0.0;
        for (int v = 0; v < LEVELS; v++) {
            double e = exponential(u[v] - most);
            total += e;
            exposed += e * p[(LEVEL + v) * G + g];
        }
        exposed /= total;
        double signal = p[A_FAST * G + g] * s[FAST * G + g];
        signal += p[A_SLOW * G + g] * s[SLOW * G + g];
        signal -= p[A_REVERSION * G + g] * s[REVERSION * G + g];
        double tilt = lower(higher(1.0 + signal, 0.0), 2.0);
        double want = lower(higher(exposed * tilt, lowest), highest);
        want = s[BLOCKED * G + g] > 0.0 ? 0.0 : want;
        double cap = lower(p[CAP * G + g], max_weight);
        double weight = lower(higher(want * capacity, -cap), cap);
        int usable = active && share > 0.0 && scale > 0.0;
        weight = usable ? weight : held;
        s[WEIGHT * G + g] = weight;
        s[USABLE * G + g] = usable ? 1.0 : 0.0;
        book[SUM * G + g] += fabs(weight);
    }
}

static void limit(double *restrict state, double *restrict book, const double *restrict p,
                  long count, double max_weight, double max_gross) {
    LANES(sum, book, SUM);
    LANES(factor, book, FACTOR);
    EACH {
        double most = lower(p[GROSS * G + g], max_gross);
        factor[g] = sum[g] > most ? most / sum[g] : 1.0;
        sum[g] = 0.0;
    }
    for (long i = 0; i < count; i++) {
        LANES(weight, state + i * SLOTS * G, WEIGHT);
        EACH {
            weight[g] *= factor[g];
            sum[g] += weight[g];
        }
    }
    EACH {
        double net = fabs(sum[g]), most = p[NET * G + g];
        factor[g] = net > most ? most / net : 1.0;
        sum[g] = 0.0;
    }
    for (long i = 0; i < count; i++) {
        double *restrict s = state + i * SLOTS * G;
        EACH {
            double weight = s[WEIGHT * G + g] * factor[g], held = s[HELD * G + g];
            int near = fabs(weight - held) < p[BAND * G + g];
            near = near && weight != 0.0 && s[USABLE * G + g] > 0.0;
            weight = near ? held : weight;
            weight = lower(higher(weight, -max_weight), max_weight);
            s[WEIGHT * G + g] = weight;
            sum[g] += fabs(weight);
        }
    }
    EACH factor[g] = sum[g] > max_gross ? max_gross / sum[g] : 1.0;
    for (long i = 0; i < count; i++) {
        LANES(weight, state + i * SLOTS * G, WEIGHT);
        EACH {
            double whole = weight[g] * factor[g] * 1e9;
            whole = (whole + TO_INTEGER) - TO_INTEGER;
            weight[g] = whole / 1e9 + 0.0;
        }
    }
}

void simulate(long bars, long count, const double *z, const double *moves, const int8_t *z_bin,
              const int8_t *range_bin, const double *last, const double *lean, const double *equal,
              const uint8_t *booked, const double *closes, const double *fills, const uint8_t *due,
              const double *restrict p, const double *terms, double *restrict equity,
              double *restrict turnover, double *restrict exposure) {
    double *state = aligned_alloc(64, count * SLOTS * G * 8), booked_bars = 0.0;
    double book[BOOK * G] __attribute__((aligned(64))) = {0};
    memset(state, 0, count * SLOTS * G * 8);
    for (long i = 0; i < count; i++)
        memcpy(state + i * SLOTS * G, p + START * G, STATES * G * 8);
    EACH book[CASH * G + g] = terms[6];
    for (long t = 0; t < bars; t++) {
        EACH book[TRADED * G + g] = 0.0;
        for (long i = 0; i < count; i++) {
            double *restrict s = state + i * SLOTS * G;
            double fill = fills[t * count + i];
            if (t && isfinite(fill)) {
                double buying = fill * (1.0 + terms[0]), selling = fill * (1.0 - terms[0]);
                EACH {
                    double units = s[ORDER * G + g], worth = units * (units > 0.0 ? buying : selling);
                    double notional = fabs(worth), paid = worth + notional * terms[1];
                    s[UNITS * G + g] += units;
                    s[PAID * G + g] += paid;
                    book[CASH * G + g] -= paid;
                    book[TRADED * G + g] += notional;
                    book[TRADES * G + g] += units != 0.0 ? 1.0 : 0.0;
                }
            }
            EACH s[ORDER * G + g] = 0.0;
        }
        EACH book[EQUITY * G + g] = book[CASH * G + g];
        for (long i = 0; i < count; i++) {
            LANES(units, state + i * SLOTS * G, UNITS);
            double price = last[t * count + i];
            EACH book[EQUITY * G + g] += units[g] * price;
        }
        if (booked[t]) {
            booked_bars += 1.0;
            EACH book[SUM * G + g] = 0.0;
            for (long i = 0; i < count; i++) {
                double move = moves[t * count + i], share = equal[(t - 1) * count + i];
                double skew = lean[(t - 1) * count + i];
                EACH book[SUM * G + g] += (share + skew * p[PARITY * G + g]) * move;
            }
            EACH {
                double moved = book[SUM * G + g], was = book[VARIANCE * G + g];
                double newest = higher(p[C_BOOK * G + g], 1.0 / booked_bars);
                book[VARIANCE * G + g] = was + (moved * moved - was) * newest;
            }
        }
        EACH {
            double variance = book[VARIANCE * G + g];
            int known = booked_bars >= 20.0 && variance > 0.0;
            double wanted = p[TARGET * G + g] / sqrt(known ? variance : 1.0);
            book[SCALE * G + g] = known ? lower(p[LEVERAGE * G + g], wanted) : 0.0;
            book[SUM * G + g] = 0.0;
        }
        for (long i = 0; i < count; i++) {
            double *restrict s = state + i * SLOTS * G;
            long at = t * count + i;
            double price = last[at];
            EACH {
                double total = book[EQUITY * G + g], value = s[UNITS * G + g] * price;
                s[HELD * G + g] = total > 0.0 ? value / total : 0.0;
            }
            if (z_bin[at] >= 0) {
                averages(s, p, z[at]);
                infer(s, p, p + (A_Z + z_bin[at] * STATES) * G,
                      range_bin[at] >= 0 ? p + (A_R + range_bin[at] * STATES) * G : NULL);
            }
            int active = isfinite(closes[at]) && closes[at] > 0.0;
            size(s, book, p, equal[at], lean[at], active, terms[2]);
        }
        limit(state, book, p, count, terms[2], terms[3]);
        EACH {
            double total = book[EQUITY * G + g];
            equity[t * G + g] = total;
            turnover[t * G + g] = total > 0.0 ? book[TRADED * G + g] / total : 0.0;
            exposure[t * G + g] = 0.0;
        }
        for (long i = 0; i < count; i++) {
            double *restrict s = state + i * SLOTS * G;
            double price = last[t * count + i];
            EACH exposure[t * G + g] += fabs(s[HELD * G + g]);
            if (due[t] && price > 0.0) EACH {
                double total = book[EQUITY * G + g], held = s[HELD * G + g];
                double weight = s[WEIGHT * G + g], units = s[UNITS * G + g];
                double apart = fabs(weight - held);
                int enough = apart >= terms[4] && apart * total >= terms[5];
                int leaves = weight == 0.0 && units != 0.0;
                double wanted = weight * total / price - units;
                s[ORDER * G + g] = (enough || leaves) && total > 0.0 ? wanted : 0.0;
            }
        }
    }
    free(state);
}
