// Batch norm over rows [channels, n], with ReLU and 3x3 max-pooling with stride 2 after it.
#include "common.cuh"

// Mean and squared distances from it of each piece of each row: partial [rows, pieces, 2]. Grid: pieces by rows.
KERNEL moments_of_pieces(const size count, const size n, const size piece, const float *x, float *partial) {
  const size begin = blockIdx.x * piece, end = min(n, begin + piece);
  const float *row = x + (size_t)blockIdx.y * n;
  float sum = 0.0f;
  for (size i = begin + threadIdx.x; i < end; i += THREADS) sum += row[i];
  const float mean = block_sum(sum) / (end - begin);
  sum = 0.0f;
  for (size i = begin + threadIdx.x; i < end; i += THREADS) sum += (row[i] - mean) * (row[i] - mean);
  sum = block_sum(sum);
  if (threadIdx.x > 0) return;
  float *out = partial + 2 * ((size_t)blockIdx.y * gridDim.x + blockIdx.x);
  out[0] = mean, out[1] = sum;
}

// Moments of rows from those of their pieces. A block of one warp for each row.
KERNEL moments_of_rows(const size count, const size n, const size piece, const size pieces, const float *partial,
                       float *mean, float *variance) {
  const size row = blockIdx.x;
  const float *of_row = partial + 2 * (size_t)row * pieces;
  float sum = 0.0f;
  for (size i = threadIdx.x; i < pieces; i += 32) sum += of_row[2 * i] * (min(n, (i + 1) * piece) - i * piece);
  const float middle = warp_sum(sum) / n;
  sum = 0.0f;
  for (size i = threadIdx.x; i < pieces; i += 32) {
    const float off = of_row[2 * i] - middle;
    sum += of_row[2 * i + 1] + off * off * (min(n, (i + 1) * piece) - i * piece);
  }
  sum = warp_sum(sum);
  if (threadIdx.x == 0) mean[row] = middle, variance[row] = sum / n;
}

// What batch norm multiplies by and adds. `affine` is gamma, beta and the bias before the norm, [rows] each. Running
// statistics are of biased values; those of a batch are not, and their bias cancels. `biased` is the mean with the bias.
KERNEL coefficients(const size rows, const size running, const float eps, const float *mean, const float *variance,
                    const float *affine, float *scale, float *shift, float *biased) {
  const size row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float factor = affine[row] / sqrtf(variance[row] + eps), bias = affine[2 * rows + row];
  scale[row] = factor;
  shift[row] = affine[rows + row] + ((running ? bias : 0.0f) - mean[row]) * factor;
  biased[row] = mean[row] + bias;
}

// y = z * scale + shift, and ReLU if `rectify`. Grid: values of a row by rows.
KERNEL normalize(const size count, const size n, const size rectify, const float *z, const float *scale, const float *shift,
                 float *y) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (at >= n) return;
  const float value = z[(size_t)row * n + at] * scale[row] + shift[row];
  // NaN stays.
  y[(size_t)row * n + at] = rectify && value < 0.0f ? 0.0f : value;
}

// `normalize` with ReLU, then the largest of nine values, and its index among them, or 9 if it is zero.
// z [rows, images, height, width], y and indices [rows, images, out_height, out_width]. Grid: values of a row of y by rows.
KERNEL normalize_pool(const size count, const size images, const size height, const size width, const size padding,
                      const size out_height, const size out_width, const float *z, const float *scale, const float *shift,
                      float *y, uint8_t *indices) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (at >= images * out_height * out_width) return;
  const size image = at / (out_height * out_width), place = at % (out_height * out_width);
  const size top = place / out_width * 2, left = place % out_width * 2;
  const float *map = z + ((size_t)row * images + image) * height * width;
  float most = 0.0f;
  size index = 9;
  for (size tap = 0; tap < 9; tap++) {
    // Below zero they wrap around and are too large.
    const size i = top + tap / 3 - padding, j = left + tap % 3 - padding;
    if (i >= height || j >= width) continue;
    const float value = map[i * width + j] * scale[row] + shift[row];
    if (value > most || isnan(value)) most = value, index = tap;
  }
  const size_t out = (size_t)row * images * out_height * out_width + at;
  y[out] = most, indices[out] = index;
}

// The steps after batch norm.
enum Tail { LINEAR, RELU, POOL };

// Shape of a row, [images, height, width], and of the pool's result.
struct Maps {
  size images, height, width, padding, out_height, out_width;
};

