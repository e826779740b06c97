#include "server/frontend/backward_writer.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstring>

namespace gatehouse::frontend {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr int kVarint = 0;
constexpr int kBytes = 2;

}  // namespace

uint8_t* BackwardWriter::Take(size_t size) {
  if (size > begin_) {
    const size_t used = this->size();
    std::vector<uint8_t> larger(std::max(bytes_.size() * 2, used + size));
    std::copy(bytes_.end() - static_cast<std::ptrdiff_t>(used), bytes_.end(),
              larger.end() - static_cast<std::ptrdiff_t>(used));
    bytes_ = std::move(larger);
    begin_ = bytes_.size() - used;
  }
  begin_ -= size;
  return bytes_.data() + begin_;
}

void BackwardWriter::RawVarint(uint64_t value) {
  CodedOutputStream::WriteVarint64ToArray(value, Take(CodedOutputStream::VarintSize64(value)));
}

void BackwardWriter::Key(int number, int type) {
  RawVarint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type));
}

void BackwardWriter::Bytes(int number, absl::string_view value) {
  if (!value.empty()) std::memcpy(Take(value.size()), value.data(), value.size());
  RawVarint(value.size());
  Key(number, kBytes);
}

void BackwardWriter::Varint(int number, uint64_t value) {
  RawVarint(value);
  Key(number, kVarint);
}

void BackwardWriter::Message(int number, size_t end) {
  RawVarint(size() - end);
  Key(number, kBytes);
}

}  // namespace gatehouse::frontend
