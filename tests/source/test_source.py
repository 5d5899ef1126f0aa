import json
import os
from pathlib import Path

import pandas as pd
import pytest

from resources.annotation.clip import Kind, Span
from resources.source.source import SourceError, read_source


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_folder_is_searched_for_videos_and_images_in_a_fixed_order(tmp_path):
    touch(
        tmp_path / "b.MP4",
        tmp_path / "sub" / "deeper" / "a.webm",
        tmp_path / "picture.JPG",
        tmp_path / "notes.txt",
        tmp_path / ".hidden.mp4",
        tmp_path / ".cache" / "c.mp4",
    )
    entries = read_source(tmp_path)
    assert [(str(e.path.relative_to(tmp_path)), e.kind) for e in entries] == [
        ("b.MP4", Kind.VIDEO),
        ("picture.JPG", Kind.IMAGE),
        ("sub/deeper/a.webm", Kind.VIDEO),
    ]


def test_linked_folders_are_followed_but_never_in_circles(tmp_path):
    touch(tmp_path / "store" / "a.mp4")
    (tmp_path / "source").mkdir()
    os.symlink(tmp_path / "store", tmp_path / "source" / "linked")
    os.symlink(tmp_path / "source", tmp_path / "store" / "back")
    assert [e.path.name for e in read_source(tmp_path / "source")] == ["a.mp4"]


def test_of_two_ways_to_a_folder_the_first_by_name_is_taken(tmp_path):
    touch(tmp_path / "m" / "a.mp4")
    for name in ("z", "b", "q"):
        os.symlink(tmp_path / "m", tmp_path / name)
    assert [e.path for e in read_source(tmp_path)] == [tmp_path / "b" / "a.mp4"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_list_keeps_its_order_ids_and_texts_as_they_are(tmp_path, suffix):
    listing = tmp_path / f"list{suffix}"
    frame = pd.DataFrame(
        {"path": ["z.mp4", "/elsewhere/a.png"], "id": ["007", "NA"], "text": ["None, they said", ""]}
    )
    frame.to_csv(listing, index=False) if suffix == ".csv" else frame.to_parquet(listing)
    first, second = read_source(listing)
    assert (first.path, first.id, first.text) == (tmp_path / "z.mp4", "007", "None, they said")
    assert (second.path, second.id, second.text, second.kind) == (
        Path("/elsewhere/a.png"),
        "NA",
        None,
        Kind.IMAGE,
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,text\na.mp4,x\n", "has no column 'path' .its columns: file, text."),
        (b"path,id\na.mp4,1\nb.mp4,1\n", r"1 duplicate ids \(1\)"),
        (b"path,id\na.mp4,1\nb.mp4,\n", r"row 2 \(.*\) has no id"),
        (b'path\na.mp4\n""\n', "row 2 has no path"),
        (b'path\n"a.mp4\n', "cannot be read as csv"),
        (b"\xff\xfe\x00\x01\x02", "cannot be read as csv"),
        (b"", "cannot be read as csv"),
        (b"path\n", "no videos or images"),
        (b"path,text\na.mp4,a dog, a cat\n", "row 1 has 3 values for 2 columns .* needs quotes"),
        (b"path,text\nb.mp4,x\na.mp4,1,2,3,4,5,6,7,8,9,10\n", "cannot be read as csv.* line 3"),
        (b"path,path\na.mp4,b.mp4\n", "more than one column 'path'"),
        (b"path,text\na.mp4,caf\xe9\n", "not UTF-8"),
        (b"path\na.mp4\n~nobodyhere/b.mp4\n", "row 2 has a path that cannot be one: '~nobodyhere"),
        (b'path\n"a\0b.mp4"\n', "row 1 has a path that cannot be one"),
    ],
)
def test_a_list_that_cannot_be_used_says_why_in_one_sentence(tmp_path, content, message):
    listing = tmp_path / "list.csv"
    listing.write_bytes(content)
    with pytest.raises(SourceError, match=message) as failure:
        read_source(listing)
    assert str(listing) in str(failure.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfpath,text\na.mp4,a dog\n",
        b"path, text\r\na.mp4,a dog\r\n",
        b"path,text\na.mp4,a dog,\n",
        b"path,text\na.mp4,a dog,,,\n",
        b'"path","text","more"\n\na.mp4,a dog\n',
    ],
)
def test_spreadsheets_write_lists_in_several_ways(tmp_path, content):
    listing = tmp_path / "list.csv"
    listing.write_bytes(content)
    [entry] = read_source(listing)
    assert (entry.path, entry.text) == (tmp_path / "a.mp4", "a dog")


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (pd.DataFrame({"path": ["a.mp4"], "text": ["x"]}).set_index("path"), "x"),
        (pd.DataFrame({"path": [b"a.mp4"], "text": [float("nan")]}), None),
        (pd.DataFrame({"path": pd.Categorical(["a.mp4"]), "text": [""]}), None),
    ],
)
def test_a_parquet_list_may_hold_its_paths_in_any_way_that_is_text(tmp_path, frame, text):
    frame.to_parquet(tmp_path / "list.parquet")
    [entry] = read_source(tmp_path / "list.parquet")
    assert (entry.path, entry.text) == (tmp_path / "a.mp4", text)


