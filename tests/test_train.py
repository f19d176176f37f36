"""The training loop: against plain PyTorch, taken up again, stopped, diverging."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.runs import CONFIG, STRICT, make, part, same
from tuner.config.trial_config import TrialConfig
from tuner.errors import UsageError
from tuner.models import find_model
from tuner.training.evaluation import evaluate_network
from tuner.training.metrics import Sums
from tuner.training.optimizer import compute_learning_rate
from tuner.training.run import Diverged, Run, Stopped, build_network

MODES = pytest.mark.parametrize("config", STRICT.values(), ids=STRICT)
BF16 = replace(STRICT["sgd"], precision="bf16")
MICRO = replace(STRICT["sgd"], micro_batches=3)


@pytest.fixture
def fp64() -> Iterator[None]:
    """Networks are made in fp64, where rounding does not grow into a difference."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@MODES
def test_an_epoch_is_plain_pytorch_s(config: TrialConfig, fp64: None) -> None:
    """Oracle: the plain network in its plain layout, the optimiser as torch makes it, batch by batch."""
    config, images, labels = replace(config, augment="none", epochs=1), *part(30).batch(torch.arange(30))
    run, network, order = make(config), build_network(config, 4), []
    run.train.gather = lambda rows, drawn: order.append(rows) or (images[rows].double(), labels[rows])  # type: ignore[func-returns-value]
    run.val = None
    (score,) = run.epochs()
    if config.optimizer == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), config.lr, (config.momentum, 0.999), weight_decay=config.weight_decay)
    else:
        nesterov = config.nesterov and config.momentum > 0
        optimizer = torch.optim.SGD(network.parameters(), config.lr, config.momentum, 0, config.weight_decay, nesterov, foreach=True)
    assert [len(rows) for rows in order] == [8, 8, 8, 6], "the short last batch is trained too"
    assert sorted(torch.cat(order).tolist()) == list(range(30))
    loss_sum = hits = 0.0
    for step, rows in enumerate(order):
        optimizer.param_groups[0]["lr"] = compute_learning_rate(config, step, 4)
        optimizer.zero_grad()
        logits = network(images[rows].double().contiguous())
        loss = F.cross_entropy(logits, labels[rows], label_smoothing=config.label_smoothing)
        loss.backward()
        optimizer.step()
        loss_sum += float(loss.detach()) * len(rows)
        hits += float((logits.argmax(1) == labels[rows]).sum())
    # The learning rate is kept in fp32, and a batch of eight makes much of little.
    assert score.train_loss == pytest.approx(loss_sum / 30, rel=1e-5) and score.train_accuracy == pytest.approx(hits / 30)
    trained = run.weights()
    for name, expected in network.state_dict().items():
        torch.testing.assert_close(trained[name], expected, rtol=1e-4, atol=1e-5, msg=name)


def test_the_validation_figures_are_those_of_the_plain_network() -> None:
    run = make(replace(CONFIG, lr=0.03, schedule="cosine", epochs=12))
    (*_, score) = run.epochs()
    network = build_network(CONFIG, 4)
    network.load_state_dict(run.weights())
    images, labels = part(13, seed=1).batch(torch.arange(13))
    with torch.no_grad():
        logits = network.eval()(images)
    assert score.val_loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    assert score.val_accuracy == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    assert score.val_accuracy > 0.5, "the network learns"
    assert (
        evaluate_network(find_model("mynet"), network, part(13, seed=1))
        == (score.val_loss, score.val_accuracy)
        == run.evaluate(part(13, seed=1))
    )


@pytest.mark.parametrize("config", [*STRICT.values(), BF16, MICRO], ids=[*STRICT, "bf16", "micro-batches"])
def test_taken_up_again_after_any_epoch_a_run_is_the_same_bit_for_bit(config: TrialConfig) -> None:
    whole = make(config)
    scores, states = [], []
    for score in whole.epochs():
        scores.append(score)
        buffer = io.BytesIO()
        torch.save(whole.state(), buffer)
        states.append(buffer)
    assert [score.epoch for score in scores] == [1, 2, 3]
    for buffer in states:
        torch.manual_seed(99)
        buffer.seek(0)
        resumed = make(config)
        resumed.load_state(torch.load(buffer, weights_only=True))
        assert list(resumed.epochs()) == scores
        assert same(resumed.weights(), whole.weights())
        for kind, named in whole.state()["optimizer"].items():
            assert same(named, resumed.state()["optimizer"][kind])


