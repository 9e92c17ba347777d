// libcublas.so.13 on a CPU: the matrix products that candle asks for.
#include "soft.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Type { F32 = 0, F64 = 1, F16 = 2, BF16 = 14 };  // cudaDataType_t
enum { COMPUTE_64F = 70, FAST_16F = 74, FAST_16BF = 75, FAST_TF32 = 77 };  // cublasComputeType_t

struct Handle { void *stream = nullptr; int pointers = 0; };

size_t size(int type) { return type == F64 ? 8 : type == F32 ? 4 : 2; }

float from_bits(uint32_t bits) { float v; memcpy(&v, &bits, 4); return v; }
uint32_t to_bits(float v) { uint32_t bits; memcpy(&bits, &v, 4); return bits; }
// To the nearest value with `kept` bits of mantissa, ties to even.
float rounded(float v, int kept) {
  uint32_t bits = to_bits(v), cut = 23 - kept;
  if (std::isnan(v) || std::isinf(v)) return v;
  return from_bits((bits + (1u << (cut - 1)) - 1 + (bits >> cut & 1)) & ~((1u << cut) - 1));
}
double get(const void *at, size_t i, int type) {
  switch (type) {
    case F32: return static_cast<const float *>(at)[i];
    case F64: return static_cast<const double *>(at)[i];
    case BF16: return from_bits(uint32_t(static_cast<const uint16_t *>(at)[i]) << 16);
    default: _Float16 half; memcpy(&half, static_cast<const uint16_t *>(at) + i, 2); return half;
  }
}
void set(void *at, size_t i, int type, double v) {
  switch (type) {
    case F32: static_cast<float *>(at)[i] = float(v); break;
    case F64: static_cast<double *>(at)[i] = v; break;
    case BF16: static_cast<uint16_t *>(at)[i] = std::isnan(v) ? 0x7fff : to_bits(rounded(float(v), 7)) >> 16; break;
    default: _Float16 half = _Float16(float(v)); memcpy(static_cast<uint16_t *>(at) + i, &half, 2);
  }
}

// A block of the product: rows times columns of panels that lie in the order they are read.
constexpr int ROWS = 32, COLUMNS = 6;
void block(const float *a, const float *b, int k, float (&sum)[COLUMNS][ROWS]) {
  float s[COLUMNS][ROWS] = {};
  for (int p = 0; p < k; p++, a += ROWS, b += COLUMNS)
    for (int j = 0; j < COLUMNS; j++)
      for (int i = 0; i < ROWS; i++) s[j][i] += a[i] * b[j];
  memcpy(sum, s, sizeof s);
}

struct Product {
  int ta, tb, m, n, k;
  const void *alpha, *a; int a_type, lda; long long a_step;
  const void *b; int b_type, ldb; long long b_step;
  const void *beta; void *c; int c_type, ldc; long long c_step;
  int count, compute;
};

void in_double(const Product &q, const void *a, const void *b, void *c, double alpha, double beta) {
  for (int j = 0; j < q.n; j++)
    for (int i = 0; i < q.m; i++) {
      double sum = 0;
      for (int p = 0; p < q.k; p++)
        sum += get(a, q.ta ? p + size_t(i) * q.lda : i + size_t(p) * q.lda, q.a_type) *
               get(b, q.tb ? j + size_t(p) * q.ldb : p + size_t(j) * q.ldb, q.b_type);
      size_t at = i + size_t(j) * q.ldc;
      set(c, at, q.c_type, alpha * sum + (beta == 0 ? 0 : beta * get(c, at, q.c_type)));
    }
}

void in_float(const Product &q, const void *a, const void *b, void *c, double alpha, double beta) {
  auto factor = [&](const void *at, size_t i, int type) {
    float v = float(get(at, i, type));
    return q.compute == FAST_TF32 ? rounded(v, 10) : q.compute == FAST_16BF ? rounded(v, 7) : v;
  };
  int up = (q.m + ROWS - 1) / ROWS, across = (q.n + COLUMNS - 1) / COLUMNS;
  static std::vector<float> pa, pb;
  pa.assign(size_t(up) * ROWS * q.k, 0), pb.assign(size_t(across) * COLUMNS * q.k, 0);
  for (int i = 0; i < q.m; i++)
    for (int p = 0; p < q.k; p++)
      pa[(size_t(i / ROWS) * q.k + p) * ROWS + i % ROWS] = factor(a, q.ta ? p + size_t(i) * q.lda : i + size_t(p) * q.lda, q.a_type);
  for (int j = 0; j < q.n; j++)
    for (int p = 0; p < q.k; p++)
      pb[(size_t(j / COLUMNS) * q.k + p) * COLUMNS + j % COLUMNS] = factor(b, q.tb ? j + size_t(p) * q.ldb : p + size_t(j) * q.ldb, q.b_type);
  float sum[COLUMNS][ROWS];
  for (int bi = 0; bi < up; bi++)
    for (int bj = 0; bj < across; bj++) {
      block(&pa[size_t(bi) * q.k * ROWS], &pb[size_t(bj) * q.k * COLUMNS], q.k, sum);
      for (int j = bj * COLUMNS; j < std::min(q.n, (bj + 1) * COLUMNS); j++)
        for (int i = bi * ROWS; i < std::min(q.m, (bi + 1) * ROWS); i++) {
          size_t at = i + size_t(j) * q.ldc;
          set(c, at, q.c_type, alpha * sum[j % COLUMNS][i % ROWS] + (beta == 0 ? 0 : beta * get(c, at, q.c_type)));
        }
    }
}

