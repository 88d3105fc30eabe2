// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/message.h"

namespace icelock::app {

/// Lets other threads ask the one that owns the state.
class Mailbox {
 public:
  using Answer = std::function<void(const Result<ipc::Json>&)>;
  /// Runs on the owner's thread; calls its first argument once, then or later, on that thread.
  /// `given_up`: nobody waits for the answer any more.
  using Question = std::function<void(const Answer&, std::stop_token given_up)>;

  Mailbox();

  /// Any thread but the owner's: blocks until the answer is there. A question that was not read
  /// until `limit`, or when `left` says so, never will be. Errors: what the question answers;
  /// timeout; unavailable after close().
  Result<ipc::Json> ask(Question question, std::chrono::milliseconds limit,
                        const std::function<bool()>& left);

  /// The owner's: readable when serve() has something to do. It reads one question.
  int fd() const { return fd_.get(); }
  void serve();
  /// Everybody who waits, and all who ask from now on, are told that it is too late.
  void close();

 private:
  struct Letter {
    Question question;
    std::stop_source given_up;
    std::optional<Result<ipc::Json>> answer;
  };

  Fd fd_;
  std::mutex mutex_;  ///< guards all below, and the answers in the letters
  std::condition_variable answered_;
  std::deque<std::shared_ptr<Letter>> unread_;
  bool closed_ = false;
};

}  // namespace icelock::app
