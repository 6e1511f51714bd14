"""Models with one planted reason for a strange gradient entry, and models without any.

Each builder returns `(module, args, loss, targets or None, wrt)`: the loss is
`loss(module(*args), targets)`, or `loss(module(*args))` without targets; `wrt` names one entry of
one parameter. All numbers are seeded, and in float64 unless the case is about a narrower format.
A module in training mode draws its dropout mask when it runs: call `torch.manual_seed(SEED)`
right before. `build(planted=False)` builds the same model without the reason.

The reasons:

- "not connected": no path from the entry to the loss;
- "frozen": the parameter asks for no gradient;
- "stopped": each path is cut, by `detach` or `no_grad`;
- "masked": a choice went the other way, so the slope is exactly zero;
- "saturated": a slope is zero or below 1e-10, on the flat part of a curve;
- "cancelled": the terms are ordinary, their sum is zero or below a millionth of their sizes;
- "multiplied by zero": a factor (a weight, an input, a loss's weight) is zero;
- "vanishing", "exploding": no factor is strange, their product over the depth is;
- "not finite": NaN or infinity.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from conformance.why_models import (
    Bag,
    ConvNet,
    Deep,
    FusedGpt,
    Gpt,
    MaxOverTime,
    Mean,
    Mlp,
    Reader,
    Recurrent,
    ResidualMlp,
    SmallResNet,
    TwoHeads,
    Unrolled,
)

SEED = 20
CAUSES = (
    "not connected",
    "frozen",
    "stopped",
    "masked",
    "saturated",
    "cancelled",
    "multiplied by zero",
    "vanishing",
    "exploding",
    "not finite",
)


class Case(NamedTuple):
    module: nn.Module
    args: tuple[Tensor, ...]
    loss: nn.Module
    targets: Tensor | None
    wrt: str


Entries = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Planted:
    """A case whose reason is known.

    `place` is what an answer must name: the path of a module, the word of an operation (both, as
    in "attn.softmax", where it is a module), or an argument of `forward`. `entries` are the
    culprits within the place's result (or the argument), and () where there are none to name.
    """

    name: str
    build: Callable[..., Case]
    cause: str
    place: str
    entries: Entries


@dataclass(frozen=True)
class Healthy:
    """A case with an ordinary gradient, for which no reason may be named."""

    name: str
    build: Callable[[], Case]


_planted: list[Planted] = []
_healthy: list[Healthy] = []


def plant(cause: str, place: str, entries: Entries = ()) -> Callable[..., Callable[..., Case]]:
    def register(builder: Callable[[bool], Case]) -> Callable[..., Case]:
        def build(planted: bool = True) -> Case:
            with torch.random.fork_rng():
                torch.manual_seed(SEED)
                return builder(planted)

        name = builder.__name__.replace("_", " ")
        _planted.append(Planted(name, build, cause, place, entries))
        return build

    return register


def healthy(builder: Callable[[], Case]) -> Callable[[], Case]:
    def build() -> Case:
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            return builder()

    _healthy.append(Healthy(builder.__name__.replace("_", " "), build))
    return build


# ---------------------------------------------------------------------------- building blocks


def case(
    module: nn.Module,
    args: Tensor | tuple[Tensor, ...],
    loss: nn.Module,
    targets: Tensor | None,
    wrt: str,
    dtype: torch.dtype = torch.float64,
) -> Case:
    """All floating-point numbers in one format."""

    def cast(x: Tensor) -> Tensor:
        return x.to(dtype) if x.is_floating_point() else x

    given = (args,) if isinstance(args, Tensor) else args
    return Case(
        module.to(dtype),
        tuple(cast(x) for x in given),
        loss.to(dtype),
        None if targets is None else cast(targets),
        wrt,
    )


def features(examples: int = 6, width: int = 5) -> Tensor:
    return torch.randn(examples, width)


def images(examples: int = 3) -> Tensor:
    return torch.randn(examples, 1, 8, 8)


def classes(examples: int = 6, kinds: int = 2) -> Tensor:
    return torch.arange(examples) % kinds


def texts() -> Tensor:
    """Four texts of six tokens: 0 pads, 9 is never used, 7 is in the last text alone."""
    return torch.tensor(
        [[1, 2, 3, 4, 0, 0], [2, 4, 6, 8, 1, 0], [3, 5, 3, 1, 2, 6], [7, 1, 2, 5, 4, 0]]
    )


def unit(number: int, examples: int = 6) -> Entries:
    """One unit, in each example."""
    return tuple((example, number) for example in range(examples))


def layer(units: int, examples: int = 6) -> Entries:
    return tuple((example, number) for example in range(examples) for number in range(units))


# ------------------------------------------------------------------------------------- masked


@plant("masked", "relu1", unit(3))
def dead_relu_unit(planted: bool) -> Case:
    """The bias of unit 3 is far below zero: no example switches the unit on."""
    model = Mlp()
    model.fc1.bias.data[3] = -50.0 if planted else 0.5
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[3,1]")


@plant("masked", "relu1", layer(8))
def dead_relu_layer(planted: bool) -> Case:
    """All units of the first layer are off for all examples."""
    model = Mlp()
    if planted:
        model.fc1.bias.data.fill_(-50.0)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[0,2]")


@plant("masked", "relu1", tuple((n, 1, y, x) for n in range(3) for y in range(8) for x in range(8)))
def dead_convolution_channel(planted: bool) -> Case:
    """Channel 1 is below zero at each pixel of each image."""
    model = ConvNet()
    model.conv1.bias.data[1] = -50.0 if planted else 0.5
    return case(model, images(), nn.CrossEntropyLoss(), classes(3, 3), "conv1.weight[1,0,1,1]")


@plant("masked", "relu1", unit(2))
def relu6_above_six(planted: bool) -> Case:
    """ReLU6 is flat above 6, where unit 2 is for each example."""
    model = Mlp(nn.ReLU6)
    model.fc1.bias.data[2] = 50.0 if planted else 1.0
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[2,0]")


class Experts(nn.Module):
    """The first feature chooses the expert."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(5, 4)
        self.right = nn.Linear(5, 4)
        self.tanh = nn.Tanh()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        chosen = torch.where(x[:, :1] > 0, self.left(x), self.right(x))
        return self.fc(self.tanh(chosen))


