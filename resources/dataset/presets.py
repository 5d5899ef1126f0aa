"""What training tools read: one entry for each, all that vidcap knows of a tool's files.

A preset is data. The files are made of it by :mod:`resources.dataset.preset_export`; other packages add presets by the
entry point group ``vidcap.presets``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points

from resources.annotation.clip import Kind

# Theirs: ours. A mapping in the place of ours is a nested object.
Columns = Mapping[str, "str | Mapping[str, str]"]
VIDEO, IMAGE = Kind.VIDEO, Kind.IMAGE
MP4_AND_JPG = frozenset({".mp4", ".jpg"})
APART = {VIDEO: "videos", IMAGE: "images"}
TOGETHER = {VIDEO: "media", IMAGE: "media"}


class Form(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    LINES = "lines"
    """One value a line; a caption's own line breaks become spaces."""
    BY_NAME = "by name"
    """A JSON object with the captions of each file under its name."""


@dataclass(frozen=True)
class Listing:
    """A list of clips, beside the media or in each media folder (``{folder}`` in its name).

    Columns of ours: those of ``captioned_videos``, and ``file`` (the media file relative to the list), ``name`` (its
    name alone), ``texts`` (all captions that are exported, the text first).
    """

    file: str
    form: Form
    columns: Columns


@dataclass(frozen=True)
class Preset:
    """The files of one tool, or of several that read the same.

    ``media``: the folder of the clips of each kind, whose files are called ``<id>.<suffix>``; a kind that is not named
    is left out. ``only``: the suffixes that the tool opens, empty for all. ``sidecar``: the suffix of a caption file
    beside each clip. ``tars``: the clips lie in tars of one kind each. ``extra``: further files, as templates with
    ``{folder}``, the absolute path of the export. ``several``: the list that takes the place of ``sidecar`` where all
    captions of a clip are exported. ``use``: the one command of the tool.
    """

    name: str
    tools: str
    use: str
    media: Mapping[Kind, str]
    lists: tuple[Listing, ...] = ()
    sidecar: str | None = None
    several: Listing | None = None
    only: frozenset[str] = frozenset()
    tars: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


_SIZES = {"num_frames": "num_frames", "fps": "fps", "height": "height", "width": "width"}
_NESTED: Columns = {
    "path": "file",
    "cap": "texts",
    "num_frames": "num_frames",
    "fps": "fps",
    "duration": "duration_s",
    "resolution": {"height": "height", "width": "width"},
}

