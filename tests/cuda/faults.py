"""Lets one call of a CUDA device fail at a time. Training must end in one sentence with an exit code, and the same command
must then finish it.

    faults.py GAL_BENCH PREPARED PROFILE
"""

import os
import shutil
import subprocess
import sys

program, prepared, profile = sys.argv[1:]
MEMORY, NO_DEVICE, NO_CODE, ECC, ADDRESS, LAUNCH = 2, 100, 209, 214, 700, 719
STOPPED = (1, "the device stopped computing")
OPENING = [
    # The device is opened and proven.
    ("context:1", MEMORY, (2, "too little free memory")),
    ("module:1", NO_CODE, (2, "this build has no code for the device")),
    ("launch:1", LAUNCH, (2, "the device stopped computing")),
    ("cublas-create:1", 1, (2, "a library of CUDA cannot be used")),
    ("curand:1", 201, (2, "a library of CUDA cannot be used")),
]
# Training, validation and the writing of checkpoints.
TRAINING = [
    ("alloc:40", MEMORY, (2, "too little free memory")),
    ("alloc:3000", MEMORY, (2, "too little free memory")),
    ("launch:500", LAUNCH, STOPPED),
    ("launch:2500", ADDRESS, STOPPED),
    ("gemm:150", LAUNCH, STOPPED),
    ("h2d:300", ECC, (2, "memory is damaged")),
    ("d2h:30", ECC, (2, "memory is damaged")),
    ("d2h:100", ADDRESS, STOPPED),
    ("memset:100", ADDRESS, STOPPED),
    ("d2d:30", ADDRESS, STOPPED),
]


def train(**environment):
    command = [program, "train", "--dataset", "celeba", "--prepared", prepared, "--profile", profile, "--variant", "gal-j",
               "--runs", "faulty", "--device", "cuda:0"]
    ended = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    return ended.returncode, ended.stderr


for number, (call, code, (exit_code, words)) in enumerate(OPENING + TRAINING):
    shutil.rmtree("faulty", ignore_errors=True)
    found, stderr = train(SOFTCUDA_FAIL=f"{call}:{code}")
    said = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert "as asked" in stderr, f"{call} was not reached"
    assert found == exit_code and len(said) == 1 and words in said[0], f"{call} fails with {code}: exit code {found}\n{stderr}"
    if number >= len(OPENING):
        found, stderr = train()
        assert found == 0, f"after {call}: exit code {found}\n{stderr}"
print(f"{len(OPENING + TRAINING)} faults of the device end in a sentence, and training goes on after each")