@pytest.mark.parametrize("pieces", [2, 3, 8, 20])
def test_gradients_of_micro_batches_add_up_to_the_whole_batch_s(pieces: int, fp64: None) -> None:
    """With BatchNorm's statistics held still, which are the one thing that a piece sees otherwise."""
    images, labels = part(8).batch(torch.arange(8))
    whole, run = (make(replace(CONFIG, micro_batches=count, label_smoothing=0.1)) for count in (1, pieces))
    for each in (whole, run):
        each.network.eval()
        each.step(images.double(), labels)
    for name, parameter in whole.network.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(run.network.get_parameter(name).grad, parameter.grad, rtol=1e-9, atol=1e-12, msg=name)
    assert run.sums.means(8) == pytest.approx(whole.sums.means(8), rel=1e-12)


def test_batchnorm_counts_each_micro_batch() -> None:
    run = make(replace(CONFIG, micro_batches=2, epochs=1, batch_size=10))
    list(run.epochs())
    tracked = [tensor for name, tensor in run.weights().items() if name.endswith("num_batches_tracked")]
    assert tracked and all(int(tensor) == 2 * 3 for tensor in tracked)


def test_chance_belongs_to_the_seed_alone() -> None:
    config = STRICT["adamw"]
    torch.manual_seed(1)
    first = list(make(config).epochs())
    torch.manual_seed(2)
    assert list(make(config).epochs()) == first
    assert list(make(replace(config, seed=1)).epochs()) != first


def test_every_epoch_of_every_seed_has_its_own_order() -> None:
    orders: list[list[int]] = []
    for seed in (0, 1):
        run = make(replace(CONFIG, batch_size=30, seed=seed))
        gather = run.train.gather
        run.train.gather = lambda rows, drawn, gather=gather: orders.append(rows.tolist()) or gather(rows, drawn)  # type: ignore[misc,func-returns-value]
        list(run.epochs())
    assert len({tuple(order) for order in orders}) == 6 and all(sorted(order) == list(range(30)) for order in orders)


def test_the_state_is_that_of_the_plain_network() -> None:
    run = make(CONFIG)
    next(run.epochs())
    state, network = run.state(), build_network(CONFIG, 4)
    network.load_state_dict(state["weights"])
    assert list(state["weights"]) == list(network.state_dict())
    assert list(state["optimizer"]) == ["momentum_buffer"]
    assert {n: t.shape for n, t in state["optimizer"]["momentum_buffer"].items()} == {n: p.shape for n, p in network.named_parameters()}
    assert run.parameters == sum(p.numel() for p in network.parameters())
    kept = {name: tensor.clone() for name, tensor in state["weights"].items()}
    list(run.epochs())
    assert same(kept, state["weights"]), "a state is not moved by further training"


def test_the_state_of_another_run_is_refused_and_nothing_is_loaded() -> None:
    sgd, adamw, wide = make(CONFIG), make(STRICT["adamw"]), make(replace(CONFIG, width=0.2))
    before = sgd.state()
    for other in (adamw, wide):
        with pytest.raises(ValueError, match="another"):
            sgd.load_state(other.state())
    assert same(sgd.weights(), before["weights"])


def test_a_batch_larger_than_the_data_shows_both_numbers() -> None:
    with pytest.raises(UsageError, match=r"batch_size 31.*30 images"):
        make(replace(CONFIG, batch_size=31))
    assert len(list(make(replace(CONFIG, batch_size=30)).epochs())) == 3


def test_a_diverging_run_says_which_loss_and_in_which_epoch() -> None:
    run = make(replace(CONFIG, lr=1e30))
    with pytest.raises(Diverged, match=r"^training loss is (nan|inf) in epoch 1$"):
        list(run.epochs())
    assert run.curve == []


