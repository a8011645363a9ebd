"""Builds a small transformer from a configuration, saves and loads it."""

import torch
from transformers import BertConfig, BertModel


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        config = BertConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
        model = BertModel(config).eval()
        model.save_pretrained(self.context.scratch / "bert")
        again = BertModel.from_pretrained(self.context.scratch / "bert", local_files_only=True).eval()
        ids = torch.arange(10)[None]
        with torch.inference_mode():
            assert torch.allclose(model(ids).last_hidden_state, again(ids).last_hidden_state)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
