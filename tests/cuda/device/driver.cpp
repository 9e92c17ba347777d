// libcuda.so.1 on a CPU: memory, streams, events and launches, with checks that a GPU does not make.
#include "soft.h"
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
       NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, ASSERT = 710, LAUNCH_FAILED = 719 };
constexpr size_t PAGE = 4096, ALIGNMENT = 256, SPACE = size_t(64) << 30;  // addresses of one device
constexpr int DEVICES = 8;

size_t knob(const char *name, size_t otherwise) {
  const char *value = getenv(name);
  if (!value || !*value) return otherwise;
  char *end;
  double number = strtod(value, &end);
  return size_t(number * (*end == 'G' ? 1 << 30 : *end == 'M' ? 1 << 20 : *end == 'K' ? 1 << 10 : 1));
}
const int devices = std::min<int>(knob("SOFTCUDA_DEVICES", 1), DEVICES), capability = knob("SOFTCUDA_CC", 80);
// What a program may really take, and what it is told.
const size_t cap = knob("SOFTCUDA_MEMORY", size_t(6) << 30), told = getenv("SOFTCUDA_MEMORY") ? cap : size_t(80) << 30;
const bool poison = knob("SOFTCUDA_POISON", 1), strict = knob("SOFTCUDA_STRICT", 0);
FILE *const trace = getenv("SOFTCUDA_TRACE") ? fopen(getenv("SOFTCUDA_TRACE"), "w") : nullptr;

// Never destroyed: programs call until they are gone.
template <class T> T &forever() { return *new T; }

auto &lock = forever<std::recursive_mutex>();
using Guard = std::lock_guard<std::recursive_mutex>;

// How far each stream had come. Kept per stream, event and allocation: two operations are in order where one's clock has
// the other's place. What a host thread has waited for counts for all threads, so that no order is missed.
using Clock = std::map<int, uint64_t>;
void join(Clock &to, const Clock &from) { for (auto &[stream, place] : from) to[stream] = std::max(to[stream], place); }
struct Access { int stream; uint64_t place; std::string by; };

struct Allocation {
  size_t bytes, pages;
  long serial;
  Access written{-1, 0, ""};
  std::map<int, Access> read;
};
struct Device {
  std::map<uint64_t, Allocation> live;  // by device address
  std::unordered_map<size_t, std::vector<uint64_t>> free;  // by pages, first page
  size_t bump = 0, used = 0, peak = 0, cached = 0, pool = 0, grown = 0;
  uint64_t threshold = 0;
  int sticky = 0, references = 0;
};
Device *const device = new Device[DEVICES];

struct Stream { int id, device; bool blocking, legacy; Clock clock; };
struct Event { Clock clock; bool recorded = false; };
struct Module { int nothing; };
struct Account { uint64_t calls = 0, bytes = 0; double flops = 0; };

uint64_t base = 0, shadow = 0;  // what programs hold, never mapped; where the bytes are
long serial = 0;
auto &waited = forever<Clock>();
auto &streams = forever<std::vector<Stream *>>();
auto &accounts = forever<std::map<std::string, Account>>();
auto &faults = forever<std::map<std::string, int>>();
soft::Kernel *kernels = nullptr;
thread_local int current = -1;

void account(const char *kind, const char *name, size_t bytes, double flops = 0) {
  Account &a = accounts[std::string(kind) + (*name ? " " : "") + name];
  a.calls++, a.bytes += bytes, a.flops += flops;
}

Stream *make_stream(int on, bool blocking, bool legacy = false) {
  streams.push_back(new Stream{int(streams.size()), on, blocking, legacy, {}});
  return streams.back();
}
Stream *stream_of(void *handle) {
  static auto &legacy = forever<std::map<int, Stream *>>();
  thread_local auto &own = forever<std::map<int, Stream *>>();
  int on = std::max(current, 0);
  if (uintptr_t(handle) > 2) return static_cast<Stream *>(handle);
  Stream *&stream = uintptr_t(handle) == 2 ? own[on] : legacy[on];
  if (!stream) stream = make_stream(on, true, uintptr_t(handle) != 2);
  return stream;
}

