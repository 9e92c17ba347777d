// What the kernels share. Tensors are contiguous f32. A "row" is all values of a channel, [batch, height, width].
//
// Every kernel takes sizes first, then numbers, then operands, then results. Its first size is the number of elements of its
// largest operand or result. No kernel uses atomics, so that the same inputs give the same bits.
#pragma once
#include <stdint.h>

typedef uint32_t size;

#define KERNEL extern "C" __global__ void

// Threads of a block in kernels that call `block_sum`.
#define THREADS 256

// The sum of `value` over the block, for all of its threads.
__device__ __forceinline__ float block_sum(float value) {
  __shared__ float warps[THREADS / 32];
  for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
  __syncthreads();
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = 0.0f;
  for (int warp = 0; warp < THREADS / 32; warp++) value += warps[warp];
  return value;
}

// The sum of `value` over a block of one warp.
__device__ __forceinline__ float warp_sum(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
  return value;
}
