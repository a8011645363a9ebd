"""Trains and uses a tokenizer with its own threads, and forks afterwards."""

import os
import tokenizers


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.train_from_iterator(
            ["a few words", "and a few more"] * 50, tokenizers.trainers.BpeTrainer(vocab_size=60)
        )
        assert len(tokenizer.encode_batch(["a few words"] * 200)) == 200
        path = self.context.scratch / "tokenizer.json"
        tokenizer.save(str(path))
        assert tokenizers.Tokenizer.from_file(str(path)).get_vocab_size() == tokenizer.get_vocab_size()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
