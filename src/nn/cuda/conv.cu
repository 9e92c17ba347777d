// Convolutions as matrix products: the unfolded input, and its transpose, which folds a gradient.
#include "common.cuh"

// Unfolds x [channels, batch, height, width] to columns [channels * k * k, batch * out_height * out_width]. A thread has all
// taps of a position, since divisions cost more than what they index. Grid: positions by channels.
KERNEL unfold(const size count, const size batch, const size height, const size width, const size k, const size stride,
              const size padding, const size out_height, const size out_width, const float *x, float *columns) {
  const size positions = batch * out_height * out_width, at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= positions) return;
  const size image = at / (out_height * out_width), place = at % (out_height * out_width);
  // Below zero they wrap around and are too large.
  const size top = place / out_width * stride - padding, left = place % out_width * stride - padding;
  const float *map = x + (size_t)(blockIdx.y * batch + image) * height * width;
  float *column = columns + (size_t)blockIdx.y * k * k * positions + at;
  for (size y = top; y != top + k; y++) {
    for (size x_at = left; x_at != left + k; x_at++) {
      *column = y < height && x_at < width ? map[y * width + x_at] : 0.0f;
      column += positions;
    }
  }
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
  // Windows from the last one that begins at or before this value; `i` and `j` are its place in them.
  for (size i = y % stride, out_y = y / stride; i < k && out_y < y + 1; i += stride, out_y--) {
    if (out_y >= out_height) continue;
    for (size j = x % stride, out_x = x / stride; j < k && out_x < x + 1; j += stride, out_x--) {
      if (out_x < out_width) sum += column[(size_t)(i * k + j) * positions + out_y * out_width + out_x];
    }
  }
  dx[(size_t)channel * values + at] = sum;
}
