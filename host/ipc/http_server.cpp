// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/http_connection.h"
#include "ipc/http_service.h"
#include "ipc/http_streams.h"

namespace icelock::ipc {
namespace {

// How long accepting pauses when the system has no descriptor or memory for one more.
constexpr int pause_milliseconds = 50;

int option(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

Result<void> prepare(int socket) {
  if (option(socket, SO_DOMAIN) != AF_UNIX || option(socket, SO_TYPE) != SOCK_STREAM ||
      option(socket, SO_ACCEPTCONN) != 1) {
    return fail(Code::bad_request, "not a listening Unix stream socket");
  }
  // A client may be gone between poll and accept.
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno(errno, "cannot make a socket non-blocking");
  }
  return {};
}

// Threads inherit the mask: the daemon's signals are its own.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

struct Waiting {
  Fd socket;
  Peer peer;
};

}  // namespace

class HttpServer::Implementation {
 public:
  Implementation(Fd listening, Fd stop, Handler handler, Refused refused, const HttpLimits& limits)
      : limits_(limits),
        listening_(std::move(listening)),
        stop_(std::move(stop)),
        uids_(limits.connections_per_uid),
        service_(std::move(handler), std::move(refused), limits_) {
    const SignalsBlocked scope;
    accepting_ = std::thread([this] { accept_all(); });
  }

  ~Implementation() {
    ::eventfd_write(stop_.get(), 1);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_all();
    // Only the accepting thread, which is gone, adds any.
    for (auto& worker : workers_) worker.join();
  }

  void state_changed() { service_.state_changed(); }

 private:
  std::size_t most_workers() const { return limits_.streams + limits_.request_threads; }

  // True until everything stops.
  bool pause(int socket, int milliseconds) const {
    std::array wanted = {pollfd{stop_.get(), POLLIN, 0}, pollfd{socket, POLLIN, 0}};
    ::poll(wanted.data(), wanted.size(), milliseconds);
    return wanted[0].revents == 0;
  }

  void accept_all() noexcept {
    while (pause(listening_.get(), -1)) {
      Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket) {
        try {
          admit(std::move(socket));
        } catch (const std::exception&) {
          // Want of memory: this connection is closed.
          continue;
        }
      } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        // The connection stays in the queue, so poll would not wait.
        pause(-1, pause_milliseconds);
      }
    }
  }

  void admit(Fd socket) {
    auto peer = peer_of(socket.get());
    Error error{Code::busy, "", ""};
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= limits_.waiting + (most_workers() - busy_)) {
        error.what = "too many connections";
      } else if (!uids_.enter(peer)) {
        error.what = "too many connections of one user";
      } else {
        enqueue({std::move(socket), std::move(peer)});
        return;
      }
    }
    // It fits into the empty buffer of a new socket, or is lost: nobody waits here for a client.
    const auto text = service_.refuse(peer, error);
    ::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // With the lock held.
  void enqueue(Waiting connection) {
    const auto peer = connection.peer;
    try {
      waiting_.push_back(std::move(connection));
    } catch (...) {
      uids_.leave(peer);
      throw;
    }
    if (waiting_.size() > workers_.size() - busy_ && workers_.size() < most_workers()) add_worker();
    ready_.notify_one();
  }

  // A thread that cannot be had is no reason to fail while there are others, and there is nothing
  // better to do when there are none: the next connection tries again.
  void add_worker() {
    const SignalsBlocked scope;
    try {
      workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      return;
    }
  }

  void work() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      ready_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      ++busy_;
      lock.unlock();
      serve(std::move(next));
      lock.lock();
      --busy_;
    }
  }

  void serve(Waiting next) {
    HttpConnection connection(std::move(next.socket), std::move(next.peer), stop_.get(), limits_);
    service_.serve(connection);
    // Before it is closed: a client that saw the end may come again at once.
    const std::lock_guard lock(mutex_);
    uids_.leave(connection.peer());
  }

  const HttpLimits limits_;
  Fd listening_;
  Fd stop_;
  std::mutex mutex_;
  std::condition_variable ready_;
  bool stopping_ = false;
  std::deque<Waiting> waiting_;
  std::size_t busy_ = 0;
  PerUid uids_;
  HttpService service_;
  std::vector<std::thread> workers_;
  std::thread accepting_;
};

HttpServer::HttpServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::start(Fd listening, Handler handler,
                                                      Refused refused, const HttpLimits& limits) {
  if (const auto prepared = prepare(listening.get()); !prepared) {
    return std::unexpected(prepared.error());
  }
  Fd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno(errno, "cannot make an eventfd");
  try {
    auto implementation = std::make_unique<Implementation>(
        std::move(listening), std::move(stop), std::move(handler), std::move(refused), limits);
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(implementation)));
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "cannot start a thread");
  }
}

void HttpServer::state_changed() {
  implementation_->state_changed();
}

}  // namespace icelock::ipc
