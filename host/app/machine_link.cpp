// SPDX-License-Identifier: Apache-2.0
#include "app/machine_link.h"

#include <algorithm>
#include <utility>

namespace icelock::app {
namespace {

using ipc::Json;
using std::chrono::milliseconds;

// A service that went away is mostly being restarted, and back within a second. A machine that has
// none should not be woken for it: the guard looks once a minute anyway.
constexpr milliseconds first_pause{250};
constexpr milliseconds longest_pause{60'000};
constexpr milliseconds longest_silence{2000};
// Less than a browser's extension waits for its host.
constexpr milliseconds answer_limit{3000};
constexpr milliseconds until_next_flush{100};

// A level that we do not know comes from a newer service, and is stricter than we can say.
Level level_in(const Json& decision, const char* family) {
  return parse_level(ipc::string_field(decision, family).value_or("")).value_or(Level::force_proxy);
}

std::vector<guard::Reason> reasons_in(const Json& state) {
  std::vector<guard::Reason> reasons;
  const auto list = state.find("reasons");
  if (list == state.end() || !list->is_array()) return reasons;
  for (const Json& item : *list) {
    if (!item.is_object()) continue;
    guard::Reason reason{.code = ipc::string_field(item, "code").value_or(""),
                         .text = ipc::string_field(item, "text").value_or(""),
                         .args = {}};
    const auto args = item.find("args");
    if (args != item.end() && args->is_object()) {
      for (const auto& [key, value] : args->items()) {
        if (value.is_string()) reason.args[key] = value.get<std::string>();
      }
    }
    reasons.push_back(std::move(reason));
  }
  return reasons;
}

std::vector<policy::SiteException> granted_in(const Json& sites) {
  std::vector<policy::SiteException> granted;
  const auto list = sites.find("granted");
  if (list == sites.end() || !list->is_array()) return granted;
  for (const Json& item : *list) {
    const auto pattern = ipc::string_field(item, "pattern");
    const auto level = parse_level(ipc::string_field(item, "level").value_or(""));
    if (pattern && level) granted.push_back({*pattern, *level});
  }
  return granted;
}

}  // namespace

std::filesystem::path service_socket(const std::filesystem::path& root) {
  return root / "run/icelock/host.sock";
}

Result<std::optional<ipc::FrameClient>> connect_service(const std::filesystem::path& root) {
  auto client = ipc::FrameClient::connect(service_socket(root));
  if (client) return std::optional(std::move(*client));
  const Code code = client.error().code;
  // Somebody else who poses as the service is none.
  if (code == Code::unavailable || code == Code::unknown_caller) return std::nullopt;
  return std::unexpected(client.error());
}

std::optional<Result<Json>> ask_service(const std::filesystem::path& root, std::string_view op,
                                        Json arguments, milliseconds limit) {
  auto service = TRY(connect_service(root));
  std::optional<ipc::FrameClient>& client = service;
  if (!client) return std::nullopt;
  return client->call(op, std::move(arguments), limit);
}

guard::Decision joined(guard::Decision own, const MachineWord& word) {
  const bool adds = word.chromium > own.chromium || word.firefox > own.firefox;
  own.chromium = std::max(own.chromium, word.chromium);
  own.firefox = std::max(own.firefox, word.firefox);
  // The service's reasons are those of its levels. What is wrong here only this person's guard
  // knows.
  if (adds) {
    std::erase_if(own.reasons, [](const guard::Reason& reason) {
      return reason.code != "settings_broken" && reason.code != "probe_failed";
    });
    own.reasons.insert(own.reasons.begin(), word.reasons.begin(), word.reasons.end());
  }
  if (word.lost) {
    own.reasons.push_back(
        {"service_gone", "The icelock service went away; what it decided last still holds.", {}});
  }
  return own;
}

guard::State joined(guard::State own, const MachineWord& word) {
  own.decision = joined(std::move(own.decision), word);
  if (word.present) own.settings.sites = word.granted;
  return own;
}

Json sites_json(const MachineWord& word) {
  if (word.present && word.sites.is_object()) return word.sites;
  return {{"possible", false}, {"list", Json::array()}, {"granted", Json::array()}};
}

MachineLink::MachineLink(std::filesystem::path socket, milliseconds patience)
    : socket_(std::move(socket)), patience_(patience), pause_(longest_pause) {}

int MachineLink::timeout(Clock::time_point now) const {
  if (news_) return 0;
  std::optional<Clock::time_point> next;
  if (!client_) next = std::min(next_attempt_, now + longest_pause);
  if (client_ && client_->has_unsent()) next = now + until_next_flush;
  for (const auto& [id, waiting] : waiting_)
    next = std::min(next.value_or(waiting.until), waiting.until);
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

bool MachineLink::handle(Clock::time_point now) {
  bool changed = false;
  if (client_) {
    if (const auto sent = client_->flush(); !sent) lose(sent.error());
    changed = read();
    expire(now);
  } else if (now >= next_attempt_) {
    changed = connect(now);
  }
  return std::exchange(news_, false) || changed;
}

// Who asked is told; that a service says nothing at all is the word of none.
void MachineLink::expire(Clock::time_point now) {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    if (waiting->second.until > now) {
      ++waiting;
      continue;
    }
    const Answer answer = std::move(waiting->second.answer);
    waiting_.erase(waiting);
    answer(fail(Code::timeout, "icelockd gave no answer in time"));
    waiting = waiting_.begin();  // an answer may ask again
  }
}

// The first time its word is waited for: until then nobody knows what this machine wants. Later the
// last word still holds, and a service that hangs must not keep the network's events waiting.
bool MachineLink::connect(Clock::time_point now) {
  const bool first = std::exchange(first_, false);
  next_attempt_ = now + pause_;
  pause_ = std::min(pause_ * 2, longest_pause);
  auto client = ipc::FrameClient::connect(socket_);
  if (!client) {
    if (client.error().code == Code::busy && !word_.lost) return distrust(now);
    if (!std::exchange(silent_, false)) return false;
    word_ = {};  // it never spoke, and now there is none
    return true;
  }
  if (first) {
    const auto state = client->call("subscribe", Json::object(), patience_);
    if (!state || !take_state(*state)) {
      distrust(now);
    } else {
      client_ = std::move(*client);
      read();  // a push may have come with the answer
    }
    return true;
  }
  client_ = std::move(*client);
  const auto hear = [this](const Result<Json>& state) {
    if (state && take_state(*state)) {
      news_ = true;
    } else if (client_) {
      client_.reset();
      if (!word_.lost && distrust(Clock::now())) news_ = true;
    }
  };
  send("subscribe", Json::object(), hear, patience_);
  return false;
}

// A service that is there and says nothing may want anything.
bool MachineLink::distrust(Clock::time_point now) {
  next_attempt_ = now + std::min(pause_, longest_silence);
  if (std::exchange(silent_, true)) return false;
  word_ = {.present = false,
           .lost = false,
           .chromium = Level::force_proxy,
           .firefox = Level::force_proxy,
           .reasons = {{"service_silent",
                        "The icelock service does not answer; WebRTC is locked until it does.",
                        {}}},
           .sites = nullptr,
           .granted = {}};
  pause_ = first_pause;
  next_attempt_ = now + pause_;
  return true;
}

bool MachineLink::read() {
  if (!client_) return false;
  const auto payloads = client_->receive();
  if (!payloads) {
    lose(payloads.error());
    return true;
  }
  for (const std::string& payload : *payloads) take(payload);
  return std::exchange(news_, false);
}

void MachineLink::take(const std::string& payload) {
  const Json message = Json::parse(payload, nullptr, false);
  if (!message.is_object()) return;
  if (ipc::string_field(message, "event").value_or("") == "state") {
    news_ = take_state(message) || news_;
    return;
  }
  const auto id = ipc::unsigned_field(message, "id");
  const auto found = id ? waiting_.find(static_cast<std::int64_t>(*id)) : waiting_.end();
  if (found == waiting_.end()) return;
  const Answer answer = std::move(found->second.answer);
  waiting_.erase(found);
  if (message.value("ok", Json()) == true) {
    answer(message);
  } else {
    answer(std::unexpected(ipc::error_of(message)));
  }
}

bool MachineLink::take_state(const Json& message) {
  const auto state = message.find("state");
  if (state == message.end() || !state->is_object()) return false;
  const auto decision = state->find("decision");
  if (decision == state->end() || !decision->is_object()) return false;
  silent_ = false;
  word_ = {.present = true,
           .lost = false,
           .chromium = level_in(*decision, "chromium"),
           .firefox = level_in(*decision, "firefox"),
           .reasons = reasons_in(*state),
           .sites = state->value("sites", Json()),
           .granted = granted_in(state->value("sites", Json()))};
  return true;
}

// The last word stays in force: a service that was killed has not said that it is safe now.
void MachineLink::lose(const Error& reason) {
  client_.reset();
  if (word_.present) pause_ = first_pause;  // else it hung up without a word: later and later
  next_attempt_ = Clock::now() + pause_;
  word_.lost = word_.lost || word_.present;
  word_.present = false;
  news_ = true;
  for (auto& [id, waiting] : std::exchange(waiting_, {})) waiting.answer(std::unexpected(reason));
}

bool MachineLink::request(std::string_view op, Json arguments, Answer answer) {
  return send(op, std::move(arguments), std::move(answer), answer_limit);
}

bool MachineLink::send(std::string_view op, Json arguments, Answer answer, milliseconds limit) {
  if (!client_) return false;
  arguments["v"] = ipc::protocol_version;
  arguments["id"] = ++last_id_;
  arguments["op"] = op;
  if (const auto sent = client_->post(ipc::text_of(arguments)); !sent) {
    lose(sent.error());
    return false;
  }
  waiting_[last_id_] = {std::move(answer), Clock::now() + limit};
  return true;
}

}  // namespace icelock::app