// Memory of `pages` pages that ends where a page that no one may touch begins.
uint64_t place(Device &d, int number, size_t pages) {
  auto &free = d.free[pages];
  if (!free.empty()) {
    uint64_t at = free.back();
    free.pop_back();
    d.cached -= pages;
    return at;
  }
  if (d.bump + (pages + 1) * PAGE > SPACE) return 0;
  uint64_t at = base + number * SPACE + d.bump;
  d.bump += (pages + 1) * PAGE;
  if (mprotect(reinterpret_cast<void *>(at - base + shadow), pages * PAGE, PROT_READ | PROT_WRITE)) return 0;
  return at;
}

std::pair<const uint64_t, Allocation> *find(uint64_t at) {
  if (at < base || at >= base + DEVICES * SPACE) return nullptr;
  auto &live = device[(at - base) / SPACE].live;
  auto next = live.upper_bound(at);
  if (next == live.begin()) return nullptr;
  auto &found = *std::prev(next);
  return at < found.first + std::max<size_t>(found.second.bytes, 1) ? &found : nullptr;
}

// Lies memory in a live allocation, and is it in order with what was done to it before?
void check(const char *name, const soft::Span &span, Stream *stream) {
  if (!span.device) return;
  auto *found = find(span.device);
  if (!found || span.device + span.bytes > found->first + found->second.bytes) {
    soft::fault("%s: %zu bytes at %#lx lie in no live allocation", name, span.bytes, span.device);
    device[std::max(current, 0)].sticky = ILLEGAL_ADDRESS;
    return;
  }
  if (int((span.device - base) / SPACE) != stream->device) soft::fault("%s: memory of another device", name);
  Allocation &a = found->second;
  auto unordered = [&](const Access &before, const char *did) {
    if (before.stream < 0 || before.stream == stream->id || before.place <= stream->clock[before.stream]) return;
    soft::fault("%s %s memory that %s %s on another stream, and nothing orders the two", name,
                span.writes ? "writes or frees" : "reads", before.by.c_str(), did);
  };
  unordered(a.written, "wrote");
  Access mine{stream->id, stream->clock[stream->id], name};
  if (span.writes) {
    for (auto &[_, read] : a.read) unordered(read, "reads");
    a.read.clear();
    a.written = mine;
  } else {
    a.read[stream->id] = mine;
  }
}

void wait_for(const Clock &clock) { join(waited, clock); }

// A synchronisation gives back what the pool of the device holds beyond its release threshold, 0 unless somebody sets it.
int synchronised(const Clock &clock, const char *how) {
  if (int code = soft::injected("sync")) device[std::max(current, 0)].sticky = code;
  wait_for(clock);
  Device &d = device[std::max(current, 0)];
  d.pool = std::max<size_t>(d.used, std::min<uint64_t>(d.pool, d.threshold));
  account("sync", how, 0);
  if (trace) fprintf(trace, "sync %s - 0 0\n", how);
  return d.sticky;
}

#define CONTEXT                                      \
  Guard guard(lock);                                 \
  if (current < 0) return INVALID_CONTEXT;           \
  [[maybe_unused]] Device &d = device[current];      \
  if (d.sticky) return d.sticky;

void report() {
  Guard guard(lock);
  const char *path = getenv("SOFTCUDA_STATS");
  FILE *out = !path ? nullptr : !strcmp(path, "-") ? stderr : fopen(path, "w");
  if (trace) fflush(trace);
  for (auto &[text, count] : faults)
    if (count > 1) fprintf(stderr, "softcuda: %d times: %s\n", count, text.c_str());
  if (!out) return;
  for (int i = 0; i < devices; i++) {
    size_t left = 0;
    for (auto &[_, a] : device[i].live) left += a.bytes;
    fprintf(out, "device %d: peak %zu bytes, never freed %zu allocations of %zu bytes, pool grown by %zu bytes\n", i,
            device[i].peak, device[i].live.size(), left, device[i].grown);
  }
  for (auto &[text, count] : faults) fprintf(out, "fault, %d times: %s\n", count, text.c_str());
  for (auto &[name, a] : accounts)
    fprintf(out, "%-40s %10lu calls %16lu bytes %14.0f flops\n", name.c_str(), a.calls, a.bytes, a.flops);
  fflush(out);
}
__attribute__((destructor)) void at_end() { report(); }

