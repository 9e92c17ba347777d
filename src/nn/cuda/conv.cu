// Convolutions as matrix products: the unfolded input, and its transpose, which folds a gradient.
#include "common.cuh"

// Unfolds x [channels, batch, height, width] to columns [channels * k * k, batch * out_height * out_width].
// Grid: positions by rows of the result.
KERNEL unfold(const size count, const size batch, const size height, const size width, const size k, const size stride,
              const size padding, const size out_height, const size out_width, const float *x, float *columns) {
  const size positions = batch * out_height * out_width, at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= positions) return;
  const size row = blockIdx.y, channel = row / (k * k), tap = row % (k * k);
  const size image = at / (out_height * out_width), place = at % (out_height * out_width);
  // Below zero they wrap around and are too large.
  const size y = place / out_width * stride + tap / k - padding, x_at = place % out_width * stride + tap % k - padding;
  float value = 0.0f;
  if (y < height && x_at < width) value = x[((size_t)(channel * batch + image) * height + y) * width + x_at];
  columns[(size_t)row * positions + at] = value;
}

// Adds up columns [channels * k * k, batch * out_height * out_width] to dx [channels, batch, height, width].
// Grid: values of a channel by channels.
KERNEL fold(const size count, const size batch, const size height, const size width, const size k, const size stride,
            const size padding, const size out_height, const size out_width, const float *columns, float *dx) {
  const size values = batch * height * width, at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= values) return;
  const size channel = blockIdx.y, image = at / (height * width), place = at % (height * width);
  const size y = place / width + padding, x = place % width + padding;
  const size positions = batch * out_height * out_width;
  const float *column = columns + (size_t)channel * k * k * positions + (size_t)image * out_height * out_width;
  float sum = 0.0f;
  for (size i = y % stride; i < k && i <= y; i += stride) {
    const size out_y = (y - i) / stride;
    if (out_y >= out_height) continue;
    for (size j = x % stride; j < k && j <= x; j += stride) {
      const size out_x = (x - j) / stride;
      if (out_x < out_width) sum += column[(size_t)(i * k + j) * positions + out_y * out_width + out_x];
    }
  }
  dx[(size_t)channel * values + at] = sum;
}
