// SPDX-License-Identifier: Apache-2.0
#include "ipc/message.h"

namespace icelock::ipc {
namespace {

constexpr std::size_t longest_id = 256;

bool is_id(const Json& id) {
  return id.is_number_integer() ||
         (id.is_string() && id.get_ref<const std::string&>().size() <= longest_id);
}

}  // namespace

std::string text_of(const Json& json, int indent) {
  return json.dump(indent, ' ', true, Json::error_handler_t::replace);
}

// nlohmann's parser does not recurse but a value's destructor and dump do, so depth is bounded
// while parsing.
Result<Json> parse_json(std::string_view payload) {
  bool too_deep = false;
  const Json::parser_callback_t stop_deep = [&](int depth, Json::parse_event_t, Json&) {
    if (depth >= deepest_nesting) too_deep = true;
    return !too_deep;
  };
  Json json = Json::parse(payload, stop_deep, false);
  if (too_deep) return fail(Code::bad_json, "nested too deep");
  if (json.is_discarded()) return fail(Code::bad_json, "not JSON in UTF-8");
  return json;
}

std::expected<Request, Refusal> parse_request(std::string_view payload) {
  auto json = parse_json(payload);
  if (!json) return std::unexpected(Refusal{nullptr, json.error()});
  if (!json->is_object()) {
    return std::unexpected(Refusal{nullptr, {Code::bad_request, "a request is an object", ""}});
  }
  const auto id = json->find("id");
  if (id == json->end() || !is_id(*id)) {
    return std::unexpected(
        Refusal{nullptr, {Code::bad_request, "missing or neither integer nor short string", "id"}});
  }
  auto refuse = [&](Code code, const char* what, const char* object) {
    return std::unexpected(Refusal{*id, {code, what, object}});
  };
  const auto version = json->find("v");
  if (version == json->end() || !version->is_number_integer()) {
    return refuse(Code::bad_request, "missing or not an integer", "v");
  }
  if (*version != protocol_version) return refuse(Code::version, "this host speaks version 1", "v");
  const auto op = json->find("op");
  if (op == json->end() || !op->is_string()) {
    return refuse(Code::bad_request, "missing or not a string", "op");
  }
  return Request{*id, op->get<std::string>(), std::move(*json)};
}

std::string success(const Json& id, const Json& result) {
  Json answer = {{"v", protocol_version}, {"id", id}, {"ok", true}};
  answer.update(result);
  return text_of(answer);
}

std::string failure(const Json& id, const Error& error) {
  return text_of({{"v", protocol_version},
                  {"id", id},
                  {"ok", false},
                  {"code", info(error.code).name},
                  {"what", error.what},
                  {"object", error.object}});
}

std::string push(std::string_view event, const Json& content) {
  Json message = {{"v", protocol_version}, {"event", event}};
  message.update(content);
  return text_of(message);
}

Result<std::string> string_field(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_string()) {
    return fail(Code::bad_request, "missing or not a string", field);
  }
  return found->get<std::string>();
}

Result<std::uint64_t> unsigned_field(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_number_unsigned()) {
    return fail(Code::bad_request, "missing or not a whole number", field);
  }
  return found->get<std::uint64_t>();
}

}  // namespace icelock::ipc
