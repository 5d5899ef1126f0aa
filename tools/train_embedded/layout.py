"""The shapes and files of the embedded checkpoints: small models in the layouts of the real ones.

``tiny-llava-next`` is laid out like a llava-v1.6 hub checkpoint, ``tiny-pllava`` like a PLLaVA weight folder
(LoRA on the language model and a tuned projector), ``tiny-tagger`` like Llama-3-Instruct.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    PreTrainedTokenizerFast,
)

CHECKPOINTS = Path(__file__).parents[2] / "resources/demo/checkpoints"
IMAGE_SIDE, PATCH_SIDE, WIDTH = 72, 18, 128
POOLING_SHAPE = (4, 2, 2)
LORA_RANK, LORA_ALPHA = 16, 4

LLAVA_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + ' ' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ASSISTANT: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{% endif %}"
    "{{ eos_token }}"
    "{% else %}{{ 'USER: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}"
    "{{ '<image>' }}{{ '\\n' if loop.last else '' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{% endif %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)
TAGGER_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def llava_tokenizer(corpus: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with Llama-2's special tokens, ``<image>`` and ``<pad>``."""
    tokenizer = _byte_level_bpe(corpus, vocabulary, ["<unk>", "<s>", "</s>", "<image>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        chat_template=LLAVA_TEMPLATE,
        model_max_length=4096,
        padding_side="left",
        extra_special_tokens={"image_token": "<image>"},
    )


def text_tokenizer(corpus: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with Llama-3's special tokens; like there, no padding token is set."""
    names = ["begin_of_text", "end_of_text", "start_header_id", "end_header_id", "eot_id"]
    tokenizer = _byte_level_bpe(corpus, vocabulary, [f"<|{name}|>" for name in names])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=TAGGER_TEMPLATE,
        model_max_length=4096,
        padding_side="left",
    )


def llava_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaNextProcessor:
    """Frames and text to tensors, with one tile beside the base image."""
    sides = {"height": IMAGE_SIDE, "width": IMAGE_SIDE}
    return LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": IMAGE_SIDE},
            crop_size=sides,
            image_grid_pinpoints=[[IMAGE_SIDE, IMAGE_SIDE]],
        ),
        tokenizer=tokenizer,
        patch_size=PATCH_SIDE,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )


def new_llava(tokenizer: PreTrainedTokenizerFast) -> LlavaNextForConditionalGeneration:
    """A fresh LLaVA-NeXT of 1.7 M parameters, float32."""
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_SIDE,
        patch_size=PATCH_SIDE,
        projection_dim=WIDTH,
    )
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=_llama_config(tokenizer, layers=4, width=WIDTH),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=[[IMAGE_SIDE, IMAGE_SIDE]],
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
        num_frames=3,  # no setting of LLaVA's: what to show this model unless told otherwise
    )
    return LlavaNextForConditionalGeneration._from_config(config, attn_implementation="eager").float()


def new_text_model(tokenizer: PreTrainedTokenizerFast, layers: int, width: int) -> LlamaForCausalLM:
    """A fresh Llama, float32: 0.5 M parameters for the tagger, 1.1 M for the writer."""
    config = _llama_config(tokenizer, layers, width)
    return LlamaForCausalLM._from_config(config, attn_implementation="eager").float()


def save_llava(
    folder: Path, model: LlavaNextForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write ``tiny-llava-next`` in bfloat16, under the key names that hub checkpoints of llava-v1.6 use."""
    _empty(folder)
    model.generation_config = _greedy(tokenizer)
    half = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    renamed = {_hub_name(name): tensor.contiguous() for name, tensor in half.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    model.config.dtype = torch.bfloat16
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    llava_processor(tokenizer).save_pretrained(folder)
    _write_classic_processor_files(folder)


def save_pllava(
    folder: Path,
    base: LlavaNextForConditionalGeneration,
    adapted: PeftModel,
    projector: torch.nn.Module,
    trained_scale: float,
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Write ``tiny-pllava``: the adapter rescaled from the scale it was trained at to alpha 4."""
    _empty(folder)
    tensors = {}
    for name, tensor in adapted.state_dict().items():
        if ".lora_" in name:
            layer = name.removeprefix("base_model.model.")
            scaled = tensor * (trained_scale / (LORA_ALPHA / LORA_RANK)) if ".lora_B." in name else tensor
            tensors[f"language_model.base_model.model.model.{layer}"] = scaled
    tensors |= {f"multi_modal_projector.{name}": tensor for name, tensor in projector.state_dict().items()}
    half = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    config = base.config.to_dict()
    for unwanted in ("image_grid_pinpoints", "use_image_newline_parameter"):
        config.pop(unwanted, None)
    grid = IMAGE_SIDE // PATCH_SIDE
    config |= {
        "architectures": ["PllavaForConditionalGeneration"],
        "model_type": "llava",
        "frame_shape": [grid, grid],
        "num_frames": POOLING_SHAPE[0],
        "pooling_method": "avg",
        "pooling_shape": list(POOLING_SHAPE),
        "use_pooling": True,
    }
    _write_json(folder / "config.json", config)
    _greedy(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    sides = {"height": IMAGE_SIDE, "width": IMAGE_SIDE}
    CLIPImageProcessor(size={"shortest_edge": IMAGE_SIDE}, crop_size=sides).save_pretrained(folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings |= {"processor_class": "PllavaProcessor", "image_processor_type": "CLIPImageProcessor"}
    _write_json(folder / "preprocessor_config.json", settings)
    processor = {
        "center_pad": False,
        "longest_edge": 762,
        "processor_class": "PllavaProcessor",
        "shortest_edge": 336,
    }
    _write_json(folder / "processor_config.json", processor)


def save_text_model(folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write ``tiny-tagger`` or ``tiny-writer`` in bfloat16."""
    _empty(folder)
    ends = [tokenizer.convert_tokens_to_ids(name) for name in ("<|end_of_text|>", "<|eot_id|>")]
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, do_sample=False
    )
    half = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    model.config.dtype = torch.bfloat16
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _byte_level_bpe(corpus: Iterable[str], vocabulary: int, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\[|\]|\n|\d"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def _llama_config(tokenizer: PreTrainedTokenizerFast, layers: int, width: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )


def _greedy(tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )


def _hub_name(name: str) -> str:
    """The name that a llava-v1.6 hub checkpoint gives to a tensor of the current model class."""
    if name.startswith("lm_head."):
        return f"language_model.{name}"
    name = name.removeprefix("model.")
    name = name.replace("language_model.", "language_model.model.", 1)
    return name.replace("vision_tower.", "vision_tower.vision_model.", 1)


def _write_classic_processor_files(folder: Path) -> None:
    """Hub checkpoints keep the image settings in ``preprocessor_config.json``, beside the processor's own."""
    processor = json.loads((folder / "processor_config.json").read_text())
    settings = processor.pop("image_processor", None)
    if settings is not None:
        settings |= {
            "image_processor_type": "LlavaNextImageProcessor",
            "processor_class": "LlavaNextProcessor",
        }
        _write_json(folder / "preprocessor_config.json", settings)
        _write_json(folder / "processor_config.json", processor)


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name != "README.md":
            old.unlink()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
