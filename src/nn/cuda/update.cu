// Updates of variables in place, and packing of parameters.
#include "common.cuh"

// A step of stochastic gradient descent: velocity = momentum * velocity + gradient + decay * weight, then
// weight -= rate * velocity.
KERNEL momentum_step(const size count, const float momentum, const float decay, const float rate, float *weight,
                     const float *gradient, float *velocity) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const float v = momentum * velocity[at] + gradient[at] + decay * weight[at];
  velocity[at] = v;
  weight[at] -= rate * v;
}

// mean = decay * mean + rest * value.
KERNEL average_into(const size count, const float decay, const float rest, float *mean, const float *value) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at < count) mean[at] = decay * mean[at] + rest * value[at];
}

// Three tensors one after another: [first + second + third].
KERNEL concatenate(const size count, const size first, const size second, const float *a, const float *b, const float *c,
                   float *out) {
  const size at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  out[at] = at < first ? a[at] : at < first + second ? b[at - first] : c[at - first - second];
}
