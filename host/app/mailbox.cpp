// SPDX-License-Identifier: Apache-2.0
#include "app/mailbox.h"

#include <sys/eventfd.h>

#include <utility>

namespace icelock::app {
namespace {

// How soon it is seen that a client hung up.
constexpr std::chrono::milliseconds between_looks{100};

}  // namespace

Mailbox::Mailbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {}

Result<ipc::Json> Mailbox::ask(Question question, std::chrono::milliseconds limit,
                               const std::function<bool()>& left) {
  auto letter = std::make_shared<Letter>(Letter{std::move(question), {}, std::nullopt});
  const auto until = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  if (!closed_ && !left()) {
    unread_.push_back(letter);
    ::eventfd_write(fd_.get(), 1);
    const auto done = [&] { return closed_ || letter->answer; };
    while (!answered_.wait_for(lock, between_looks, done)) {
      if (left() || std::chrono::steady_clock::now() >= until) break;
    }
  }
  letter->given_up.request_stop();
  if (auto answer = std::move(letter->answer)) return *std::move(answer);
  if (closed_) return fail(Code::unavailable, "icelockd is stopping");
  return fail(Code::timeout, "icelockd is too busy");
}

void Mailbox::serve() {
  eventfd_t one = 0;
  if (::eventfd_read(fd_.get(), &one) != 0) return;
  std::shared_ptr<Letter> letter;
  {
    const std::scoped_lock lock(mutex_);
    letter = std::move(unread_.front());
    unread_.pop_front();
  }
  if (letter->given_up.stop_requested()) return;
  letter->question(
      [this, letter](const Result<ipc::Json>& answer) {
        {
          const std::scoped_lock lock(mutex_);
          letter->answer = answer;
        }
        answered_.notify_all();
      },
      letter->given_up.get_token());
}

void Mailbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  answered_.notify_all();
}

}  // namespace icelock::app