struct sigaction before;
void crashed(int number, siginfo_t *info, void *more) {
  uint64_t at = uint64_t(info->si_addr);
  char text[256];
  int length = 0;
  if (at >= base && at < base + DEVICES * SPACE)
    length = snprintf(text, sizeof text, "softcuda: the host touches device memory at %#lx\n", at);
  else if (at >= shadow && at < shadow + DEVICES * SPACE)
    length = snprintf(text, sizeof text, "softcuda: %s runs beyond its memory, at %#lx\n", soft::running ? soft::running : "?", at - shadow + base);
  if (write(2, text, length) < 0) _exit(1);
  sigaction(SIGSEGV, &before, nullptr);
  if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) before.sa_sigaction(number, info, more);
}

}  // namespace

namespace soft {

const char *running = nullptr;

void add(Kernel *kernel) {
  kernel->next = kernels;
  kernels = kernel;
}

void *host(uint64_t at) { return at ? reinterpret_cast<void *>(at - base + shadow) : nullptr; }

void fault(const char *format, ...) {
  char text[512];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  Guard guard(lock);
  if (!faults[text]++) fprintf(stderr, "softcuda: FAULT: %s\n", text);
  if (strict) abort();
}

// SOFTCUDA_FAIL=KIND:N:CODE[,...]: the Nth call of KIND gives CODE; with N+ that one and all later ones.
int injected(const char *kind) {
  struct Wish { std::string kind; long first; bool on; int code; long seen; };
  static std::vector<Wish> &wishes = *[] {
    auto &all = forever<std::vector<Wish>>();
    std::string text = getenv("SOFTCUDA_FAIL") ? getenv("SOFTCUDA_FAIL") : "";
    for (char *save, *part = strtok_r(text.data(), ",", &save); part; part = strtok_r(nullptr, ",", &save)) {
      char name[32], plus = ':';
      long first;
      int code;
      if (sscanf(part, "%31[^:]:%ld%c%d", name, &first, &plus, &code) == 4 ||
          sscanf(part, "%31[^:]:%ld%c:%d", name, &first, &plus, &code) == 4)
        all.push_back({name, first, plus == '+', code, 0});
    }
    return &all;
  }();
  Guard guard(lock);
  for (Wish &wish : wishes) {
    if (wish.kind != kind) continue;
    wish.seen++;
    if (wish.seen == wish.first || (wish.on && wish.seen > wish.first)) {
      fprintf(stderr, "softcuda: %s %ld fails with %d, as asked\n", kind, wish.seen, wish.code);
      return wish.code;
    }
  }
  return 0;
}

int begin(const Operation &o) {
  lock.lock();
  auto refuse = [](int code) { lock.unlock(); return code; };
  if (current < 0) return refuse(INVALID_CONTEXT);
  if (device[current].sticky) return refuse(device[current].sticky);
  Stream *stream = stream_of(o.stream);
  if (stream->device != current) fault("%s: a stream of another device", o.name);
  join(stream->clock, waited);
  // The legacy stream waits for all blocking ones, and they for it.
  for (Stream *other : streams)
    if (stream->device == other->device && stream->blocking && other->blocking && stream->legacy != other->legacy)
      join(stream->clock, other->clock);
  stream->clock[stream->id]++;
  size_t bytes = 0;
  for (int i = 0; i < o.count; i++) check(o.name, o.spans[i], stream), bytes += o.spans[i].device ? o.spans[i].bytes : 0;
  account(o.kind, o.name, bytes, o.flops);
  if (trace) fprintf(trace, "%s %s %s %zu %.0f\n", o.kind, o.name, o.detail, bytes, o.flops);
  if (int code = device[current].sticky) return refuse(code);
  if (int code = injected(o.kind)) {
    // As on a GPU, whoever calls next is told.
    device[current].sticky = code;
    return refuse(strcmp(o.kind, "launch") && strcmp(o.kind, "gemm") ? code : -1);
  }
  running = o.name;
  return SUCCESS;
}

void end() {
  running = nullptr;
  lock.unlock();
}

void device_assertion(const char *what, const char *file, int line) {
  fprintf(stderr, "softcuda: assertion %s of %s, %s:%d\n", what, running, file, line);
  abort();
}

}  // namespace soft

// ---- The driver's functions, those that cudarc calls.

