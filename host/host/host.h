// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/live.h"
#include "app/machine_link.h"
#include "app/presence.h"
#include "app/state_json.h"
#include "base/worker.h"
#include "ipc/frame.h"
#include "ipc/message.h"

namespace icelock::app {

/// Which browser family the arguments say we were started by. Chromium passes the calling origin
/// (native_process_launcher.cc), Firefox the manifest's path and the add-on id
/// (NativeMessaging.sys.mjs). `others`: ids that the admin added. Error unknown_caller for anything
/// but these and icelock's own extensions.
Result<BrowserFamily> caller(std::span<char* const> arguments,
                             const std::vector<std::string>& others = {});

/// One native-messaging conversation, with the guard in this process and the service of the
/// machine, if there is one: the stricter of the two counts. One thread, plus one for probes and
/// for what the disk has to say of the browsers.
class Host {
 public:
  /// `input` is read for frames, `output` gets nothing but frames. Both stay the caller's.
  /// `service`: icelockd's socket.
  Host(int input, int output, BrowserFamily family, Live live,
       const std::filesystem::path& service);

  /// Serves until the input ends. The exit code: 0 at a clean end, 1 when the input was cut or
  /// broken.
  int run();

 private:
  /// nullopt: the answer comes later.
  using Answer = Result<std::optional<ipc::Json>>;
  struct Operation;
  static std::span<const Operation> operations();

  bool read_input();
  void serve(std::string_view payload);
  void answer(const ipc::Json& id, const Answer& result);
  void push_state();
  void look_at_browsers();
  void state_changed();
  ipc::Json state() const;
  std::vector<policy::SiteException> exceptions() const;
  ipc::Json browsers(const std::vector<BrowserFiles>& files) const;
  int timeout() const;
  void send(std::string_view payload);

  Answer do_status(const ipc::Request& request);
  Answer do_subscribe(const ipc::Request& request);
  Answer do_set_mode(const ipc::Request& request);
  Answer do_report(const ipc::Request& request);
  Answer pass_on_sites(const ipc::Request& request);
  Answer start_probe(const ipc::Request& request);
  void pass_on(const Report& report);

  int input_;
  int output_;
  const policy::Browser& browser_;
  Live live_;
  MachineLink link_;
  std::uint64_t serial_ = 0;  ///< of what the extension is told: both guards count for themselves
  Presence presence_;
  std::vector<Report> reports_;  ///< at most one: our own browser's
  ipc::FrameDecoder decoder_;
  bool subscribed_ = false;
  bool browsers_due_ = false;  ///< the extension heard a state, and nothing of the browsers since
  bool browsers_asked_ = false;
  bool ended_ = false;
  int exit_code_ = 0;

  bool probing_ = false;
  Worker worker_;  ///< last: its jobs end before what they use
};

}  // namespace icelock::app
