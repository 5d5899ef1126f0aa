"""Tiny random checkpoints of other model families, written as their own libraries write them."""

from pathlib import Path

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

from tests.golden import MODELS

LLAMA_3_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
)
NO_SYSTEM_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n{{ message['content'] }}<|eot_id|>{% endfor %}"
    "<|start_header_id|>model<|end_header_id|>\n"
)
_CONTENT = (
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
)
_TEXT_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "pad_token_id": 961,
    "initializer_range": 0.2,
}
_VISION_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def tokenizer(*marks: str, **special: str) -> PreTrainedTokenizerFast:
    made = PreTrainedTokenizerFast(
        tokenizer_file=str(MODELS / "llava_next_mistral336" / "tokenizer.json"),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens=special,
    )
    made.add_special_tokens({"additional_special_tokens": list(marks)})
    return made


def write_chat_model(folder: Path, template: str | None = LLAMA_3_TEMPLATE, context: int = 2048) -> Path:
    """A Llama whose generation settings ask for sampling, as Llama-3-Instruct's do."""
    words = tokenizer("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    words.chat_template = template
    torch.manual_seed(0)
    sizes = _TEXT_SIZES | {"max_position_embeddings": context}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes))
    model.generation_config.update(eos_token_id=2, do_sample=True, temperature=0.6, top_p=0.9)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def write_idefics3(folder: Path) -> Path:
    """Idefics3, the family of SmolVLM: a row's images are tiles along a second axis."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    words = tokenizer("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *tiles)
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(size={"longest_edge": 128}, max_image_size={"longest_edge": 64}),
        words,
        image_seq_len=4,
        chat_template="{% for message in messages %}User:"
        + _CONTENT.replace("IMAGE", "<image>")
        + "<end_of_utterance>\n{% endfor %}Assistant:",
    )
    torch.manual_seed(0)
    model = Idefics3ForConditionalGeneration(
        Idefics3Config(
            vision_config={**_VISION_SIZES, "image_size": 64, "patch_size": 16},
            text_config={"model_type": "llama", "vocab_size": len(words), **_TEXT_SIZES},
            image_token_id=words.convert_tokens_to_ids("<image>"),
            scale_factor=2,
            pad_token_id=961,
        )
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_gemma3(folder: Path) -> Path:
    """Gemma 3: token types beside the tokens, sliding windows, a template that writes the begin token itself."""
    words = tokenizer(
        "<start_of_turn>",
        "<end_of_turn>",
        image_token="<image_soft_token>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 56, "width": 56}),
        words,
        image_seq_length=4,
        chat_template="{{ bos_token }}{% for message in messages %}<start_of_turn>user\n"
        + _CONTENT.replace("IMAGE", "<start_of_image>")
        + "<end_of_turn>\n{% endfor %}<start_of_turn>model\n",
    )
    torch.manual_seed(0)
    model = Gemma3ForConditionalGeneration(
        Gemma3Config(
            vision_config={**_VISION_SIZES, "image_size": 56, "patch_size": 14},
            text_config={"vocab_size": len(words), "head_dim": 16, **_TEXT_SIZES},
            image_token_id=words.convert_tokens_to_ids("<image_soft_token>"),
            boi_token_id=words.convert_tokens_to_ids("<start_of_image>"),
            eoi_token_id=words.convert_tokens_to_ids("<end_of_image>"),
            mm_tokens_per_image=4,
        )
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
