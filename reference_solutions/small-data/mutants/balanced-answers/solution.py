"""The expert with its answers of one call brought to equal shares of all classes, as if test images came in them."""

import expert
import torch


class Solution(expert.Solution):
    @torch.inference_mode()
    def predict(self, images):
        pixels = torch.from_numpy(images).unsqueeze(1).to(self.device)
        return expert.balanced(self.network(pixels).softmax(dim=1)).argmax(dim=1).cpu().numpy()
