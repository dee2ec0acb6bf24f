"""What changes the computation of a part and our settings cannot say is an error, not a surprise.

Every part is built from our settings, without memory for its weights, and its configuration is
compared with the given one and with the library's defaults for what that leaves out.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signgen.errors import UserError
from signgen.exchange.fpdm.submodels import Part, Parts

if TYPE_CHECKING:
    from signgen.models.fpdm import FPDM

__all__ = ["check_parts"]

Compared = tuple[dict[str, Any], dict[str, Any], frozenset[str]]
"""All that is given, all of our part, and the names that do not matter."""

#: What transformers notes in every configuration, and no forward pass of an encoder reads.
_NOTES = frozenset(
    """
    _name_or_path add_cross_attention apply_layernorm architectures bad_words_ids
    begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size
    decoder_start_token_id diversity_penalty do_sample dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id id2label initializer_factor initializer_range
    is_decoder is_encoder_decoder label2id layerscale_value length_penalty max_length min_length
    model_type no_repeat_ngram_size num_beam_groups num_beams num_return_sequences out_features
    out_indices output_attentions output_hidden_states output_scores pad_token_id prefix
    problem_type remove_invalid_values repetition_penalty reshape_hidden_states return_dict
    return_dict_in_generate sep_token_id stage_names suppress_tokens task_specific_params
    temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings tokenizer_class top_k
    top_p torch_dtype torchscript transformers_version typical_p use_bfloat16 use_mask_token
    """.split()  # noqa: SIM905
)
#: The same of diffusers; `skip_prk_steps` is for another scheduler, `set_alpha_to_one` for ours.
_DIFFUSERS_NOTES = frozenset(
    {
        "_class_name",
        "_diffusers_version",
        "_name_or_path",
        "_use_default_values",
        "sample_size",
        "set_alpha_to_one",
        "skip_prk_steps",
    }
)


def check_parts(parts: Parts, model: FPDM, path: Path) -> None:
    """Compare the given configurations with those of the parts that our settings make.

    Args:
        parts: From `read_parts`.
        model: Built from the settings, on torch's `meta` device.
        path: Where they come from, for messages.

    Raises:
        UserError: If a value changes the computation and our settings cannot say it.
    """
    for name, part in parts.items():
        compared = _compared(name, part, model)
        if compared is None:
            continue
        given, built, notes = compared
        for key in sorted({*given, *built} - notes):
            wanted, value = _listed(given.get(key)), _listed(built.get(key))
            if wanted != value:
                raise UserError(
                    f"{path}: {name}.{key} is {json.dumps(wanted)[:80]}; only "
                    f"{json.dumps(value)[:80]} can be imported beside its other values."
                )


def _compared(name: str, part: Part, model: FPDM) -> Compared | None:
    """Return what to compare, or None for a part that the model does not have."""
    match name:
        case "clip_vision" if model.ipf is not None:
            return _transformers(part, model.ipf.image_encoder.config)
        case "dinov2" if model.config.source_encoder.kind == "dinov2":
            return _transformers(part, model.source_encoder.config)
        case "vae":
            return _diffusers(part, model.autoencoder)
        case "unet_fork":
            return _forked_unet(part, model)
        case "scheduler":
            return _diffusers(part, model.schedule.scheduler)
        case _:
            return None


def _transformers(part: Part, config: Any) -> Compared:
    # A value that transformers no longer has is compared with what did nothing there.
    return (
        {"pruned_heads": {}} | type(config)().to_dict() | dict(part),
        {"pruned_heads": {}} | config.to_dict(),
        _NOTES,
    )


def _diffusers(part: Part, made: Any) -> Compared:
    signature = inspect.signature(type(made).__init__).parameters.values()
    defaults = {p.name: p.default for p in signature if p.default is not p.empty}
    notes = _DIFFUSERS_NOTES
    given = defaults | dict(part)
    if given.get("timestep_spacing") not in (None, "leading"):
        notes = notes | {"steps_offset"}
    return given, dict(made.config), notes


def _forked_unet(part: Part, model: FPDM) -> Compared:
    """Compare FPDM's fork, whose class embedding is a part of its own here (`FusionMLP`)."""
    given, built, notes = _diffusers(part, model.unet)
    fused = model.fusion_mlp is not None
    built["class_embed_type"] = "mlp" if fused else None
    width = None if model.ipf is None else model.ipf.width
    built["projection_class_embeddings_input_dim"] = width if fused else None
    levels = len(built["block_out_channels"])
    if type(given["attention_head_dim"]) is int:
        given["attention_head_dim"] = [given["attention_head_dim"]] * levels
    if not fused:
        notes = notes | {"projection_class_embeddings_input_dim"}
    return given, built, notes


def _listed(value: object) -> object:
    """Return tuples as lists, as JSON has them."""
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value
