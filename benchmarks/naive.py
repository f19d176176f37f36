"""Report A's network and loops, written as the report has them. Nothing of the project is used here.

Fed by a DataLoader over PIL images, NCHW, `loss.item()` at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from .images import Array, generated

# Block: in_planes, n1x1, n3x3red, n3x3, n5x5red, n5x5, pool_planes.
GOOGLENET = (
    192,
    ("a3", 192, 64, 96, 128, 16, 32, 32),
    ("b3", 256, 128, 128, 192, 32, 96, 64),
    "pool",
    ("a4", 480, 192, 96, 208, 16, 48, 64),
    ("b4", 512, 160, 112, 224, 24, 64, 64),
    ("c4", 512, 128, 128, 256, 24, 64, 64),
    ("d4", 512, 112, 144, 288, 32, 64, 64),
    ("e4", 528, 256, 160, 320, 32, 128, 128),
    "pool",
    ("a5", 832, 256, 160, 320, 32, 128, 128),
    ("b5", 832, 384, 192, 384, 48, 128, 128),
)
MYNET = (
    128,
    ("a3", 128, 32, 48, 64, 8, 16, 16),
    ("b3", 128, 64, 96, 128, 16, 32, 32),
    "pool",
    ("a4", 256, 160, 96, 256, 16, 64, 64),
    ("b4", 544, 256, 128, 256, 64, 128, 128),
    ("c4", 768, 256, 128, 256, 64, 128, 128),
    "pool",
    ("a5", 768, 256, 256, 512, 64, 128, 128),
    ("b5", 1024, 384, 192, 384, 48, 128, 128),
)
TABLES = {"mynet": MYNET, "googlenet": GOOGLENET}


class Inception(nn.Module):
    def __init__(self, in_planes: int, n1x1: int, n3x3red: int, n3x3: int, n5x5red: int, n5x5: int, pool_planes: int) -> None:
        super().__init__()
        self.b1 = nn.Sequential(
            nn.Conv2d(in_planes, n1x1, kernel_size=1),
            nn.BatchNorm2d(n1x1),
            nn.ReLU(True),
        )
        self.b2 = nn.Sequential(
            nn.Conv2d(in_planes, n3x3red, kernel_size=1),
            nn.BatchNorm2d(n3x3red),
            nn.ReLU(True),
            nn.Conv2d(n3x3red, n3x3, kernel_size=3, padding=1),
            nn.BatchNorm2d(n3x3),
            nn.ReLU(True),
        )
        self.b3 = nn.Sequential(
            nn.Conv2d(in_planes, n5x5red, kernel_size=1),
            nn.BatchNorm2d(n5x5red),
            nn.ReLU(True),
            nn.Conv2d(n5x5red, n5x5, kernel_size=5, padding=2),
            nn.BatchNorm2d(n5x5),
            nn.ReLU(True),
            nn.Conv2d(n5x5, n5x5, kernel_size=5, padding=2),
            nn.BatchNorm2d(n5x5),
            nn.ReLU(True),
        )
        self.b4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            nn.Conv2d(in_planes, pool_planes, kernel_size=1),
            nn.BatchNorm2d(pool_planes),
            nn.ReLU(True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class Network(nn.Module):
    """The network of a table. At `width` 1 it is the report's; below, each width is scaled as the project scales it."""

    def __init__(self, model: str = "mynet", width: float = 1.0) -> None:
        super().__init__()
        stem, *rows = TABLES[model]
        planes = scaled(stem, width)
        self.pre_layers = nn.Sequential(nn.Conv2d(3, planes, kernel_size=3, padding=1), nn.BatchNorm2d(planes), nn.ReLU(True))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.order: list[str] = []
        for row in rows:
            if row == "pool":
                self.order.append("maxpool")
                continue
            name, in_planes, *outs = row
            assert width != 1 or in_planes == planes, f"{name} reads {planes} channels, the report says {in_planes}"
            n1x1, n3x3red, n3x3, n5x5red, n5x5, pool_planes = (scaled(n, width) for n in outs)
            self.add_module(name, Inception(planes, n1x1, n3x3red, n3x3, n5x5red, n5x5, pool_planes))
            self.order.append(name)
            planes = n1x1 + n3x3 + n5x5 + pool_planes
        self.avgpool = nn.AvgPool2d(8, stride=1)
        self.linear = nn.Linear(planes, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = self.pre_layers(x)
        for name in self.order:
            out = getattr(self, name)(out)
        out = self.avgpool(out)
        out = out.view(out.size(0), -1)
        return self.linear(out)


def scaled(planes: int, width: float) -> int:
    return max(8, 8 * math.floor(planes * width / 8 + 0.5))


class Images(Dataset):
    """Images in memory, handed out one by one as torchvision's CIFAR10 does."""

    def __init__(self, data: Array, targets: Array, transform: Callable[[Image.Image], Tensor]) -> None:
        self.data, self.targets, self.transform = data, targets.tolist(), transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def loader(data: Array, targets: Array, *, batch: int, workers: int, shuffle: bool = True, augment: str = "none") -> DataLoader:
    steps = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
    if augment == "flip-crop":
        steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *steps]
    # Forked, as on Linux when the report was written: a worker that is spawned first loads PyTorch anew.
    context = "fork" if workers else None
    dataset = Images(data, targets, transforms.Compose(steps))
    return DataLoader(dataset, batch_size=batch, shuffle=shuffle, num_workers=workers, multiprocessing_context=context)


def evaluate(net: nn.Module, testloader: DataLoader, device: str = "cpu") -> tuple[float, float]:
    """Loss per image and accuracy."""
    criterion = nn.CrossEntropyLoss()
    net.eval()
    total, correct, count = 0.0, 0, 0
    for images, labels in testloader:
        images, labels = images.to(device), labels.to(device)
        outputs = net(images)
        loss = criterion(outputs, labels)
        total += loss.item() * labels.size(0)
        correct += (outputs.max(1)[1] == labels).sum().item()
        count += labels.size(0)
    return total / count, correct / count


# What takes turns against ours. Each `make` gives a function of a number of steps, which returns the images seen.


def training(
    *, model: str, width: float, batch: int, images: int, threads: int | None, workers: int, device: str = "cpu"
) -> Callable[[int], int]:
    """The training loop. `threads` None leaves PyTorch's default."""
    if threads is not None:
        torch.set_num_threads(threads)
    net = Network(model, width).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    batches = _endless(loader(*generated(images), batch=batch, workers=workers))
    net.train()

    def turn(steps: int) -> int:
        seen, running_loss = 0, 0.0
        for _ in range(steps):
            inputs, labels = next(batches)
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            seen += labels.size(0)
        assert math.isfinite(running_loss)
        return seen

    return turn


def feeding(*, batch: int, images: int, threads: int, workers: int, augment: str) -> Callable[[int], int]:
    """The input alone."""
    torch.set_num_threads(threads)
    batches = _endless(loader(*generated(images), batch=batch, workers=workers, augment=augment))

    def turn(steps: int) -> int:
        return sum(len(next(batches)[1]) for _ in range(steps))

    return turn


def evaluating(*, model: str, width: float, batch: int, images: int, threads: int, workers: int, grad: bool) -> Callable[[int], int]:
    """Whole evaluations. `grad` leaves `torch.no_grad` out."""
    torch.set_num_threads(threads)
    net = Network(model, width)
    testloader = loader(*generated(images), batch=batch, workers=workers, shuffle=False)

    def turn(steps: int) -> int:
        for _ in range(steps):
            with torch.set_grad_enabled(grad):
                evaluate(net, testloader)
        return steps * images

    return turn


def _endless(batches: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches
