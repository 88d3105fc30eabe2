// SPDX-License-Identifier: Apache-2.0
#include "ice/gather.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <nice/agent.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"

namespace icelock::ice {
namespace {

constexpr guint component = 1;

template <auto release>
struct Release {
  template <class T>
  void operator()(T* pointer) const {
    release(pointer);
  }
};

void end_source(GSource* source) {
  g_source_destroy(source);
  g_source_unref(source);
}
void free_candidates(GSList* list) {
  g_slist_free_full(list,
                    [](gpointer one) { nice_candidate_free(static_cast<NiceCandidate*>(one)); });
}

using ContextPtr = std::unique_ptr<GMainContext, Release<g_main_context_unref>>;
using AgentPtr = std::unique_ptr<NiceAgent, Release<g_object_unref>>;
using SourcePtr = std::unique_ptr<GSource, Release<end_source>>;
using CandidatesPtr = std::unique_ptr<GSList, Release<free_candidates>>;

NiceAddress to_nice(const net::Ip& ip) {
  NiceAddress address;
  nice_address_init(&address);
  if (ip.family == net::Family::ipv4) {
    guint32 bytes = 0;
    std::memcpy(&bytes, ip.bytes.data(), sizeof bytes);
    nice_address_set_ipv4(&address, ntohl(bytes));
  } else {
    nice_address_set_ipv6(&address, ip.bytes.data());
  }
  return address;
}

net::Ip from_nice(const NiceAddress& address) {
  net::Ip ip;
  if (address.s.addr.sa_family == AF_INET) {
    std::memcpy(ip.bytes.data(), &address.s.ip4.sin_addr, sizeof address.s.ip4.sin_addr);
  } else {
    ip.family = net::Family::ipv6;
    std::memcpy(ip.bytes.data(), &address.s.ip6.sin6_addr, sizeof address.s.ip6.sin6_addr);
  }
  return ip;
}

bool is_wildcard(const net::Ip& ip) {
  return ip.bytes == net::Ip{}.bytes;
}

/// One agent bound to one address. Belongs to the thread that made it.
class Gatherer {
 public:
  Gatherer(GMainContext* context, const net::Ip& local) : context_(context), local_(local) {
    agent_.reset(nice_agent_new(context, NICE_COMPATIBILITY_RFC5245));
  }
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;
  ~Gatherer() {
    if (!agent_) return;
    g_signal_handlers_disconnect_by_data(agent_.get(), this);
    if (stream_ != 0) nice_agent_remove_stream(agent_.get(), stream_);
  }

  void start(const GatherOptions& options) {
    if (!agent_) return;
    g_object_set(agent_.get(), "upnp", FALSE, "ice-tcp", FALSE, "stun-max-retransmissions", 2U,
                 "stun-initial-timeout", 150U, nullptr);
    const auto& server = local_.family == net::Family::ipv4 ? options.stun_ipv4 : options.stun_ipv6;
    if (server) {
      g_object_set(agent_.get(), "stun-server", net::to_string(*server).c_str(), "stun-server-port",
                   guint{options.stun_port}, nullptr);
    }
    NiceAddress address = to_nice(local_);
    if (!nice_agent_add_local_address(agent_.get(), &address)) return;
    stream_ = nice_agent_add_stream(agent_.get(), component);
    if (stream_ == 0) return;
    // libnice reads its sockets, and so the answers to its own requests, only for one who wants
    // data.
    nice_agent_attach_recv(agent_.get(), stream_, component, context_, ignore_data, nullptr);
    // Without a server libnice reports the end from inside the call below, so listen before it.
    g_signal_connect(agent_.get(), "candidate-gathering-done", G_CALLBACK(on_done), this);
    bound_ = nice_agent_gather_candidates(agent_.get(), stream_) == TRUE;
  }

  bool waiting() const { return bound_ && !done_; }

  Gathered result() const {
    Gathered found;
    found.local = local_;
    found.wildcard = is_wildcard(local_);
    found.bound = bound_;
    found.finished = bound_ && done_;
    if (!bound_) return found;
    const CandidatesPtr list(nice_agent_get_local_candidates(agent_.get(), stream_, component));
    for (const GSList* item = list.get(); item != nullptr; item = item->next) {
      const auto& candidate = *static_cast<const NiceCandidate*>(item->data);
      const net::Ip ip = from_nice(candidate.addr);
      if (is_wildcard(ip)) continue;
      const bool host = candidate.type == NICE_CANDIDATE_TYPE_HOST;
      found.candidates.push_back({host ? "host" : "srflx", ip});
    }
    return found;
  }

 private:
  static void on_done(NiceAgent*, guint, gpointer self) {
    static_cast<Gatherer*>(self)->done_ = true;
  }

  static void ignore_data(NiceAgent*, guint, guint, guint, gchar*, gpointer) {}

