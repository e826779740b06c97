#include "server/frontend/backward_writer.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace gatehouse::frontend {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr int kVarint = 0;
constexpr int kBytes = 2;

}  // namespace

void BackwardWriter::Grow(size_t size) {
  const size_t used = this->size();
  std::vector<uint8_t> larger(std::max(bytes_.size() * 2, used + size));
  std::copy(bytes_.end() - static_cast<std::ptrdiff_t>(used), bytes_.end(),
            larger.end() - static_cast<std::ptrdiff_t>(used));
  bytes_ = std::move(larger);
  begin_ = bytes_.size() - used;
}

void BackwardWriter::Head(int number, size_t length) {
  constexpr size_t kOneByte = 0x80;
  if (length >= kOneByte || number >= 16) {
    RawVarint(length);
    return Key(number, kBytes);
  }
  uint8_t* const out = Take(2);
  out[0] = static_cast<uint8_t>(number << 3 | kBytes);
  out[1] = static_cast<uint8_t>(length);
}

void BackwardWriter::RawVarint(uint64_t value) {
  CodedOutputStream::WriteVarint64ToArray(value, Take(CodedOutputStream::VarintSize64(value)));
}

void BackwardWriter::Key(int number, int type) {
  RawVarint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type));
}

void BackwardWriter::Bytes(int number, absl::string_view value) {
  if (!value.empty()) std::memcpy(Take(value.size()), value.data(), value.size());
  Head(number, value.size());
}

void BackwardWriter::Varint(int number, uint64_t value) {
  RawVarint(value);
  Key(number, kVarint);
}

void BackwardWriter::Message(int number, size_t end) { Head(number, size() - end); }

}  // namespace gatehouse::frontend
