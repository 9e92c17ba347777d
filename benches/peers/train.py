"""GAL-j in PyTorch, as fast as possible: the network, losses and optimizer of `src/model` and
`src/train/learner.rs`, with channels_last, oneDNN, and all branches as one convolution.

    train.py train|infer BATCH INPUT STRIDE WIDTHS BRANCH THREADS SECONDS
        [--no-input-grad] [--compile] [--no-last-pool] [--device cuda:0] [--tf32] [--bf16]

WIDTHS are five numbers separated by commas. --no-input-grad omits scale and shift of the pixels' norm. PyTorch then does
not compute the first convolution's input gradient, which our code does not need either. --compile uses torch.compile,
which needs a C++ compiler. --no-last-pool omits the pool after the last convolution. On a CUDA device, --tf32 allows TF32 in
matrix products and convolutions, and --bf16 uses autocast. Prints one JSON object: images/s of the best and the median step,
and peak memory in MiB, of the device if it is a CUDA device. On a CPU, set MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ and
MALLOC_TOP_PAD_ to large values; otherwise glibc returns every buffer to the system after each step.
"""

import json
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

COUNT, HIDDEN, NODE = 40, 16, 10


def block(inputs, outputs, kernel, stride=1, padding=0, groups=1):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU(inplace=True)]


class Network(nn.Module):
    def __init__(self, side, stride, widths, branch, input_grad, last_pool):
        super().__init__()
        a, b, c, d, e = widths
        self.data_bn = nn.BatchNorm2d(3, eps=1e-3, affine=input_grad)
        self.backbone = nn.Sequential(
            *block(3, a, 11, stride),
            nn.MaxPool2d(3, 2),
            *block(a, b, 5, 1, 2, 2),
            nn.MaxPool2d(3, 2),
            *block(b, c, 3, 1, 1),
            *block(c, d, 3, 1, 1, 2),
            *block(d, e, 3, 1, 1, 2),
            nn.MaxPool2d(3, 2) if last_pool else nn.Identity(),
        )
        self.branch = branch
        self.branches = nn.Sequential(*block(e, COUNT * branch, 1))
        self.mask_weight = nn.Parameter(torch.randn(COUNT * HIDDEN))
        self.mask_bn = nn.BatchNorm2d(COUNT * HIDDEN, eps=1e-3)
        self.mask_out = nn.Parameter(torch.randn(COUNT, HIDDEN) * 0.25)
        self.mask_out_bias = nn.Parameter(torch.zeros(COUNT))
        for _ in range(3 if last_pool else 2):
            side = ((side - 11) // stride + 1 if _ == 0 else side) - 3
            side = side // 2 + 1
        self.side = side
        self.fln = nn.Parameter(torch.randn(COUNT, 2, branch) * 0.06)
        self.fln_bias = nn.Parameter(torch.zeros(COUNT, 2))
        self.node = nn.Parameter(torch.randn(COUNT, NODE, branch) * 0.06)
        self.node_bias = nn.Parameter(torch.zeros(COUNT, NODE, 1))
        self.cln = nn.Parameter(torch.randn(COUNT, side * side * NODE, 2) * 0.05)
        self.cln_bias = nn.Parameter(torch.zeros(COUNT, 1, 2))

    def forward(self, x):
        batch, side = x.shape[0], self.side
        h = self.branches(self.backbone(self.data_bn(x)))
        # [batch, positions, attribute, channel]: a view if the map is channels_last.
        h = h.permute(0, 2, 3, 1).reshape(batch, side * side, COUNT, self.branch)
        mean = h.mean(3)
        hidden = (mean.unsqueeze(-1) * self.mask_weight.view(COUNT, HIDDEN)).reshape(batch, side * side, COUNT * HIDDEN)
        hidden = F.relu(self.mask_bn(hidden.permute(0, 2, 1).unsqueeze(-1))).view(batch, COUNT, HIDDEN, -1)
        mask = (hidden * self.mask_out.view(1, COUNT, HIDDEN, 1)).sum(2) + self.mask_out_bias.view(1, COUNT, 1)
        gated = h * torch.sigmoid(mask).permute(0, 2, 1).unsqueeze(-1)
        fln = torch.einsum("aoc,bac->bao", self.fln, gated.mean(1)) + self.fln_bias
        nodes = torch.einsum("aoc,bpac->aobp", self.node, gated.detach()).reshape(COUNT, NODE, batch, -1)
        nodes = (nodes + self.node_bias.unsqueeze(-1)).permute(2, 0, 3, 1).reshape(batch, COUNT, -1)
        refined = torch.softmax(nodes @ nodes.transpose(1, 2), -1) @ nodes
        cln = (torch.bmm(refined.transpose(0, 1), self.cln) + self.cln_bias).transpose(0, 1)
        return fln, cln


def main():
    arguments = sys.argv[1:]
    device = "cpu"
    if "--device" in arguments:
        at = arguments.index("--device")
        device = arguments[at + 1]
        del arguments[at : at + 2]
    mode, *numbers = [argument for argument in arguments if not argument.startswith("--")]
    batch, side, stride = (int(number) for number in numbers[:3])
    widths = [int(width) for width in numbers[3].split(",")]
    branch, threads, seconds = int(numbers[4]), int(numbers[5]), float(numbers[6])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    input_grad, last_pool = "--no-input-grad" not in sys.argv, "--no-last-pool" not in sys.argv
    is_cuda = device.startswith("cuda")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "--tf32" in sys.argv
    torch.backends.cudnn.benchmark = True
    autocast = torch.autocast("cuda", torch.bfloat16, enabled="--bf16" in sys.argv)
    net = Network(side, stride, widths, branch, input_grad, last_pool).to(device, memory_format=torch.channels_last)
    x = (torch.rand(batch, 3, side, side) * 255).to(device, memory_format=torch.channels_last)
    y = torch.randint(0, 2, (batch, COUNT)).to(device)
    decaying = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": decaying, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=1e-3, momentum=0.9, foreach=True)

    if "--compile" in sys.argv:
        net.compile()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = sum(F.cross_entropy(z.reshape(-1, 2), y.reshape(-1), reduction="sum") for z in net(x)) / batch
        loss.backward()
        optimizer.step()

    def infer():
        with torch.inference_mode(), autocast:
            return [torch.softmax(z, -1) for z in net(x)]

    if mode == "infer":
        net.eval()
    work = step if mode == "train" else infer
    # The first steps of a compiled network compile it.
    for _ in range(4):
        work()
    if is_cuda:
        torch.cuda.synchronize()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        work()
        if is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    times.sort()
    peak = torch.cuda.max_memory_reserved() / 2**20 if is_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"best": batch / times[0], "median": batch / times[len(times) // 2], "peak_mib": peak}))


main()
