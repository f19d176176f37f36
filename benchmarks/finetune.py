"""Fine-tuning the head of a ResNet18, images a second, one thread: the loop of PyTorch's transfer-learning tutorial against `Run`.

A step of a turn is a whole training of so many epochs, each with its validation: the images that were trained on, epochs
counted, by the time of all. Ours finds the features anew each time. The tutorial's random crops and flips are left out on both
sides, since features are reused only without them; all else of its "fixed feature extractor" is as it stands. The weights are
drawn: what a step costs does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision.models import resnet18
from torchvision.transforms import Compose, Normalize, ToTensor

from tuner.config.trial_config import TrialConfig
from tuner.data.resident import Resident
from tuner.training import features
from tuner.training.run import Run

from .images import generated
from .measure import arguments, compare, conclude
from .naive import Images
from .sides import Side

LEAST = 5.0
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HELD_OUT = 5  # one image to validate on, for so many to train on
BATCHES = (4, 32)  # 4 is the tutorial's
SETTINGS = {"images": 100, "size": 224, "epochs": 12}
QUICK = {"images": 40, "size": 32, "epochs": 2}


def tutorial(*, images: int, size: int, epochs: int, batch: int) -> Callable[[int], int]:
    """Each epoch every image passes the whole network, in training mode; gradients are of the new `fc` alone."""
    torch.set_num_threads(1)
    transform = Compose([ToTensor(), Normalize(MEAN, STD)])
    sets = {"train": generated(images, size=size), "val": generated(images // HELD_OUT, size=size, seed=1)}
    loaders = {phase: DataLoader(Images(*each, transform), batch_size=batch, shuffle=True) for phase, each in sets.items()}
    criterion = nn.CrossEntropyLoss()

    def turn(steps: int) -> int:
        for _ in range(steps):
            model = resnet18()
            for param in model.parameters():
                param.requires_grad = False
            model.fc = nn.Linear(model.fc.in_features, 10)
            optimizer = optim.SGD(model.fc.parameters(), lr=0.001, momentum=0.9)
            scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
            for _epoch in range(epochs):
                for phase, loader in loaders.items():
                    model.train(phase == "train")
                    running_loss, running_corrects = 0.0, torch.tensor(0)
                    for inputs, labels in loader:
                        optimizer.zero_grad()
                        with torch.set_grad_enabled(phase == "train"):
                            outputs = model(inputs)
                            _, preds = torch.max(outputs, 1)
                            loss = criterion(outputs, labels)
                            if phase == "train":
                                loss.backward()
                                optimizer.step()
                        running_loss += loss.item() * inputs.size(0)
                        running_corrects += torch.sum(preds == labels.data)
                scheduler.step()
        return steps * epochs * images

    return turn


def ours(*, images: int, size: int, epochs: int, batch: int) -> Callable[[int], int]:
    """Whole runs, as a trial's."""
    config = TrialConfig(model="torchvision:resnet18", freeze="backbone", lr=0.001, epochs=epochs, batch_size=batch)
    train, val = (Resident(*generated(n, size=size, seed=s), mean=MEAN, std=STD) for n, s in ((images, 0), (images // HELD_OUT, 1)))

    def turn(steps: int) -> int:
        for _ in range(steps):
            features.forget()
            run = Run(config, train, val, classes=10)
            assert len(list(run.epochs())) == epochs
        return steps * epochs * images

    return turn


def main() -> None:
    options = arguments(str(__doc__), rounds=5, seconds=4)
    settings, found = (QUICK if options.quick else SETTINGS), []
    for batch in BATCHES:
        sides = [
            Side(name=name, make=f"finetune.{make}", settings=settings | {"batch": batch})
            for name, make in (("tutorial", "tutorial"), ("ours", "ours"))
        ]
        where = f"{settings['size']} pixels, {settings['epochs']} epochs, batch {batch}"
        found.append(compare(where, sides, options, least=LEAST))
    conclude("Head of ResNet18, images in memory", found, options)


if __name__ == "__main__":
    main()
