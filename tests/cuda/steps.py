"""What a training step asks of a CUDA device, from a trace of the software device (SOFTCUDA_TRACE), and an estimate of its
time on an H100.

  steps.py TRACE BYTES [FIRST [LAST]]

BYTES is the size of a batch of pixels: every copy of that size to the device begins a step (3 * batch * side * side * 4).
Steps FIRST to LAST (default: 2 to the one before the last) are averaged.
"""
import collections, sys

LAUNCH, BANDWIDTH = 5e-6, 3e12           # seconds a launch, bytes a second
RATE = {"f32": 50e12, "tf32": 400e12, "bf16": 800e12, "f16": 800e12, "f64": 50e12}
COPY, PCI = 10e-6, 25e9                   # seconds a copy to or from the host, bytes a second (pageable memory: less)


def main():
    path, marker = sys.argv[1], int(sys.argv[2])
    steps = [[]]
    for line in open(path):
        kind, name, detail, size, flops = line.split()
        if kind == "h2d" and int(size) == marker:
            steps.append([])
        steps[-1].append((kind, name, detail, int(size), float(flops)))
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    last = int(sys.argv[4]) if len(sys.argv) > 4 else len(steps) - 2
    chosen = [operation for step in steps[first:last + 1] for operation in step]
    count = max(1, last + 1 - first)
    print(f"{len(steps) - 1} steps in the trace, {count} averaged")

    total = collections.defaultdict(lambda: [0, 0, 0.0, 0.0])
    kinds = collections.defaultdict(lambda: [0, 0, 0.0, 0.0])
    for kind, name, detail, size, flops in chosen:
        if kind == "launch" or kind in ("memset", "d2d"):
            seconds = max(LAUNCH, size / BANDWIDTH)
        elif kind == "gemm":
            seconds = max(LAUNCH, size / BANDWIDTH, flops / RATE[name])
        elif kind in ("h2d", "d2h"):
            seconds = COPY + size / PCI
        else:
            seconds = 0
        for table, key in ((kinds, kind), (total, f"{kind} {name}")):
            row = table[key]
            row[0] += 1
            row[1] += size
            row[2] += flops
            row[3] += seconds
    show("by kind", kinds, count, lambda row: -row[3])
    show("most calls", {k: v for k, v in total.items() if k.split()[0] in ("launch", "gemm")}, count, lambda row: -row[0])
    show("most bytes", {k: v for k, v in total.items() if k.split()[0] in ("launch", "gemm", "d2d", "memset")}, count, lambda row: -row[1])
    show("most estimated time", total, count, lambda row: -row[3])
    device = sum(row[3] for row in kinds.values()) / count
    print(f"estimate: {1e3 * device:.2f} ms a step where host and device do not overlap, "
          f"of that {1e3 * kinds['gemm'][3] / count:.2f} ms matrix products")


def show(title, table, count, key):
    print(f"\n{title}, a step: calls, MB, GFLOP, estimated ms")
    for name, row in sorted(table.items(), key=lambda item: key(item[1]))[:18]:
        print(f"  {name:34} {row[0] / count:9.1f} {row[1] / count / 1e6:12.2f} {row[2] / count / 1e9:10.3f} {1e3 * row[3] / count:9.3f}")


main()