_PRESETS = (
    Preset(
        "sidecar",
        "diffusion-pipe, musubi-tuner, ai-toolkit, OneTrainer, SimpleTuner, finetrainers, kohya sd-scripts",
        "musubi-tuner: python src/musubi_tuner/wan_cache_latents.py --dataset_config {folder}/musubi.toml …\n"
        "diffusion-pipe: name {folder}/diffusion-pipe.toml as `dataset` in the training file.",
        APART,
        sidecar=".txt",
        several=Listing("{folder}/captions.json", Form.BY_NAME, {"": "texts"}),
        extra={
            "musubi.toml": '[general]\ncaption_extension = ".txt"\nbatch_size = 1\nenable_bucket = true\n\n'
            '[[datasets]]\nvideo_directory = "{folder}/videos"\ncache_directory = "{folder}/.cache"\n'
            "target_frames = [1, 25, 45]\n",
            "diffusion-pipe.toml": "resolutions = [512]\nenable_ar_bucket = true\nframe_buckets = [1, 33]\n\n"
            '[[directory]]\npath = "{folder}/videos"\n\n[[directory]]\npath = "{folder}/images"\n',
        },
    ),
    Preset(
        "huggingface",
        "Hugging Face datasets (videofolder, imagefolder), finetrainers, autotrain",
        "load_dataset('videofolder', data_dir='{folder}/videos')",
        APART,
        (
            Listing(
                "{folder}/metadata.jsonl",
                Form.JSONL,
                {"file_name": "name", "text": "text", "caption": "text", **_SIZES},
            ),
        ),
    ),
    Preset(
        "webdataset",
        "webdataset, Megatron Energon, finetrainers, NeMo",
        'python -c "import webdataset; print(next(iter(webdataset.WebDataset(\'{folder}/videos/shard-000000.tar\', '
        'shardshuffle=False))).keys())"',
        APART,
        tars=True,
    ),
    Preset(
        "diffsynth",
        "DiffSynth-Studio",
        "python examples/wanvideo/model_training/train.py --dataset_base_path {folder} "
        "--dataset_metadata_path {folder}/metadata.csv …",
        TOGETHER,
        (Listing("metadata.csv", Form.CSV, {"video": "file", "prompt": "text"}),),
    ),
    Preset(
        "videox-fun",
        "VideoX-Fun",
        "accelerate launch scripts/wan2.1/train.py --train_data_dir={folder} "
        "--train_data_meta={folder}/metadata.json …",
        TOGETHER,
        (
            Listing(
                "metadata.json",
                Form.JSON,
                {"file_path": "file", "text": "text", "type": "kind", "width": "width", "height": "height"},
            ),
        ),
    ),
    Preset(
        "open-sora-plan",
        "Open-Sora-Plan, FastVideo",
        "Open-Sora-Plan: --data {folder}/data.txt · FastVideo: --data_merge_path {folder}/merge.txt",
        APART,
        (Listing("videos2caption.json", Form.JSON, _NESTED),),
        only=MP4_AND_JPG,
        extra=dict.fromkeys(("data.txt", "merge.txt"), "{folder},{folder}/videos2caption.json\n"),
    ),
    Preset(
        "ltx",
        "LTX-Video-Trainer",
        "python scripts/preprocess_dataset.py {folder}/dataset.jsonl --video-column media_path "
        "--caption-column caption --resolution-buckets 768x448x25",
        TOGETHER,
        (Listing("dataset.jsonl", Form.JSONL, {"media_path": "file", "caption": "text"}),),
    ),
    Preset(
        "simpletuner",
        "SimpleTuner",
        "name {folder}/multidatabackend.json as `data_backend_config`",
        TOGETHER,
        (Listing("metadata.parquet", Form.PARQUET, {"id": "file", "caption": "text", **_SIZES}),),
        extra={
            "multidatabackend.json": '[{{"id": "vidcap", "type": "local", "dataset_type": "video", '
            '"instance_data_dir": "{folder}", "metadata_backend": "parquet", "caption_strategy": "parquet", '
            '"parquet": {{"path": "{folder}/metadata.parquet", "filename_column": "id", "caption_column": "caption", '
            '"width_column": "width", "height_column": "height"}}}}]\n'
        },
    ),
    Preset(
        "cogvideo",
        "CogVideo, finetrainers",
        "accelerate launch train.py --data_root {folder} --caption_column prompts.txt --video_column videos.txt …",
        {VIDEO: "videos"},
        (Listing("prompts.txt", Form.LINES, {"": "text"}), Listing("videos.txt", Form.LINES, {"": "file"})),
    ),
    Preset(
        "open-sora",
        "Open-Sora",
        "torchrun scripts/train.py CONFIG --data-path {folder}/meta.csv",
        {},
        (
            Listing(
                "meta.csv",
                Form.CSV,
                {
                    name: name
                    for name in (
                        "path", "text", "num_frames", "fps", "height", "width", "aspect_ratio", "resolution", "text_len"
                    )
                },
            ),
        ),
    ),
)  # fmt: skip


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, those of other packages included."""
    own = {preset.name: preset for preset in _PRESETS}
    found = {point.name: point.load() for point in entry_points(group="vidcap.presets")}
    return {**found, **own, "fastvideo": own["open-sora-plan"]}
