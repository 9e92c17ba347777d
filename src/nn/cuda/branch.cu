// The branches after their 1x1 convolution z [a * c, batch * positions]: h = ReLU(z * scale + shift), the mask of each
// position, and the means of h times the mask. h is computed where it is read, and never stored.
#include "common.cuh"

// Hidden maps of a mask.
#define HIDDEN 16

// Packed parameters of the masks of `all` branches: weight, bias, gamma, beta and output weight, [all, 16] each, and output
// bias [all].
struct Parameters {
  const float *weight, *bias, *gamma, *beta, *out_weight, *out_bias;
};
__device__ __forceinline__ Parameters unpacked(const float *packed, const size all) {
  const size part = all * HIDDEN;
  const Parameters p = {packed, packed + part, packed + 2 * part, packed + 3 * part, packed + 4 * part, packed + 5 * part};
  return p;
}

__device__ __forceinline__ float rectified(const float value) { return value < 0.0f ? 0.0f : value; }

// Means of h over channels: means [a, n]. Grid: n by a.
KERNEL branch_means(const size count, const size c, const size n, const float *z, const float *scale, const float *shift,
                    float *means) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, a = blockIdx.y;
  if (at >= n) return;
  float sum = 0.0f;
  for (size row = a * c; row < (a + 1) * c; row++) sum += rectified(z[(size_t)row * n + at] * scale[row] + shift[row]);
  means[(size_t)a * n + at] = sum / c;
}

// Moments of the hidden maps of a batch, which are scaled copies of one map with these moments.
KERNEL mask_moments(const size count, const float *mean, const float *variance, const float *packed, float *hidden_mean,
                    float *hidden_variance) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const Parameters p = unpacked(packed, count / HIDDEN);
  hidden_mean[at] = p.weight[at] * mean[at / HIDDEN] + p.bias[at];
  hidden_variance[at] = p.weight[at] * p.weight[at] * variance[at / HIDDEN];
}

// The line from the channel mean to a normalized hidden map.
struct Line {
  float factor, offset;
};
__device__ __forceinline__ Line line(const Parameters &p, const size map, const float eps, const float mean,
                                     const float variance) {
  const float scale = p.gamma[map] / sqrtf(variance + eps);
  const Line found = {scale * p.weight[map], p.beta[map] + scale * (p.bias[map] - mean)};
  return found;
}

// The masks [a, n] from the means of h. Grid: n by a.
KERNEL mask(const size count, const size n, const float eps, const float *means, const float *packed,
            const float *hidden_mean, const float *hidden_variance, float *masks) {
  __shared__ Line lines[HIDDEN];
  const size at = blockIdx.x * blockDim.x + threadIdx.x, a = blockIdx.y, own = a * HIDDEN + threadIdx.x;
  const Parameters p = unpacked(packed, gridDim.y);
  if (threadIdx.x < HIDDEN) lines[threadIdx.x] = line(p, own, eps, hidden_mean[own], hidden_variance[own]);
  __syncthreads();
  if (at >= n) return;
  const float mean = means[(size_t)a * n + at];
  float logit = p.out_bias[a];
  for (size k = 0; k < HIDDEN; k++) {
    logit += p.out_weight[a * HIDDEN + k] * rectified(mean * lines[k].factor + lines[k].offset);
  }
  masks[(size_t)a * n + at] = 1.0f / (1.0f + expf(-logit));
}

// Means over positions of h times the mask: pooled [a * c, batch]. Grid: images by rows.
KERNEL branch_pool(const size count, const size c, const size batch, const size positions, const float *z,
                   const float *scale, const float *shift, const float *masks, float *pooled) {
  const size image = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (image >= batch) return;
  const float *of_row = z + ((size_t)row * batch + image) * positions;
  const float *mask = masks + ((size_t)(row / c) * batch + image) * positions;
  float sum = 0.0f;
  for (size i = 0; i < positions; i++) sum += rectified(of_row[i] * scale[row] + shift[row]) * mask[i];
  pooled[(size_t)row * batch + image] = sum / positions;
}

