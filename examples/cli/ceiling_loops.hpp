// The innermost loops of the ceilings meter: what one thread does as fast as this CPU can.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cli {

// Reads [data, data + bytes) once, front to back or as four streams side by side, whichever a machine likes better; bytes is a
// multiple of 2048 and data is aligned to 64. Returns something that depends on all of it.
using ReadLoop = std::uint64_t (*)(const std::byte* data, std::size_t bytes);

struct ReadLoops {
  ReadLoop one_stream, four_streams;
};
ReadLoops read_loops();

// Multiplies and adds from registers to registers.
struct DotLoop {
  const char* instruction = nullptr;  // what it is made of; null: not measured on this CPU
  void (*run)(std::int64_t rounds) = nullptr;
  double multiply_adds = 0;  // of one round
};
DotLoop int8_loop();  // 8 bits by 8 bits into 32
DotLoop bf16_loop();  // BF16 into F32
DotLoop f32_loop();

}  // namespace cli
