"""Checkpoints as PyTorch Lightning writes them, with settings as objects of OmegaConf.

OmegaConf need not be installed: classes of its names stand in for it while a file is written, with
the attributes that its own have, so that the pickle asks for the same names.
"""

import contextlib
import sys
import types
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

_CLASSES: dict[str, tuple[str, ...]] = {
    "omegaconf": (),
    "omegaconf.base": ("ContainerMetadata", "Metadata"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.nodes": ("AnyNode",),
}


@contextlib.contextmanager
def omegaconf():
    """Yield a function from plain values to nodes of OmegaConf."""
    before = {name: sys.modules.get(name) for name in _CLASSES}
    made = {}
    for module, names in _CLASSES.items():
        sys.modules[module] = types.ModuleType(module)
        for name in names:
            made[name] = type(name, (), {"__module__": module})
            setattr(sys.modules[module], name, made[name])

    def instance(kind: str, **state: object) -> object:
        new = made[kind]()
        new.__dict__.update(state)
        return new

    def metadata(kind: str, key: object, type_: object) -> object:
        return instance(
            kind,
            ref_type=Any,
            object_type=type_,
            optional=True,
            key=key,
            flags={},
            flags_root=False,
            resolver_cache=defaultdict(dict),
        )

    def node(value: object, key: object = None, parent: object = None) -> object:
        if not isinstance(value, dict | list):
            meta = metadata("Metadata", key, None)
            return instance("AnyNode", _metadata=meta, _parent=parent, _val=value)
        kind = type(value)
        meta = metadata("ContainerMetadata", key, kind)
        name = "DictConfig" if kind is dict else "ListConfig"
        new = instance(name, _metadata=meta, _parent=parent)
        new.__dict__["_content"] = (
            {key: node(inner, key, new) for key, inner in value.items()}
            if kind is dict
            else [node(inner, place, new) for place, inner in enumerate(value)]
        )
        return new

    try:
        yield node
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def save_container(path: Path, state: dict[str, torch.Tensor], settings: dict[str, Any]) -> Path:
    """Write a checkpoint of Lightning 2.2.1."""
    step = {"total": {"ready": 7, "completed": 7}, "current": {"ready": 7, "completed": 7}}
    with omegaconf() as node:
        torch.save(
            {
                "epoch": 3,
                "global_step": 7,
                "pytorch-lightning_version": "2.2.1",
                "state_dict": state,
                "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": step}},
                "callbacks": {
                    "ModelCheckpoint{'monitor': 'val_loss'}": {
                        "best_model_score": torch.tensor(0.5),
                        "dirpath": "logs",
                        "best_k_models": {},
                    }
                },
                "optimizer_states": [
                    {
                        "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(3)}},
                        "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}],
                    }
                ],
                "lr_schedulers": [{"base_lrs": [1e-4], "last_epoch": 3}],
                "hparams_name": "args",
                "hparams_type": type(node({})),
                "hyper_parameters": node(settings),
            },
            path,
        )
    return path
