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
#include "app/mailbox.h"
#include "app/policy_keeper.h"
#include "app/policy_wanted.h"
#include "app/policy_work.h"
#include "app/presence.h"
#include "app/refusal_log.h"
#include "app/site_book.h"
#include "app/worker.h"
#include "ipc/frame_server.h"
#include "ipc/http_server.h"
#include "ipc/message.h"
#include "ipc/operations.h"
#include "ipc/peer.h"

namespace icelock::app {

/// The guard of the whole machine: one poll loop that watches the network, answers both doors, and
/// leaves the disk to a worker. Whoever may do what is decided here, once for both doors.
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
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void add_to(std::vector<pollfd>& fds) const;
  int timeout(guard::Clock::time_point now) const;
  void handle();
  /// Reads the settings again, now.
  void reload();
  /// Before the end: waits until the policy files say what was decided and promised last, at most
  /// `limit`.
  void settle(std::chrono::milliseconds limit);

  /// What was decided and what is wrong, in one line for the journal and the service manager.
  std::string summary() const;

 private:
  /// Who asked for what. `client` is none on the HTTP door.
  struct Call {
    ipc::Peer peer;
    std::optional<ipc::FrameServer::Client> client;
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
  struct Told {
    ipc::Json state;
    guard::Clock::time_point made;
  };
  /// A look at the disk that answers all who ask meanwhile: anybody may.
  struct Look {
    std::vector<std::pair<std::stop_token, Done>> waiting;
  };
  struct Known {
    ipc::Peer peer;
    bool subscribed = false;
    std::optional<Report> report;
  };

  explicit Daemon(Options options, Live live);
  Result<void> open_doors(Fd frames, Fd http);

  void serve(ipc::FrameServer::Client client, const ipc::Peer& peer, std::string_view payload,
             std::stop_token left);
  void run_operation(const ipc::Operation& operation, const Call& call, const Done& done);
  void refused(const ipc::Peer& peer, const Error& error);
  void log_refusal(const ipc::Peer& peer, const Error& error);  ///< from any thread
  void state_changed();
  void push_state();
  void keep_settings();
  const ipc::Json& state_for(const ipc::Peer& peer);
  ipc::Json make_state(const ipc::Peer& peer) const;
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
  void look(Look& look, const Call& call, const Done& done,
            std::function<Result<ipc::Json>()> read);
  void in_background(const Call& call, const Done& done, PolicyJob job);

  Options options_;
  Live live_;
  SiteBook sites_;
  std::optional<std::string> kept_;  ///< the admin's settings, as they are on disk
  std::uint64_t serial_ = 0;         ///< grows with each state that is told
  std::map<ipc::FrameServer::Client, Known> known_;
  std::map<uid_t, Told> told_;  ///< what each user was told last; cleared by every change
  std::unique_ptr<ipc::FrameServer> frames_;
  Look audit_;
  Look history_;
  std::map<std::string, std::uint64_t> counters_;  ///< requests, by operation
  std::map<std::string, std::uint64_t> refusals_;  ///< on the frames door, by code
  RefusalLog refusal_log_;
  Worker worker_;
  PolicyKeeper keeper_;
  Mailbox mailbox_;
  std::unique_ptr<ipc::HttpServer> http_;  ///< last: its threads use the others
};

}  // namespace icelock::app
