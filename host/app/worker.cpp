// SPDX-License-Identifier: Apache-2.0
#include "app/worker.h"

#include <sys/eventfd.h>

#include <utility>

namespace icelock::app {

Worker::Worker() : done_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

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
    Finish finish = job();
    {
      const std::scoped_lock lock(mutex_);
      done_.push_back(std::move(finish));
    }
    ::eventfd_write(done_fd_.get(), 1);
  }
}

void Worker::run_finished() {
  eventfd_t count = 0;
  ::eventfd_read(done_fd_.get(), &count);
  std::deque<Finish> done;
  {
    const std::scoped_lock lock(mutex_);
    done.swap(done_);
  }
  for (const Finish& finish : done) {
    if (finish) finish();
  }
}

}  // namespace icelock::app
