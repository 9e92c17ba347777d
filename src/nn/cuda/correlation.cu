// Correlation nets: nodes [batch, a, positions * g] from a 1x1 convolution, their edges, and the classifiers.
#include "common.cuh"

// Most scores of a row: one warp has a row, and two values a thread.
#define MOST 64

// Nodes [batch, a, length] from the convolution's output [a * g, batch * positions] and bias [a * g]. A node holds the g
// channels of the first position, then those of the next, or if `by_channel` the positions of the first channel first.
KERNEL nodes(const size count, const size a, const size g, const size batch, const size positions, const size by_channel,
             const float *maps, const float *bias, float *out) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const size node = at / (g * positions) % a, image = at / (g * positions * a), place = at % (g * positions);
  const size k = by_channel ? place / positions : place % g, position = by_channel ? place % positions : place / g;
  const size row = node * g + k;
  out[at] = maps[((size_t)row * batch + image) * positions + position] + bias[row];
}

// The transpose of `nodes`: the gradient of the convolution's output.
KERNEL nodes_gradient(const size count, const size a, const size g, const size batch, const size positions,
                      const size by_channel, const float *d_nodes, float *d_maps) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const size position = at % positions, image = at / positions % batch, row = at / (positions * batch), k = row % g;
  const size place = by_channel ? k * positions + position : position * g + k;
  d_maps[at] = d_nodes[((size_t)image * a + row / g) * g * positions + place];
}

// Softmax of the rows of matrices of scores [matrices, a, b]. With `others`, no row has a weight on itself. Also writes each
// row's score with itself, and its largest other score: sizes [2, matrices * a]. A block of one warp for each row.
KERNEL edges(const size count, const size a, const size b, const size others, const float *scores, float *weights,
             float *sizes) {
  const size row = blockIdx.x, own = row % a;
  const float *of_row = scores + (size_t)row * b;
  float value[MOST / 32], most = -INFINITY, other = -INFINITY, sum = 0.0f;
  for (int i = 0; i < MOST / 32; i++) {
    const size at = threadIdx.x + 32 * i;
    value[i] = at < b && !(others && at == own) ? of_row[at] : -INFINITY;
    most = fmaxf(most, value[i]);
    if (at != own) other = fmaxf(other, value[i]);
  }
  for (int lane = 16; lane > 0; lane /= 2) {
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lane));
    other = fmaxf(other, __shfl_xor_sync(0xffffffffu, other, lane));
  }
  for (int i = 0; i < MOST / 32; i++) {
    value[i] = expf(value[i] - most);
    sum += value[i];
  }
  sum = warp_sum(sum);
  for (int i = 0; i < MOST / 32; i++) {
    const size at = threadIdx.x + 32 * i;
    if (at < b) weights[(size_t)row * b + at] = value[i] / sum;
  }
  if (threadIdx.x == 0) sizes[row] = own < b ? of_row[own] : 0.0f, sizes[gridDim.x + row] = other;
}

// Gradient of the scores of rows of `b` from that of their softmax. A block of one warp for each row.
KERNEL softmax_gradient(const size count, const size b, const float *weights, const float *d_weights, float *d_scores) {
  const size_t first = (size_t)blockIdx.x * b;
  float sum = 0.0f;
  for (size i = threadIdx.x; i < b; i += 32) sum += weights[first + i] * d_weights[first + i];
  sum = warp_sum(sum);
  for (size i = threadIdx.x; i < b; i += 32) d_scores[first + i] = weights[first + i] * (d_weights[first + i] - sum);
}

// Gradient of the nodes' dot products, plus its transpose, since both factors are the nodes. A block for each image.
KERNEL edges_gradient(const size count, const size a, const float *weights, const float *d_weights, float *d_scores) {
  __shared__ float products[MOST];
  const size_t image = (size_t)blockIdx.x * a * a;
  const float *w = weights + image, *d = d_weights + image;
  for (size row = threadIdx.x; row < a; row += THREADS) {
    float sum = 0.0f;
    for (size i = 0; i < a; i++) sum += w[row * a + i] * d[row * a + i];
    products[row] = sum;
  }
  __syncthreads();
  for (size at = threadIdx.x; at < a * a; at += THREADS) {
    const size i = at / a, j = at % a;
    d_scores[image + at] = w[at] * (d[at] - products[i]) + w[j * a + i] * (d[j * a + i] - products[j]);
  }
}

