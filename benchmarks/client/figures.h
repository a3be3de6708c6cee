/* Mean and quantiles of durations, in microsecond bins up to ten seconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURE_BINS 10000000

struct figures { uint32_t *bins; long n; double sum_ns; int64_t max_ns; };

static inline void add(struct figures *f, int64_t ns) {
    if (!f->bins) f->bins = calloc(FIGURE_BINS, sizeof *f->bins);
    int64_t us = ns < 0 ? 0 : ns / 1000;
    f->bins[us < FIGURE_BINS ? us : FIGURE_BINS - 1]++;
    f->n++; f->sum_ns += ns;
    if (ns > f->max_ns) f->max_ns = ns;
}

static inline void forget(struct figures *f) {
    if (f->bins) memset(f->bins, 0, FIGURE_BINS * sizeof *f->bins);
    f->n = 0; f->sum_ns = 0; f->max_ns = 0;
}

static inline double quantile_ms(const struct figures *f, double p) {
    long want = (long)(p * f->n), seen = 0;
    if (want >= f->n) want = f->n - 1;
    for (long us = 0; us < FIGURE_BINS; us++) if ((seen += f->bins[us]) > want) return (us + 0.5) / 1e3;
    return 0;
}

/* As a JSON object, milliseconds; null when nothing was added. */
static inline int say(const struct figures *f, char *text) {
    if (!f->n) return sprintf(text, "null");
    return sprintf(text, "{\"mean\":%.5f,\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"max\":%.4f}", f->sum_ns / f->n / 1e6,
                   quantile_ms(f, .5), quantile_ms(f, .9), quantile_ms(f, .99), f->max_ns / 1e6);
}