@plant("masked", "where")
def where_branch_not_taken(planted: bool) -> Case:
    """The first feature is positive in each example, so that `right` is never taken."""
    x = features()
    x[:, 0] = x[:, 0].abs() + 0.1
    if not planted:
        x[2:4, 0] *= -1
    return case(Experts(), x, nn.CrossEntropyLoss(), classes(), "right.weight[1,2]")


class Dropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.drop(self.tanh(self.fc1(x))))


@plant("masked", "drop", ((0, 3),))
def dropped_unit(planted: bool) -> Case:
    """The mask that SEED draws for the one example drops unit 3."""
    model = Dropped().train(planted)
    return case(model, features(1), nn.CrossEntropyLoss(), classes(1), "fc1.weight[3,0]")


class ReadsPosition(nn.Module):
    """The tokens' classifier, read at one position."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.gpt = Gpt()
        self.at = at

    def forward(self, tokens: Tensor) -> Tensor:
        return self.gpt(tokens)[:, self.at]


@plant("masked", "masked_fill", ((0, 1, 3), (1, 1, 3)))
def causal_mask(planted: bool) -> Case:
    """The output is read at position 1, which does not see position 3."""
    model = ReadsPosition(1 if planted else 4)
    tokens = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])
    wrt = "gpt.positions.weight[3,2]"
    return case(model, tokens, nn.CrossEntropyLoss(), torch.tensor([4, 6]), wrt)


@plant("masked", "masked_fill", ((0, 0, 4), (1, 0, 4), (2, 0, 4)))
def padding_mask_of_keys(planted: bool) -> Case:
    """Position 4 of the memory is padding in each example, closed to the query."""
    padded = torch.zeros(3, 5, dtype=torch.bool)
    padded[:, 4] = planted
    args = (torch.randn(3, 1, 8), torch.randn(3, 5, 8), padded)
    return case(Reader(), args, nn.CrossEntropyLoss(), classes(3), "positions.weight[4,1]")


@plant("masked", "pool")
def max_pool_loser(planted: bool) -> Case:
    """Feature 1 of token 5 is the smallest of its texts, so that it never is their maximum."""
    model = MaxOverTime()
    model.embed.weight.data[5, 1] = -9.0 if planted else 9.0
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[5,1]")


class Gaussian(nn.Module):
    """Predicts a mean and the logarithm of a variance, kept between -4 and 4."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.mean = nn.Linear(8, 1)
        self.variance = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.tanh(self.fc1(x))
        return self.mean(x), self.variance(x).clamp(-4, 4)


class GaussianLoss(nn.Module):
    def forward(self, output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        mean, variance = output
        return (0.5 * (variance + (target - mean) ** 2 / variance.exp())).mean()


@plant("masked", "clamp", unit(0))
def clamp_out_of_range(planted: bool) -> Case:
    """The logarithm of the variance is near 7 for each example: `clamp` holds it at 4."""
    model = Gaussian()
    model.variance.bias.data.fill_(7.0 if planted else 0.0)
    return case(model, features(), GaussianLoss(), features(6, 1), "variance.weight[0,3]")


class Hinge(nn.Module):
    """Zero where the score is on its side by the margin 1."""

    def forward(self, score: Tensor, side: Tensor) -> Tensor:
        return (1 - side * score.squeeze(-1)).clamp(min=0).mean()


@plant("masked", "clamp", tuple((n,) for n in range(6)))
def satisfied_hinge(planted: bool) -> Case:
    """Each example is on its side by more than the margin."""
    model = Mlp(nn.Tanh, outputs=1)
    if planted:
        model.fc3.bias.data.fill_(5.0)
    return case(model, features(), Hinge(), torch.ones(6), "fc1.weight[2,2]")


@plant("masked", "loss")
def ignored_target(planted: bool) -> Case:
    """Token 7 is in the last text alone, and that text's target is the ignored one."""
    targets = torch.tensor([0, 1, 2, -100 if planted else 1])
    return case(Bag(), texts(), nn.CrossEntropyLoss(), targets, "embed.weight[7,0]")


@plant("masked", "loss")
def all_targets_ignored(planted: bool) -> Case:
    """The loss is 0/0, but PyTorch's gradient of an ignored target is 0 all the same."""
    targets = torch.full((4,), -100) if planted else classes(4, 3)
    return case(Bag(), texts(), nn.CrossEntropyLoss(), targets, "embed.weight[1,0]")


# ---------------------------------------------------------------------------------- saturated


@plant("saturated", "sigmoid2", layer(6))
def saturated_sigmoid_stack(planted: bool) -> Case:
    """The second layer's sums are near -60, where the slope of the sigmoid is about 1e-26."""
    model = Mlp(nn.Sigmoid)
    if planted:
        model.fc2.bias.data.fill_(-60.0)
    return case(model, features(), nn.MSELoss(), features(6, 2), "fc1.weight[4,1]")


@plant("saturated", "sigmoid1", unit(5))
def sigmoid_that_rounds_to_one(planted: bool) -> Case:
    """Unit 5 is near 60: the sigmoid rounds to 1, and its slope s(1 - s) to exactly 0."""
    model = Mlp(nn.Sigmoid)
    if planted:
        model.fc1.bias.data[5] = 60.0
    return case(model, features(), nn.MSELoss(), features(6, 2), "fc1.weight[5,1]")


@plant("saturated", "rnn", tuple((n, t, u) for n in range(4) for t in range(6) for u in range(5)))
def saturated_tanh_rnn(planted: bool) -> Case:
    """Each state is ±1 at each time: tanh rounds to 1 beyond 19, and 1 - tanh² to 0."""
    model = Recurrent()
    if planted:
        model.rnn.bias_ih_l0.data.copy_(torch.tensor([40.0, -40, 40, -40, 40]))
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), "rnn.weight_ih_l0[2,1]")


