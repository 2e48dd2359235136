#include "text/byte_alphabet.hpp"

#include <array>

#include "text/unicode.hpp"

namespace fathom::text {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr char32_t kFirstShifted = 0x100;
constexpr char32_t kSymbols = kFirstShifted + 68;

constexpr std::array<char32_t, 256> make_symbols() {
  std::array<char32_t, 256> symbols{};
  char32_t shifted = kFirstShifted;
  for (int byte = 0; byte < 256; ++byte) symbols[std::size_t(byte)] = stands_for_itself(byte) ? char32_t(byte) : shifted++;
  return symbols;
}
constexpr std::array<char32_t, 256> kSymbolOfByte = make_symbols();

constexpr std::array<std::int16_t, kSymbols> make_bytes() {
  std::array<std::int16_t, kSymbols> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (int byte = 0; byte < 256; ++byte) bytes[kSymbolOfByte[std::size_t(byte)]] = std::int16_t(byte);
  return bytes;
}
constexpr std::array<std::int16_t, kSymbols> kByteOfSymbol = make_bytes();

}  // namespace

char32_t byte_to_symbol(std::uint8_t byte) noexcept { return kSymbolOfByte[byte]; }

void append_symbols(std::string_view bytes, std::string& out) {
  for (char byte : bytes) append_utf8(byte_to_symbol(static_cast<std::uint8_t>(byte)), out);
}

bool append_symbol_bytes(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < text.size(); i += utf8_length(text[i])) {
    const char32_t symbol = first_code_point(text.substr(i));
    if (symbol >= kSymbols || kByteOfSymbol[symbol] < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(char(kByteOfSymbol[symbol]));
  }
  return true;
}

}  // namespace fathom::text