// The gradient of the batch norm's output at value `at` of a row, from that of the block's output, `dy`.
template <Tail tail>
__device__ __forceinline__ float arriving(const Maps &maps, const size at, const float normalized, const float *dy,
                                          const uint8_t *indices) {
  if (tail == LINEAR) return dy[at];
  if (tail == RELU) return normalized > 0.0f ? dy[at] : 0.0f;
  const size plane = maps.height * maps.width, place = at % plane;
  const size y = place / maps.width + maps.padding, x = place % maps.width + maps.padding;
  const size_t image = (size_t)(at / plane) * maps.out_height * maps.out_width;
  float sum = 0.0f;
  for (size i = y < 2 ? 0 : (y - 1) / 2; i <= y / 2 && i < maps.out_height; i++) {
    for (size j = x < 2 ? 0 : (x - 1) / 2; j <= x / 2 && j < maps.out_width; j++) {
      const size_t out = image + i * maps.out_width + j;
      if (indices[out] == (y - 2 * i) * 3 + x - 2 * j) sum += dy[out];
    }
  }
  return sum;
}

// Sums over each piece of each row of the arriving gradient, and of it times the normalized value: partial
// [rows, pieces, 2]. Grid: pieces by rows.
template <Tail tail>
__device__ void gradient_sums(const size n, const size piece, const Maps &maps, const float eps, const float *z,
                              const float *mean, const float *variance, const float *scale, const float *shift,
                              const float *dy, const uint8_t *indices, float *partial) {
  const size begin = blockIdx.x * piece, end = min(n, begin + piece), row = blockIdx.y;
  const size_t out = tail == POOL ? (size_t)row * maps.images * maps.out_height * maps.out_width : (size_t)row * n;
  const float *of_row = z + (size_t)row * n;
  const float middle = mean[row], reciprocal = 1.0f / sqrtf(variance[row] + eps);
  float sum = 0.0f, weighted = 0.0f;
  for (size i = begin + threadIdx.x; i < end; i += THREADS) {
    const float d = arriving<tail>(maps, i, of_row[i] * scale[row] + shift[row], dy + out, indices + out);
    sum += d, weighted += d * (of_row[i] - middle) * reciprocal;
  }
  sum = block_sum(sum), weighted = block_sum(weighted);
  if (threadIdx.x > 0) return;
  float *of_piece = partial + 2 * ((size_t)row * gridDim.x + blockIdx.x);
  of_piece[0] = sum, of_piece[1] = weighted;
}

// Gradients of gamma, beta and the bias, which is zero: d_affine [3, rows]. A block of one warp for each row.
KERNEL gradient_sums_of_rows(const size count, const size pieces, const float *partial, float *d_affine) {
  const size row = blockIdx.x, rows = gridDim.x;
  const float *of_row = partial + 2 * (size_t)row * pieces;
  float sum = 0.0f, weighted = 0.0f;
  for (size i = threadIdx.x; i < pieces; i += 32) sum += of_row[2 * i], weighted += of_row[2 * i + 1];
  sum = warp_sum(sum), weighted = warp_sum(weighted);
  if (threadIdx.x == 0) d_affine[row] = weighted, d_affine[rows + row] = sum, d_affine[2 * rows + row] = 0.0f;
}

// The gradient of z. Grid: values of a row by rows.
template <Tail tail>
__device__ void gradient(const size n, const Maps &maps, const float eps, const float *z, const float *mean,
                         const float *variance, const float *scale, const float *shift, const float *dy,
                         const uint8_t *indices, const float *d_affine, float *dz) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (at >= n) return;
  const size_t out = tail == POOL ? (size_t)row * maps.images * maps.out_height * maps.out_width : (size_t)row * n;
  const float value = z[(size_t)row * n + at];
  const float d = arriving<tail>(maps, at, value * scale[row] + shift[row], dy + out, indices + out);
  const float normed = (value - mean[row]) / sqrtf(variance[row] + eps);
  const float d_gamma = d_affine[row], d_beta = d_affine[gridDim.y + row];
  dz[(size_t)row * n + at] = scale[row] * (d - (d_beta + normed * d_gamma) / n);
}

#define GRADIENTS(suffix, tail)                                                                                             \
  KERNEL gradient_sums_##suffix(const size count, const size n, const size piece, const size images, const size height,     \
                                const size width, const size padding, const size out_height, const size out_width,          \
                                const float eps, const float *z, const float *mean, const float *variance,                  \
                                const float *scale, const float *shift, const float *dy, const uint8_t *indices,            \
                                float *partial) {                                                                           \
    const Maps maps = {images, height, width, padding, out_height, out_width};                                              \
    gradient_sums<tail>(n, piece, maps, eps, z, mean, variance, scale, shift, dy, indices, partial);                        \
  }                                                                                                                         \
  KERNEL gradient_##suffix(const size count, const size n, const size images, const size height, const size width,          \
                           const size padding, const size out_height, const size out_width, const float eps,                \
                           const float *z, const float *mean, const float *variance, const float *scale,                    \
                           const float *shift, const float *dy, const uint8_t *indices, const float *d_affine,              \
                           float *dz) {                                                                                     \
    const Maps maps = {images, height, width, padding, out_height, out_width};                                              \
    gradient<tail>(n, maps, eps, z, mean, variance, scale, shift, dy, indices, d_affine, dz);                               \
  }
GRADIENTS(linear, LINEAR)
GRADIENTS(relu, RELU)
GRADIENTS(pool, POOL)
