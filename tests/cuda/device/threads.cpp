// The threads of a block. Where they wait for one another, each runs on a stack of its own.
#include "soft.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace soft {

Index thread_index, block_index, block_size, grid_size;

enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber {
  void *stack_pointer;
  char *stack;
  Index index;
  unsigned number, exchanges;
  State state;
  uint64_t slot[2];
};
static Fiber fiber[1024];
static Fiber *self;
static unsigned threads;
static void *scheduler;
static void (*body)(void **);
static void **arguments;

extern "C" void soft_switch(void **save, void *load);
asm(R"(
.text
soft_switch:
  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
  ret
)");

static void leave(State state) {
  self->state = state;
  soft_switch(&self->stack_pointer, scheduler);
}

static void entry() {
  body(arguments);
  leave(DONE);
  abort();
}

static void resume(Fiber &f) {
  self = &f;
  thread_index = f.index;
  soft_switch(&scheduler, f.stack_pointer);
}

void block_barrier() { leave(AT_BLOCK); }

void warp_exchange(const void *mine, void *theirs, unsigned bytes, unsigned lane) {
  unsigned turn = self->exchanges++ & 1, exchanges = self->exchanges;
  memcpy(&self->slot[turn], mine, bytes);
  leave(AT_WARP);
  unsigned other = self->number / 32 * 32 + lane;
  // A lane that took part may be further by now, but no more than one exchange.
  if (other >= threads || fiber[other].exchanges < exchanges) {
    fault("%s: a shuffle reads a lane that takes no part in it", running);
    memset(theirs, 0xff, bytes);
  } else {
    memcpy(theirs, &fiber[other].slot[turn], bytes);
  }
}

static void run_block() {
  constexpr size_t STACK = 32 << 10;
  for (unsigned i = 0; i < threads; i++) {
    Fiber &f = fiber[i];
    if (!f.stack) f.stack = static_cast<char *>(mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    // What soft_switch pops, and where it goes: as if called, so the stack is 8 off 16.
    void **top = reinterpret_cast<void **>(f.stack + STACK - 64 * (i % 16)) - 1;
    *top-- = nullptr;
    *top = reinterpret_cast<void *>(entry);
    f.stack_pointer = top - 6;
    f.number = i, f.exchanges = 0, f.state = READY;
    f.index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
  }
  for (bool done = false; !done;) {
    bool any = false;
    for (unsigned warp = 0; warp < threads; warp += 32) {
      unsigned last = std::min(warp + 32, threads);
      for (bool again = true; again;) {
        unsigned at_warp = 0, at_block = 0;
        for (unsigned i = warp; i < last; i++) {
          if (fiber[i].state == READY) resume(fiber[i]);
          at_warp += fiber[i].state == AT_WARP, at_block += fiber[i].state == AT_BLOCK;
        }
        if ((again = at_warp && !at_block))
          for (unsigned i = warp; i < last; i++)
            if (fiber[i].state == AT_WARP) fiber[i].state = READY;
        if (at_warp && at_block) {
          fault("%s: lanes of a warp wait at different places", running);
          abort();
        }
        any |= at_block;
      }
    }
    done = !any;
    for (unsigned i = 0; i < threads; i++)
      if (fiber[i].state == AT_BLOCK) fiber[i].state = READY;
  }
}

void fibers(void (*thread)(void **), void **values, const Launch &l) {
  body = thread, arguments = values, threads = l.block.x * l.block.y * l.block.z;
  Index &b = block_index;
  for (b.z = 0; b.z < l.grid.z; b.z++)
    for (b.y = 0; b.y < l.grid.y; b.y++)
      for (b.x = 0; b.x < l.grid.x; b.x++) run_block();
}

}  // namespace soft
