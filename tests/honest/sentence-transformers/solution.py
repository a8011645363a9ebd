"""Pools sentence embeddings with sentence_transformers on a model of its own."""

from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
import tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        folder = str(self.context.scratch / "model")
        words = {
            word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "word"])
        }
        inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
            folder
        )
        BertModel(
            BertConfig(
                vocab_size=6, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
            )
        ).save_pretrained(folder)
        body = Transformer(folder)
        model = SentenceTransformer(modules=[body, Pooling(8)], device="cpu")
        assert model.encode(["a word", "word"]).shape == (2, 8)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
