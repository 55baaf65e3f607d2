/* One spiking memory in plain C: the limit that a simulator of any network is held to.

   A step is x <- a x + (1 - a) (A y + B u) with y what the spikes of the last drives
   decode to.  Neurons stand dimension by dimension, so that each block takes one number
   and gives one.  All is float, but for the state. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define BLOCK 1024 /* neurons whose numbers stay in the first cache */

enum { POISSON, REGULAR, RATE, LIF };

typedef struct {
  int64_t kind, d, period;          /* of the input, steps */
  const int64_t *start;             /* (d + 1) first neuron of each dimension */
  const float *gain, *bias, *decode; /* (m) gain times encoder; decoder of one spike */
  const double *A, *B, *u;          /* (d, d), (d), (period) */
  double decay, dt, tau_rc, tau_ref;
  uint64_t seed;
  double *x;                        /* (d) */
  float *voltage, *waiting;         /* (m) */
} memory;

/* A 32-bit mix of neuron and step (Wellons' lowbias32, keyed twice). */
static inline uint32_t mixed(uint32_t neuron, uint32_t key, uint32_t more) {
  uint32_t z = neuron ^ key;
  z ^= z >> 16;
  z *= 0x21f0aaadu;
  z ^= z >> 15;
  z = (z + more) * 0x735a2d97u;
  return z ^ z >> 15;
}

/* SplitMix64: the keys of a step. */
static inline uint64_t keys(uint64_t seed, uint64_t step) {
  uint64_t z = seed * 0xd1342543de82ef95u + (step + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* exp(-x) for x >= 0, to 2 units in the last place up to 87. */
static inline float exp_minus(float x) {
  float t = fminf(x, 87.0f) * -1.44269504f;
  float whole = nearbyintf(t);
  float f = t - whole; /* 2^f = 1 + f ln 2 + ..., |f| <= 1/2 */
  float p = 1.53533619e-4f;
  p = p * f + 1.33988744e-3f;
  p = p * f + 9.61843736e-3f;
  p = p * f + 5.55033198e-2f;
  p = p * f + 2.40226512e-1f;
  p = p * f + 6.93147200e-1f;
  p = p * f + 1.0f;
  int32_t bits;
  memcpy(&bits, &p, 4);
  bits += (int32_t)whole << 23;
  memcpy(&p, &bits, 4);
  return p;
}

/* log(x) for normal x > 0, to 1e-7: 2 atanh((f - 1) / (f + 1)) + e log 2, x = 2^e f. */
static inline float log_of(float x) {
  int32_t bits;
  memcpy(&bits, &x, 4);
  int32_t e = (bits - 0x3f3504f3) >> 23; /* f from sqrt(1/2) to sqrt(2) */
  bits -= e * (1 << 23);
  float f;
  memcpy(&f, &bits, 4);
  float z = (f - 1) / (f + 1), q = z * z;
  float series = 1 + q * (1 / 3.0f + q * (0.2f + q * (1 / 7.0f + q / 9)));
  return 2 * z * series + e * 0.693147181f;
}

/* A count drawn by inversion: as many as there are sums of exp(-mean) mean^k / k! that
   a uniform number exceeds.  The first four suffice nearly always; where they do not,
   `left` is above 0. */
static inline float count(float mean, float uniform, float *left) {
  float p = exp_minus(mean), rest = uniform - p, n = rest > 0 ? 1.0f : 0.0f;
  p *= mean;
  rest -= p;
  n += rest > 0 ? 1.0f : 0.0f;
  p *= mean * 0.5f;
  rest -= p;
  n += rest > 0 ? 1.0f : 0.0f;
  p *= mean * (1 / 3.0f);
  rest -= p;
  n += rest > 0 ? 1.0f : 0.0f;
  *left = rest;
  return n;
}

static inline float uniform(uint32_t neuron, uint64_t key) {
  return (int32_t)(mixed(neuron, key, key >> 32) >> 8) * 0x1p-24f;
}

/* What a count has beyond the first four, at 1 - v of the uniform numbers; the half
   step keeps that below 1, which the sums never reach. */
static float beyond(float mean, float v) {
  double p = exp(-(double)mean), sum = p, uniform = 1 - ((double)v + 0x1p-25);
  int n = 0;
  while (uniform > sum && n < 1000) {
    p *= mean / ++n;
    sum += p;
  }
  return n > 4 ? n - 4 : 0;
}

/* The neurons of a block that may spike: those whose mean is above 1 - uniform, since
   1 - exp(-mean) is below the mean.  Few are, and the others need no exponential. */
static int candidates(const memory *net, int64_t at, int n, float x, uint64_t key,
                      int32_t *which) {
  const float *gain = net->gain + at, *bias = net->bias + at;
  int found = 0, k = 0;
#ifdef __AVX512F__
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2,
                                        1, 0);
  const __m512i more = _mm512_set1_epi32(key >> 32);
  const __m512i low = _mm512_set1_epi32(key);
  const __m512 state = _mm512_set1_ps(x);
  for (; k + 16 <= n; k += 16) {
    __m512 r = _mm512_fmadd_ps(_mm512_loadu_ps(gain + k), state,
                               _mm512_loadu_ps(bias + k));
    if (!_mm512_cmp_ps_mask(r, _mm512_setzero_ps(), _CMP_GT_OQ)) continue;
    __m512i z = _mm512_add_epi32(_mm512_set1_epi32(at + k), lane);
    z = _mm512_xor_si512(z, low);
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 16));
    z = _mm512_mullo_epi32(z, _mm512_set1_epi32(0x21f0aaad));
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 15));
    z = _mm512_mullo_epi32(_mm512_add_epi32(z, more), _mm512_set1_epi32(0x735a2d97));
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 15));
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(z, 8)),
                             _mm512_set1_ps(0x1p-24f));
    __mmask16 may = _mm512_cmp_ps_mask(v, r, _CMP_LT_OQ);
    __m512i here = _mm512_add_epi32(_mm512_set1_epi32(k), lane);
    _mm512_storeu_si512(which + found, _mm512_maskz_compress_epi32(may, here));
    found += __builtin_popcount(may);
  }
