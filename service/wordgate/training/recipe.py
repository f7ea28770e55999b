"""Training recipes: schema, validation and loading of recipe.toml.

A recipe specifies the training text, the network and the optimisation. The same recipe and text
give the same model.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from wordgate.bundle.manifest import NAME_PATTERN
from wordgate.errors import InvalidRecipe

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LANGUAGE_PATTERN = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
"""Pattern of a language tag (BCP 47, RFC 5646). The primary subtag has two or three letters: longer
ones are not registered, and this rejects names such as `English`."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Cell = Literal["lstm", "gru", "rnn"]
Precision = Literal["auto", "bfloat16", "float32"]
OptimiserKind = Literal["adamw", "sgd"]
TokenizerKind = Literal["bpe", "words"]
Order = Literal["shuffled", "sequential"]
_WHOLE_WORDS = 'tokenizer.kind = "words"'


def _device(name: str) -> str:
    if not re.fullmatch("cpu|cuda(:[0-9]{1,3})?", name):
        raise ValueError('must be "cpu", "cuda" or, with the number of a GPU, "cuda:1"')
    return name


class Section(BaseModel):
    """A section of a recipe: immutable; unknown keys and implicit conversions are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextFile(Section):
    """A text file and its provenance."""

    path: Annotated[str, Field(min_length=1)]
    """Path in `text.folder`: .txt (one passage per line) or .jsonl (field `text`); .gz or .xz."""
    weight: Positive = 1.0
    """Sampling weight relative to the file's size: 1 reads it in proportion, 2 twice as often."""
    origin: str = ""
    licence: str = ""