@plant("saturated", "attn.softmax")
def softmax_of_attention_underflows(planted: bool) -> Case:
    """One score leads by thousands: the softmax is exactly 1 there and 0 elsewhere."""
    model = Reader()
    if planted:
        model.attn.query.weight.data.mul_(1e5)
    args = (torch.randn(3, 1, 8), torch.randn(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool))
    return case(model, args, nn.CrossEntropyLoss(), classes(3), "attn.key.weight[2,3]")


@plant("saturated", "loss")
def certain_classifier(planted: bool) -> Case:
    """The right class leads by 800: its probability is exactly 1, and p - 1 exactly 0."""
    model = Mlp()
    if planted:
        model.fc3.bias.data.copy_(torch.tensor([800.0, 0.0]))
    right = torch.zeros(6, dtype=torch.long)
    return case(model, features(), nn.CrossEntropyLoss(), right, "fc1.weight[0,2]")


class Counts(nn.Module):
    """A rate of events, made positive by softplus."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(8, 1)
        self.softplus = nn.Softplus()

    def forward(self, x: Tensor) -> Tensor:
        return self.softplus(self.fc2(self.relu1(self.fc1(x))))


@plant("saturated", "softplus", unit(0))
def softplus_floor(planted: bool) -> Case:
    """Softplus of about -60 is flat: its slope, the sigmoid, is about 1e-26."""
    model = Counts()
    if planted:
        model.fc2.bias.data.fill_(-60.0)
    return case(model, features(), nn.MSELoss(), features(6, 1) + 3, "fc1.weight[0,1]")


# ------------------------------------------------------------------------------------ stopped


class Distilled(nn.Module):
    """The student's output beside the teacher's, which is a fixed aim."""

    def __init__(self, stop: bool) -> None:
        super().__init__()
        self.student = Mlp()
        self.teacher = Mlp(nn.Tanh)
        self.stop = stop

    def forward(self, x: Tensor) -> Tensor:
        aim = self.teacher(x)
        if self.stop:
            aim = aim.detach()
        return (self.student(x) - aim) ** 2


@plant("stopped", "detach")
def detached_teacher(planted: bool) -> Case:
    """The loss depends on the teacher, but its output is detached."""
    return case(Distilled(planted), features(), Mean(), None, "teacher.fc1.weight[1,2]")


class Probe(nn.Module):
    """A classifier on features that are computed without gradients."""

    def __init__(self, learn: bool) -> None:
        super().__init__()
        self.backbone = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.fc = nn.Linear(8, 2)
        self.learn = learn

    def forward(self, x: Tensor) -> Tensor:
        if self.learn:
            return self.fc(self.tanh(self.backbone(x)))
        with torch.no_grad():
            x = self.tanh(self.backbone(x))
        return self.fc(x)


@plant("stopped", "no_grad")
def no_grad_backbone(planted: bool) -> Case:
    """The backbone runs under `no_grad`."""
    model = Probe(learn=not planted)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "backbone.weight[1,2]")


# ------------------------------------------------------------------------------------- frozen


@plant("frozen", "fc1")
def frozen_layer(planted: bool) -> Case:
    """The first layer asks for no gradient, as in fine-tuning."""
    model = Mlp()
    model.fc1.requires_grad_(not planted)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[3,1]")


@plant("frozen", "embed")
def frozen_embedding(planted: bool) -> Case:
    """Pretrained embeddings that are kept as they are."""
    model = Bag()
    model.embed = nn.Embedding.from_pretrained(torch.randn(10, 4), freeze=planted)
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[3,1]")


# ------------------------------------------------------------------------------ not connected


class Forgetful(nn.Module):
    """`extra` is made, and called only if `used`."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.extra = nn.Linear(8, 8)
        self.fc2 = nn.Linear(8, 2)
        self.used = used

    def forward(self, x: Tensor) -> Tensor:
        x = self.tanh(self.fc1(x))
        return self.fc2(self.extra(x) if self.used else x)


@plant("not connected", "extra")
def layer_never_called(planted: bool) -> Case:
    """`forward` does not call the layer."""
    model = Forgetful(used=not planted)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "extra.weight[0,3]")