#endif
  for (; k < n; k++) {
    which[found] = k;
    found += uniform(at + k, key) < gain[k] * x + bias[k];
  }
  return found;
}

static float poisson(const memory *net, int64_t at, int n, float x, uint64_t key) {
  const float *gain = net->gain + at, *bias = net->bias + at;
  const float *decode = net->decode + at;
  int32_t which[BLOCK + 16];
  float most = 0, sum = 0;
  int found = candidates(net, at, n, x, key, which);
  for (int j = 0; j < found; j++) {
    int k = which[j];
    float left, mean = gain[k] * x + bias[k];
    sum += decode[k] * count(mean, 1 - uniform(at + k, key), &left);
    most = fmaxf(most, left);
  }
  for (int j = 0; most > 0 && j < found; j++) {
    int k = which[j];
    sum += decode[k] * beyond(gain[k] * x + bias[k], uniform(at + k, key));
  }
  return sum;
}

static float regular(const memory *net, int64_t at, int n, float x) {
  const float *gain = net->gain + at, *bias = net->bias + at;
  const float *decode = net->decode + at;
  float *voltage = net->voltage + at;
  float sum = 0;
  for (int k = 0; k < n; k++) {
    float drive = gain[k] * x + bias[k];
    float v = voltage[k] + fmaxf(drive, 0.0f);
    float count = floorf(v);
    voltage[k] = v - count;
    sum += decode[k] * count;
  }
  return sum;
}

static float rate(const memory *net, int64_t at, int n, float x) {
  const float *gain = net->gain + at, *bias = net->bias + at;
  const float *decode = net->decode + at;
  float sum = 0;
  for (int k = 0; k < n; k++) {
    float drive = gain[k] * x + bias[k];
    sum += decode[k] * fmaxf(drive, 0.0f);
  }
  return sum;
}

/* Nengo's LIF: exact between spikes, with the time of a spike inside its step. */
static float lif(const memory *net, int64_t at, int n, float x) {
  const float *gain = net->gain + at, *bias = net->bias + at;
  const float *decode = net->decode + at;
  float *voltage = net->voltage + at, *waiting = net->waiting + at;
  float dt = net->dt, leak = 1 / (float)net->tau_rc, rc = net->tau_rc;
  float ref = net->tau_ref, sum = 0;
  for (int k = 0; k < n; k++) {
    float drive = gain[k] * x + bias[k];
    float wait = waiting[k] - dt;
    float free = fminf(fmaxf(dt - wait, 0.0f), dt);
    float h = free * leak; /* at most dt / tau_rc: the series of 1 - exp(-h) */
    float grown = h * (1 - h * (0.5f - h * (1 / 6.0f - h * (1 / 24.0f - h / 120))));
    float v = voltage[k] + (drive - voltage[k]) * grown;
    v = fmaxf(v, 0.0f);
    float over = v > 1 ? (v - 1) / (drive - 1) : 0.0f;
    float after = ref + dt + rc * log_of(fmaxf(1 - over, 1e-30f));
    sum += v > 1 ? decode[k] : 0.0f;
    waiting[k] = v > 1 ? after : wait;
    voltage[k] = v > 1 ? 0.0f : v;
  }
  return sum;
}

static float block(const memory *net, int64_t at, int n, float x, uint64_t key) {
  switch (net->kind) {
  case POISSON: return poisson(net, at, n, x, key);
  case REGULAR: return regular(net, at, n, x);
  case RATE: return rate(net, at, n, x);
  default: return lif(net, at, n, x);
  }
}

/* `steps` steps from step `first`; the state before each is kept (steps, d). */
void run(const memory *net, int64_t first, int64_t steps, double *kept) {
  int64_t d = net->d;
  double y[d], next[d];
  for (int64_t step = first; step < first + steps; step++, kept += d) {
    uint64_t key = keys(net->seed, step);
    double u = net->u[step % net->period];
    memcpy(kept, net->x, d * sizeof(double));
    for (int64_t i = 0; i < d; i++) {
      int64_t end = net->start[i + 1];
      y[i] = 0;
      for (int64_t at = net->start[i]; at < end; at += BLOCK) {
        int n = end - at < BLOCK ? end - at : BLOCK;
        y[i] += block(net, at, n, net->x[i], key);
      }
    }
    for (int64_t i = 0; i < d; i++) {
      double in = net->B[i] * u;
      for (int64_t j = 0; j < d; j++) in += net->A[i * d + j] * y[j];
      next[i] = net->decay * net->x[i] + (1 - net->decay) * in;
    }
    memcpy(net->x, next, d * sizeof(double));
  }
}

/* The counts of n neurons of one mean at one step, for a test of their law. */
void draw(int64_t n, double mean, uint64_t seed, uint64_t step, float *drawn) {
  uint64_t key = keys(seed, step);
  for (int64_t k = 0; k < n; k++) {
    float left, v = uniform(k, key);
    drawn[k] = count(mean, 1 - v, &left);
    if (left > 0) drawn[k] += beyond(mean, v);
  }
}
