"""Model families by their own classes, at the smallest sizes that exercise what is peculiar to each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,
    "pad_token_id": 961,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
CLIP = {**VISION, "model_type": "clip_vision_model", "image_size": 56, "patch_size": 14, "projection_dim": 32}
SIGLIP = {**VISION, "model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14}
ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3]}
QWEN = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
QWEN_PIXELS = {"size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 12}}
QWEN3_PIXELS = {"size": {"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 12}, "patch_size": 16}
QWEN3_VIDEO = {"size": {"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 48}, "patch_size": 16}
LLAVA = {"image_token": "<image>", "video_token": "<video>"}
SQUARE = {"size": {"height": 56, "width": 56}}
CROPPED = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
LAYERS = {"vision_feature_layer": -1}


@dataclass(frozen=True)
class Family:
    """How to make a checkpoint of one family.

    ``tokens`` are the special tokens by the names the processor reads them by; ``config`` gets their ids;
    ``image`` and ``video`` are what the chat template writes for a picture and a video.
    """

    tokens: Mapping[str, str]
    config: Callable[[Mapping[str, int]], dict[str, Any]]
    image: str
    video: str | None = None
    processor: dict[str, Any] = field(default_factory=dict)
    image_processor: dict[str, Any] = field(default_factory=dict)
    video_processor: dict[str, Any] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    hears: bool = False

    def write(self, model_type: str, folder: Path) -> Path:
        """Write config, random weights, tokenizer and processor."""
        import torch
        import transformers
        from transformers import AutoConfig, AutoModelForImageTextToText
        from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
        from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
        from transformers.models.auto.video_processing_auto import VIDEO_PROCESSOR_MAPPING_NAMES

        from tests.golden.tiny_models import tokenizer

        words = tokenizer(*self.marks, **self.tokens)
        ids = {name: words.convert_tokens_to_ids(token) for name, token in self.tokens.items()}
        ids |= {mark: words.convert_tokens_to_ids(mark) for mark in self.marks} | {"size": len(words)}
        torch.manual_seed(0)
        model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(model_type, **self.config(ids)))
        for weights in model.parameters():
            if (
                weights.ndim > 1
            ):  # as libraries draw them, two of three families would not look at the pictures
                torch.nn.init.normal_(weights, std=0.2)
        model.save_pretrained(folder)
        backends = IMAGE_PROCESSOR_MAPPING_NAMES[model_type]
        image_class = getattr(transformers, backends.get("pil") or backends["torchvision"])
        parts = {"image_processor": image_class(**self.image_processor), "tokenizer": words}
        if self.hears:
            parts["feature_extractor"] = transformers.Gemma4AudioFeatureExtractor()
        if video := VIDEO_PROCESSOR_MAPPING_NAMES.get(model_type):
            parts["video_processor"] = getattr(transformers, video["torchvision"])(**self.video_processor)
        processor_class = getattr(transformers, PROCESSOR_MAPPING_NAMES[model_type])
        processor = processor_class(**parts, chat_template=self.template(), **self.processor)
        processor.save_pretrained(folder)
        return folder

    def template(self) -> str:
        """A turn of the user, with what it shows where it stands."""
        video = f"{{% elif part['type'] == 'video' %}}{self.video}" if self.video else ""
        return (
            "{% for message in messages %}User: {% for part in message['content'] %}"
            f"{{% if part['type'] == 'image' %}}{self.image}{video}"
            "{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}Assistant:"
        )


def _qwen(ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        "image_token_id": ids["image_token"],
        "video_token_id": ids["video_token"],
        "vision_start_token_id": ids["vision_start_token"],
        "vision_end_token_id": ids["vision_end_token"],
    }


def _qwen2(ids: Mapping[str, int], **vision: Any) -> dict[str, Any]:
    text = {**TEXT, "vocab_size": ids["size"], "rope_parameters": ROPE}
    return {**_qwen(ids), "text_config": text, "vision_config": {"depth": 2, "num_heads": 2, **vision}}


def _qwen3(ids: Mapping[str, int], vision: dict[str, Any], **text: Any) -> dict[str, Any]:
    rope = {**ROPE, "mrope_interleaved": True}
    sizes = {**TEXT, "vocab_size": ids["size"], "rope_parameters": rope, "head_dim": 16, **text}
    shape = {"depth": 2, "num_heads": 2, "hidden_size": 32, "intermediate_size": 64, "out_hidden_size": 64}
    return {
        **_qwen(ids),
        "text_config": sizes,
        "vision_config": {**shape, "num_position_embeddings": 64, **vision},
    }


def _llava(vision: dict[str, Any], **more: Any) -> Callable[[Mapping[str, int]], dict[str, Any]]:
    def config(ids: Mapping[str, int]) -> dict[str, Any]:
        names = {
            f"{kind}_token_index": ids[f"{kind}_token"]
            for kind in ("image", "video")
            if f"{kind}_token" in ids
        }
        text = {**TEXT, "model_type": "llama", "vocab_size": ids["size"]}
        return {"text_config": text, "vision_config": vision, **names, **more}

    return config


def _idefics(ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        "text_config": {**TEXT, "model_type": "llama", "vocab_size": ids["size"]},
        "vision_config": {**VISION, "image_size": 64, "patch_size": 16},
        "image_token_id": ids["image_token"],
        "scale_factor": 2,
        "pad_token_id": 961,
    }


TILE_MARKS = (
    "<fake_token_around_image>",
    "<global-img>",
    "<end_of_utterance>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)
QWEN_SIGHT = "<|vision_start|><|image_pad|><|vision_end|>"
QWEN_FILM = "<|vision_start|><|video_pad|><|vision_end|>"

FAMILIES: dict[str, Family] = {
    "qwen2_vl": Family(
        QWEN,
        lambda ids: _qwen2(ids, embed_dim=32, hidden_size=64, mlp_ratio=2),
        QWEN_SIGHT,
        QWEN_FILM,
        image_processor=QWEN_PIXELS,
        video_processor=QWEN_PIXELS,
    ),
    "qwen2_5_vl": Family(
        QWEN,
        lambda ids: _qwen2(
            ids, hidden_size=32, intermediate_size=64, out_hidden_size=64, fullatt_block_indexes=[1]
        ),
        QWEN_SIGHT,
        QWEN_FILM,
        image_processor=QWEN_PIXELS,
        video_processor=QWEN_PIXELS,
    ),
    "qwen3_vl": Family(
        QWEN,
        lambda ids: _qwen3(ids, {"deepstack_visual_indexes": [0]}),
        QWEN_SIGHT,
        "<|video_pad|>",
        image_processor=QWEN3_PIXELS,
        video_processor=QWEN3_VIDEO,
    ),
    "qwen3_5": Family(
        QWEN,
        lambda ids: _qwen3(
            ids,
            {},
            layer_types=["linear_attention", "full_attention"],
            linear_key_head_dim=16,
            linear_value_head_dim=16,
            linear_num_key_heads=2,
            linear_num_value_heads=2,
        ),
        QWEN_SIGHT,
        "<|video_pad|>",
        image_processor=QWEN3_PIXELS,
        video_processor=QWEN3_VIDEO,
    ),
    "internvl": Family(
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        lambda ids: {
            "text_config": {**TEXT, "model_type": "qwen2", "vocab_size": ids["size"]},
            "vision_config": {**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
            "image_token_id": ids["context_image_token"],
            "image_seq_length": 4,
        },
        "<IMG_CONTEXT>\n",
        "<video>\n",
        processor={"image_seq_length": 4},
        image_processor={**SQUARE, "max_patches": 4},
        video_processor=SQUARE,
    ),
    "llava_onevision": Family(
        LLAVA,
        _llava(SIGLIP, image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]], **LAYERS),
        "<image>\n",
        "<video>\n",
        processor={"num_image_tokens": 16, "vision_feature_select_strategy": "full"},
        image_processor={**SQUARE, "image_grid_pinpoints": [[56, 56], [56, 112], [112, 56]]},
        video_processor=SQUARE,
    ),
    "llava_next_video": Family(
        LLAVA,
        _llava(CLIP, image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]]),
        "<image>\n",
        "<video>\n",
        processor={
            "patch_size": 14,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
        image_processor={**CROPPED, "image_grid_pinpoints": [[56, 56], [56, 112], [112, 56]]},
        video_processor=CROPPED,
    ),
    "video_llava": Family(
        LLAVA,
        _llava(CLIP),
        "<image>\n",
        "<video>\n",
        image_processor=CROPPED,
        video_processor=CROPPED,
    ),
    "llava": Family(
        {"image_token": "<image>"},
        _llava(CLIP),
        "<image>\n",
        processor={
            "patch_size": 14,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
        image_processor=CROPPED,
    ),
    "llava_next": Family(
        {"image_token": "<image>"},
        _llava(CLIP, image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]]),
        "<image>\n",
        processor={
            "patch_size": 14,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
        image_processor={**CROPPED, "image_grid_pinpoints": [[56, 56], [56, 112], [112, 56]]},
    ),
    "smolvlm": Family(
        {"image_token": "<image>", "video_token": "<video>"},
        _idefics,
        "<image>",
        "<video>",
        processor={"image_seq_len": 4},
        image_processor={"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 64}},
        video_processor={"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 64}},
        marks=TILE_MARKS,
    ),
    "idefics3": Family(
        {"image_token": "<image>"},
        _idefics,
        "<image>",
        processor={"image_seq_len": 4},
        image_processor={"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 64}},
        marks=TILE_MARKS,
    ),
    "video_llama_3": Family(
        {"image_token": "<image>", "video_token": "<video>"},
        lambda ids: {
            "text_config": {**TEXT, "model_type": "qwen2", "vocab_size": ids["size"]},
            "vision_config": {**VISION, "patch_size": 14},
            "image_token_id": ids["image_token"],
            "video_token_id": ids["video_token"],
        },
        "<image>",
        "<video>",
        image_processor={**QWEN_PIXELS},
        video_processor={**QWEN_PIXELS},
    ),
    "glm46v": Family(
        {"image_token": "<|image|>", "video_token": "<|video|>"},
        lambda ids: {
            "text_config": {
                **TEXT,
                "vocab_size": ids["size"],
                "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
            },
            "vision_config": {
                "depth": 2,
                "hidden_size": 32,
                "num_heads": 2,
                "intermediate_size": 64,
                "out_hidden_size": 64,
                "image_size": 56,
            },
            "image_token_id": ids["image_token"],
            "video_token_id": ids["video_token"],
            "image_start_token_id": ids["<|begin_of_image|>"],
            "image_end_token_id": ids["<|end_of_image|>"],
            "video_start_token_id": ids["<|begin_of_video|>"],
            "video_end_token_id": ids["<|end_of_video|>"],
        },
        "<|begin_of_image|><|image|><|end_of_image|>",
        "<|begin_of_video|><|video|><|end_of_video|>",
        image_processor={"size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 12}},
        video_processor={"size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 24}},
        marks=("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"),
    ),
    "minicpmv4_6": Family(
        {
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "image_start_token": "<image>",
            "image_end_token": "</image>",
            "slice_start_token": "<slice>",
            "slice_end_token": "</slice>",
            "image_id_start_token": "<image_id>",
            "image_id_end_token": "</image_id>",
        },
        lambda ids: {
            "text_config": {**TEXT, "model_type": "qwen2", "vocab_size": ids["size"]},
            "vision_config": {**VISION, "image_size": 56, "patch_size": 14},
            "insert_layer_id": 0,
            "image_size": 56,
            "image_token_id": ids["image_token"],
            "video_token_id": ids["video_token"],
        },
        "<|image_pad|>",
        "<|video_pad|>",
        image_processor={"scale_resolution": 56, "max_slice_nums": 4},
        video_processor={"scale_resolution": 56, "max_slice_nums": 1},
    ),
    "gemma3": Family(
        {
            "image_token": "<image_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
        },
        lambda ids: {
            "text_config": {**TEXT, "vocab_size": ids["size"], "head_dim": 16},
            "vision_config": {**VISION, "image_size": 56, "patch_size": 14},
            "tie_word_embeddings": False,
            "image_token_id": ids["image_token"],
            "boi_token_id": ids["boi_token"],
            "eoi_token_id": ids["eoi_token"],
            "mm_tokens_per_image": 4,
        },
        "<start_of_image>",
        processor={"image_seq_length": 4},
        image_processor=SQUARE,
    ),
    "mistral3": Family(
        {"image_token": "[IMG]"},
        lambda ids: {
            "text_config": {**TEXT, "model_type": "mistral", "vocab_size": ids["size"], "head_dim": 16},
            "vision_config": {
                **VISION,
                "model_type": "pixtral",
                "image_size": 112,
                "patch_size": 14,
                "head_dim": 16,
            },
            "image_token_index": ids["image_token"],
        },
        "[IMG]",
        processor={"patch_size": 14, "spatial_merge_size": 2},
        image_processor={"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}},
        marks=("[IMG_BREAK]", "[IMG_END]"),
    ),
    "aya_vision": Family(
        {"image_token": "<image>"},
        lambda ids: {
            "text_config": {**TEXT, "model_type": "cohere2", "vocab_size": ids["size"]},
            "vision_config": SIGLIP,
            "image_token_index": ids["<|IMG_PATCH|>"],
            "downsample_factor": 2,
        },
        "<image>",
        processor={"patch_size": 14, "img_size": 56, "downsample_factor": 2},
        image_processor={**SQUARE, "max_patches": 4, "crop_to_patches": True},
        marks=(
            "<|START_OF_IMG|>",
            "<|END_OF_IMG|>",
            "<|IMG_PATCH|>",
            "<|IMG_LINE_BREAK|>",
            "TILE_GLOBAL",
            *(f"TILE_{number}" for number in range(1, 5)),
        ),
    ),
    "idefics2": Family(
        {"image_token": "<image>", "image_boundary_token": "<fake_token_around_image>"},
        lambda ids: {
            "text_config": {**TEXT, "model_type": "mistral", "vocab_size": ids["size"], "head_dim": 16},
            "vision_config": {**VISION, "image_size": 56, "patch_size": 14},
            "perceiver_config": {
                "hidden_size": 64,
                "resampler_n_latents": 4,
                "resampler_depth": 1,
                "resampler_n_heads": 2,
                "num_key_value_heads": 1,
                "resampler_head_dim": 16,
            },
            "image_token_id": ids["image_token"],
        },
        "<image>",
        processor={"image_seq_len": 4},
        image_processor={
            "size": {"shortest_edge": 28, "longest_edge": 56},
            "do_image_splitting": False,
        },
        marks=("<end_of_utterance>",),
    ),
    "gemma4": Family(
        {
            "image_token": "<image_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "audio_token": "<audio_soft_token>",
            "boa_token": "<start_of_audio>",
            "eoa_token": "<end_of_audio>",
        },
        lambda ids: {
            "text_config": {
                **TEXT,
                "vocab_size": ids["size"],
                "vocab_size_per_layer_input": ids["size"],
                "hidden_size_per_layer_input": 8,
                "head_dim": 16,
                "global_head_dim": 16,
                "layer_types": ["sliding_attention", "full_attention"],
                "sliding_window": 32,
            },
            "vision_config": {
                **VISION,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "patch_size": 14,
                "position_embedding_size": 64,
                "pooling_kernel_size": 2,
            },
            "image_token_id": ids["image_token"],
            "video_token_id": ids["<|video|>"],
            "boi_token_id": ids["boi_token"],
            "eoi_token_id": ids["eoi_token"],
        },
        "<image_soft_token>",
        "<|video|>",
        image_processor={"max_soft_tokens": 70, "patch_size": 14, "pooling_kernel_size": 2},
        video_processor={"max_soft_tokens": 70, "patch_size": 14, "pooling_kernel_size": 2},
        marks=("<|video|>",),
        hears=True,
    ),
    "molmo2": Family(
        {"image_token": "<|image|>", "video_token": "<|video|>"},
        lambda ids: {
            "text_config": {
                **TEXT,
                "vocab_size": ids["size"],
                "additional_vocab_size": 8,
                "head_dim": 16,
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
            },
            "vision_config": {**VISION, "num_key_value_heads": 2, "head_dim": 16, "image_size": [56, 56]},
            "adapter_config": {
                **VISION,
                "vision_feature_layer": [-1],
                "num_key_value_heads": 2,
                "head_dim": 16,
                "text_hidden_size": 64,
            },
            "image_patch_id": ids["<im_patch>"],
            "image_start_token_id": ids["<im_start>"],
            "image_end_token_id": ids["<im_end>"],
            "low_res_image_start_token_id": ids["<low_res_im_start>"],
            "frame_start_token_id": ids["<frame_start>"],
            "frame_end_token_id": ids["<frame_end>"],
        },
        "<|image|>",
        "<|video|>",
        image_processor={**SQUARE, "max_crops": 4, "overlap_margins": [1, 1]},
        video_processor=SQUARE,
        marks=(
            "<im_patch>",
            "<im_col>",
            "<im_start>",
            "<im_end>",
            "<low_res_im_start>",
            "<frame_start>",
            "<frame_end>",
            "<im_low>",
        ),
    ),
}