SOFT_API int cuInit(unsigned) {
  Guard guard(lock);
  if (base || devices == 0) return devices == 0 ? 100 : SUCCESS;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  base = uint64_t(mmap(nullptr, DEVICES * SPACE, PROT_NONE, flags, -1, 0));
  shadow = uint64_t(mmap(nullptr, DEVICES * SPACE, PROT_NONE, flags, -1, 0));
  struct sigaction action {};
  action.sa_sigaction = crashed;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before);
  return SUCCESS;
}
SOFT_API int cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
SOFT_API int cuDeviceGetCount(int *count) { return *count = devices, SUCCESS; }
SOFT_API int cuDeviceGet(int *out, int ordinal) {
  if (ordinal < 0 || ordinal >= devices) return INVALID_DEVICE;
  return *out = ordinal, SUCCESS;
}
SOFT_API int cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "Software CUDA device"), SUCCESS; }
SOFT_API int cuDeviceGetUuid_v2(char *id, int on) { return memset(id, on, 16), SUCCESS; }
SOFT_API int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = told, SUCCESS; }
SOFT_API int cuDeviceGetAttribute(int *value, int which, int) {
  switch (which) {
    case 1: *value = 1024; break;            // threads per block
    case 2: case 3: *value = 1024; break;
    case 4: *value = 64; break;
    case 5: *value = 0x7fffffff; break;      // grid
    case 6: case 7: *value = 65535; break;
    case 8: *value = 48 << 10; break;        // shared memory
    case 10: *value = 32; break;             // warp
    case 16: *value = 132; break;            // multiprocessors
    case 39: *value = 2048; break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    case 115: *value = int(knob("SOFTCUDA_POOLS", 1)); break;  // stream-ordered allocation
    default: *value = 0;
  }
  return SUCCESS;
}
SOFT_API int cuDevicePrimaryCtxRetain(void **context, int on) {
  if (on < 0 || on >= devices) return INVALID_DEVICE;
  if (int code = soft::injected("context")) return code;
  Guard guard(lock);
  device[on].references++;
  *context = &device[on];
  return SUCCESS;
}
SOFT_API int cuDevicePrimaryCtxRelease_v2(int on) {
  Guard guard(lock);
  return device[on].references-- > 0 ? SUCCESS : INVALID_CONTEXT;
}
SOFT_API int cuDevicePrimaryCtxGetState(int on, unsigned *flags, int *active) {
  return *flags = 0, *active = device[on].references > 0, SUCCESS;
}
SOFT_API int cuCtxGetCurrent(void **context) { return *context = current < 0 ? nullptr : &device[current], SUCCESS; }
SOFT_API int cuCtxSetCurrent(void *context) {
  current = context ? int(static_cast<Device *>(context) - device) : -1;
  return SUCCESS;
}
SOFT_API int cuCtxGetDevice(int *on) { return *on = std::max(current, 0), current < 0 ? INVALID_CONTEXT : SUCCESS; }
SOFT_API int cuCtxSetFlags(unsigned) { return SUCCESS; }
SOFT_API int cuCtxGetStreamPriorityRange(int *least, int *most) { return *least = 0, *most = -5, SUCCESS; }
SOFT_API int cuCtxSynchronize() {
  CONTEXT
  Clock all;
  for (Stream *stream : streams)
    if (stream->device == current) join(all, stream->clock);
  return synchronised(all, "context");
}

