"""Arrays and tensors of every type and layout that files hold."""

import numpy as np
import torch

FLOATS = np.random.default_rng(0).normal(size=(7, 133, 3))
TENSOR = torch.from_numpy(FLOATS)
ARRAYS = {
    "float64": FLOATS,
    "float32": FLOATS.astype("f4"),
    "float16": FLOATS.astype("f2"),
    "int64": np.arange(12).reshape(3, 4),
    "uint8": np.arange(12, dtype="u1"),
    "big-endian": np.arange(5, dtype=">f4"),
    "Fortran": np.asfortranarray(FLOATS[0]),
    "Fortran of three axes": np.asfortranarray(FLOATS),
    "strided": FLOATS[::2, ::3],
    "transposed": FLOATS.transpose(1, 2, 0),
    "permuted": FLOATS.transpose(1, 0, 2),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 133, 3), "f4"),
    "small": np.array([1.5], "f4"),
}
TENSORS = {
    "float64": TENSOR,
    "float32": TENSOR.float(),
    "float16": TENSOR.half(),
    "int64": torch.arange(12).view(3, 4),
    **{
        str(kind): torch.arange(12, dtype=kind)
        for kind in (torch.int32, torch.int16, torch.int8, torch.uint8)
    },
    "bool": torch.tensor([True, False]),
    "permuted": TENSOR.permute(2, 0, 1),
    "strided": TENSOR[::2, ::3],
    "slice of a shared storage": TENSOR[3:5],
    "expanded": torch.arange(3.0).expand(4, 3),
    "one number": torch.tensor(2.5),
    "many numbers": torch.zeros(70_000),
    "empty": torch.zeros(0, 133, 3),
    "gradient": torch.ones(3, requires_grad=True),
}
