// SPDX-License-Identifier: Apache-2.0
#include "base/worker.h"

#include <gmock/gmock.h>
#include <poll.h>

#include <future>

namespace icelock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool readable(const Worker& worker, int milliseconds) {
  pollfd fd{worker.fd(), POLLIN, 0};
  return ::poll(&fd, 1, milliseconds) == 1;
}

constexpr int long_enough = 60'000;

/// A job that runs until it is let go, so that others wait behind it.
struct Gate {
  std::promise<void> entered;
  std::promise<void> open;

  Worker::Job job() {
    return [this, go = std::make_shared<std::future<void>>(open.get_future())]() -> Worker::Finish {
      entered.set_value();
      go->wait();
      return {};
    };
  }
};

TEST(Worker, RunsJobsInOrderAndTheUrgentFirst) {
  Gate gate;
  std::vector<char> order;
  Worker worker;
  const auto note = [&](char name) {
    return [&order, name]() -> Worker::Finish { return [&order, name] { order.push_back(name); }; };
  };
  worker.post(gate.job());
  gate.entered.get_future().wait();
  worker.post(note('a'));
  worker.post(note('b'));
  worker.post(note('u'), true);
  gate.open.set_value();
  while (order.size() < 3 && readable(worker, long_enough)) worker.run_finished();
  EXPECT_THAT(order, ElementsAre('u', 'a', 'b'));
}

TEST(Worker, LeavesResultsToTheOwnersThreadOneAtATime) {
  std::vector<std::thread::id> threads;
  Worker worker;
  const auto owner = std::this_thread::get_id();
  for (int i = 0; i < 2; ++i) {
    worker.post([&threads]() -> Worker::Finish {
      EXPECT_THAT(threads, IsEmpty());
      return [&threads, worked = std::this_thread::get_id()] {
        EXPECT_NE(worked, std::this_thread::get_id());
        threads.push_back(std::this_thread::get_id());
      };
    });
  }
  std::promise<void> both;
  worker.post([&both]() -> Worker::Finish {
    both.set_value();
    return {};
  });
  both.get_future().wait();
  EXPECT_THAT(threads, IsEmpty());
  ASSERT_TRUE(readable(worker, long_enough));
  worker.run_finished();
  EXPECT_THAT(threads, ElementsAre(owner));
  EXPECT_TRUE(readable(worker, 0));
  worker.run_finished();
  EXPECT_THAT(threads, ElementsAre(owner, owner));
  EXPECT_FALSE(readable(worker, 0)) << "what returned nothing wakes nobody";
  worker.run_finished();
  EXPECT_EQ(threads.size(), 2U);
}

TEST(Worker, RunsLaterWhatWasPutOff) {
  Worker worker;
  bool ran = false;
  worker.later([&] { ran = true; });
  EXPECT_FALSE(ran);
  ASSERT_TRUE(readable(worker, 0));
  worker.run_finished();
  EXPECT_TRUE(ran);
}

TEST(Worker, EndsWithTheJobUnderWayAndBeginsNoOther) {
  Gate gate;
  std::atomic<bool> begun = false;
  auto worker = std::make_unique<Worker>();
  worker->post(gate.job());
  gate.entered.get_future().wait();
  worker->post([&]() -> Worker::Finish {
    begun = true;
    return {};
  });
  // Let go only once the end was asked for; if that comes first all the same, nothing is proven,
  // and nothing fails.
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    gate.open.set_value();
  });
  worker.reset();
  opener.join();
  EXPECT_FALSE(begun);
}

}  // namespace
}  // namespace icelock
