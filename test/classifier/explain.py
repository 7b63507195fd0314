"""Grad-CAM in PyTorch of two small networks, whose weights and pictures follow from formulas; prints explain.reference.json."""
import json
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float32)


def filled(shape, salt):
    count = 1
    for side in shape:
        count *= side
    return torch.tensor([((i * 37 + salt * 11) % 101 - 50) / 150 for i in range(count)]).reshape(shape)


def heat(units, asked):
    x = torch.tensor([((i * 53 + 7) % 256) / 255 for i in range(2 * 14 * 12 * 3)]).reshape(2, 14, 12, 3)
    conv1, bias1 = filled((3, 3, 3, 4), 1), filled((4,), 2)  # HWIO, as beltnet has them
    conv2, bias2 = filled((3, 3, 4, 5), 3), filled((5,), 4)
    dense1, dense2 = filled((2 * 1 * 5, 6), 5), filled((6, units), 6)
    a = F.max_pool2d(F.relu(F.conv2d(x.permute(0, 3, 1, 2), conv1.permute(3, 2, 0, 1), bias1)), 2)
    maps = F.relu(F.conv2d(a, conv2.permute(3, 2, 0, 1), bias2))
    maps.retain_grad() if maps.requires_grad else maps.requires_grad_()
    flat = F.max_pool2d(maps, 2).permute(0, 2, 3, 1).flatten(1)
    scores = F.relu(flat @ dense1) @ dense2
    score = scores[:, 0] * torch.tensor([1.0 if c == 1 else -1.0 for c in asked]) if units == 1 else scores[range(2), asked]
    gradients = torch.autograd.grad(score.sum(), maps)[0]
    alpha = gradients.mean(dim=(2, 3), keepdim=True)
    return F.relu((alpha * maps).sum(dim=1)).detach()


cases = []
for units, asked in [(1, [1, 0]), (1, [0, 1]), (3, [0, 2]), (3, [1, 1])]:
    values = heat(units, asked)
    cases.append({"units": units, "asked": asked, "shape": list(values.shape), "heat": [round(v, 8) for v in values.flatten().tolist()]})
print(json.dumps({"torch": torch.__version__, "cases": cases}))
