"""Writes soft_targets.json: PyTorch's cross-entropy with label smoothing and of mixup's targets, mean over the batch and
summed over the attributes. Mixup pairs an image with the one at the same place from the batch's end, as timm does."""

import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

ATTRIBUTES, BATCH, SMOOTHING, SHARE = 40, 6, 0.1, 0.3


def main():
    torch.manual_seed(0)
    logits = 3 * torch.randn(ATTRIBUTES, 2, BATCH)
    labels = torch.randint(2, (ATTRIBUTES, BATCH))

    def loss(smoothing, share):
        of = lambda labels: sum(cross_entropy(logits[i].T, labels[i], label_smoothing=smoothing)
                                for i in range(ATTRIBUTES))
        return (share * of(labels) + (1 - share) * of(labels.flip(1))).item()

    # Labels that are not known weigh nothing; in a mixture with one, only the known label's share counts.
    known = torch.rand(ATTRIBUTES, BATCH) < 0.5

    def masked(smoothing, share):
        def of(labels, known):
            each = torch.stack([cross_entropy(logits[i].T, labels[i], label_smoothing=smoothing, reduction="none")
                                for i in range(ATTRIBUTES)])
            return (each * known).sum() / BATCH
        return (share * of(labels, known) + (1 - share) * of(labels.flip(1), known.flip(1))).item()

    values = {
        "logits": [[[float(v) for v in row] for row in rows] for rows in logits],
        "labels": labels.tolist(),
        "smoothing": SMOOTHING,
        "smoothed_loss": loss(SMOOTHING, 1.0),
        "share": SHARE,
        "mixed_loss": loss(0.0, SHARE),
        "smoothed_mixed_loss": loss(SMOOTHING, SHARE),
        "known": known.tolist(),
        "masked_loss": masked(SMOOTHING, SHARE),
    }
    (Path(__file__).parent / "soft_targets.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
