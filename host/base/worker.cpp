// SPDX-License-Identifier: Apache-2.0
#include "base/worker.h"

#include <sys/eventfd.h>

#include <utility>

namespace icelock {

Worker::Worker()
    : done_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)),
      thread_([this] { run(); }) {}

Worker::~Worker() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Worker::post(Job job, bool urgent) {
  {
    const std::scoped_lock lock(mutex_);
    jobs_.insert(urgent ? jobs_.begin() : jobs_.end(), std::move(job));
  }
  wake_.notify_one();
}

void Worker::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    later(job());
  }
}

void Worker::later(Finish finish) {
  if (!finish) return;
  {
    const std::scoped_lock lock(mutex_);
    done_.push_back(std::move(finish));
  }
  ::eventfd_write(done_fd_.get(), 1);
}

void Worker::run_finished() {
  eventfd_t one = 0;
  if (::eventfd_read(done_fd_.get(), &one) != 0) return;
  Finish finish;
  {
    const std::scoped_lock lock(mutex_);
    finish = std::move(done_.front());
    done_.pop_front();
  }
  finish();
}

}  // namespace icelock