class MainTask(nn.Module):
    """The loss of the main output; `weight` times that of the auxiliary one, unless None."""

    def __init__(self, weight: float | None) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        main, aux = output
        loss = functional.mse_loss(main, target)
        if self.weight is None:
            return loss
        return loss + self.weight * functional.mse_loss(aux, target)


@plant("not connected", "aux")
def output_not_read(planted: bool) -> Case:
    """The auxiliary output is computed, and the loss does not read it."""
    loss = MainTask(None if planted else 0.3)
    return case(TwoHeads(), features(), loss, features(6, 2), "aux.weight[1,0]")


@plant("not connected", "embed")
def embedding_row_not_used(planted: bool) -> Case:
    """No text has token 9."""
    tokens = texts()
    if not planted:
        tokens[1, 2] = 9
    return case(Bag(), tokens, nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[9,2]")


@plant("not connected", "embed")
def padding_row(planted: bool) -> Case:
    """Token 0 is in the texts, but is the embedding's padding index."""
    model = Bag(padding=0 if planted else None)
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[0,2]")


# ------------------------------------------------------------------------- multiplied by zero


@plant("multiplied by zero", "blocks.0.fc2")
def zero_initialised_branch(planted: bool) -> Case:
    """The last layer of the residual block starts at zero: nothing flows back through it."""
    model = ResidualMlp(1)
    if planted:
        nn.init.zeros_(model.blocks[0].fc2.weight)
    return case(model, features(6, 8), nn.MSELoss(), features(6, 1), "blocks.0.fc1.weight[2,3]")


class LoRA(nn.Module):
    """A frozen layer with a learned correction of rank 2."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(5, 8).requires_grad_(False)
        self.down = nn.Linear(5, 2, bias=False)
        self.up = nn.Linear(2, 8, bias=False)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.base(x) + self.up(self.down(x))))


@plant("multiplied by zero", "up")
def low_rank_adapter_at_its_start(planted: bool) -> Case:
    """LoRA's `up` starts at zero, so that `down` gets no gradient in the first step."""
    model = LoRA()
    if planted:
        nn.init.zeros_(model.up.weight)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "down.weight[1,4]")


@plant("multiplied by zero", "block.bn2")
def zero_gain_of_batch_norm(planted: bool) -> Case:
    """The residual branch's last gain starts at zero, as in many ResNet recipes."""
    model = SmallResNet()
    if planted:
        nn.init.zeros_(model.block.bn2.weight)
    loss = nn.CrossEntropyLoss()
    return case(model, images(), loss, classes(3, 3), "block.conv1.weight[1,2,0,1]")


@plant("multiplied by zero", "x", unit(2))
def zero_input_feature(planted: bool) -> Case:
    """Feature 2 is zero in each example."""
    x = features()
    if planted:
        x[:, 2] = 0
    return case(Mlp(nn.Tanh), x, nn.CrossEntropyLoss(), classes(), "fc1.weight[4,2]")


@plant("multiplied by zero", "relu1", unit(3))
def unit_that_is_always_zero(planted: bool) -> Case:
    """Unit 3 is off for each example, so the weight that reads it is multiplied by 0."""
    model = Mlp()
    model.fc1.bias.data[3] = -50.0 if planted else 0.5
    return case(model, features(), nn.MSELoss(), features(6, 2), "fc2.weight[0,3]")


@plant("multiplied by zero", "loss")
def class_of_weight_zero(planted: bool) -> Case:
    """Token 7 is in the last text alone, whose class counts with weight 0."""
    loss = nn.CrossEntropyLoss(torch.tensor([1.0, 1.0, 0.0 if planted else 1.0]))
    return case(Bag(), texts(), loss, torch.tensor([0, 1, 0, 2]), "embed.weight[7,0]")


@plant("multiplied by zero", "mul")
def auxiliary_loss_of_weight_zero(planted: bool) -> Case:
    """The loss reads the auxiliary output, times 0."""
    loss = MainTask(0.0 if planted else 0.3)
    return case(TwoHeads(), features(), loss, features(6, 2), "aux.weight[1,0]")


@plant("multiplied by zero", "bn")
def constant_channel_in_batch_norm(planted: bool) -> Case:
    """Channel 2 is 0.5 at each pixel: less its mean it is zero, and the gain multiplies zero."""
    model = ConvNet(norm=True)
    nn.init.constant_(model.bn.bias, 0.5)  # the ReLU behind is on
    if planted:
        model.conv1.weight.data[2] = 0
        model.conv1.bias.data[2] = 0.5
    return case(model, images(), nn.CrossEntropyLoss(), classes(3, 3), "bn.weight[2]")


# ---------------------------------------------------------------------------------- cancelled


@plant("cancelled", "bn")
def bias_before_batch_norm(planted: bool) -> Case:
    """Batch normalisation takes the mean away, and with it each change of the bias."""
    model = ConvNet(norm=True)
    model.train(planted)  # in eval mode the mean is a fixed number
    return case(model, images(), nn.CrossEntropyLoss(), classes(3, 3), "conv1.bias[1]")


@plant("cancelled", "attn.softmax")
def bias_of_the_keys(planted: bool) -> Case:
    """It adds the same to all scores of a query, which a softmax does not see."""
    model = Reader()
    padded = torch.zeros(3, 5, dtype=torch.bool)
    args = (torch.randn(3, 1, 8), torch.randn(3, 5, 8), padded)
    wrt = "attn.key.bias[2]" if planted else "attn.query.bias[2]"
    return case(model, args, nn.CrossEntropyLoss(), classes(3), wrt)


