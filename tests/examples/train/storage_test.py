"""FP8 blocks, bfloat16 and the safetensors container, as the trained model is exported. Needs NumPy."""

import os
import struct
import sys
import tempfile
import unittest

import numpy

import storage

CONFORMANCE = sys.argv.pop()


class E4M3(unittest.TestCase):
    def test_known_codes_have_their_values(self):
        # OCP 8-bit floating point, e4m3: smallest subnormal 2^-9, smallest normal 2^-6, one, largest 448
        for code, value in ((0x00, 0.0), (0x01, 2.0**-9), (0x07, 7 * 2.0**-9), (0x08, 2.0**-6), (0x38, 1.0), (0x7E, 448.0), (0xB8, -1.0)):
            self.assertEqual(storage.decode_e4m3(numpy.array([code], numpy.uint8))[0], value)
            self.assertEqual(storage.encode_e4m3(numpy.array([value], numpy.float32))[0], code)
        self.assertTrue(numpy.isnan(storage.decode_e4m3(numpy.array([0x7F, 0xFF], numpy.uint8))).all())

    def test_every_value_comes_back_as_its_code(self):
        codes = numpy.array([c for c in range(256) if c & 127 != 127], numpy.uint8)
        numpy.testing.assert_array_equal(storage.encode_e4m3(storage.decode_e4m3(codes)), codes)

    def test_ties_go_to_the_even_code_and_large_numbers_to_the_largest(self):
        # 1 and 1.125 are codes 0x38 and 0x39, 1.25 is 0x3A
        found = storage.encode_e4m3(numpy.array([1.0625, 1.1875, 1.0626, 1e9, -1e9, 2.0**-10], numpy.float32))
        self.assertEqual(found.tolist(), [0x38, 0x3A, 0x39, 0x7E, 0xFE, 0x00])

    def test_no_other_code_is_nearer(self):
        x = numpy.random.default_rng(1).uniform(-460, 460, 4000).astype(numpy.float32)
        chosen = storage.decode_e4m3(storage.encode_e4m3(x))
        every = numpy.concatenate((storage.E4M3_VALUES, -storage.E4M3_VALUES)).astype(numpy.float64)
        numpy.testing.assert_array_equal(numpy.abs(chosen - x.astype(numpy.float64)), numpy.abs(every[None] - x[:, None]).min(1))


class Blocks(unittest.TestCase):
    def test_sizes_around_a_block_keep_every_number_within_its_blocks_step(self):
        rng = numpy.random.default_rng(2)
        for rows, columns in ((1, 1), (127, 129), (128, 128), (129, 127), (300, 257)):
            weight = (rng.standard_normal((rows, columns)) * rng.uniform(0.001, 10, (rows, 1))).astype(numpy.float32)
            codes, factors = storage.quantize_blocks(weight)
            self.assertEqual(factors.shape, (-(-rows // 128), -(-columns // 128)))
            back = storage.dequantize_blocks(codes, factors)
            spread = factors.repeat(128, 0).repeat(128, 1)[:rows, :columns]
            # three bits of fraction: half a step is 2^-4 of the number; below the normal numbers half of 2^-9 factors. Rounding of
            # the factor and of two products in float32 adds 2^-22.
            bound = numpy.maximum(numpy.abs(weight) * (2.0**-4 + 2.0**-22), spread * 2.0**-10 * (1 + 2.0**-20))
            self.assertTrue((numpy.abs(back - weight) <= bound).all(), (rows, columns))

    def test_blocks_do_not_touch_each_other(self):
        weight = numpy.ones((256, 256), numpy.float32)
        weight[:128, 128:] = 1000
        weight[128:, :128] = 0
        codes, factors = storage.quantize_blocks(weight)
        numpy.testing.assert_allclose(factors, numpy.array([[1 / 448, 1000 / 448], [1, 1 / 448]]), rtol=1e-6)
        numpy.testing.assert_allclose(storage.dequantize_blocks(codes, factors), weight, rtol=1e-6)


class Container(unittest.TestCase):
    def test_bfloat16_rounds_to_the_nearest_even(self):
        x = numpy.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -2.5], numpy.float32)
        numpy.testing.assert_array_equal(storage.decode_bf16(storage.encode_bf16(x)), numpy.array([1.0, 1.0, 1 + 2**-6, -2.5], numpy.float32))

    def test_what_is_written_is_read_with_factors_applied_and_data_aligned(self):
        weight = numpy.random.default_rng(3).standard_normal((130, 5)).astype(numpy.float32)
        codes, factors = storage.quantize_blocks(weight)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.safetensors")
            storage.write_safetensors(path, {"a.weight": ("F8_E4M3", codes), "a.weight_scale_inv": ("F32", factors),
                                             "b": ("BF16", storage.encode_bf16(weight[0])), "c": ("I32", numpy.arange(3, dtype=numpy.int32))})
            with open(path, "rb") as file:
                self.assertEqual(struct.unpack("<Q", file.read(8))[0] % 8, 0)
            found = storage.read_safetensors(path)
        self.assertEqual(set(found), {"a.weight", "b", "c"})
        numpy.testing.assert_array_equal(found["a.weight"], storage.dequantize_blocks(codes, factors))
        numpy.testing.assert_array_equal(found["c"], [0, 1, 2])

    def test_a_released_files_form_is_read_and_its_weights_are_found_again(self):
        """The FP8 fixture was quantised by others: its values are on our grid, and quantising them anew is within one step."""
        found = storage.read_safetensors(os.path.join(CONFORMANCE, "deepseek-v3-fp8", "model.safetensors"))
        weight = found["model.layers.0.self_attn.kv_a_proj_with_mqa.weight"]  # [160, 256]: a partial block
        self.assertEqual(weight.shape, (160, 256))
        self.assertTrue(numpy.isfinite(weight).all() and weight.std() > 0)
        again = storage.dequantize_blocks(*storage.quantize_blocks(weight))
        numpy.testing.assert_allclose(again, weight, rtol=2.0**-4, atol=float(numpy.abs(weight).max()) / 448 * 2.0**-9)


if __name__ == "__main__":
    unittest.main()
