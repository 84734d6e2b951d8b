"""WAV, in RIFF, RIFX, RF64 and BW64 clothes: where its sound is, and what follows it.

RF64 is EBU Tech 3306: the 32-bit size of ``data`` is 0xFFFFFFFF, and the real one, of 64 bits, is in ``ds64``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.layout import SLACK, Layout, Limit, Mend, judge, read_at
from stream_ser.audio.files.mpeg import plan_mpeg
from stream_ser.audio.files.plan import Missing, Plan

MARKS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_PLACEHOLDER = 0x7FFF_0000  # programs that cannot seek back leave a size at least this large
_WRAP = 1 << 32
_OPEN = 1 << 62  # a size of 64 bits above it is none
_ID3V1 = 128
_PCM = (1, 3, 6, 7)  # integers, floats, A-law, mu-law: every byte of the sound is a sample's
_MPEG = (0x50, 0x55)  # layers I and II, and III
_EXTENSIBLE = 0xFFFE
# What writers put behind the sound; one of these needs no sound size to be believed.
_KNOWN = frozenset(
    b"LIST,bext,cue ,fact,PEAK,smpl,inst,iXML,axml,cart,junk,JUNK,PAD ,FLLR,umid,minf,elm1,DISP,id3 ,ID3 ,acid,chna,levl,plst,"
    b"afsp,_PMX".split(b",")
)


@dataclass(frozen=True, slots=True)
class _Format:
    """What ``fmt `` says."""

    tag: int
    block: int  # bytes of a frame, or of a block of a codec
    samples: int  # sound frames in a block; 1 where samples lie open, or where it does not say
    bits: int  # of a frame, as far as that is a number
    raw: bytes


@dataclass(slots=True)
class _Wav:
    """What was found of a file up to its sound."""

    begin: int
    mark: bytes
    total: int
    data: int = 0
    size: int = 0
    form: _Format | None = None
    big: int = 0  # the size of 64 bits
    fact: int = 0  # sound frames

    @property
    def order(self) -> str:
        return ">" if self.mark == b"RIFX" else "<"

    @property
    def wide(self) -> bool:
        return self.mark in (b"RF64", b"BW64")


def plan_riff(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the WAV file that begins at byte ``begin``; None where it is none that can be understood."""
    mark = read_at(file, begin, 12)
    if not _is_wav(mark):
        return None
    wav = _Wav(begin, mark[:4], total)
    at = begin + 12
    while len(header := read_at(file, at, 8)) == 8:
        name, size = struct.unpack(f"{wav.order}4sI", header)
        at += 8
        if name == b"data":
            wav.data, wav.size = at, size
            return None if wav.form is None else _judge(file, wav, wav.form)
        _note(wav, name, read_at(file, at, min(size, 64)))
        at += size + size % 2
    return None


def _is_wav(head: bytes) -> bool:
    return len(head) == 12 and head[:4] in MARKS and head[8:] == b"WAVE"


def _note(wav: _Wav, name: bytes, body: bytes) -> None:
    """Keep what a chunk before the sound says."""
    if name == b"fmt " and len(body) >= 16:
        tag, channels, _, _, block, bits = struct.unpack(f"{wav.order}HHIIHH", body[:16])
        if tag == _EXTENSIBLE and len(body) >= 26:
            tag = struct.unpack(f"{wav.order}H", body[24:26])[0]
        samples = struct.unpack(f"{wav.order}H", body[18:20])[0] if tag not in _PCM and len(body) >= 20 else 1
        wav.form = _Format(tag, max(1, block), max(1, samples), max(1, bits * channels), body)
    elif name == b"ds64" and len(body) >= 16:
        wav.big = struct.unpack("<Q", body[8:16])[0]
    elif name == b"fact" and len(body) >= 4:
        wav.fact = struct.unpack(f"{wav.order}I", body[:4])[0]


