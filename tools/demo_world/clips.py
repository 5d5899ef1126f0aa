"""The demo clips: H.264 files of the demo world with their ground truth beside them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.demo_world.scene import Scene, place, random_scene
from tools.demo_world.world import ACTIONS, BACKGROUNDS, CAMERA_MOVES, COLOURS, SHAPES, SIZES, SURFACES, Slots

if TYPE_CHECKING:
    import numpy as np

TRUTH_FILE = "ground_truth.json"
DEMO_SEED = 20_240
FRAME_SIZES = ((320, 180), (180, 320), (224, 224))  # width, height
RATES = (24, 25, 30, 50, 60)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in a demo file.

    ``caption`` needs the motion, ``still_caption`` is what one frame shows. ``camera_motion`` is one of the
    camera labels. Where ``broken`` is set, the file cannot be decoded and the rest is None or empty.
    """

    file: str
    kind: str
    width: int | None = None
    height: int | None = None
    fps: int | None = None
    num_frames: int | None = None
    slots: Slots | None = None
    still_slots: Slots | None = None
    camera_motion: str | None = None
    broken: str | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON-able form, with the sentences and tags spelled out."""
        seen = self.slots
        return asdict(self) | {
            "caption": seen.caption if seen else None,
            "still_caption": self.still_slots.caption if self.still_slots else None,
            "objects": seen.objects if seen else [],
            "actions": seen.actions if seen else [],
        }


def render_demo_source(folder: Path) -> Path:
    """Render the demo source: about 40 clips, two images, a truncated clip and a text file named .mp4."""
    write_truths(folder, _render_demo(folder))
    return folder


def write_video(path: Path, frames: "list[np.ndarray]", fps: int, crf: int = 20) -> None:
    """Encode (H, W, 3) uint8 RGB frames of even size as H.264 yuv420p mp4, the same bytes every time."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        # x264's macroblock tree reads memory that it never wrote: without it the bytes are reproducible
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def render_clip(
    folder: Path, name: str, scene: Scene, rng: "np.random.Generator", variant: int | None = None
) -> Truth:
    """Encode a scene as an H.264 file; ``variant`` decides size and rate, by default ``rng`` does."""
    if variant is None:
        variant = int(rng.integers(len(FRAME_SIZES) * len(RATES)))
    width, height = FRAME_SIZES[variant % len(FRAME_SIZES)]
    fps = RATES[variant % len(RATES)]
    count = int(rng.uniform(1.0, 4.0 if fps <= 30 else 2.0) * fps)
    frames = [scene.draw(i / (count - 1), height, width) for i in range(count)]
    write_video(folder / name, frames, fps)
    return Truth(
        name, "video", width, height, fps, count, scene.slots, scene.still_slots, camera_motion=scene.camera
    )


def write_truths(folder: Path, truths: list[Truth]) -> None:
    """Write the ground truth file of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"clips": [truth.as_json() for truth in truths]}
    (folder / TRUTH_FILE).write_text(json.dumps(content, indent=1))


def _render_demo(folder: Path) -> list[Truth]:
    import numpy as np

    rng = np.random.default_rng(DEMO_SEED)
    truths = []
    for i in range(28):
        background = list(BACKGROUNDS)[i % len(BACKGROUNDS)]
        colours = [name for name in COLOURS if name != background]
        slots = Slots(
            background,
            shape=SHAPES[(i + i // 6) % len(SHAPES)],
            colour=colours[(3 * i) % len(colours)],
            size=SIZES[(i // 2) % 2],
            action=ACTIONS[i % len(ACTIONS)],
        )
        scene = place(slots, rng, seed=int(rng.integers(2**31)))
        name = "-".join(word for word in (scene.slots.size, scene.slots.colour, scene.slots.shape) if word)
        truths.append(render_clip(folder, f"shapes/{i:02d}-{name}.mp4", scene, rng, variant=i))
    for i, camera in enumerate((*CAMERA_MOVES, "pan_right", "tilt_up", "zoom_in")):
        surface = random_scene(rng, surface=True)
        name = SURFACES[i % len(SURFACES)]
        scene = Scene(Slots(name), BACKGROUNDS[name], camera=camera, texture_seed=surface.texture_seed)
        truths.append(render_clip(folder, f"camera/{i:02d}-{name}.mp4", scene, rng, variant=i))
    for suffix, slots in (
        ("png", Slots("cyan", "heart", "red", "large", "stays still")),
        ("jpg", Slots("gray", "star", "yellow", "small", "stays still")),
    ):
        truths.append(
            _render_image(folder, f"images/{slots.colour}-{slots.shape}.{suffix}", place(slots, rng))
        )
    return truths + _render_broken(folder, truths[0])


def _render_image(folder: Path, name: str, scene: Scene) -> Truth:
    from PIL import Image

    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.draw(0.5, 288, 384)).save(folder / name)
    return Truth(name, "image", 384, 288, None, 1, scene.slots, scene.still_slots, camera_motion=None)


def _render_broken(folder: Path, intact: Truth) -> list[Truth]:
    """A clip cut off in the middle (its index, at the end of the file, is gone) and a text named .mp4."""
    cut, text = folder / "broken/truncated.mp4", folder / "broken/not-a-video.mp4"
    cut.parent.mkdir(parents=True, exist_ok=True)
    whole = (folder / intact.file).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("This is a text file whose name ends in .mp4.\n")
    return [
        Truth("broken/truncated.mp4", "video", broken="cut off before its index"),
        Truth("broken/not-a-video.mp4", "video", broken="text, no video"),
    ]