def test_numbers_stay_whole_where_some_are_missing(tmp_path):
    frame = pd.DataFrame(
        {"path": ["a.mp4", "b.mp4"], "text": pd.array([7, None], dtype="Int64"), "more": [[1], [2]]}
    )
    frame.to_parquet(tmp_path / "list.parquet")
    assert [entry.text for entry in read_source(tmp_path / "list.parquet")] == ["7", None]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    pd.DataFrame({"path": [b"caf\xe9.mp4"]}).to_parquet(tmp_path / "list.parquet")
    with pytest.raises(SourceError, match="column 'path' holds bytes that are not UTF-8"):
        read_source(tmp_path / "list.parquet")


def test_a_parquet_list_of_lists_is_refused(tmp_path):
    pd.DataFrame({"path": ["a.mp4"], "text": [["x", "y"]]}).to_parquet(tmp_path / "list.parquet")
    with pytest.raises(SourceError, match="column 'text' holds lists"):
        read_source(tmp_path / "list.parquet")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.csv", "there is no such list"),
        ("nowhere", "neither a folder nor"),
        ("bad.parquet", "cannot be read"),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path, name, message):
    if name.startswith("bad"):
        (tmp_path / name).write_bytes(b"PAR1?")
    with pytest.raises(SourceError, match=message):
        read_source(tmp_path / name)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no videos or images in it"):
        read_source(tmp_path)


RECORDS = [{"path": "a.mp4", "text": "a dog", "aes": 5.5, "n": 3, "who": "007"}, {"path": "b.png", "n": 4}]


def write_list(path: Path, records: list[dict[str, object]]) -> Path:
    frame = pd.DataFrame(records)
    if "n" in frame:
        frame["n"] = frame["n"].astype("Int64")
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".parquet":
            frame.to_parquet(path)
        case ".json":
            path.write_text(json.dumps(records))
        case ".jsonl":
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".json", ".jsonl"])
def test_every_kind_of_list_keeps_all_columns_with_their_types_and_its_order(tmp_path, suffix):
    first, second = read_source(write_list(tmp_path / f"list{suffix}", RECORDS))
    assert (first.path, first.text, second.kind) == (tmp_path / "a.mp4", "a dog", Kind.IMAGE)
    assert json.loads(first.extra) == {"row": 0, "aes": 5.5, "n": 3, "who": "007"}
    assert json.loads(second.extra) == {"row": 1, "n": 4}


@pytest.mark.parametrize("path", ["video", "file_path", "file_name", "video_path", "media_path", "media"])
@pytest.mark.parametrize("text", ["caption", "prompt", "cap"])
def test_columns_go_by_the_names_that_the_field_knows(tmp_path, path, text):
    [entry] = read_source(write_list(tmp_path / "list.jsonl", [{path: "a.mp4", text: "a dog"}]))
    assert (entry.path.name, entry.text, json.loads(entry.extra)) == ("a.mp4", "a dog", {"row": 0})


def test_columns_with_names_of_their_own_are_named(tmp_path):
    listing = write_list(tmp_path / "list.csv", [{"clip": "a.mp4", "said": "a dog", "text": "kept"}])
    [entry] = read_source(listing, {"path": "clip", "text": "said"})
    assert (entry.path.name, entry.text, json.loads(entry.extra)["text"]) == ("a.mp4", "a dog", "kept")
    with pytest.raises(SourceError, match="has no column 'film', which columns: names"):
        read_source(listing, {"path": "film"})


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"path": "https://example.org/a.mp4"}], "row 1 is an address .* download them"),
        ([{"path": "s3://bucket/a.mp4"}], "row 1 is an address"),
        ([{"path": "a.mp4", "text": "x"}, {"path": "a.mp4", "text": "y"}], "row 2 gives a.mp4 another text"),
        ([{"path": "a.mp4", "start": 3, "end": 2}], "row 1: nothing lies between 3 and 2"),
        ([{"path": "a.mp4", "start": "soon", "end": 2}], "row 1: 'soon' is no time"),
        ([{"path": "a.mp4", "start_frame": 1.5, "end_frame": 2}], "row 1: '1.5' is no number of a frame"),
        ([{"path": "a.mp4", "timestamp": "[('00:00:00.000',)]"}], "row 1: .* is no list of pairs of times"),
    ],
)
def test_a_list_that_cannot_mean_what_it_says_is_refused(tmp_path, records, message):
    with pytest.raises(SourceError, match=message):
        read_source(write_list(tmp_path / "list.csv", records))