def _judge(file: BinaryIO, wav: _Wav, form: _Format) -> Plan | None:
    there, total = wav.total - wav.data, wav.total
    if form.tag in _MPEG:
        return _mpeg(file, wav)
    declared = wav.big if wav.wide and wav.size == _WRAP - 1 else wav.size
    open_end = declared > there and (declared >= _OPEN if wav.wide else declared >= _PLACEHOLDER)
    follows = None if open_end else _follows(file, wav, declared)
    if follows is None and declared and not open_end and not wav.wide:
        wrapped = _wrapped(file, wav, declared)
        total, follows = wrapped or total, None
    layout = Layout(
        wav.begin,
        wav.data,
        None if open_end or (follows is None and not declared) else declared,
        total,
        form.block,
        _mender(wav, form),
        _limit(form, wav.fact),
        told=not open_end,
        rewrite=wav.mark == b"BW64",
    )
    return judge(file, layout, follows, plan_riff)


def _mpeg(file: BinaryIO, wav: _Wav) -> Plan | None:
    """MPEG audio in a WAV file: its frames are counted as in a file of its own."""
    there = wav.total - wav.data
    whole = 0 < wav.size <= there
    plan = plan_mpeg(file, wav.data, wav.data + wav.size if whole else wav.total)
    cut = there < wav.size < _PLACEHOLDER
    return replace(plan, missing=Missing(wav.size, there)) if plan is not None and cut and not plan.cut_off else plan


def _follows(file: BinaryIO, wav: _Wav, declared: int) -> int | None:
    """Where what belongs to the sound ends: the end of the file, or where another begins; None where that is no chunk."""
    end = wav.data + declared
    if end >= wav.total:
        return wav.total
    for at in (end + declared % 2, end):  # some writers forget the byte that makes an odd size even
        stop = _chunks(file, at, wav)
        if stop is not None:
            return stop
    return None


def _chunks(file: BinaryIO, at: int, wav: _Wav) -> int | None:
    while wav.total - at >= SLACK:
        header = read_at(file, at, 12)
        if _is_wav(header):
            return at
        if header[:3] == b"TAG" and wav.total - at == _ID3V1:
            return wav.total
        name, size = struct.unpack(f"{wav.order}4sI", header[:8])
        fits = all(0x20 <= byte < 0x7F for byte in name) and at + 8 + size <= wav.total + 1
        if name not in _KNOWN and not fits:
            return None
        at += 8 + size + size % 2
    return wav.total


def _wrapped(file: BinaryIO, wav: _Wav, declared: int) -> int | None:
    """Where sound ends whose size wrapped at 4 GiB, if chunks behind it show that."""
    end = wav.data + declared + _WRAP
    while wav.total - end >= SLACK:
        if _chunks(file, end + declared % 2, wav) is not None:
            return end
        end += _WRAP
    return None


def _limit(form: _Format, fact: int) -> Limit | None:
    """How many frames a codec of blocks holds: by ``fact``, or by its blocks, where libsndfile counts the padding too."""
    if form.tag in _PCM:
        return None

    def limit(sound: int) -> int | None:
        if form.samples == 1:
            most = 8 * sound // form.bits
            return fact if most - most // 16 - 256 < fact <= most else None
        blocks = sound // form.block * form.samples
        return fact if blocks - form.samples < fact <= blocks else blocks or None

    return limit


def _mender(wav: _Wav, form: _Format) -> Mend | None:
    if wav.mark == b"RIFX" and wav.total - wav.data >= _PLACEHOLDER:
        return None

    def mend(sound: int) -> tuple[Piece, ...]:
        there = (wav.data, wav.data + sound)
        if sound < _PLACEHOLDER and not wav.wide:
            return ((wav.begin, wav.data - 4), struct.pack(f"{wav.order}I", sound), there)
        sizes = struct.pack("<QQQI", 72 + sound, sound, sound // form.block, 0)
        head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", len(sizes)) + sizes
        return (head + b"fmt " + struct.pack("<I", len(form.raw)) + form.raw + b"data\xff\xff\xff\xff", there)

    return mend