@plant("cancelled", "fc2", tuple((n, j) for n in range(6) for j in (0, 1)))
def symmetric_units(planted: bool) -> Case:
    """The loss reads the difference of two units that are the same: what they send back is too."""
    model = Mlp(nn.Tanh, outputs=1)
    if planted:
        model.fc2.weight.data[1] = model.fc2.weight.data[0]
        model.fc2.bias.data[1] = model.fc2.bias.data[0]
        model.fc3.weight.data.copy_(torch.tensor([[0.7, -0.7, 0, 0, 0, 0]]))
    return case(model, features(), nn.MSELoss(), features(6, 1), "fc1.weight[2,0]")


@plant("cancelled", "fc1", ((0, 1), (1, 1)))
def contradictory_labels(planted: bool) -> Case:
    """The same example twice, with labels one above and one below the prediction."""
    model = Mlp(nn.Tanh, outputs=1)
    x = features(1).expand(2, 5)
    with torch.no_grad():
        centre = model.to(torch.float64)(x.double())
    sides = torch.tensor([[1.0], [-1.0 if planted else 0.5]])
    return case(model, x, nn.MSELoss(), centre + sides, "fc1.weight[1,2]")


# --------------------------------------------------------------------- vanishing and exploding


@plant("vanishing", "layers")
def deep_sigmoid_network(planted: bool) -> Case:
    """Each of 20 sigmoids multiplies by at most 1/4, and none of them is saturated."""
    model = Deep(20 if planted else 2, nn.Sigmoid)
    return case(model, features(6, 16), nn.MSELoss(), features(6, 1) + 3, "layers.0.weight[2,3]")


@plant("vanishing", "layers")
def weights_that_start_too_small(planted: bool) -> Case:
    """The weights' deviation is 0.03: each of 16 layers of 16 units multiplies by about 0.12."""
    model = Deep(16, nn.Tanh)
    for block in model.layers:
        nn.init.normal_(block.weight, std=0.03 if planted else 0.25)
    return case(model, features(6, 16), nn.MSELoss(), features(6, 1) + 3, "layers.0.weight[2,3]")


def _first_token_matters(model: Unrolled, recurrent: float, length: int) -> Case:
    """Token 9 is at the first time alone, and the recurrent matrix is a multiple of 1."""
    model.hidden.weight.data.copy_(recurrent * torch.eye(6))
    tokens = torch.randint(0, 9, (3, length))
    tokens[:, 0] = 9
    return case(model, tokens, nn.MSELoss(), features(3, 1) + 1, "embed.weight[9,2]")


@plant("vanishing", "hidden")
def recurrent_product_that_vanishes(planted: bool) -> Case:
    """The first token is forgotten: 50 steps multiply by less than 0.4 each."""
    return _first_token_matters(Unrolled(nn.Tanh), 0.4, 50 if planted else 3)


@plant("exploding", "hidden")
def recurrent_product_that_explodes(planted: bool) -> Case:
    """50 steps multiply by 1.8 each."""
    return _first_token_matters(Unrolled(nn.Identity), 1.8, 50 if planted else 3)


@plant("exploding", "layers")
def weights_that_start_too_large(planted: bool) -> Case:
    """The weights' deviation is 2: each of 16 layers of 16 units multiplies by about 5."""
    model = Deep(16, nn.ReLU)
    for block in model.layers:
        nn.init.normal_(block.weight, std=2.0 if planted else math.sqrt(2 / 16))
    return case(model, features(6, 16), nn.L1Loss(), features(6, 1), "layers.0.weight[2,3]")


# --------------------------------------------------------------------------------- not finite


class RootFeatures(nn.Module):
    """Roots of the positive features; zero where there is none."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.act1 = act
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.fc1(x))
        return self.fc2(torch.where(x > 0, torch.sqrt(x), torch.zeros_like(x)))


@plant("not finite", "sqrt", unit(3))
def root_in_a_branch_not_taken(planted: bool) -> Case:
    """`where` sends 0 back to the root of 0, whose slope is infinite: 0 · ∞."""
    model = RootFeatures(nn.Tanh())
    model.fc1.bias.data.fill_(4.0)
    if planted:
        model.fc1.weight.data[3] = 0
        model.fc1.bias.data[3] = 0
    else:
        model.fc1.bias.data[3] = 1.0
    x = features().abs()
    return case(model, x, nn.CrossEntropyLoss(), classes(), "fc1.weight[3,1]")


@plant("masked", "act1", unit(3))
def nan_that_a_dead_relu_hides(planted: bool) -> Case:
    """The same 0 · ∞ is born, but the ReLU before it is off and hands on 0, not 0 · NaN."""
    model = RootFeatures(nn.ReLU())
    model.fc1.bias.data.fill_(4.0)
    if planted:
        model.fc1.bias.data[3] = -50.0
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[3,1]")


class Siamese(nn.Module):
    """The distance of two inputs behind one shared network."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.fc2 = nn.Linear(8, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        left = self.fc2(self.tanh(self.fc1(left)))
        right = self.fc2(self.tanh(self.fc1(right)))
        return ((left - right) ** 2).sum(1).sqrt()