SOFT_API int cuGetErrorName(int code, const char **name) {
  static const auto &names = *new std::map<int, const char *>{
      {0, "CUDA_SUCCESS"}, {1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {3, "CUDA_ERROR_NOT_INITIALIZED"},
      {100, "CUDA_ERROR_NO_DEVICE"}, {101, "CUDA_ERROR_INVALID_DEVICE"}, {201, "CUDA_ERROR_INVALID_CONTEXT"},
      {214, "CUDA_ERROR_ECC_UNCORRECTABLE"}, {400, "CUDA_ERROR_INVALID_HANDLE"}, {500, "CUDA_ERROR_NOT_FOUND"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {710, "CUDA_ERROR_ASSERT"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}};
  auto found = names.find(code);
  return *name = found == names.end() ? "CUDA_ERROR_UNKNOWN" : found->second, SUCCESS;
}
SOFT_API int cuGetErrorString(int code, const char **text) {
  static const auto &texts = *new std::map<int, const char *>{
      {1, "invalid argument"}, {2, "out of memory"}, {3, "initialization error"}, {100, "no CUDA-capable device is detected"},
      {101, "invalid device ordinal"}, {201, "invalid device context"}, {214, "uncorrectable ECC error encountered"},
      {400, "invalid resource handle"}, {500, "named symbol not found"}, {700, "an illegal memory access was encountered"},
      {710, "device-side assert triggered"}, {719, "unspecified launch failure"}};
  auto found = texts.find(code);
  return *text = found == texts.end() ? "unknown error" : found->second, SUCCESS;
}

SOFT_API int cuMemGetInfo_v2(size_t *free, size_t *total) {
  CONTEXT
  return *free = told - std::min(told, d.used), *total = told, SUCCESS;
}
SOFT_API int cuMemAllocAsync(uint64_t *out, size_t bytes, void *handle) {
  CONTEXT
  if (bytes == 0) account("alloc of 0 bytes", "", 0);  // a pool allows it
  if (int code = soft::injected("alloc")) return code;
  size_t rounded = (std::max<size_t>(bytes, 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, pages = (rounded + PAGE - 1) / PAGE;
  if (d.used + rounded > cap) {
    fprintf(stderr, "softcuda: out of memory: %zu bytes asked, %zu of %zu in use\n", bytes, d.used, cap);
    return OUT_OF_MEMORY;
  }
  uint64_t first = place(d, current, pages);
  if (!first) return OUT_OF_MEMORY;
  uint64_t at = first + pages * PAGE - rounded;
  // NaN in every floating-point format.
  if (poison) memset(soft::host(at), 0xff, rounded);
  d.used += rounded;
  d.peak = std::max(d.peak, d.used);
  if (d.used > d.pool) {
    account("pool grows", "", d.used - d.pool);
    if (trace) fprintf(trace, "grow - - %zu 0\n", d.used - d.pool);
    d.grown += d.used - d.pool, d.pool = d.used;
  }
  Allocation &a = d.live[at] = {bytes, pages, ++serial, {}, {}};
  Stream *stream = stream_of(handle);
  join(stream->clock, waited);
  a.written = {stream->id, ++stream->clock[stream->id], "an allocation"};
  account("alloc", "", bytes);
  if (trace) fprintf(trace, "alloc - - %zu 0\n", bytes);
  return *out = at, SUCCESS;
}
SOFT_API int cuMemFreeAsync(uint64_t at, void *handle) {
  CONTEXT
  auto found = d.live.find(at);
  if (found == d.live.end()) return soft::fault("memory is freed that is not allocated"), INVALID_VALUE;
  Allocation &a = found->second;
  Stream *stream = stream_of(handle);
  join(stream->clock, waited);
  stream->clock[stream->id]++;
  check("a free", {at, a.bytes, true}, stream);
  size_t rounded = (std::max<size_t>(a.bytes, 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  auto *bytes = static_cast<unsigned char *>(soft::host(at));
  for (size_t i = a.bytes; poison && i < rounded; i++)
    if (bytes[i] != 0xff) { soft::fault("something wrote beyond an allocation of %zu bytes", a.bytes); break; }
  d.used -= rounded;
  uint64_t first = at + rounded - a.pages * PAGE;
  d.free[a.pages].push_back(first);
  d.cached += a.pages;
  if (d.cached * PAGE > size_t(2) << 30 && a.pages > 64) madvise(soft::host(first), a.pages * PAGE, MADV_DONTNEED);
  account("free", "", a.bytes);
  if (trace) fprintf(trace, "free - - %zu 0\n", a.bytes);
  d.live.erase(found);
  return SUCCESS;
}
SOFT_API int cuDeviceGetDefaultMemPool(void **pool, int on) { return *pool = &device[on], SUCCESS; }
SOFT_API int cuDeviceGetMemPool(void **pool, int on) { return *pool = &device[on], SUCCESS; }
SOFT_API int cuMemPoolSetAttribute(void *pool, int which, const void *value) {
  if (which == 4) memcpy(&static_cast<Device *>(pool)->threshold, value, 8);
  return SUCCESS;
}
SOFT_API int cuMemPoolGetAttribute(void *pool, int which, void *value) {
  const auto &d = *static_cast<Device *>(pool);
  uint64_t of[] = {0, 0, 0, 0, d.threshold, d.pool, d.pool, d.used, d.peak};
  if (which < 4 || which > 8) return INVALID_VALUE;
  return memcpy(value, &of[which], 8), SUCCESS;
}
SOFT_API int cuMemPoolTrimTo(void *pool, size_t bytes) {
  auto &d = *static_cast<Device *>(pool);
  return d.pool = std::max(d.used, std::min(d.pool, bytes)), SUCCESS;
}
// Without a pool: there for all streams at once, and given back when all of them are done.
SOFT_API int cuMemAlloc_v2(uint64_t *out, size_t bytes) {
  if (bytes == 0) return soft::fault("an allocation of 0 bytes, without a pool"), INVALID_VALUE;
  Guard guard(lock);
  if (int code = cuMemAllocAsync(out, bytes, nullptr)) return code;
  return find(*out)->second.written.stream = -1, SUCCESS;
}
SOFT_API int cuMemFree_v2(uint64_t at) {
  Guard guard(lock);
  for (Stream *stream : streams) wait_for(stream->clock);
  return cuMemFreeAsync(at, nullptr);
}
SOFT_API int cuMemHostAlloc(void **out, size_t bytes, unsigned) { return *out = malloc(bytes), *out ? SUCCESS : OUT_OF_MEMORY; }
SOFT_API int cuMemFreeHost(void *at) { return free(at), SUCCESS; }

static int copy(const char *kind, uint64_t to, uint64_t from, const void *host_from, void *host_to, size_t bytes, void *stream) {
  soft::Span spans[2];
  int count = 0;
  if (from) spans[count++] = {from, bytes, false};
  if (to) spans[count++] = {to, bytes, true};
  if (int code = soft::begin({kind, "copy", stream, spans, count, 0, "-"})) return code;
  if (bytes) memmove(to ? soft::host(to) : host_to, from ? soft::host(from) : host_from, bytes);
  // A copy to memory of the host that is not pinned is there when the call returns.
  if (host_to) wait_for(stream_of(stream)->clock);
  return soft::end(), SUCCESS;
}
SOFT_API int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  return copy("h2d", to, 0, from, nullptr, bytes, stream);
}
SOFT_API int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  return copy("d2h", 0, from, nullptr, to, bytes, stream);
}
SOFT_API int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  return copy("d2d", to, from, nullptr, nullptr, bytes, stream);
}
SOFT_API int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) { return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr); }
SOFT_API int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) { return cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr); }
SOFT_API int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) { return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr); }
SOFT_API int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *stream) {
  soft::Span span{to, bytes, true};
  if (int code = soft::begin({"memset", "memset", stream, &span, 1, 0, "-"})) return code;
  memset(soft::host(to), value, bytes);
  return soft::end(), SUCCESS;
}
SOFT_API int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t bytes) { return cuMemsetD8Async(to, value, bytes, nullptr); }

