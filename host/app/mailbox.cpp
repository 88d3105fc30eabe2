// SPDX-License-Identifier: Apache-2.0
#include "app/mailbox.h"

#include <sys/eventfd.h>

#include <utility>

namespace icelock::app {

Mailbox::Mailbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Result<ipc::Json> Mailbox::ask(Question question, std::chrono::milliseconds limit) {
  auto letter = std::make_shared<Letter>(Letter{std::move(question), std::nullopt});
  std::unique_lock lock(mutex_);
  if (!closed_) {
    unread_.push_back(letter);
    ::eventfd_write(fd_.get(), 1);
    answered_.wait_for(lock, limit, [&] { return closed_ || letter->answer; });
  }
  if (auto answer = std::move(letter->answer)) return *std::move(answer);
  if (closed_) return fail(Code::unavailable, "icelockd is stopping");
  return fail(Code::timeout, "icelockd is too busy");
}

void Mailbox::serve() {
  eventfd_t count = 0;
  ::eventfd_read(fd_.get(), &count);
  std::deque<std::shared_ptr<Letter>> letters;
  {
    const std::scoped_lock lock(mutex_);
    letters.swap(unread_);
  }
  for (const auto& letter : letters) {
    letter->question([this, letter](const Result<ipc::Json>& answer) {
      {
        const std::scoped_lock lock(mutex_);
        letter->answer = answer;
      }
      answered_.notify_all();
    });
  }
}

void Mailbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  answered_.notify_all();
}

}  // namespace icelock::app