class Text(Section):
    """The training text."""

    folder: str = "."
    """Folder of the text files, relative to the recipe. A flag or variable overrides it."""
    files: Annotated[tuple[TextFile, ...], Field(min_length=1, strict=False)]
    unpunctuated_share: Share = 0.15
    """Share of passages stripped of punctuation, like transcribed speech."""
    sentences_share: Share = 0.0
    """Share of passages split into sentences that become separate texts, like chat messages."""
    held_out_share: Share = 0.005
    """Share of passages held out for evaluation."""
    held_out_file: str = ""
    """File in `folder` to evaluate on instead, with `tokenizer.kind = "words"`."""
    exclude: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Files of phrases or questions, relative to the recipe. Passages with one are dropped."""
    never_suggested: str = ""
    """File of words or phrases that are scored but never suggested, one per line, relative to the
    recipe. Of a phrase, the last word is not suggested after the others."""

    @model_validator(mode="after")
    def _files_differ(self) -> Self:
        paths = [file.path for file in self.files]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"{path} is named {paths.count(path)} times; give it one weight")
        return self


class TokenizerSection(Section):
    """The tokenizer."""

    kind: TokenizerKind = "bpe"
    """Byte-pair encoding within words; or `words`: the words between white space as written,
    `<unk>` for those outside the vocabulary, and `<eos>` after each line. That is for experiments:
    the text is neither normalised nor masked, and the model cannot be served."""
    vocabulary: Annotated[int, Field(ge=513, le=1_000_000)] = 16_000
    """Maximum vocabulary size, including `<eos>` and the 512 byte tokens or `<unk>`."""


class NetworkSection(Section):
    """The network."""

    cell: Cell = "lstm"
    """Recurrent cell: LSTM, gated recurrent unit or simple recurrent network. The last two are for
    experiments: they are trained and evaluated in float32, but not exported or served."""
    layers: Count = 2
    width: Count = 512
    """Size of the layers and of the embeddings."""
    hidden_width: Count | None = None
    """Size of the layers below the top one, if it differs: for experiments, not served."""
    output: Literal["two-level", "full"] = "two-level"
    cutoffs: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """Cutoffs of the adaptive softmax: ends of the head and of each cluster of rarer tokens."""
    dropout: Share = 0.0
    """Dropout rate of the embeddings, between layers and of the top layer. The mask is the same for
    all time steps of a segment. `regularisation` may set each of the three."""

    @model_validator(mode="after")
    def _cutoffs_fit(self) -> Self:
        if self.output == "full" and self.cutoffs:
            raise ValueError('cutoffs need output = "two-level"; remove them for output = "full"')
        if self.output == "two-level" and len(self.cutoffs) < 2:
            raise ValueError(
                'output = "two-level" needs at least two cutoffs, for example [2000, 6000, 16000]'
            )
        if any(
            later <= earlier for earlier, later in zip(self.cutoffs, self.cutoffs[1:], strict=False)
        ):
            raise ValueError(f"cutoffs must increase: {list(self.cutoffs)}")
        if self.cutoffs and self.cutoffs[0] < 1:
            raise ValueError("cutoffs must be 1 or more")
        if self.hidden_width and self.layers == 1:
            raise ValueError("hidden_width needs at least two layers; set width")
        return self


class Training(Section):
    """Optimisation."""

    batch: Count = 40
    """Number of text columns read in parallel."""
    length: Count = 35
    """Tokens per column and update (truncated back-propagation through time)."""
    steps: Count
    """Total number of updates."""
    optimiser: OptimiserKind = "adamw"
    warmup_steps: Annotated[int, Field(ge=0)] = 500
    decay_steps: Annotated[int, Field(ge=0)] = 0
    """Number of final steps over which the learning rate falls to `minimum_learning_rate`."""
    learning_rate: Positive = 3e-3
    minimum_learning_rate: NotNegative = 6e-5
    weight_decay: NotNegative = 0.01
    clip_norm: Positive = 1.0
    average_decay: Share = 0.0
    """Decay per update of an exponential moving average of the weights, which is evaluated, saved
    and exported: 0.999 averages about the last quarter of the updates, at most about 1,000. 0
    averages nothing."""
    order: Order = "shuffled"
    """Order of the text: shuffled passages, or `sequential`: consecutive tokens in `batch` columns,
    with the state carried over. Held-out text is then read in order too."""
    restart_share: Share = 0.08
    """Share of segments that begin a new text: the state is zeroed and `<eos>` is read."""
    precision: Precision = "auto"
    """Precision of the matrix products; weights and sums are float32. "auto" is bfloat16 on
    hardware that multiplies it, else float32."""
    device: Annotated[str, AfterValidator(_device)] = "cpu"
    """The processor ("cpu") or a GPU: "cuda", or by number "cuda:1"."""
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 1
    threads: Annotated[int, Field(ge=0, le=1024)] = 2
    """Threads per step; 0 uses all processors. The number affects the last bits of the result."""
    checkpoint_minutes: Positive = 5.0
    evaluate_every: Count = 1000
    """Interval between evaluations on held-out text, in steps."""
    evaluation_tokens: Count = 60_000
    """Maximum number of held-out tokens per evaluation."""

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.warmup_steps + self.decay_steps > self.steps:
            sums = f"{self.warmup_steps} + {self.decay_steps}"
            raise ValueError(f"warmup_steps + decay_steps ({sums}) exceed steps ({self.steps})")
        if self.minimum_learning_rate > self.learning_rate:
            raise ValueError("minimum_learning_rate is higher than learning_rate")
        if self.order == "sequential" and self.restart_share:
            raise ValueError('order = "sequential" has no restarts; set restart_share = 0')
        return self


class Regularisation(Section):
    """The regularisation of the AWD-LSTM (Merity et al. 2017); all of it is off by default."""

    input_dropout: Share | None = None
    """Dropout rate of the embeddings; `network.dropout` by default, like the next two."""
    layer_dropout: Share | None = None
    """Dropout rate between layers."""
    output_dropout: Share | None = None
    """Dropout rate of the top layer's values."""
    embedding_dropout: Share = 0.0
    """Share of the tokens whose embedding is read as zeros, drawn per update."""
    weight_drop: Share = 0.0
    """Share of the recurrent weights that are zero, drawn per update (DropConnect)."""
    activation: NotNegative = 0.0
    """Factor of the mean square of the top layer's values in the loss (AR)."""
    temporal_activation: NotNegative = 0.0
    """Factor of the mean square of their changes between time steps in the loss (TAR)."""
    length_deviation: NotNegative = 0.0
    """Standard deviation of the tokens per update around `training.length`. The learning rate is
    scaled in proportion to the length."""
    half_length_share: Share = 0.0
    """Share of updates with half of `training.length` as the mean."""
    averaging_patience: Annotated[int, Field(ge=0)] = 0
    """Average the weights once the held-out perplexity is above the best one of more than this many
    evaluations ago (NT-ASGD); 0 never does."""


