// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "app/live.h"
#include "app/machine_link.h"
#include "app/presence.h"
#include "ipc/frame.h"
#include "ipc/message.h"

namespace icelock::app {

/// Which browser family the arguments say we were started by. Chromium passes the calling origin
/// (native_process_launcher.cc), Firefox the manifest's path and the add-on id
/// (NativeMessaging.sys.mjs). `others`: ids that the admin
/// added. Error unknown_caller for anything but these and icelock's own extensions.
Result<BrowserFamily> caller(std::span<char* const> arguments,
                             const std::vector<std::string>& others = {});

/// One native-messaging conversation, with the guard in this process and the service of the
/// machine, if there is one: the stricter of the two counts. One thread, plus one while a probe
/// runs.
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
  void state_changed();
  ipc::Json state() const;
  int timeout() const;
  void send(std::string_view payload);

  Answer do_status(const ipc::Request& request);
  Answer do_subscribe(const ipc::Request& request);
  Answer do_set_mode(const ipc::Request& request);
  Answer do_report(const ipc::Request& request);
  Answer pass_on_sites(const ipc::Request& request);
  Answer start_probe(const ipc::Request& request);
  void finish_probe();
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
  bool ended_ = false;
  int exit_code_ = 0;

  Fd probe_done_;  ///< becomes readable when the probe thread has filled probe_result_
  std::jthread probe_thread_;
  ipc::Json probe_id_;
  Result<ipc::Json> probe_result_;
};

}  // namespace icelock::app
