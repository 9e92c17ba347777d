// libcurand.so.10 on a CPU: generators, of which candle makes one for each device, and uniform numbers.
#include "soft.h"
#include <random>

namespace {
struct Generator { std::mt19937_64 source; void *stream = nullptr; };
Generator &of(void *handle) { return *static_cast<Generator *>(handle); }
}  // namespace

SOFT_API int curandCreateGenerator(void **out, int) {
  if (int code = soft::injected("curand")) return code;
  return *out = new Generator, 0;
}
SOFT_API int curandDestroyGenerator(void *handle) { return delete &of(handle), 0; }
SOFT_API int curandSetPseudoRandomGeneratorSeed(void *handle, unsigned long long seed) { return of(handle).source.seed(seed), 0; }
SOFT_API int curandSetGeneratorOffset(void *, unsigned long long) { return 0; }
SOFT_API int curandSetStream(void *handle, void *stream) { return of(handle).stream = stream, 0; }
SOFT_API int curandGenerateUniform(void *handle, float *to, size_t count) {
  soft::Span span{uint64_t(to), 4 * count, true};
  if (soft::begin({"rand", "uniform", of(handle).stream, &span, 1, 0, "-"})) return 201;
  auto *values = static_cast<float *>(soft::host(span.device));
  for (size_t i = 0; i < count; i++) values[i] = float((of(handle).source() >> 40) + 1) / (1 << 24);
  return soft::end(), 0;
}
