// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/fd.h"

namespace icelock {

/// Runs jobs one after the other on a thread of its own, so that a slow disk keeps nobody waiting.
/// What a job returns is run on the owner's thread.
class Worker {
 public:
  using Finish = std::function<void()>;
  using Job = std::function<Finish()>;

  Worker();
  /// Waits for the job that is running; those that wait are dropped.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// `urgent`: before all that wait.
  void post(Job job, bool urgent = false);
  /// Runs `finish` on the owner's thread, in one of the next turns.
  void later(Finish finish);

  /// Readable when run_finished() has something to do: what one job returned, so that the owner
  /// looks at the network between two of them.
  int fd() const { return done_fd_.get(); }
  void run_finished();

 private:
  void run();

  Fd done_fd_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::deque<Finish> done_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace icelock