  GMainContext* context_;
  net::Ip local_;
  AgentPtr agent_;
  guint stream_ = 0;
  bool bound_ = false;
  bool done_ = false;
};

/// Makes a context the thread's own for as long as it lives: what libnice and GIO attach by
/// themselves must not land in a context that the program runs elsewhere.
class ThreadContext {
 public:
  ThreadContext() : context_(g_main_context_new()) {
    g_main_context_push_thread_default(context_.get());
  }
  ThreadContext(const ThreadContext&) = delete;
  ThreadContext& operator=(const ThreadContext&) = delete;
  ~ThreadContext() {
    // Removed streams leave work behind that still holds their agent; it never takes more than a
    // few turns, and a bound keeps the deadline's promise if it ever did.
    for (int turn = 0; turn < 1000 && g_main_context_iteration(context_.get(), FALSE); ++turn) {
    }
    g_main_context_pop_thread_default(context_.get());
  }
  GMainContext* get() const { return context_.get(); }

 private:
  ContextPtr context_;
};

gboolean set_flag(gpointer flag) {
  *static_cast<bool*>(flag) = true;
  return G_SOURCE_REMOVE;
}

std::vector<Gathered> run(const std::vector<net::Ip>& targets, const GatherOptions& options) {
  const ThreadContext context;
  const auto end = std::chrono::steady_clock::now() + options.deadline;
  bool late = false;
  const auto limit = std::clamp<std::chrono::milliseconds::rep>(options.deadline.count(), 0,
                                                                std::numeric_limits<int>::max());
  const SourcePtr deadline(g_timeout_source_new(static_cast<guint>(limit)));
  g_source_set_callback(deadline.get(), set_flag, &late, nullptr);
  g_source_attach(deadline.get(), context.get());

  std::vector<std::unique_ptr<Gatherer>> gatherers;
  gatherers.reserve(targets.size());
  for (const net::Ip& target : targets) {
    gatherers.push_back(std::make_unique<Gatherer>(context.get(), target));
    // Each start reads all links and addresses of the machine, so many of both can use the time up.
    if (std::chrono::steady_clock::now() < end) gatherers.back()->start(options);
  }
  const auto waiting = [](const auto& gatherer) { return gatherer->waiting(); };
  while (!late && std::ranges::any_of(gatherers, waiting)) {
    g_main_context_iteration(context.get(), TRUE);
  }
  std::vector<Gathered> all;
  all.reserve(gatherers.size());
  for (const auto& gatherer : gatherers) all.push_back(gatherer->result());
  return all;
}

std::vector<net::Ip> with_wildcards(const std::vector<net::Ip>& locals) {
  std::vector<net::Ip> targets;
  const auto add = [&](const net::Ip& ip) {
    if (std::ranges::find(targets, ip) == targets.end()) targets.push_back(ip);
  };
  for (const net::Ip& local : locals) {
    if (!is_wildcard(local)) add(local);
  }
  add(net::Ip{net::Family::ipv4, {}});
  add(net::Ip{net::Family::ipv6, {}});
  return targets;
}

/// GLib ends the whole program when it cannot make an eventfd, so see first that there is room for
/// the two descriptors of each agent and the few that come and go.
bool room_for_agents(std::size_t agents) {
  std::vector<Fd> held;
  for (std::size_t i = 0; i < 2 * agents + 16; ++i) {
    held.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!held.back()) return false;
  }
  return true;
}

Result<void> check(const std::vector<net::Ip>& locals, const GatherOptions& options) {
  if (locals.size() > max_locals) return fail(Code::too_large, "too many local addresses");
  if (options.stun_ipv4 && options.stun_ipv4->family != net::Family::ipv4) {
    return fail(Code::bad_request, "not an IPv4 STUN server", net::to_string(*options.stun_ipv4));
  }
  if (options.stun_ipv6 && options.stun_ipv6->family != net::Family::ipv6) {
    return fail(Code::bad_request, "not an IPv6 STUN server", net::to_string(*options.stun_ipv6));
  }
  return {};
}

}  // namespace

Result<std::vector<Gathered>> gather(const std::vector<net::Ip>& locals,
                                     const GatherOptions& options) {
  TRY(check(locals, options));
  const std::vector<net::Ip> targets = with_wildcards(locals);
  if (!room_for_agents(targets.size())) {
    return fail(Code::unavailable, "too few file descriptors are left for libnice");
  }
  std::vector<Gathered> all;
  try {
    std::thread([&] { all = run(targets, options); }).join();
  } catch (const std::system_error& problem) {
    return fail_errno(problem.code().value(), "cannot start a thread for libnice");
  }
  if (std::ranges::none_of(all, &Gathered::bound)) {
    return fail(Code::unavailable, "libnice could not bind to any address");
  }
  return all;
}

}  // namespace icelock::ice
