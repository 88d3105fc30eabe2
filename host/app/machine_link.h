// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "guard/guard.h"
#include "ipc/frame_client.h"

namespace icelock::app {

/// Where icelockd serves frames, below `root`.
std::filesystem::path service_socket(const std::filesystem::path& root);

/// A connection to the service below `root`; nullopt: there is none. Errors: those of
/// FrameClient::connect() that tell of one. A service that takes no more connections is there, and
/// busy: whoever went on without it would do, or believe, what it did not decide.
Result<std::optional<ipc::FrameClient>> connect_service(const std::filesystem::path& root);
/// One question to it; nullopt: there is no service.
std::optional<Result<ipc::Json>> ask_service(const std::filesystem::path& root, std::string_view op,
                                             ipc::Json arguments, std::chrono::milliseconds limit);

/// What the service of this machine wants, as far as it is known. It only ever adds to what a
/// user's own guard decided: both look at the same kernel, and the stricter one counts.
struct MachineWord {
  bool present = false;  ///< the service is there and talks
  bool lost = false;     ///< it was there, and its last word still holds
  Level chromium = Level::unrestricted;
  Level firefox = Level::unrestricted;
  std::vector<guard::Reason> reasons;
  ipc::Json sites = nullptr;                   ///< of its state; null: it said nothing about sites
  std::vector<policy::SiteException> granted;  ///< what policy may hold, whoever allowed it
};

/// `own` with what the machine's service adds, and a sentence when that service went away.
guard::Decision joined(guard::Decision own, const MachineWord& word);

/// The same for a whole state: its decision, and the exceptions that are no mistake.
guard::State joined(guard::State own, const MachineWord& word);
/// The member `sites` of a state.
ipc::Json sites_json(const MachineWord& word);

/// A program's line to icelockd, which comes and goes: connects, subscribes, and tries again with
/// growing pauses. For the poll loop of one thread; blocks for `patience` at most, when it first
/// connects. Later a service that says nothing for as long counts as one that wants everything
/// locked, unless an earlier word of it holds.
class MachineLink {
 public:
  using Clock = guard::Clock;

  explicit MachineLink(std::filesystem::path socket,
                       std::chrono::milliseconds patience = std::chrono::milliseconds(500));
  MachineLink(const MachineLink&) = delete;
  MachineLink& operator=(const MachineLink&) = delete;

  /// The descriptor to poll for reading; -1 while there is no connection.
  int fd() const { return client_ ? client_->fd() : -1; }
  /// Milliseconds until handle() is due; -1: only when there is something to read.
  int timeout(Clock::time_point now) const;
  /// Reads what came, or tries to connect when that is due. True when word() changed.
  bool handle(Clock::time_point now);

  const MachineWord& word() const { return word_; }

  /// Sends a request, without waiting. `answer` is called with the service's answer from a later
  /// handle(), or with the error when the service goes away first or gives none within 3 s. False
  /// when there is no service.
  using Answer = std::function<void(const Result<ipc::Json>&)>;
  bool request(std::string_view op, ipc::Json arguments, Answer answer);

 private:
  bool connect(Clock::time_point now);
  bool read();
  void take(const std::string& payload);
  bool take_state(const ipc::Json& message);
  void lose(const Error& reason);
  void expire(Clock::time_point now);
  bool send(std::string_view op, ipc::Json arguments, Answer answer,
            std::chrono::milliseconds limit);
  bool distrust(Clock::time_point now);

  std::filesystem::path socket_;
  std::chrono::milliseconds patience_;
  std::optional<ipc::FrameClient> client_;
  MachineWord word_;
  struct Waiting {
    Answer answer;
    Clock::time_point until;
  };
  std::map<std::int64_t, Waiting> waiting_;
  std::int64_t last_id_ = 0;
  bool first_ = true;
  bool silent_ = false;  ///< it is there, and has not said a word yet
  bool news_ = false;    ///< the word changed since it was last told
  Clock::time_point next_attempt_;
  std::chrono::milliseconds pause_;
};

}  // namespace icelock::app
