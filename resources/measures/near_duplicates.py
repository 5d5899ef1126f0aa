"""Clips that show the same: coded again, resized, cropped a little, trimmed a little, brightened.

Two clips are near-duplicates when most moments of each are found, at about the same place, in the other. Candidates
come from an index, not from all pairs: hashes that agree in three of their eight bytes (multi-index hashing; Norouzi
et al., CVPR 2012). A million clips take minutes and 2 GiB.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Pairs = NDArray[np.int64]

NEAR, NEAR_KEY = 72, 12
"""Bits in which two moments that show the same differ at most: of all 256, and of the 64 that are indexed."""
FOUND = 0.65
"""Share of a clip's moments that must be found in the other one."""
ASIDE = 2
"""Moments, of 16, by which the same picture may stand earlier or later."""
LONGER = 1.25
"""How much longer than the other a near-duplicate is at most."""
LEAST_SHOWN = 4
"""Moments, of 16, that must show something: black frames are alike in all clips."""
BYTES = ((0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (4, 5, 7), (5, 6, 0), (6, 7, 1), (7, 0, 2))
"""Bytes that a key of the index is made of; each pair of bytes stands together in at least one."""
BUCKET = 32
"""A hash is compared with as many before it in its bucket of the index, and with the first as many: what occurs
everywhere (a title card) tells little, and copies of one clip all meet the best of them."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class Clips:
    """What near-duplicates are told by, a row a clip, the preferred clip first.

    ``moments``: (clips, moments, 4), 0 where one shows nothing; see :func:`resources.measures.phash.signature`.
    ``duration_s``: (clips,), 0 for images.
    """

    moments: Words
    duration_s: NDArray[np.float64]


def near_duplicates(clips: Clips) -> NDArray[np.int64]:
    """For each clip the row of the one that is kept in its place: its own where it is kept.

    A clip is kept unless it is a near-duplicate of one that is kept and stands before it, so every clip that is not
    was itself found alike to the one that stands for it.
    """
    kept = np.arange(len(clips.moments))
    pairs = similar_pairs(clips)
    for better, worse in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if kept[better] == better and kept[worse] == worse:
            kept[worse] = better
    return kept


def similar_pairs(clips: Clips) -> Pairs:
    """(pairs, 2): the rows of clips that are near-duplicates, the smaller first, each pair once."""
    found = [np.empty((0, 2), np.int64)]
    for candidates in _candidates(clips.moments[..., 0]):
        for start in range(0, len(candidates), CHUNK):
            chunk = candidates[start : start + CHUNK]
            found.append(chunk[_are_alike(clips, chunk)])
    return np.unique(np.concatenate(found), axis=0)


def _candidates(keys: Words) -> Iterator[Pairs]:
    """Pairs of rows of (clips, moments) with a key in common in three bytes and near in all, for each three."""
    once = np.sort(keys, axis=1)
    once[:, 1:][once[:, 1:] == once[:, :-1]] = 0
    shown = np.flatnonzero(once)
    values = once.ravel()[shown]
    rows = shown // keys.shape[1]
    del once, shown
    octets = values.view(np.uint8).reshape(-1, 8)
    for first, second, third in BYTES:
        # Key and place in one number, so that one sort in place makes the buckets, the preferred clips first.
        keyed = octets[:, first].astype(np.uint64) << np.uint64(56)
        keyed |= octets[:, second].astype(np.uint64) << np.uint64(48)
        keyed |= octets[:, third].astype(np.uint64) << np.uint64(40)
        keyed |= np.arange(len(values), dtype=np.uint64)
        keyed.sort()
        key, place = keyed >> np.uint64(40), (keyed & np.uint64((1 << 40) - 1)).astype(np.int64)
        del keyed
        here = np.arange(len(key))
        begins = np.r_[True, key[1:] != key[:-1]]
        head = np.maximum.accumulate(np.where(begins, here, 0))
        pairs = [np.empty((0, 2), np.int64)]
        for step in range(BUCKET):
            here = here[here - head[here] > step]
            if len(here) == 0:
                break
            for earlier in (here - 1 - step, head[here] + step):
                a, b = place[earlier], place[here]
                near = np.bitwise_count(values[a] ^ values[b]) <= NEAR_KEY
                found = np.stack([rows[a[near]], rows[b[near]]], axis=1)
                pairs.append(found[found[:, 0] != found[:, 1]])
        yield np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _are_alike(clips: Clips, pairs: Pairs) -> NDArray[np.bool_]:
    """Which pairs of rows are near-duplicates."""
    a, b = clips.duration_s[pairs[:, 0]], clips.duration_s[pairs[:, 1]]
    alike = np.maximum(a, b) <= LONGER * np.minimum(a, b)
    for one, other in ((0, 1), (1, 0)):
        alike[alike] = _found(clips.moments[pairs[alike, one]], clips.moments[pairs[alike, other]])
    return alike


def _found(these: Words, others: Words) -> NDArray[np.bool_]:
    """Row by row: are enough of these moments found among the others? Both (pairs, moments, 4)."""
    count = these.shape[1]
    shown, there = (np.asarray(words.any(axis=2)) for words in (these, others))
    best = np.full(shown.shape, 256, np.uint16)
    for aside in range(-min(ASIDE, count - 1), min(ASIDE, count - 1) + 1):
        mine = slice(max(0, -aside), count - max(0, aside))
        theirs = slice(max(0, aside), count + min(0, aside))
        away = np.bitwise_count(these[:, mine] ^ others[:, theirs]).sum(axis=2, dtype=np.uint16)
        away[~there[:, theirs]] = 256
        best[:, mine] = np.minimum(best[:, mine], away)
    total = np.count_nonzero(shown, axis=1)
    found = np.count_nonzero((best <= NEAR) & shown, axis=1)
    return np.asarray((total >= min(LEAST_SHOWN, count)) & (found >= FOUND * total))
