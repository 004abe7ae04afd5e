"""Tokenizers made from the training texts alone, and how long a text may be."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lab.data.encodings.text import FIRST_TOKEN, BytePairs, Ngrams, Tokenizer, Words, words_of
from lab.display.numbers import counted, percent
from lab.errors import LabError, install

Kind = Literal["words", "bpe"]
MOST_WORDS = 20_000  # the default size of a vocabulary of words
MOST_PAIRS = 8_000  # and of byte pairs
LEAST_PAIRS = 256 + FIRST_TOKEN  # every byte, padding, unknown
LEAST_COUNT = 2  # of a word or pair in the training texts
LONGEST = 256  # tokens up to which no text is cut by default
KEPT = 0.95  # share of longer training texts that are kept whole, by default
SHORT = 60  # words up to which n-grams of all words are few enough
FEW_TEXTS, BUCKETS, MANY_BUCKETS = 2_000, 10_000, 50_000
SPECIAL = ["<padding>", "<unknown>"]  # in the order of PAD and UNKNOWN


@dataclass(frozen=True)
class Settings:
    """How texts are cut into tokens, as the user set it; the last three are of words alone."""

    kind: Kind = "words"
    vocabulary: int | None = None
    ngrams: Ngrams = "rare"
    pairs: bool = False
    buckets: int = 2_000

    def check(self) -> None:
        """Raise LabError for settings that would not be used."""
        default = Settings()
        if self.kind == "bpe":
            for name in ("ngrams", "pairs", "buckets"):
                if getattr(self, name) != getattr(default, name):
                    raise LabError(f"data.{name}: is for tokenizer: words; leave it out")


def for_a_bag(texts: Sequence[str]) -> Settings:
    """Settings that suit a bag of tokens, which knows no other order than that of pairs."""
    buckets = MANY_BUCKETS if len(texts) > FEW_TEXTS else BUCKETS
    return Settings(ngrams="all" if usual_words(texts) <= SHORT else "rare", pairs=True, buckets=buckets)


def usual_words(texts: Sequence[str]) -> float:
    """The median number of words of a text."""
    return float(np.median([len(text.split()) for text in texts]))


def fit(settings: Settings, texts: Sequence[str]) -> Tokenizer:
    """The tokenizer of training texts with at most `vocabulary` words, or just so many byte pairs; raises LabError."""
    settings.check()
    return _words(settings, texts) if settings.kind == "words" else _byte_pairs(texts, settings.vocabulary)


def described(tokenizer: Tokenizer, texts: Sequence[str]) -> str:
    """The tokenizer in a few words."""
    if isinstance(tokenizer, BytePairs):
        return f"bpe, {tokenizer.tokens:,} tokens learned from {counted(len(texts), 'training text')}"
    also = {
        "none": ", others unknown",
        "rare": ", others as character n-grams",
        "all": " and character n-grams of all",
    }
    pairs = " and pairs of words" if tokenizer.pairs else ""
    buckets = f" ({tokenizer.buckets:,} buckets)" if tokenizer.buckets else ""
    words = f"{len(tokenizer.vocabulary):,} words of {counted(len(texts), 'training text')}"
    return f"{words}{also[tokenizer.ngrams]}{pairs}{buckets}"


def _words(settings: Settings, texts: Sequence[str]) -> Words:
    """The most frequent words that occur twice or more, those of the same frequency in alphabetical order."""
    counts = Counter(word for text in texts for word in words_of(text))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: settings.vocabulary or MOST_WORDS]
    words = tuple(word for word, count in ordered if count >= LEAST_COUNT)
    hashed = settings.ngrams != "none" or settings.pairs
    return Words(words, settings.buckets if hashed else 0, settings.ngrams, settings.pairs)


def _byte_pairs(texts: Sequence[str], size: int | None) -> BytePairs:
    if size is not None and size < LEAST_PAIRS:
        raise LabError(f"data.vocabulary: {size} is too small for bpe; at least {LEAST_PAIRS}: all bytes and 2 marks")
    tokenizer = _new_tokenizer()
    trainer = _trainer(size or MOST_PAIRS)
    tokenizer.train_from_iterator(texts, trainer)
    found = BytePairs(tokenizer.to_str())
    if size is not None and found.tokens < size:
        raise LabError(
            f"data.vocabulary: {size:,} byte pairs cannot be learned from {counted(len(texts), 'training text')}; "
            f"at most {found.tokens:,}"
        )
    return found


def _new_tokenizer() -> Any:
    """Byte pairs of texts in lower case, within words alone; every text can be encoded."""
    try:
        import tokenizers
    except ImportError:
        raise LabError(f"data.tokenizer: bpe needs the package tokenizers: {install('text')}") from None
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=SPECIAL[1]))
    tokenizer.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.NFKC(), tokenizers.normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def _trainer(size: int) -> Any:
    from tokenizers import pre_tokenizers, trainers

    return trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=LEAST_COUNT,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )


def length_of(texts: Sequence[Sequence[int]]) -> int:
    """How many tokens are kept of a text: all of the longest one, or enough for 95 % of the texts where it is long."""
    counts = np.array([max(len(text), 1) for text in texts])
    longest = int(counts.max())
    return longest if longest <= LONGEST else max(LONGEST, int(np.quantile(counts, KEPT)))


def cut(texts: Sequence[Sequence[int]], length: int) -> str:
    """How many texts are longer than `length` tokens, in words."""
    count = sum(len(text) > length for text in texts)
    if not count:
        return f"{length:,} tokens, as long as the longest training text or longer; no text is cut"
    share = percent(count / len(texts))
    return f"{length:,} tokens; {count:,} of {counted(len(texts), 'text')} ({share}) are longer and are cut there"
