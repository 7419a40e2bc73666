"""Sentences with a word computed from each image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from promptreid.config.model import PromptConfig
from promptreid.errors import DataError
from promptreid.models.model_part import PartShape
from promptreid.models.prompts.context_positions import Slot, Words, place_sentences
from promptreid.models.prompts.image_sentences import after_prefix, fields_of_images, place_plain
from promptreid.models.prompts.inversion import InversionNetwork
from promptreid.models.prompts.prompt import PromptData, PromptOfImages, average_texts
from promptreid.models.prompts.sentence_frame import SentenceFrame, read_positions
from promptreid.models.prompts.sentences import fill_prompts, template_fields
from promptreid.models.towers.backbone import Backbone
from promptreid.transfer import send


class ImagePromptShape(PartShape):
    """What data and tokenizer decided about an image prompt.

    Attributes:
        variants: V combinations of field values.
        prefix: Words that all sentences begin with.
        slots: Where the word stands in each distinct sentence.
        plain_length: Words of the longest sentence without the word.
        plain_ends: Where each sentence without the word is read.
    """

    variants: tuple[dict[str, str], ...]
    prefix: int
    slots: tuple[Slot, ...]
    plain_length: int
    plain_ends: tuple[int, ...]


class ImagePrompt(SentenceFrame, PromptOfImages):
    """A sentence for each image (PromptSG: Yang et al., CVPR 2024).

    "A photo of a s person.": s is a word embedding that the inversion network computes from the
    image's projected feature; the other words stay as they are. The sentence runs through the text
    tower with gradient, so the loss reaches the inversion network although the tower is frozen.

    Sentences can name attributes of the image ("the {aspect} side"); combinations of their values
    are the variants. Several templates give one text feature by `average_texts`.

    Attributes:
        inversion: Network that computes the word.
    """

    Shape = ImagePromptShape
    shape: ImagePromptShape
    fixed = ("prefix", "suffix", "sentences", "plain")
    on_host = ("sentences",)
    plain: Tensor
    sentences: Tensor

    def __init__(
        self,
        backbone: Backbone,
        options: PromptConfig,
        shape: ImagePromptShape,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make room for the fixed words, and draw the weights of the inversion network.

        They come from the generator; None for a generator with seed 0.
        """
        super().__init__(backbone, options, shape)
        slots, width = shape.slots, backbone.text.width
        self.variants = shape.variants
        self.inversion = InversionNetwork(
            backbone.image.widths[2], width, hidden=options.hidden, generator=generator
        )
        suffix = torch.zeros(len(slots), slots[0].total - shape.prefix, width)
        self.frame(backbone.text, Words(torch.zeros(shape.prefix, width), suffix, slots))
        numbers = torch.zeros(len(shape.variants), len(options.template), dtype=torch.long)
        self.register_buffer("sentences", numbers)
        self.register_buffer("plain", torch.zeros(len(slots), shape.plain_length, width))

    @classmethod
    def build(
        cls,
        backbone: Backbone,
        options: PromptConfig,
        data: PromptData,
        *,
        generator: torch.Generator | None = None,
    ) -> ImagePrompt:
        """Place the word in the sentences; see `Prompt.build`.

        A field given per identity must be the same for all, since an image is not known by its
        identity.

        Raises:
            ConfigError: A field is not given or differs between identities, a sentence is too long,
                or nothing is left of it without the word.
            WeightsError: The text tower came without word embeddings.
        """
        text, tokenizer, templates = backbone.text, backbone.tokenizer, options.template
        fields = fields_of_images(data.fields, templates)
        sentences, numbers = fill_prompts(templates, fields, identities=1, ensemble=len(templates))
        words = place_sentences(text, tokenizer, sentences, context_tokens=1)
        plain, plain_ends = place_plain(text, tokenizer, sentences)
        suffix, slots = after_prefix(text, words)
        shape = ImagePromptShape(
            variants=tuple(dict(variant) for variant in fields.variants),
            prefix=len(words.prefix),
            slots=slots,
            plain_length=plain.shape[1],
            plain_ends=tuple(plain_ends),
        )
        device = words.prefix.device
        prompt = cls(backbone, options, shape, generator=generator).to(device)
        prompt.prefix, prompt.suffix, prompt.plain = words.prefix, suffix, plain
        prompt.sentences = torch.tensor(numbers)[:, 0]
        return prompt

    def forward(self, projected: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode the sentence of each image; arguments as in `words` and `encode`."""
        return self.encode(self.words(projected), variants)

    def words(self, projected: Tensor) -> Tensor:
        """Compute the word of each image; see `PromptOfImages.words`."""
        return self.inversion(projected)

    def encode(self, words: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode sentences around given words; see `PromptOfImages.encode`."""
        numbers = self._number_sentences(variants, len(words))
        batch, members = numbers.shape
        context = words.to(self.suffix.dtype).repeat_interleave(members, dim=0)[:, None]
        texts = self.encode_context(context, numbers.flatten())
        return average_texts(texts.unflatten(0, (batch, members)))

    @torch.no_grad()
    def constant(self) -> Tensor:
        """Encode "A photo of a person." for each variant; see `PromptOfImages.constant`.

        It depends on no image, so encode it once and keep it.
        """
        ends = read_positions(self.shape.plain_ends, torch.arange(len(self.plain)))
        texts = self.text.encode_embeddings(self.plain, ends)
        return average_texts(texts[send(self.sentences, texts.device)])

    def constant_sources(self) -> Iterator[Tensor]:
        """Yield the fixed words and the weights of the text tower."""
        yield from (self.plain, self.sentences)
        yield from self.text.parameters()
        yield from self.text.buffers()

    def find_variants(self, columns: Mapping[str, Sequence[str]], *, images: int) -> Tensor:
        """Look each image's attributes up; see `PromptOfImages.find_variants`."""
        names = template_fields(self.options.template)
        missing = [name for name in names if name not in columns]
        if missing:
            raise DataError(
                f"The sentence {self.options.template[0]!r} names {missing}, but the images have "
                f"only the attributes {sorted(columns)}. Read the data with these attributes."
            )
        number_by_values: dict[tuple[str, ...], int] = {}
        for number, variant in enumerate(self.variants):
            number_by_values.setdefault(tuple(variant[name] for name in names), number)
        if not names:
            return torch.zeros(images, dtype=torch.long)
        value_rows = list(zip(*(columns[name] for name in names), strict=True))
        unseen = sorted(set(value_rows) - set(number_by_values))
        if unseen:
            raise DataError(
                f"The prompt has no sentence with {dict(zip(names, unseen[0], strict=True))}; it "
                f"was built for {sorted(number_by_values)}. Train on data with these values, or "
                "leave the images out."
            )
        return torch.tensor([number_by_values[values] for values in value_rows], dtype=torch.long)

    def _number_sentences(self, variants: Tensor | None, batch: int) -> Tensor:
        """Return the sentences of each image, (B, E) on the CPU."""
        if variants is not None:
            return self.sentences[variants.cpu()]
        if len(self.sentences) > 1:
            raise ValueError("variants must be given, since sentences depend on the image")
        return self.sentences[self.sentences.new_zeros(batch)]
