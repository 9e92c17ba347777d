// What the parts of the software device share: the driver (libcuda), cuBLAS, cuRAND, NCCL and the kernels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#define SOFT_API extern "C" __attribute__((visibility("default")))

namespace soft {

struct Index { unsigned x, y, z; };
struct Launch { Index grid, block; };

// One parameter of a kernel.
struct Parameter { bool pointer, writes; uint8_t size; uint32_t element; bool count; };

// A kernel compiled for the host.
struct Kernel {
  const char *name;
  int count;
  const Parameter *parameters;
  void (*run)(void **values, const Launch &);
  Kernel *next;
};

// Memory that an operation of a stream touches.
struct Span { uint64_t device; size_t bytes; bool writes; };

// Begins an operation of a stream: injected faults, liveness and bounds of its memory, order among streams, accounts. Gives
// a CUresult; the caller then works on `host` addresses, under the lock that `begin` took, and calls `end`.
struct Operation { const char *kind, *name; void *stream; const Span *spans; int count; double flops; const char *detail; };
__attribute__((visibility("default"))) int begin(const Operation &);
__attribute__((visibility("default"))) void end();
// Where the bytes of a device address lie; 0 for 0.
__attribute__((visibility("default"))) void *host(uint64_t device);
// The code that the knob SOFTCUDA_FAIL has for this call of its kind; 0 for none.
__attribute__((visibility("default"))) int injected(const char *kind);
// A fault of the program, said once.
__attribute__((visibility("default"))) void fault(const char *format, ...);

// The kernel or operation that runs.
extern const char *running;

// Within a kernel.
extern Index thread_index, block_index, block_size, grid_size;
void fibers(void (*thread)(void **), void **values, const Launch &);
void add(Kernel *);
void block_barrier();
void warp_exchange(const void *mine, void *theirs, unsigned bytes, unsigned lane);
[[noreturn]] void device_assertion(const char *what, const char *file, int line);

template <class T> constexpr Parameter describe() {
  if constexpr (std::is_pointer_v<T>) {
    using E = std::remove_pointer_t<T>;
    return {true, !std::is_const_v<E>, 8, sizeof(E), false};
  } else {
    return {false, false, sizeof(T), 0, std::is_integral_v<T>};
  }
}

template <bool fibered, auto F> struct Entry;
template <bool fibered, class... A, void (*F)(A...)> struct Entry<fibered, F> {
  static constexpr Parameter parameters[] = {describe<std::remove_cv_t<A>>()...};
  template <size_t... I> static void call(void **values, std::index_sequence<I...>) {
    F(*static_cast<std::remove_cv_t<A> *>(values[I])...);
  }
  static void thread(void **values) { call(values, std::index_sequence_for<A...>{}); }
  static void run(void **values, const Launch &l) {
    if constexpr (fibered) return fibers(thread, values, l);
    Index &b = block_index, &t = thread_index;
    for (b.z = 0; b.z < l.grid.z; b.z++)
      for (b.y = 0; b.y < l.grid.y; b.y++)
        for (b.x = 0; b.x < l.grid.x; b.x++)
          for (t.z = 0; t.z < l.block.z; t.z++)
            for (t.y = 0; t.y < l.block.y; t.y++)
              for (t.x = 0; t.x < l.block.x; t.x++) thread(values);
  }
  explicit Entry(const char *name) {
    static Kernel kernel{name, int(sizeof...(A)), parameters, run, nullptr};
    add(&kernel);
  }
};

}  // namespace soft