SOFT_API int cuStreamCreate(void **out, unsigned flags) {
  CONTEXT
  return *out = make_stream(current, !(flags & 1)), SUCCESS;
}
SOFT_API int cuStreamCreateWithPriority(void **out, unsigned flags, int) { return cuStreamCreate(out, flags); }
SOFT_API int cuStreamDestroy_v2(void *) { return SUCCESS; }
SOFT_API int cuStreamSynchronize(void *handle) {
  CONTEXT
  return synchronised(stream_of(handle)->clock, "stream");
}
SOFT_API int cuStreamQuery(void *handle) {
  CONTEXT
  return wait_for(stream_of(handle)->clock), SUCCESS;
}
SOFT_API int cuStreamWaitEvent(void *handle, void *event, unsigned) {
  CONTEXT
  join(stream_of(handle)->clock, static_cast<Event *>(event)->clock);
  return account("event", "waited for", 0), SUCCESS;
}
SOFT_API int cuStreamIsCapturing(void *, int *status) { return *status = 0, SUCCESS; }
SOFT_API int cuEventCreate(void **out, unsigned) {
  CONTEXT
  return *out = new Event, SUCCESS;
}
SOFT_API int cuEventDestroy_v2(void *event) { return delete static_cast<Event *>(event), SUCCESS; }
SOFT_API int cuEventRecord(void *event, void *handle) {
  CONTEXT
  Stream *stream = stream_of(handle);
  join(stream->clock, waited);
  static_cast<Event *>(event)->clock = stream->clock;
  return account("event", "recorded", 0), SUCCESS;
}
SOFT_API int cuEventQuery(void *event) {
  CONTEXT
  return wait_for(static_cast<Event *>(event)->clock), SUCCESS;
}
SOFT_API int cuEventSynchronize(void *event) {
  CONTEXT
  return synchronised(static_cast<Event *>(event)->clock, "event");
}
SOFT_API int cuEventElapsedTime_v2(float *ms, void *, void *) { return *ms = 0.001f, SUCCESS; }

