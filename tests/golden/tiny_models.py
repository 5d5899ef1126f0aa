"""A tiny random chat model, written as its library writes it, and the words of all tiny models."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

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