@pytest.mark.parametrize(
    ("record", "spans"),
    [
        ({"start": 1, "end": 2.5}, [Span(1, 2.5)]),
        ({"start_s": "0", "end_s": "00:01:02.500"}, [Span(0, 62.5)]),
        ({"start_time": "1:02", "end_time": "1:02:03,25"}, [Span(62, 3723.25)]),
        ({"start_frame": 10, "end_frame": 20}, [Span(10, 20, in_frames=True)]),
        (
            {"timestamp": "[('00:00:00.000','00:00:02.000'), ('00:00:02.000','00:00:03.100')]"},
            [Span(0, 2), Span(2, 3.1)],
        ),
        ({"timestamp": "['0:00:08.375', '0:00:18.518']"}, [Span(8.375, 18.518)]),
        ({"timestamp": "[[1.5, 2], [3, 4]]"}, [Span(1.5, 2), Span(3, 4)]),
        ({"timestamp": "2024-01-01 10:00"}, [None]),
        ({"start": 1, "end": ""}, [None]),
        ({"start": 1}, [None]),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_row_may_mean_parts_of_a_file(tmp_path, suffix, record, spans):
    listing = write_list(tmp_path / f"list.{suffix}", [{"path": "a.mp4", "id": "film", **record}])
    entries = read_source(listing)
    assert [entry.span for entry in entries] == spans
    several = [f"film_scene-{number}" for number in range(len(spans))]
    assert [entry.id for entry in entries] == (several if len(spans) > 1 else ["film"])
    assert json.loads(entries[0].extra).keys() >= {name for name, value in record.items() if value != ""}


def test_two_texts_for_two_parts_of_a_file_are_two_clips(tmp_path):
    rows = [
        {"path": "a.mp4", "start": 0, "end": 1, "text": "x"},
        {"path": "a.mp4", "start": 1, "end": 2, "text": "y"},
    ]
    assert [entry.text for entry in read_source(write_list(tmp_path / "list.csv", rows))] == ["x", "y"]


def test_rows_of_one_clip_with_ids_of_their_own_and_file_addresses_are_taken(tmp_path):
    address = (tmp_path / "a b.mp4").as_uri()
    rows = [{"path": address, "id": "x", "text": "1st"}, {"path": address, "id": "y", "text": "2nd"}]
    entries = read_source(write_list(tmp_path / "list.csv", rows))
    assert [(entry.path, entry.text) for entry in entries] == [
        (tmp_path / "a b.mp4", "1st"),
        (tmp_path / "a b.mp4", "2nd"),
    ]


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_a_folder_with_a_list_of_its_own_is_read_by_it(tmp_path, name):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    write_list(tmp_path / name, [{"file_name": "a.mp4", "text": "a dog"}])
    [entry] = read_source(tmp_path)
    assert (entry.path, entry.text) == (tmp_path / "a.mp4", "a dog")


def test_a_metadata_file_of_something_else_does_not_hide_the_clips(tmp_path):
    touch(tmp_path / "a.mp4")
    write_list(tmp_path / "metadata.csv", [{"camera": "left"}])
    assert [entry.path.name for entry in read_source(tmp_path)] == ["a.mp4"]


def test_files_beside_the_clips_are_their_texts(tmp_path):
    touch(*(tmp_path / "sub" / name for name in ("a.mp4", "b.png", "c.mp4")))
    (tmp_path / "sub" / "a.txt").write_text("a dog\n")
    (tmp_path / "sub" / "b.json").write_text('{"caption": "a cat", "tags": []}')
    assert [entry.text for entry in read_source(tmp_path)] == ["a dog", "a cat", None]
    (tmp_path / "sub" / "b.json").write_text('{"caption": ')
    with pytest.raises(SourceError, match=r"the text of b.png in b.json cannot be read"):
        read_source(tmp_path)