class Recipe(Section):
    """Everything that determines the trained model, except the text itself."""

    name: Name
    language: Annotated[str, Field(pattern=LANGUAGE_PATTERN)]
    """Language of the text as a BCP 47 tag: `en`, `zh-Hans`; `und` if unknown."""
    init_from: str = ""
    """A published version to continue from, `models/NAME/VERSION`; its tokenizer is kept."""
    text: Text
    tokenizer: TokenizerSection = TokenizerSection()
    network: NetworkSection
    training: Training
    regularisation: Regularisation = Regularisation()

    @property
    def expected_tokens_per_step(self) -> float:
        """Expected number of tokens per update."""
        plan = self.training
        return plan.batch * plan.length * (1 - self.regularisation.half_length_share / 2)

    @property
    def obstacle_to_serving(self) -> str:
        """The setting because of which the server cannot run the model; empty if it can."""
        if self.network.cell != "lstm":
            return f'network.cell = "{self.network.cell}"'
        if self.network.hidden_width:
            return f"network.hidden_width = {self.network.hidden_width}"
        return _WHOLE_WORDS if self.tokenizer.kind == "words" else ""

    @model_validator(mode="after")
    def _cell_fits(self) -> Self:
        cell = self.network.cell
        if cell != "lstm" and self.training.precision == "bfloat16":
            raise ValueError(
                f'network.cell = "{cell}" trains in float32 only; set training.precision = '
                '"auto" or "float32"'
            )
        if self.obstacle_to_serving and self.init_from:
            raise ValueError(
                f"{self.obstacle_to_serving} cannot continue a published version; remove init_from"
            )
        return self

    @model_validator(mode="after")
    def _one_average(self) -> Self:
        if self.training.average_decay and self.regularisation.averaging_patience:
            raise ValueError(
                "training.average_decay and regularisation.averaging_patience are two averages; "
                "remove one"
            )
        return self

    @model_validator(mode="after")
    def _text_fits(self) -> Self:
        """Reject settings of the text that the tokenizer or the order would ignore."""
        text, whole_words = self.text, self.tokenizer.kind == "words"
        if text.held_out_file and not whole_words:
            raise ValueError(f"text.held_out_file needs {_WHOLE_WORDS}")
        changing = ("unpunctuated_share", "sentences_share", "held_out_share", "exclude")
        keys = ", ".join(f"text.{key}" for key in changing if getattr(text, key))
        if whole_words and keys:
            raise ValueError(f"{_WHOLE_WORDS} reads the text as it is: set to 0 or remove {keys}")
        if self.training.order == "sequential" and any(file.weight != 1 for file in text.files):
            raise ValueError(
                'training.order = "sequential" reads each file once per pass; remove the weights '
                "of text.files"
            )
        return self

    @model_validator(mode="after")
    def _cutoffs_end_at_the_vocabulary(self) -> Self:
        cutoffs, vocabulary = self.network.cutoffs, self.tokenizer.vocabulary
        if cutoffs and cutoffs[-1] != vocabulary:
            raise ValueError(
                f"network.cutoffs end at {cutoffs[-1]}, tokenizer.vocabulary is {vocabulary}: "
                "the last cutoff must be the vocabulary"
            )
        return self


def load(path: Path) -> Recipe:
    """Load a recipe from a TOML file. Raises `InvalidRecipe` naming the key and the remedy."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidRecipe(path, "", "does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRecipe(path, "", f"cannot be read as TOML: {error}") from error
    return parse(document, path)


def parse(document: dict[str, Any], path: Path) -> Recipe:
    """Validate a document that was read from `path`. Raises `InvalidRecipe`."""
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        key, problem = _explain(error)
        raise InvalidRecipe(path, key, problem) from None


def _explain(error: ValidationError) -> tuple[str, str]:
    """Return key and problem of the most useful error; unknown keys first: they cause others."""
    errors = error.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    key = _dotted(first["loc"])
    if first["type"] == "extra_forbidden":
        return key, _unknown(str(first["loc"][-1]))
    if first["type"] == "missing":
        return key, "is missing"
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    shown = f" (it is {value!r})" if isinstance(value, int | float | str) else ""
    return key, f"{message[:1].lower()}{message[1:]}{shown}"


def _dotted(location: tuple[int | str, ...]) -> str:
    dotted = ""
    for part in location:
        dotted += f"[{part}]" if isinstance(part, int) else f".{part}"
    return dotted.removeprefix(".")


def _unknown(key: str) -> str:
    known = sorted(set(_known_keys(Recipe)))
    near = difflib.get_close_matches(key, [dotted.split(".")[-1] for dotted in known], n=1)
    if not near:
        return "is not a recipe key"
    places = [dotted for dotted in known if dotted.split(".")[-1] == near[0]]
    return f"is not a recipe key; did you mean {' or '.join(places)}?"


def _known_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from _known_keys(kind, f"{prefix}{name}.")