def test_a_validation_loss_that_is_not_finite_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(CONFIG)
    monkeypatch.setattr(run, "evaluate", lambda part: (math.inf if len(run.curve) == 1 else 1.0, 0.5))
    with pytest.raises(Diverged, match=r"^validation loss is inf in epoch 2$"):
        list(run.epochs())
    assert [score.epoch for score in run.curve] == [1]


def test_stop_is_asked_before_each_step() -> None:
    asked = []
    run = make(CONFIG, stop=lambda: asked.append(1) is None and len(asked) == 6)
    with pytest.raises(Stopped):
        list(run.epochs())
    assert [score.epoch for score in run.curve] == [1]
    with pytest.raises(AssertionError):
        run.state()


def test_without_validation_images_there_are_no_validation_figures() -> None:
    run = Run(CONFIG, part(30), None, classes=4)
    scores = list(run.epochs())
    assert len(scores) == 3 and all(score.val_loss is None and score.val_accuracy is None for score in scores)
    assert [s.train_loss for s in scores] == [s.train_loss for s in make(CONFIG).epochs()]


def test_the_run_sets_the_threads_of_its_configuration() -> None:
    make(replace(CONFIG, threads=2))
    assert torch.get_num_threads() == 2
    make(CONFIG)
    assert torch.get_num_threads() == 1


def test_within_an_epoch_nothing_is_fetched_from_the_device() -> None:
    class Fetches(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            Fetches.count += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    run = make(CONFIG)
    with Fetches():
        torch.ones(()).item()
        assert Fetches.count == 1
        next(run.epochs())
    assert Fetches.count == 1


def test_schedules() -> None:
    constant, cosine, onecycle = (replace(CONFIG, lr=2.0, schedule=name) for name in ("constant", "cosine", "onecycle"))
    assert {compute_learning_rate(constant, step, 100) for step in range(100)} == {2.0}
    rates = [compute_learning_rate(cosine, step, 100) for step in range(100)]
    assert rates[0] == 2 and rates[50] == pytest.approx(1) and 0 < rates[99] < 0.001 and rates == sorted(rates, reverse=True)
    rates = [compute_learning_rate(onecycle, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(2 / 25) and rates[24] == rates[25] == max(rates) == 2 and 0 < rates[99] < 0.03
    assert rates[:25] == sorted(rates[:25]) and rates[25:] == sorted(rates[25:], reverse=True)
    assert compute_learning_rate(onecycle, 0, 1) == 2


def test_the_schedule_runs_by_step_over_all_epochs() -> None:
    run, seen = make(STRICT["adamw"]), []
    step = run.step
    run.step = lambda x, y: seen.append(float(run.lr)) or step(x, y)  # type: ignore[func-returns-value]
    list(run.epochs())
    assert seen == pytest.approx([compute_learning_rate(run.config, index, 12) for index in range(12)])


def test_top_k_hits_and_losses_are_summed_over_images() -> None:
    sums, random = Sums("cpu", (1, 3)), torch.Generator().manual_seed(0)
    logits, labels = torch.randn(10, 6, generator=random), torch.randint(0, 6, (10,), generator=random)
    for rows in torch.arange(10).split(4):
        sums.add(F.cross_entropy(logits[rows], labels[rows]), logits[rows], labels[rows])
    order = logits.argsort(1, descending=True)
    top = [sum(int(labels[i]) in order[i, :k].tolist() for i in range(10)) / 10 for k in (1, 3)]
    loss, *accuracies = sums.means(10)
    assert loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-6) and accuracies == top
    sums.reset()
    assert sums.means(1) == [0, 0, 0]


def test_logits_that_are_not_numbers_are_no_hits() -> None:
    sums = Sums("cpu")
    sums.add(torch.tensor(math.nan), torch.tensor([[math.nan, math.nan]] * 2), torch.tensor([0, 1]))
    loss, hits = sums.means(2)
    assert math.isnan(loss) and hits <= 0.5
