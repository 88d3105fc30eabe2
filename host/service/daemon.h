// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "app/live.h"
#include "app/policy_wanted.h"
#include "app/policy_work.h"
#include "app/presence.h"
#include "app/state_json.h"
#include "base/worker.h"
#include "ipc/message.h"
#include "ipc/operations.h"
#include "ipc/peer.h"
#include "ipc/server.h"
#include "service/policy_keeper.h"
#include "service/refusal_log.h"
#include "service/site_book.h"

namespace icelock::app {

/// The guard of the whole machine: one poll loop that watches the network, answers both doors, and
/// leaves the disk to two workers. Whoever may do what is decided here, once for both doors.
class Daemon {
 public:
  struct Options {
    std::filesystem::path root = "/";
    std::optional<gid_t> group;  ///< icelock's
    Fd frames;                   ///< listening sockets
    Fd http;
    /// For the journal. `urgent`: somebody should look.
    std::function<void(const std::string& words, bool urgent)> log;
  };

  /// Errors: probe_failed, io.
  static Result<std::unique_ptr<Daemon>> open(Options options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void add_to(std::vector<pollfd>& fds) const;
  int timeout(guard::Clock::time_point now) const;
  void handle();
  /// Reads the settings again, now.
  void reload();
  /// Listens on these sockets from now on, and on those of before no more.
  Result<void> move_doors(Fd frames, Fd http);
  /// Before the end: waits until the policy files say what was decided and promised last, at most
  /// `limit`.
  void settle(std::chrono::milliseconds limit);

  /// What was decided and what is wrong, in one line for the journal and the service manager.
  std::string summary() const;

 private:
  /// Who asked for what.
  struct Call {
    ipc::Peer peer;
    ipc::Server::Client client = 0;
    ipc::Json body;
    std::stop_token left;  ///< nobody would hear the answer: what has not begun is not done
  };
  using Done = std::function<void(const Result<ipc::Json>&)>;
  /// What a policy job works from, on the worker's thread.
  struct PolicyOrder {
    std::filesystem::path root;
    PolicyWish wish;
    std::string fingerprint;  ///< of the plan to be applied; empty: any
    policy::Asked asked;
    bool manages = false;
    std::set<std::string> reporting;
    guard::Decision decision;
    std::vector<policy::SiteException> sites;

    Result<policy::Wanted> wanted() const;
  };
  using PolicyJob = std::function<Result<Outcome>(const PolicyOrder&)>;
  struct Row {
    std::string_view name;
    void (Daemon::*handler)(const Call&, const Done&);
  };
  /// A look at the disk that answers all who ask meanwhile: anybody may. What it found answers each
  /// of them on the loop.
  using Found = std::function<Result<ipc::Json>(const ipc::Peer&)>;
  struct Look {
    struct Asker {
      ipc::Peer peer;
      std::stop_token left;
      Done done;
    };
    std::vector<Asker> waiting;
  };
  struct Known {
    ipc::Peer peer;
    bool subscribed = false;
    std::optional<Report> report;
  };

  explicit Daemon(Options options, Live live);
  Result<void> open_doors(Fd frames, Fd http);

  void run_operation(const ipc::Operation& operation, const Call& call, const Done& done);
  void refused(const ipc::Peer& peer, const Error& error);
  void state_changed();
  void push_state();
  void keep_settings();
  /// What a subscriber is told, without "browsers".
  ipc::Json state_for(const ipc::Peer& peer) const;
  /// The answer to `status`.
  ipc::Json full_state_for(const ipc::Peer& peer, const std::vector<BrowserFiles>& files) const;
  /// The guard's, with the users' exceptions among the settings' sites.
  guard::State machine_state() const;
  bool sites_possible() const;
  ipc::Json site_list(const ipc::Peer& peer) const;
  /// What users may be allowed at most: the floor, or the admin's own lock.
  Level least_level() const;
  std::vector<Report> reports_for(const ipc::Peer& peer) const;

  void do_status(const Call& call, const Done& done);
  void do_subscribe(const Call& call, const Done& done);
  void do_report(const Call& call, const Done& done);
  void do_metrics(const Call& call, const Done& done);
  void do_audit(const Call& call, const Done& done);
  void do_history(const Call& call, const Done& done);
  void do_set_mode(const Call& call, const Done& done);
  void do_sites(const Call& call, const Done& done);
  void do_allow(const Call& call, const Done& done);
  void do_deny(const Call& call, const Done& done);
  void do_plan(const Call& call, const Done& done);
  void do_apply(const Call& call, const Done& done);
  void do_revert(const Call& call, const Done& done);
  /// `read`: on the reader's thread.
  void look(Look& look, const Call& call, const Done& done, std::function<Found()> read);
  void in_background(const Call& call, const Done& done, PolicyJob job);

  Options options_;
  Live live_;
  SiteBook sites_;
  std::optional<std::string> kept_;  ///< the admin's settings, as they are on disk
  std::uint64_t serial_ = 0;         ///< grows with each state that is told
  std::map<ipc::Server::Client, Known> known_;
  std::vector<BrowserFiles> files_;  ///< as they were at `files_read_`; none: something changed
  guard::Clock::time_point files_read_;
  std::unique_ptr<ipc::Server> server_;
  Look status_;
  Look audit_;
  Look history_;
  std::map<std::string, std::uint64_t> counters_;  ///< requests, by operation
  std::map<std::string, std::uint64_t> refusals_;  ///< by code
  RefusalLog refusal_log_;
  Worker reader_;  ///< apart, so that no lock is written later because somebody looks
  Worker worker_;
  PolicyKeeper keeper_;
};

}  // namespace icelock::app
