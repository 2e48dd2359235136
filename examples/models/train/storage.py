"""How weights are stored: FP8 e4m3 with one factor for each block of 128 x 128, bfloat16, and the safetensors container. NumPy only."""

import json
import struct
from typing import Dict, Tuple

import numpy

BLOCK = 128
E4M3_MAX = 448.0  # S.1111.110; the format has no infinity, S.1111.111 is NaN


def _e4m3_values() -> numpy.ndarray:
    """[127] float32: the values of codes 0 to 126, rising."""
    code = numpy.arange(127)
    exponent, mantissa = code >> 3, code & 7
    return numpy.where(exponent == 0, mantissa / 8 * 2.0 ** -6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0)).astype(numpy.float32)


E4M3_VALUES = _e4m3_values()
_MIDDLES = (E4M3_VALUES[1:].astype(numpy.float64) + E4M3_VALUES[:-1]) / 2


def encode_e4m3(x: numpy.ndarray) -> numpy.ndarray:
    """uint8 codes of the nearest values, ties to the even code; what is too large becomes the largest. No NaN may be in `x`."""
    size = numpy.abs(x).astype(numpy.float64)
    code = numpy.searchsorted(_MIDDLES, size, side="left")
    tie = (code < len(_MIDDLES)) & (size == _MIDDLES[numpy.minimum(code, len(_MIDDLES) - 1)]) & (code % 2 == 1)
    return (code + tie).astype(numpy.uint8) | (numpy.signbit(x).astype(numpy.uint8) << 7)


def decode_e4m3(codes: numpy.ndarray) -> numpy.ndarray:
    """float32; codes 127 and 255 are NaN."""
    values = numpy.append(E4M3_VALUES, numpy.float32(numpy.nan))[codes & 127]
    return numpy.where(codes & 128, -values, values).astype(numpy.float32)


def _spread(factors: numpy.ndarray, shape: Tuple[int, int]) -> numpy.ndarray:
    return factors.repeat(BLOCK, 0).repeat(BLOCK, 1)[:shape[0], :shape[1]]


def quantize_blocks(weight: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """[rows, columns] float32 -> codes of that shape, factors [ceil(rows / 128), ceil(columns / 128)] float32 (`weight_scale_inv`):
    weight = value * factor. The largest number of a block gets the largest code; a block of zeros has the factor 1."""
    rows, columns = weight.shape
    padded = numpy.zeros((-(-rows // BLOCK) * BLOCK, -(-columns // BLOCK) * BLOCK), numpy.float32)
    padded[:rows, :columns] = numpy.abs(weight)
    largest = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK).max((1, 3))
    factors = numpy.where(largest > 0, largest / numpy.float32(E4M3_MAX), 1).astype(numpy.float32)
    return encode_e4m3(weight / _spread(factors, weight.shape)), factors


def dequantize_blocks(codes: numpy.ndarray, factors: numpy.ndarray) -> numpy.ndarray:
    return decode_e4m3(codes) * _spread(factors, codes.shape)


def encode_bf16(x: numpy.ndarray) -> numpy.ndarray:
    """uint16, to the nearest, ties to even. No NaN may be in `x`."""
    bits = numpy.ascontiguousarray(x, numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def decode_bf16(codes: numpy.ndarray) -> numpy.ndarray:
    return (codes.astype(numpy.uint32) << 16).view(numpy.float32)


_DTYPES = {"F32": numpy.float32, "I32": numpy.int32, "BF16": numpy.uint16, "F8_E4M3": numpy.uint8}


def write_safetensors(path: str, tensors: Dict[str, Tuple[str, numpy.ndarray]]) -> None:
    """`tensors`: name -> (dtype as the container spells it, array of the codes). Wider types come first, so all lie aligned."""
    ordered = sorted(tensors.items(), key=lambda item: -item[1][1].itemsize)
    header: Dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, array) in ordered:
        assert array.dtype == _DTYPES[dtype], f"{name}: {array.dtype} is not how {dtype} is held"
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, (_, array) in ordered:
            out.write(numpy.ascontiguousarray(array).tobytes())


def read_safetensors(path: str) -> Dict[str, numpy.ndarray]:
    """Every tensor as float32 (int32 stays); FP8 weights are multiplied by their factors, which are not listed themselves."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    raw = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        raw[name] = numpy.frombuffer(data[8 + size + first:8 + size + last], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    found = {}
    for name, entry in header.items():
        if entry["dtype"] == "F8_E4M3":
            found[name] = dequantize_blocks(raw[name], raw[name + "_scale_inv"])
        elif not name.endswith("_scale_inv"):
            found[name] = decode_bf16(raw[name]) if entry["dtype"] == "BF16" else raw[name].copy()
    return found