SOFT_API int cuModuleLoadData(void **out, const void *) {
  CONTEXT
  if (int code = soft::injected("module")) return code;
  return *out = new Module, account("module", "", 0), SUCCESS;
}
SOFT_API int cuModuleUnload(void *module) { return delete static_cast<Module *>(module), SUCCESS; }
SOFT_API int cuModuleGetFunction(void **out, void *, const char *name) {
  static auto &by_name = forever<std::unordered_map<std::string, soft::Kernel *>>();
  Guard guard(lock);
  if (by_name.empty())
    for (soft::Kernel *kernel = kernels; kernel; kernel = kernel->next)
      if (!by_name.emplace(kernel->name, kernel).second) soft::fault("two kernels are called %s", kernel->name);
  account("function looked up", "", 0);
  auto found = by_name.find(name);
  if (found == by_name.end()) return soft::fault("there is no kernel %s", name), NOT_FOUND;
  return *out = found->second, SUCCESS;
}
SOFT_API int cuFuncSetAttribute(void *, int, int) { return SUCCESS; }
SOFT_API int cuFuncGetAttribute(int *value, int, void *) { return *value = 0, SUCCESS; }

SOFT_API int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                            unsigned shared, void *stream, void **given, void **) {
  const auto &kernel = *static_cast<soft::Kernel *>(function);
  soft::Launch launch{{gx, gy, gz}, {bx, by, bz}};
  if (!gx || !gy || !gz || !bx || !by || !bz || uint64_t(bx) * by * bz > 1024 || bz > 64 || gx > 0x7fffffff || gy > 65535 ||
      gz > 65535 || shared > 48 << 10)
    return soft::fault("%s: a launch of %ux%ux%u blocks of %ux%ux%u threads", kernel.name, gx, gy, gz, bx, by, bz), INVALID_VALUE;
  uint64_t value[32];
  void *values[32];
  soft::Span spans[32];
  int pointers = 0, counts = 0;
  uint64_t elements[2] = {UINT64_MAX, 1};
  for (int i = 0; i < kernel.count; i++) {
    const soft::Parameter &p = kernel.parameters[i];
    value[i] = 0;
    memcpy(&value[i], given[i], p.size);
    values[i] = &value[i];
    if (p.count && counts < 2) elements[counts++] = value[i];
  }
  // The kernels are told a number of elements first; copy2d_* and fast_sum_small_* the two factors of it.
  bool two = !strncmp(kernel.name, "copy2d", 6) || strstr(kernel.name, "_small_");
  uint64_t most = two ? elements[0] * elements[1] : elements[0];
  for (int i = 0; i < kernel.count; i++) {
    const soft::Parameter &p = kernel.parameters[i];
    if (!p.pointer) continue;
    size_t bytes = 0;
    Guard guard(lock);
    if (auto *found = find(value[i]))
      bytes = std::min<unsigned __int128>(found->first + found->second.bytes - value[i], (unsigned __int128)most * p.element);
    else if (value[i])
      bytes = 1;
    spans[pointers++] = {value[i], bytes, p.writes};
    value[i] = value[i] ? uint64_t(value[i] - base + shadow) : 0;
  }
  char detail[64];
  snprintf(detail, sizeof detail, "%ux%ux%u/%ux%ux%u", gx, gy, gz, bx, by, bz);
  if (int code = soft::begin({"launch", kernel.name, stream, spans, pointers, 0, detail})) return code < 0 ? SUCCESS : code;
  soft::grid_size = launch.grid, soft::block_size = launch.block;
  kernel.run(values, launch);
  return soft::end(), SUCCESS;
}