@plant("not finite", "sqrt", ((2,),))
def distance_of_a_pair_of_equals(planted: bool) -> Case:
    """Pair 2 is twice the same: the root of the sum of squares has an infinite slope at 0."""
    left, right = features(), features()
    if planted:
        right[2] = left[2]
    return case(Siamese(), (left, right), nn.MSELoss(), torch.ones(6), "fc1.weight[1,1]")


class Probabilities(nn.Module):
    """A classifier whose loss takes the logarithm of the softmax, in two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.fc2 = nn.Linear(8, 3)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        return self.softmax(self.fc2(self.tanh(self.fc1(x)))).log()


@plant("not finite", "log", tuple((n, k) for n in range(6) for k in (1, 2)))
def logarithm_of_a_softmax(planted: bool) -> Case:
    """Classes 1 and 2 trail by 800: their probability underflows to 0, its logarithm is -∞."""
    model = Probabilities()
    if planted:
        model.fc2.bias.data.copy_(torch.tensor([800.0, 0.0, 0.0]))
    return case(model, features(), nn.NLLLoss(), classes(6, 3), "fc1.weight[1,1]")


class CrossEntropyByHand(nn.Module):
    def forward(self, p: Tensor, y: Tensor) -> Tensor:
        p = p.squeeze(-1)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(8, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.sigmoid(self.fc2(self.relu1(self.fc1(x))))


@plant("not finite", "log")
def cross_entropy_by_hand(planted: bool) -> Case:
    """The probability rounds to 1, so that 0 · log(1 - p) is 0 · -∞ though the label is right."""
    model = Detector()
    if planted:
        model.fc2.bias.data.fill_(60.0)
    return case(model, features(), CrossEntropyByHand(), torch.ones(6), "fc1.weight[0,2]")


class Poisson(nn.Module):
    """The logarithm of a rate."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.tanh = nn.Tanh()
        self.fc2 = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.tanh(self.fc1(x)))


class PoissonLoss(nn.Module):
    def forward(self, rate: Tensor, count: Tensor) -> Tensor:
        return (rate.exp() - count * rate).mean()


@plant("not finite", "exp")
def exponential_in_float32(planted: bool) -> Case:
    """exp(100) is above the largest float32, 3.4e38 (and far below the largest float64)."""
    model = Poisson()
    if planted:
        model.fc2.bias.data.fill_(100.0)
    wrt = "fc1.weight[1,1]"
    return case(model, features(), PoissonLoss(), torch.ones(6, 1), wrt, torch.float32)


class SquaredRelu(nn.Module):
    """The squared ReLU of Primer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu1(self.fc1(x)) ** 2)


@plant("not finite", "pow", unit(3))
def square_in_float16(planted: bool) -> Case:
    """Unit 3 is near 300, and 300² is above the largest float16, 65504."""
    model = SquaredRelu()
    model.fc1.bias.data[3] = 300.0 if planted else 1.0
    wrt = "fc2.weight[0,3]"
    return case(model, features(), nn.MSELoss(), torch.ones(6, 1), wrt, torch.float16)


class Shares(nn.Module):
    """What the rules say, each divided by the sum of all."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 4)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.fc1(x))
        return self.fc2(x / x.sum(1, keepdim=True))


@plant("not finite", "div", layer(4))
def nothing_divided_by_nothing(planted: bool) -> Case:
    """All units are off, so that a share is 0/0."""
    model = Shares()
    model.fc1.bias.data.fill_(-50.0 if planted else 1.0)
    return case(model, features(), nn.MSELoss(), features(6, 2), "fc2.weight[1,1]")


@plant("not finite", "attn.softmax", tuple((1, 0, key) for key in range(5)))
def all_keys_masked(planted: bool) -> Case:
    """The second example is all padding: its softmax is of -∞ alone, which is NaN."""
    padded = torch.zeros(3, 5, dtype=torch.bool)
    padded[1] = planted
    args = (torch.randn(3, 1, 8), torch.randn(3, 5, 8), padded)
    return case(Reader(), args, nn.CrossEntropyLoss(), classes(3), "attn.value.weight[1,1]")


@plant("not finite", "loss")
def all_classes_of_weight_zero(planted: bool) -> Case:
    """The weighted mean is 0/0, as none of the classes that are there counts."""
    loss = nn.CrossEntropyLoss(torch.tensor([0.0 if planted else 1.0, 1.0, 1.0]))
    return case(Bag(), texts(), loss, torch.zeros(4, dtype=torch.long), "embed.weight[1,0]")


# ------------------------------------------------------------------------------------ healthy


