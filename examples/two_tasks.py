"""The network of the scripts beside this one: two tasks, and the last layer that they share."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Net(nn.Module):
    """Returns the output of the shared layer, and both losses."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.heads = nn.Linear(8, 16), nn.ModuleList([nn.Linear(16, 1), nn.Linear(16, 3)])

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute both tasks on a batch x, shape [B, 8]."""
        features = self.shared(x)
        targets = x[:, :1].tanh(), 10 * x[:, 1:4]
        answers = [head(features.relu()) for head in self.heads]
        return features, [nn.functional.mse_loss(*pair) for pair in zip(answers, targets, strict=True)]


def loader(steps: int) -> DataLoader[Tensor]:
    """Return batches of 32 rows, one a step."""
    return DataLoader(torch.randn(32 * steps, 8), batch_size=32)