// h times the mask: gated [a * c, n]. Grid: n by rows.
KERNEL branch_gate(const size count, const size c, const size n, const float *z, const float *scale, const float *shift,
                   const float *masks, float *gated) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (at >= n) return;
  const float h = rectified(z[(size_t)row * n + at] * scale[row] + shift[row]);
  gated[(size_t)row * n + at] = h * masks[(size_t)(row / c) * n + at];
}

// Gradient of the logits of the masks, d_logits [a, n], from that of the pooled features. Grid: n by a.
KERNEL mask_logits_gradient(const size count, const size c, const size batch, const size positions, const float *z,
                            const float *scale, const float *shift, const float *masks, const float *d_pooled,
                            float *d_logits) {
  const size n = batch * positions, at = blockIdx.x * blockDim.x + threadIdx.x, a = blockIdx.y;
  if (at >= n) return;
  float sum = 0.0f;
  for (size row = a * c; row < (a + 1) * c; row++) {
    const float h = rectified(z[(size_t)row * n + at] * scale[row] + shift[row]);
    sum += h * d_pooled[(size_t)row * batch + at / positions];
  }
  const float mask = masks[(size_t)a * n + at];
  d_logits[(size_t)a * n + at] = sum / positions * mask * (1.0f - mask);
}

// Sums over positions and images for each hidden map, [a, 16, 4]: of its gradient d, of d times the mean's distance from
// its own mean, of the logits' gradient times the map, and of the logits' gradient. Grid: hidden maps by a.
KERNEL mask_sums(const size count, const size n, const float eps, const float *means, const float *packed,
                 const float *mean, const float *hidden_mean, const float *hidden_variance, const float *d_logits,
                 float *sums) {
  const size a = blockIdx.y, map = a * HIDDEN + blockIdx.x;
  const Parameters p = unpacked(packed, gridDim.y);
  const float *of_a = means + (size_t)a * n, *d_of_a = d_logits + (size_t)a * n;
  const Line l = line(p, map, eps, hidden_mean[map], hidden_variance[map]);
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (size i = threadIdx.x; i < n; i += THREADS) {
    const float value = of_a[i] * l.factor + l.offset, d_logit = d_of_a[i];
    sum[3] += d_logit;
    if (!(value > 0.0f)) continue;
    sum[0] += d_logit * p.out_weight[map];
    sum[1] += d_logit * p.out_weight[map] * (of_a[i] - mean[a]);
    sum[2] += d_logit * value;
  }
  for (int i = 0; i < 4; i++) sum[i] = block_sum(sum[i]);
  if (threadIdx.x > 0) return;
  for (int i = 0; i < 4; i++) sums[4 * map + i] = sum[i];
}

// Gradient of the packed parameters. Batch norm cancels the first bias.
KERNEL mask_parameters_gradient(const size count, const float eps, const float *packed, const float *variance,
                                const float *hidden_variance, const float *sums, float *d_packed) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, a = at / HIDDEN;
  if (at >= count) return;
  const Parameters p = unpacked(packed, count / HIDDEN);
  const float *sum = sums + 4 * at;
  const float reciprocal = 1.0f / sqrtf(hidden_variance[at] + eps), slope = p.weight[at] * reciprocal;
  d_packed[at] = p.gamma[at] * reciprocal * sum[1] * (1.0f - slope * slope * variance[a]);
  d_packed[count + at] = 0.0f;
  d_packed[2 * count + at] = slope * sum[1];
  d_packed[3 * count + at] = sum[0];
  d_packed[4 * count + at] = sum[2];
  if (at % HIDDEN == 0) d_packed[5 * count + a] = sum[3];
}