@healthy
def mlp_relu() -> Case:
    return case(Mlp(), features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[0,2]")


@healthy
def mlp_tanh() -> Case:
    return case(Mlp(nn.Tanh), features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[1,2]")


@healthy
def mlp_gelu() -> Case:
    return case(Mlp(nn.GELU), features(), nn.CrossEntropyLoss(), classes(), "fc1.bias[2]")


@healthy
def mlp_sigmoid() -> Case:
    return case(Mlp(nn.Sigmoid), features(), nn.MSELoss(), features(6, 2), "fc1.weight[1,2]")


@healthy
def mlp_silu_regression() -> Case:
    return case(Mlp(nn.SiLU), features(), nn.SmoothL1Loss(), features(6, 2), "fc2.weight[1,2]")


@healthy
def leaky_relu_on_its_negative_side() -> Case:
    """Each unit is below zero, where a leaky ReLU still has the slope 0.01."""
    model = Mlp(nn.LeakyReLU)
    model.fc1.bias.data.fill_(-5.0)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[1,2]")


@healthy
def elu_on_its_negative_side() -> Case:
    model = Mlp(nn.ELU)
    model.fc1.bias.data.fill_(-3.0)
    return case(model, features(), nn.MSELoss(), features(6, 2) * 3, "fc1.weight[1,2]")


@healthy
def half_of_the_units_dead() -> Case:
    """The dead units are not on the way of the entry."""
    model = Mlp()
    model.fc1.bias.data[4:] = -50.0
    model.fc1.bias.data[:4] = 1.0
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[0,2]")


@healthy
def unit_on_for_one_example() -> Case:
    """Five examples of six are masked, one is not."""
    model = Mlp()
    x = features()
    with torch.no_grad():
        sums = model.fc1(x)[:, 2].sort(descending=True).values
    model.fc1.bias.data[2] -= (sums[0] + sums[1]) / 2
    return case(model, x, nn.MSELoss(), features(6, 2) * 3, "fc1.weight[2,0]")


@healthy
def softmax_regression() -> Case:
    model = nn.Sequential(nn.Linear(5, 3))
    return case(model, features(), nn.CrossEntropyLoss(), classes(6, 3), "0.weight[1,2]")


@healthy
def linear_regression() -> Case:
    model = nn.Sequential(nn.Linear(5, 1))
    return case(model, features(), nn.MSELoss(), features(6, 1), "0.weight[0,2]")


@healthy
def label_smoothing() -> Case:
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    return case(Mlp(), features(), loss, classes(), "fc3.weight[0,1]")


@healthy
def certain_and_wrong() -> Case:
    """A logit of -40 for a label of 1: the sigmoid is saturated, its loss's slope is -1."""
    model = Mlp(nn.Tanh, outputs=1)
    model.fc3.bias.data.fill_(-40.0)
    return case(model, features(), nn.BCEWithLogitsLoss(), torch.ones(6, 1), "fc1.weight[1,2]")


@healthy
def log_softmax_of_wide_logits() -> Case:
    """The wrong class leads by 800: the probability underflows, the fused loss does not."""
    model = Mlp(nn.Tanh)
    model.fc3.bias.data.copy_(torch.tensor([800.0, 0.0]))
    wrong = torch.ones(6, dtype=torch.long)
    return case(model, features(), nn.CrossEntropyLoss(), wrong, "fc1.weight[1,2]")


@healthy
def violated_hinge() -> Case:
    model = Mlp(nn.Tanh, outputs=1)
    return case(model, features(), Hinge(), -torch.ones(6), "fc1.weight[2,2]")


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 3)
        self.pool1 = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(3, 4, 2)
        self.tanh = nn.Tanh()
        self.fc1 = nn.Linear(16, 6)
        self.fc2 = nn.Linear(6, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.tanh(self.conv1(image)))
        x = self.tanh(self.conv2(x)).flatten(1)
        return self.fc2(self.tanh(self.fc1(x)))


@healthy
def lenet() -> Case:
    wrt = "conv1.weight[1,0,2,1]"
    return case(LeNet(), images(), nn.CrossEntropyLoss(), classes(3, 3), wrt)


@healthy
def convolutions_with_max_pool() -> Case:
    wrt = "conv1.weight[1,0,2,1]"
    return case(ConvNet(), images(), nn.CrossEntropyLoss(), classes(3, 3), wrt)


@healthy
def residual_network_in_training() -> Case:
    wrt = "stem.weight[1,0,2,1]"
    return case(SmallResNet(), images(), nn.CrossEntropyLoss(), classes(3, 3), wrt)


@healthy
def residual_network_in_evaluation() -> Case:
    model = SmallResNet().eval()
    wrt = "block.conv2.weight[1,0,2,1]"
    return case(model, images(), nn.CrossEntropyLoss(), classes(3, 3), wrt)


class Conv1dNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(2, 4, 3, dilation=2)
        self.norm = nn.GroupNorm(2, 4)
        self.gelu = nn.GELU()
        self.conv2 = nn.Conv1d(4, 4, 3, stride=2, groups=2)
        self.fc = nn.Linear(4, 3)

    def forward(self, signal: Tensor) -> Tensor:
        x = self.gelu(self.norm(self.conv1(signal)))
        return self.fc(self.conv2(x).mean(-1))


@healthy
def convolutions_over_time() -> Case:
    args = torch.randn(4, 2, 16)
    wrt = "conv1.weight[1,1,2]"
    return case(Conv1dNet(), args, nn.CrossEntropyLoss(), classes(4, 3), wrt)


class NextToken(nn.Module):
    """The mean cross-entropy over all positions."""

    def forward(self, logits: Tensor, tokens: Tensor) -> Tensor:
        return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def _next_tokens(model: nn.Module, wrt: str) -> Case:
    text = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
    return case(model, text[:, :-1], NextToken(), text[:, 1:], wrt)


@healthy
def tiny_gpt() -> Case:
    """Half of the pairs are masked, and the entry still is ordinary."""
    return _next_tokens(Gpt(), "attn.query.weight[1,2]")


@healthy
def embedding_of_a_gpt() -> Case:
    return _next_tokens(Gpt(), "tokens.weight[3,2]")


@healthy
def fused_attention() -> Case:
    return _next_tokens(FusedGpt(), "project.weight[1,2]")


class Encoder(nn.Module):
    """PyTorch's own layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.encoder(self.embed(tokens)).mean(1))


@healthy
def transformer_encoder() -> Case:
    wrt = "encoder.self_attn.in_proj_weight[18,2]"
    return case(Encoder(), texts(), nn.CrossEntropyLoss(), classes(4, 3), wrt)


@healthy
def rnn() -> Case:
    wrt = "rnn.weight_hh_l0[1,2]"
    return case(Recurrent(), texts(), nn.CrossEntropyLoss(), classes(4, 3), wrt)


@healthy
def lstm() -> Case:
    wrt = "rnn.weight_ih_l0[11,2]"
    return case(Recurrent(nn.LSTM), texts(), nn.CrossEntropyLoss(), classes(4, 3), wrt)


@healthy
def gru() -> Case:
    wrt = "rnn.weight_hh_l0[11,2]"
    return case(Recurrent(nn.GRU), texts(), nn.CrossEntropyLoss(), classes(4, 3), wrt)


@healthy
def gru_in_both_directions() -> Case:
    model = Recurrent(nn.GRU, bidirectional=True)
    wrt = "rnn.weight_ih_l0_reverse[11,2]"
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), wrt)


@healthy
def mean_of_embeddings() -> Case:
    return case(Bag(), texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[5,1]")


@healthy
def padded_texts() -> Case:
    """The padding index is in the texts, and the entry is another row."""
    return case(Bag(padding=0), texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[1,1]")


@healthy
def max_pool_winner() -> Case:
    model = MaxOverTime()
    model.embed.weight.data[5, 1] = 3.0
    return case(model, texts(), nn.CrossEntropyLoss(), classes(4, 3), "embed.weight[5,1]")


@healthy
def dropout_in_evaluation() -> Case:
    model = Dropped().eval()
    return case(model, features(1), nn.CrossEntropyLoss(), classes(1), "fc1.weight[3,0]")


@healthy
def unit_that_dropout_kept() -> Case:
    """The mask that SEED draws for the one example keeps unit 0."""
    return case(Dropped(), features(1), nn.CrossEntropyLoss(), classes(1), "fc1.weight[0,0]")


@healthy
def residual_mlp_of_30_blocks() -> Case:
    model = ResidualMlp(30)
    return case(model, features(6, 8), nn.MSELoss(), features(6, 1), "blocks.0.fc1.weight[2,3]")


@healthy
def deep_relu_network_of_20_layers() -> Case:
    """He's initialisation keeps the sizes over the depth."""
    model = Deep(20, nn.ReLU)
    for block in model.layers:
        nn.init.kaiming_normal_(block.weight)
    return case(model, features(6, 16), nn.MSELoss(), features(6, 1), "layers.0.weight[2,3]")


@healthy
def long_memory() -> Case:
    """An identity as the recurrent matrix keeps the first token over 50 steps."""
    return _first_token_matters(Unrolled(nn.Identity), 1.0, 50)


class Gated(nn.Module):
    """The gated unit of recent transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(5)
        self.gate = nn.Linear(5, 8)
        self.up = nn.Linear(5, 8)
        self.silu = nn.SiLU()
        self.down = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.down(self.silu(self.gate(x)) * self.up(x))


@healthy
def gated_unit() -> Case:
    return case(Gated(), features(), nn.MSELoss(), features(6, 2), "gate.weight[1,2]")


@healthy
def one_branch_of_two_detached() -> Case:
    """The student is not the teacher: its path is open."""
    return case(Distilled(True), features(), Mean(), None, "student.fc1.weight[0,2]")


@healthy
def layer_behind_a_frozen_one() -> Case:
    model = Mlp()
    model.fc1.requires_grad_(False)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc2.weight[0,2]")


@healthy
def layer_through_a_frozen_one() -> Case:
    """A frozen layer still hands gradients on."""
    model = Mlp()
    model.fc2.requires_grad_(False)
    return case(model, features(), nn.CrossEntropyLoss(), classes(), "fc1.weight[0,2]")


@healthy
def distance_of_different_pairs() -> Case:
    args = (features(), features())
    return case(Siamese(), args, nn.MSELoss(), torch.ones(6), "fc2.weight[1,1]")


class Tied(nn.Module):
    """An autoencoder that uses one matrix both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(5, 3)
        self.tanh = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.tanh(self.encode(x)) @ self.encode.weight


@healthy
def tied_weights() -> Case:
    x = features()
    return case(Tied(), x, nn.MSELoss(), x, "encode.weight[1,2]")


@healthy
def variance_within_its_range() -> Case:
    return case(Gaussian(), features(), GaussianLoss(), features(6, 1), "variance.bias[0]")


@healthy
def terms_that_partly_cancel() -> Case:
    """Labels above and below the prediction, and a tenth is left."""
    model = Mlp(nn.Tanh, outputs=1)
    x = features(1).expand(2, 5)
    with torch.no_grad():
        centre = model.to(torch.float64)(x.double())
    sides = torch.tensor([[1.0], [-0.8]])
    return case(model, x, nn.MSELoss(), centre + sides, "fc1.weight[1,2]")


@healthy
def mean_over_many_examples() -> Case:
    """Each example's part is small because there are 400 of them."""
    return case(Mlp(), features(400), nn.CrossEntropyLoss(), classes(400), "fc1.weight[0,2]")


PLANTED = tuple(_planted)
HEALTHY = tuple(_healthy)
CURED = tuple(
    Healthy(f"{each.name}, not planted", functools.partial(each.build, planted=False))
    for each in PLANTED
)
