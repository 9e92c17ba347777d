// Cross entropy of logits [rows, classes, batch] and targets of the same shape.
#include "common.cuh"

// Logarithm of the sum of the exponentials of the classes at `at`, an index of [rows, batch].
__device__ __forceinline__ float log_sum(const float *logits, const size classes, const size batch, const size at) {
  const float *first = logits + (size_t)(at / batch) * classes * batch + at % batch;
  float most = first[0], sum = 0.0f;
  for (size i = 1; i < classes; i++) most = fmaxf(most, first[i * batch]);
  for (size i = 0; i < classes; i++) sum += expf(first[i * batch] - most);
  return most + logf(sum);
}

// The sum over rows and batch, divided by the batch. One block.
KERNEL cross_entropy(const size count, const size classes, const size batch, const float *logits, const float *targets,
                     float *loss) {
  float sum = 0.0f;
  for (size at = threadIdx.x; at < count / classes; at += THREADS) {
    const float all = log_sum(logits, classes, batch, at);
    const size_t first = (size_t)(at / batch) * classes * batch + at % batch;
    for (size i = 0; i < classes; i++) sum += targets[first + i * batch] * (all - logits[first + i * batch]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) loss[0] = sum / batch;
}

// Gradient of the logits for the gradient `d_loss` of the loss.
KERNEL cross_entropy_gradient(const size count, const size classes, const size batch, const float *logits,
                              const float *targets, const float *d_loss, float *d_logits) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count / classes) return;
  const float all = log_sum(logits, classes, batch, at);
  const size_t first = (size_t)(at / batch) * classes * batch + at % batch;
  float weight = 0.0f;
  for (size i = 0; i < classes; i++) weight += targets[first + i * batch];
  for (size i = 0; i < classes; i++) {
    const size_t own = first + i * batch;
    d_logits[own] = d_loss[0] / batch * (weight * expf(logits[own] - all) - targets[own]);
  }
}
