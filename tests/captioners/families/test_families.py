"""Every family by its own classes; the table in docs/models.md says what was seen here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.captioners.families.families import FAMILIES

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "docs" / "models.md"
TITLES = {
    "aya_vision": "Aya Vision",
    "gemma3": "Gemma 3",
    "gemma4": "Gemma 4",
    "glm46v": "GLM-4.6V",
    "idefics2": "Idefics2",
    "idefics3": "Idefics3",
    "internvl": "InternVL",
    "llava": "LLaVA-1.5",
    "llava_next": "LLaVA-1.6",
    "llava_next_video": "LLaVA-NeXT-Video",
    "llava_onevision": "LLaVA-OneVision",
    "minicpmv4_6": "MiniCPM-V 4.6",
    "mistral3": "Mistral 3, Pixtral",
    "molmo2": "Molmo 2",
    "qwen2_5_vl": "Qwen2.5-VL",
    "qwen2_vl": "Qwen2-VL",
    "qwen3_5": "Qwen3.5",
    "qwen3_vl": "Qwen3-VL",
    "smolvlm": "SmolVLM",
    "video_llama_3": "VideoLLaMA 3",
    "video_llava": "Video-LLaVA",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each family did in a process that can import torchvision, which this one must not."""
    if not (Path(sys.prefix) / "vlm").is_dir():
        pytest.skip("torchvision is not in .venv/vlm: make install puts it there")
    command = [
        sys.executable,
        "-m",
        "tests.captioners.families.child",
        str(tmp_path_factory.mktemp("families")),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {line["family"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_caption_does_not_depend_on_its_batch(family: str, seen: dict[str, dict[str, Any]]) -> None:
    """Pictures and videos of odd sizes, 1, 3 and 8 frames: token by token the same alone and together."""
    assert "failed" not in seen[family], seen[family]["failed"]
    assert seen[family]["together"] == seen[family]["alone"]
    answers = {tuple(ids) for each in seen[family]["alone"].values() for ids in each}
    assert len(answers) > 1, "the model does not look at what it is shown"


def test_a_model_that_wants_times_gets_those_of_the_frames(seen: dict[str, dict[str, Any]]) -> None:
    """Three frames at 0.1, 1.5 and 2.5 s."""
    said = {family: seen[family]["text"]["3"][0] for family in FAMILIES}
    assert "Time 0.1s" in said["video_llama_3"]
    assert "Time 1.5s" in said["video_llama_3"]
    assert "Time 2.5s" in said["video_llama_3"]
    assert "<0.8 seconds>" in said["qwen3_vl"], "two frames are one step; a missing fourth is the third again"
    assert "<2.5 seconds>" in said["qwen3_vl"]
    assert "three frames from a 0:00:02" in said["smolvlm"]
    assert "0.1 seconds" in said["glm46v"]


def test_the_table_in_the_docs_says_what_was_seen(seen: dict[str, dict[str, Any]]) -> None:
    rows = [
        f"| {TITLES[family]} | `{family}` | {'a video with its times' if seen[family]['takes_videos'] else 'pictures'} "
        f"| {'; '.join(_tested(seen[family]))} |"
        for family in sorted(FAMILIES, key=lambda family: TITLES[family].lower())
    ]
    table = "\n".join(["| family | `model_type` | shown as | tested |", "|---|---|---|---|", *rows])
    if os.environ.get("WRITE_DOCS"):
        before, _, rest = TABLE.read_text().partition("| family |")
        TABLE.write_text("\n".join([f"{before}{table}", "", rest.partition("\n\n")[2]]))
    assert table in TABLE.read_text(), "WRITE_DOCS=1 with this test writes it"


def _tested(one: dict[str, Any]) -> list[str]:
    frames = ", ".join(one["alone"])
    return [f"random weights, {frames} frames and a picture, alone and in a batch"]
