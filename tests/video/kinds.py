"""Every kind of stream and container that the encoders bundled with PyAV can write."""

from fractions import Fraction

from tests.video.media import Recipe

OPEN_GROUPS = {"x264-params": "open-gop=1:bframes=3:keyint=12:min-keyint=12:scenecut=0"}
HEVC_OPEN = {"x265-params": "keyint=12:min-keyint=12:bframes=3:open-gop=1:scenecut=0"}
HEVC_CLOSED = {"x265-params": "keyint=12:min-keyint=12:bframes=3:open-gop=0:scenecut=0"}
INTRA_REFRESH = {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}
PYRAMID = {"x264-params": "b-pyramid=normal:ref=5", "bf": "8", "g": "25"}
HIDDEN_FRAMES = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "4"}
B_FRAMES = {"bf": "2", "g": "12"}
UNEVEN = [place * place // 4 + 3 * place for place in range(40)]

# Streams where any frame can be reached from the key frame before it.
SEEKABLE = {
    "h264.mp4": Recipe(),
    "h264.mov": Recipe(),
    "h264.mkv": Recipe(),
    "pyramid.mp4": Recipe(options=PYRAMID),
    "one_group.mp4": Recipe(options={"g": "250"}),
    "intra_only.mp4": Recipe(options={"g": "1"}),
    "fragmented.mp4": Recipe(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "negative_offsets.mp4": Recipe(container_options={"movflags": "negative_cts_offsets"}),
    "ten_bit.mp4": Recipe(pix_fmt="yuv420p10le"),
    "chroma_422.mkv": Recipe(pix_fmt="yuv422p"),
    "full_range.mp4": Recipe(pix_fmt="yuvj420p"),
    "odd_size.mp4": Recipe(pix_fmt="yuv444p", width=191, height=97),
    "cropped_size.mp4": Recipe(width=190, height=94),
    "wide_samples.mkv": Recipe(sample_aspect=Fraction(4, 3)),
    "narrow_samples.mp4": Recipe(sample_aspect=Fraction(2, 3)),
    "variable_rate.mp4": Recipe(times=UNEVEN, time_base=Fraction(1, 30)),
    "hevc_closed.mp4": Recipe(codec="libx265", options=HEVC_CLOSED),
    "hevc_closed.mkv": Recipe(codec="libx265", options=HEVC_CLOSED),
    "hevc_ten_bit.mp4": Recipe(codec="libx265", pix_fmt="yuv420p10le", options=HEVC_CLOSED),
    "av1.mp4": Recipe(codec="libsvtav1"),
    "av1.webm": Recipe(codec="libsvtav1"),
    "vp9.mp4": Recipe(codec="libvpx-vp9"),
    "vp9.webm": Recipe(codec="libvpx-vp9"),
    "vp9_hidden.webm": Recipe(codec="libvpx-vp9", options=HIDDEN_FRAMES),
    "with_sound.mp4": Recipe(audio=True),
    "delayed.mp4": Recipe(audio=True, delay=15),
    "one_frame.mp4": Recipe(numbers=[7]),
    "two_frames.mp4": Recipe(numbers=[7, 8]),
    "three_frames.mkv": Recipe(numbers=[7, 8, 9]),
    "still.mp4": Recipe(numbers=[5] * 40, options={"g": "1", "qp": "20"}),
    "long.mp4": Recipe(numbers=range(700), options={"g": "50"}),
}

# Streams where a seek may land on a wrong or broken picture: to be decoded in order.
IN_ORDER = {
    "interlaced.mp4": Recipe(options={"x264-params": "tff=1", "flags": "+ildct+ilme"}),
    "open_groups.mp4": Recipe(options=OPEN_GROUPS),
    "open_groups.mkv": Recipe(options=OPEN_GROUPS),
    "intra_refresh.mp4": Recipe(options=INTRA_REFRESH),
    "hevc_open.mp4": Recipe(codec="libx265", options=HEVC_OPEN),
    "hevc_open.mkv": Recipe(codec="libx265", options=HEVC_OPEN),
    "h264.avi": Recipe(),
    "h264.ts": Recipe(),
    "h264.flv": Recipe(),
    "raw.h264": Recipe(format="h264"),
    "raw.hevc": Recipe(codec="libx265", format="hevc"),
    "mpeg4.avi": Recipe(codec="mpeg4", options=B_FRAMES),
    "mpeg4.mp4": Recipe(codec="mpeg4", options=B_FRAMES),
    "mpeg2.mpg": Recipe(codec="mpeg2video", fps=25, options=B_FRAMES),
    "mpeg2.ts": Recipe(codec="mpeg2video", fps=25, options=B_FRAMES),
    "mpeg1.mpg": Recipe(codec="mpeg1video", fps=25, options=B_FRAMES),
    "wmv2.wmv": Recipe(codec="wmv2"),
    "msmpeg4.avi": Recipe(codec="msmpeg4v3"),
    "flash.flv": Recipe(codec="flv"),
    "h263.3gp": Recipe(codec="h263", width=176, height=144, fps=30),
    "vp8.webm": Recipe(codec="libvpx"),
    "vp8_hidden.webm": Recipe(codec="libvpx", options={**HIDDEN_FRAMES, "arnr-maxframes": "7"}),
    "animation.gif": Recipe(codec="gif", pix_fmt="rgb8"),
    "prores.mov": Recipe(codec="prores_ks", pix_fmt="yuv422p10le"),
    "ffv1.mkv": Recipe(codec="ffv1"),
    "mjpeg.avi": Recipe(codec="mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mov": Recipe(codec="mjpeg", pix_fmt="yuvj420p"),
    "huffyuv.avi": Recipe(codec="huffyuv", pix_fmt="yuv422p"),
    "animation.mov": Recipe(codec="qtrle", pix_fmt="rgb24"),
    "uncompressed.y4m": Recipe(codec="wrapped_avframe", format="yuv4mpegpipe"),
    "picture_as_video.png": Recipe(codec="png", numbers=[7], pix_fmt="rgb24", format="image2"),
}

KINDS = {**SEEKABLE, **IN_ORDER}