// Gradient of the means of h, d_means [a, n]. Grid: n by a.
KERNEL mask_gradient(const size count, const size n, const float eps, const float *means, const float *packed,
                     const float *mean, const float *hidden_mean, const float *hidden_variance, const float *d_logits,
                     const float *sums, float *d_means) {
  __shared__ Line lines[HIDDEN];
  __shared__ float slopes[HIDDEN], factors[HIDDEN];
  const size at = blockIdx.x * blockDim.x + threadIdx.x, a = blockIdx.y, q = threadIdx.x, own = a * HIDDEN + q;
  const Parameters p = unpacked(packed, gridDim.y);
  if (q < HIDDEN) {
    const float reciprocal = 1.0f / sqrtf(hidden_variance[own] + eps);
    lines[q] = line(p, own, eps, hidden_mean[own], hidden_variance[own]);
    slopes[q] = p.weight[own] * reciprocal;
    factors[q] = p.weight[own] * p.gamma[own] * reciprocal;
  }
  __syncthreads();
  if (at >= n) return;
  const float value = means[(size_t)a * n + at], d_logit = d_logits[(size_t)a * n + at], off = value - mean[a];
  float d = 0.0f;
  for (size k = 0; k < HIDDEN; k++) {
    const float *sum = sums + 4 * (a * HIDDEN + k);
    const bool passes = value * lines[k].factor + lines[k].offset > 0.0f;
    const float arrived = passes ? d_logit * p.out_weight[a * HIDDEN + k] : 0.0f;
    d += factors[k] * (arrived - (sum[0] + slopes[k] * off * slopes[k] * sum[1]) / n);
  }
  d_means[(size_t)a * n + at] = d;
}

// The gradient that arrives at value `at` of a row of h.
__device__ __forceinline__ float arriving(const size row, const size c, const size positions, const size n, const size at,
                                          const float value, const float *masks, const float *d_pooled,
                                          const float *d_means) {
  if (!(value > 0.0f)) return 0.0f;
  const size_t place = (size_t)(row / c) * n + at;
  return d_pooled[(size_t)row * (n / positions) + at / positions] / positions * masks[place] + d_means[place] / c;
}

// Gradients of gamma, beta and the bias of the features, which is zero: d_affine [3, a * c]. A block for each row.
KERNEL branch_sums(const size count, const size c, const size batch, const size positions, const float eps, const float *z,
                   const float *mean, const float *variance, const float *scale, const float *shift, const float *masks,
                   const float *d_pooled, const float *d_means, float *d_affine) {
  const size row = blockIdx.x, n = batch * positions;
  const float *of_row = z + (size_t)row * n;
  const float middle = mean[row], reciprocal = 1.0f / sqrtf(variance[row] + eps);
  float sum = 0.0f, weighted = 0.0f;
  for (size i = threadIdx.x; i < n; i += THREADS) {
    const float value = of_row[i] * scale[row] + shift[row];
    const float d = arriving(row, c, positions, n, i, value, masks, d_pooled, d_means);
    sum += d, weighted += d * (of_row[i] - middle) * reciprocal;
  }
  sum = block_sum(sum), weighted = block_sum(weighted);
  const size rows = gridDim.x;
  if (threadIdx.x == 0) d_affine[row] = weighted, d_affine[rows + row] = sum, d_affine[2 * rows + row] = 0.0f;
}

// Gradient of z. Grid: n by rows.
KERNEL branch_gradient(const size count, const size c, const size batch, const size positions, const float eps,
                       const float *z, const float *mean, const float *variance, const float *scale, const float *shift,
                       const float *masks, const float *d_pooled, const float *d_means, const float *d_affine,
                       float *dz) {
  const size n = batch * positions, at = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (at >= n) return;
  const float own = z[(size_t)row * n + at];
  const float d = arriving(row, c, positions, n, at, own * scale[row] + shift[row], masks, d_pooled, d_means);
  const float normed = (own - mean[row]) / sqrtf(variance[row] + eps);
  const float d_gamma = d_affine[row], d_beta = d_affine[gridDim.y + row];
  dz[(size_t)row * n + at] = scale[row] * (d - (d_beta + normed * d_gamma) / n);
}