// Logits [a, outputs, batch] of tokens [batch, a, length] with weights [a, outputs, length]. A block of one warp for each
// logit.
KERNEL classify(const size count, const size a, const size outputs, const size batch, const size length,
                const float *tokens, const float *weight, const float *bias, float *logits) {
  const size image = blockIdx.x, row = blockIdx.y;
  const float *token = tokens + ((size_t)image * a + row / outputs) * length, *w = weight + (size_t)row * length;
  float sum = 0.0f;
  for (size i = threadIdx.x; i < length; i += 32) sum += token[i] * w[i];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) logits[(size_t)row * batch + image] = sum + bias[row];
}

// Gradient of the tokens of `classify`.
KERNEL classify_tokens_gradient(const size count, const size a, const size outputs, const size batch, const size length,
                                const float *weight, const float *d_logits, float *d_tokens) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const size i = at % length, token = at / length % a, image = at / (length * a);
  float sum = 0.0f;
  for (size row = token * outputs; row < (token + 1) * outputs; row++) {
    sum += d_logits[(size_t)row * batch + image] * weight[(size_t)row * length + i];
  }
  d_tokens[at] = sum;
}

// Gradient of the weights of `classify`. Grid: values of a row by rows.
KERNEL classify_weight_gradient(const size count, const size a, const size outputs, const size batch, const size length,
                                const float *tokens, const float *d_logits, float *d_weight) {
  const size i = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (i >= length) return;
  float sum = 0.0f;
  for (size image = 0; image < batch; image++) {
    sum += d_logits[(size_t)row * batch + image] * tokens[((size_t)image * a + row / outputs) * length + i];
  }
  d_weight[(size_t)row * length + i] = sum;
}

// Sums of rows, [rows, n] to [rows]. A block for each row.
KERNEL row_sums(const size count, const size n, const float *x, float *sums) {
  float sum = 0.0f;
  for (size i = threadIdx.x; i < n; i += THREADS) sum += x[(size_t)blockIdx.x * n + i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Slope of the leaky ReLU below 0.
#define SLOPE 0.2f

// Scores [batch, heads, a, b] of GATv2: the sum over a head's values of `weight` [d] times the leaky ReLU of left
// [batch, a, d] plus right [batch, b, d]. A block of one warp for each score.
KERNEL additive_scores(const size count, const size heads, const size a, const size b, const size d, const float *left,
                       const float *right, const float *weight, float *scores) {
  const size i = blockIdx.x / b % a, j = blockIdx.x % b, head = blockIdx.x / (a * b) % heads, width = d / heads;
  const size image = blockIdx.x / (a * b * heads);
  const float *l = left + ((size_t)image * a + i) * d, *r = right + ((size_t)image * b + j) * d;
  float sum = 0.0f;
  for (size f = head * width + threadIdx.x; f < (head + 1) * width; f += 32) {
    const float value = l[f] + r[f];
    sum += weight[f] * (value > 0.0f ? value : SLOPE * value);
  }
  sum = warp_sum(sum);
  if (threadIdx.x == 0) scores[blockIdx.x] = sum;
}

// Gradient of `own` [batch, a, d] from that of the scores; with `transposed`, of the tokens that are attended to. Also the
// part of each value in the gradient of the weight: d_weight [batch, a, d].
KERNEL additive_scores_gradient(const size count, const size heads, const size a, const size b, const size d,
                                const size transposed, const float *own, const float *other, const float *weight,
                                const float *d_scores, float *d_own, float *d_weight) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const size f = at % d, i = at / d % a, image = at / (d * a), head = f / (d / heads);
  const float *of_head = d_scores + ((size_t)image * heads + head) * a * b;
  float sum = 0.0f, of_weight = 0.0f;
  for (size j = 0; j < b; j++) {
    const float value = own[at] + other[((size_t)image * b + j) * d + f];
    const float d_score = transposed ? of_head[j * a + i] : of_head[i * b + j];
    sum += d_score * (value > 0.0f ? 1.0f : SLOPE);
    of_weight += d_score * (value > 0.0f ? value : SLOPE * value);
  }
  d_own[at] = sum * weight[f], d_weight[at] = of_weight;
}

// Sums over rows, [n, d] to [d]. A block for each column.
KERNEL column_sums(const size count, const size n, const size d, const float *x, float *sums) {
  float sum = 0.0f;
  for (size i = threadIdx.x; i < n; i += THREADS) sum += x[(size_t)i * d + blockIdx.x];
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