int multiply(void *handle, const Product &q) {
  if (!handle) return NOT_INITIALIZED;
  auto &h = *static_cast<Handle *>(handle);
  auto least = [](int rows) { return std::max(1, rows); };
  if (q.m < 0 || q.n < 0 || q.k < 0 || q.count < 0 || q.lda < least(q.ta ? q.k : q.m) || q.ldb < least(q.tb ? q.n : q.k) ||
      q.ldc < least(q.m)) {
    soft::fault("gemm: m %d, n %d, k %d with leading dimensions %d, %d, %d", q.m, q.n, q.k, q.lda, q.ldb, q.ldc);
    return INVALID_VALUE;
  }
  bool type = q.a_type == q.b_type && (q.a_type == F32 || q.a_type == F64 || q.a_type == F16 || q.a_type == BF16);
  if (!type || (q.a_type == F64) != (q.compute == COMPUTE_64F) || q.compute == FAST_16F) return NOT_SUPPORTED;
  if (int code = soft::injected("cublas")) return code;
  double alpha = q.compute == COMPUTE_64F ? *static_cast<const double *>(q.alpha) : *static_cast<const float *>(q.alpha);
  double beta = q.compute == COMPUTE_64F ? *static_cast<const double *>(q.beta) : *static_cast<const float *>(q.beta);
  auto extent = [&](int rows, int columns, int ld, long long step, int type) {
    return rows && columns ? ((q.count - 1) * step + size_t(columns - 1) * ld + rows) * size(type) : 0;
  };
  if (!q.m || !q.n || !q.count) return SUCCESS;
  soft::Span spans[] = {
      {uint64_t(q.a), extent(q.ta ? q.k : q.m, q.ta ? q.m : q.k, q.lda, q.a_step, q.a_type), false},
      {uint64_t(q.b), extent(q.tb ? q.n : q.k, q.tb ? q.k : q.n, q.ldb, q.b_step, q.b_type), false},
      {uint64_t(q.c), extent(q.m, q.n, q.ldc, q.c_step, q.c_type), true}};
  char detail[96];
  snprintf(detail, sizeof detail, "%dx%dx%d*%d", q.m, q.n, q.k, q.count);
  const char *name = q.a_type == BF16 ? "bf16" : q.a_type == F16 ? "f16" : q.a_type == F64 ? "f64" : q.compute == FAST_TF32 ? "tf32" : "f32";
  if (int code = soft::begin({"gemm", name, h.stream, spans, 3, 2.0 * q.m * q.n * q.k * q.count, detail}))
    return code < 0 ? SUCCESS : EXECUTION_FAILED;
  for (int i = 0; i < q.count; i++) {
    auto *a = static_cast<const char *>(soft::host(spans[0].device)) + i * q.a_step * size(q.a_type);
    auto *b = static_cast<const char *>(soft::host(spans[1].device)) + i * q.b_step * size(q.b_type);
    auto *c = static_cast<char *>(soft::host(spans[2].device)) + i * q.c_step * size(q.c_type);
    (q.compute == COMPUTE_64F ? in_double : in_float)(q, a, b, c, alpha, beta);
  }
  return soft::end(), SUCCESS;
}

}  // namespace

SOFT_API int cublasCreate_v2(void **out) {
  if (int code = soft::injected("cublas-create")) return code;
  return *out = new Handle, SUCCESS;
}
SOFT_API int cublasDestroy_v2(void *handle) { return delete static_cast<Handle *>(handle), SUCCESS; }
SOFT_API int cublasSetStream_v2(void *handle, void *stream) { return static_cast<Handle *>(handle)->stream = stream, SUCCESS; }
SOFT_API int cublasSetPointerMode_v2(void *handle, int mode) { return static_cast<Handle *>(handle)->pointers = mode, SUCCESS; }
SOFT_API int cublasGetPointerMode_v2(void *handle, int *mode) { return *mode = static_cast<Handle *>(handle)->pointers, SUCCESS; }
SOFT_API int cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int a_type,
                                        int lda, long long a_step, const void *b, int b_type, int ldb, long long b_step,
                                        const void *beta, void *c, int c_type, int ldc, long long c_step, int count, int compute, int) {
  return multiply(handle, {ta, tb, m, n, k, alpha, a, a_type, lda, a_step, b, b_type, ldb, b_step, beta, c, c_type, ldc, c_step, count, compute});
}
SOFT_API int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int a_type, int lda,
                          const void *b, int b_type, int ldb, const void *beta, void *c, int c_type, int ldc, int compute, int) {
  return multiply(handle, {ta, tb, m, n, k, alpha, a, a_type, lda, 0, b, b_type, ldb, 0, beta, c, c_type, ldc, 0, 1, compute});
}
SOFT_API int cublasSgemm_v2(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, const float *b,
                            int ldb, const float *beta, float *c, int ldc) {
  return multiply(handle, {ta, tb, m, n, k, alpha, a, F32, lda, 0, b, F32, ldb, 0, beta, c, F32, ldc, 0, 1, 68});
}
SOFT_API int cublasSgemmStridedBatched(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                                       long long a_step, const float *b, int ldb, long long b_step, const float *beta, float *c, int ldc,
                                       long long c_step, int count) {
  return multiply(handle, {ta, tb, m, n, k, alpha, a, F32, lda, a_step, b, F32, ldb, b_step, beta, c, F32, ldc, c_step, count, 68});
}
SOFT_API int cublasDgemmStridedBatched(void *handle, int ta, int tb, int m, int n, int k, const double *alpha, const double *a, int lda,
                                       long long a_step, const double *b, int ldb, long long b_step, const double *beta, double *c, int ldc,
                                       long long c_step, int count) {
  return multiply(handle, {ta, tb, m, n, k, alpha, a, F64, lda, a_step, b, F64, ldb, b_step, beta, c, F64, ldc, c_step, count, COMPUTE_64F});
}
