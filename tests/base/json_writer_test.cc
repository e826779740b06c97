#include "server/base/json_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

TEST(JsonWriterTest, CommasStandBetweenValuesOnly) {
  std::string out = "kept ";
  JsonWriter json(out);
  json.BeginObject();
  json.Member("a", "x");
  json.Key("b");
  json.BeginArray();
  json.Int(-1);
  json.Bool(false);
  json.Null();
  json.BeginObject();
  json.EndObject();
  json.EndArray();
  json.Key("c");
  json.BeginObject();
  json.EndObject();
  json.EndObject();
  EXPECT_EQ(out, R"(kept {"a":"x","b":[-1,false,null,{}],"c":{}})");
}

TEST(JsonWriterTest, TextThatEndsLikeJsonDoesNotConfuseIt) {
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const char* text : {"{", "[", ":", ",", ""}) json.String(text);
  json.EndArray();
  EXPECT_EQ(out, R"(["{","[",":",",",""])");
}

TEST(JsonWriterTest, WhatDrivesADisplayIsEscaped) {
  std::string out;
  JsonWriter json(out);
  json.String(absl::string_view("\"\\\n\0\x1b\x7f", 6));
  json.String("\u0085\u2028\u202e\u2066\u061c");
  json.String("é漢\U0001F600");
  EXPECT_EQ(out, R"("\"\\\u000a\u0000\u001b\u007f","\u0085\u2028\u202e\u2066\u061c",)"
                 "\"é漢\U0001F600\"");
  EXPECT_TRUE(json.lossless());
}

TEST(JsonWriterTest, BytesThatAreNoUtf8AreReplacedAndMarked) {
  for (const char* text : {"a\xff"
                           "b",
                           "a\xc0\x80"
                           "b",
                           "a\xed\xa0\x80"
                           "b",
                           "a\xe2\x82"}) {
    std::string out;
    JsonWriter json(out);
    json.String(text);
    EXPECT_EQ(out.find("\"a\\ufffd"), 0U) << out;
    EXPECT_FALSE(json.lossless());
  }
}

}  // namespace
}  // namespace gatehouse
