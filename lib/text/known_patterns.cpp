#include "text/known_patterns.hpp"

#include "base/error.hpp"

// Patterns are macros so that they can be put together at compile time.
#define CONTRACTION R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define CAPITALIZED R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
#define UPPER_CASE R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
#define KIMI_UPPER R"((?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]))"
#define KIMI_LOWER R"((?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}]))"
#define SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"

namespace fathom::text {

constexpr std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kLineEnd = R"([\r\n])";
constexpr std::string_view kCjk = R"([\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";

constexpr std::string_view kGpt2[] = {kGpt2Pattern};
constexpr std::string_view kFalcon[] = {R"([\p{P}$+<=>^~|`]+)", kGpt2Pattern, "[0-9][0-9][0-9]"};
constexpr std::string_view kDigitsApart[] = {kDigit, kGpt2Pattern};

constexpr std::string_view kDeepSeekV3[] = {
    R"(\p{N}{1,3})",
    R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)" SPACES,
};

// The cased letters of an older Unicode, by number: some of them change under normalisation.
constexpr std::string_view kDeepSeekLlm[] = {
    kLineEnd,
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373})"
    R"(\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481})"
    R"(\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA})"
    R"(\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D})"
    R"(\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4})"
    R"(\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC})"
    R"(\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126})"
    R"(\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B})"
    R"(\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
    R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2})"
    R"(\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)",
    // The second range holds the ASCII letters: a word that mixes them with others is cut again.
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
    R"(\s+$)",
    kCjk,
    kDigit,
};

constexpr std::string_view kDeepSeekCoder[] = {kLineEnd, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, kDigit};

constexpr std::string_view kLlama3[] = {CONTRACTION
                                        R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES};
constexpr std::string_view kQwen2[] = {CONTRACTION R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES};
constexpr std::string_view kGpt4o[] = {CAPITALIZED CONTRACTION "?|" UPPER_CASE CONTRACTION
                                                               R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES};
constexpr std::string_view kQwen35[] = {CONTRACTION
                                        R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" SPACES};
constexpr std::string_view kYoutu[] = {
    R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+)"
    R"(|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C}\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+)"
    R"(|[\x{3105}-\x{312F}]+|[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
    CAPITALIZED CONTRACTION "?|" UPPER_CASE CONTRACTION R"(?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES,
};
// Han characters are words of their own; the words of other scripts are GPT-4o's.
constexpr std::string_view kKimiK2[] = {R"(\p{Han}+|[^\r\n\p{L}\p{N}]?)" KIMI_UPPER "*" KIMI_LOWER "+" CONTRACTION
                                        R"(?|[^\r\n\p{L}\p{N}]?)" KIMI_UPPER "+" KIMI_LOWER "*" CONTRACTION
                                        R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES};
constexpr std::string_view kTekken[] = {CAPITALIZED "|" UPPER_CASE R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES};

constexpr KnownPreTokenizer kKnown[] = {
    {"default", kGpt2},
    {"gpt-2", kGpt2},
    {"gigachat", kGpt2},
    {"phi-2", kGpt2},
    {"exaone4", kGpt2},
    {"olmo", kGpt2},
    {"mpt", kGpt2, true},
    {"smollm", kDigitsApart},
    {"starcoder", kDigitsApart},
    {"refact", kDigitsApart},
    {"exaone", kDigitsApart},
    {"command-r", kDigitsApart, true},
    {"falcon", kFalcon},
    {"deepseek-llm", kDeepSeekLlm},
    {"deepseek-coder", kDeepSeekCoder},
    {"deepseek-v3", kDeepSeekV3},
    {"joyai-llm", kDeepSeekV3},
    {"hunyuan-dense", kDeepSeekV3},
    {"llama-bpe", kLlama3, false, true, true},
    {"llama3", kLlama3, false, true, true},
    {"llama-v3", kLlama3, false, true, true},
    {"falcon3", kLlama3, false, true, true},
    {"falcon-h1", kLlama3, false, true, true},
    {"pixtral", kLlama3, false, true, true},
    {"midm-2.0", kLlama3, false, true, true},
    {"lfm2", kLlama3, false, true, true},
    {"smaug-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"chatglm-bpe", kLlama3},
    {"glm4", kLlama3, false, true},
    {"glm5", kLlama3, false, true},
    {"qwen2", kQwen2, true},
    {"deepseek-r1-qwen", kQwen2, true},
    {"megrez", kQwen2, true},
    {"kormo", kQwen2, true},
    {"qwen35", kQwen35},  // without a normal form: its published ids tell e and its accent from é
    {"gpt-4o", kGpt4o, false, true},
    {"llama4", kGpt4o, false, true},
    {"kanana2", kGpt4o, false, true},
    {"minimax-m2", kGpt4o},
    {"kimi-k2", kKimiK2},
    {"youtu", kYoutu, false, true},
    {"tekken", kTekken, false, true, true},
};

}  // namespace

const KnownPreTokenizer& known_pre_tokenizer(std::string_view name, std::string_view origin) {
  std::string names;
  for (const KnownPreTokenizer& known : kKnown) {
    if (known.name == name) return known;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
  }
  fail(Status::unsupported, "{}: tokenizer.ggml.pre is '{}'; fathom knows {}", origin, name, names);
}

}  // namespace fathom::text
