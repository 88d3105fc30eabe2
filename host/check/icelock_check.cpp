// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>

#include "app/gathering.h"
#include "app/policy_work.h"
#include "base/run.h"
#include "base/signals.h"
#include "check/check_browser.h"
#include "check/check_page.h"
#include "check/check_report.h"
#include "ice/outside.h"
#include "ice/responder.h"
#include "net/probe.h"
#include "policy/store.h"

// icelock-check TASK: what `icelock check` does, in a program of its own because of the libraries
// that serving a page brings, and as the user whose browsers they are. Only icelock starts it
// (check_verb.cpp) and looks after what it leaves behind; when icelock itself is gone this does it.

namespace {

using namespace icelock;
using app::BrowserCheck;
using ipc::Json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds stun_deadline{1000};
constexpr std::chrono::seconds to_end_a_browser{5};

struct Task {
  std::filesystem::path root;
  std::filesystem::path folder;
  std::vector<std::string> browsers;
  std::vector<std::string> stun;
  std::chrono::seconds timeout;
  app::Output output;
  bool progress = false;
};

Task parse_task(const Json& json) {
  return {.root = json.at("root").get<std::string>(),
          .folder = json.at("folder").get<std::string>(),
          .browsers = json.at("browsers"),
          .stun = json.at("stun"),
          .timeout = std::chrono::seconds(json.at("timeout").get<int>()),
          .output = {std::cout, std::cerr, json.at("json"), json.at("colour")},
          .progress = json.at("progress")};
}

class Check {
 public:
  Check(const Task& task, int stop) : task_(task), stop_(stop) {}

  Result<app::CheckReport> run() {
    const auto browsers = app::chosen_browsers(task_.root, task_.browsers);
    if (!browsers) return std::unexpected(browsers.error());
    if (browsers->empty()) return fail(Code::not_found, "no known browser is installed");
    auto prober = TRY(net::Prober::open());
    page_ = TRY(app::CheckPage::start());

    const auto settings = guard::load_or_keep(guard::settings_paths(task_.root), std::nullopt);
    links_ = settings.links;
    app::CheckReport report;
    for (const policy::Browser* browser : *browsers) {
      auto network = look(prober);
      if (!network) return std::unexpected(network.error());
      if (task_.progress) std::cerr << "Trying " << browser->name << " ...\n" << std::flush;
      BrowserCheck check;
      check.browser = browser;
      const auto answers = ask(check);
      if (stopped_) return fail(Code::unavailable, "stopped");
      const auto after = prober.snapshot();
      if (!answers) {
        check.error = answers.error();
      } else if (!after || net::classify(*after, links_) != net::classify(snapshot_, links_)) {
        check.error = Error{Code::changed, "the network changed meanwhile; try again", ""};
      } else {
        judge_answers(check, *answers, *network, settings.protection);
      }
      report.network = std::move(*network);
      report.browsers.push_back(std::move(check));
    }
    report.servers = servers_;
    return report;
  }

 private:
  /// The network now, with what STUN servers see of it.
  Result<net::Network> look(net::Prober& prober) {
    auto snapshot = prober.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    snapshot_ = std::move(*snapshot);
    net::Network network = net::classify(snapshot_, links_);
    if (!task_.stun.empty()) {
      const auto outside = TRY(app::gather_apart(network, task_.stun, stun_deadline));
      ice::add_seen(network, outside.agents);
      servers_ = urls_ = outside.servers;
      if (!network.ipv4.seen && !network.ipv6.seen) {
        return fail(Code::timeout, "the STUN server does not answer", task_.stun.front());
      }
      return network;
    }
    responders_.clear();
    urls_.clear();
    for (net::FamilyState* state : {&network.ipv4, &network.ipv6}) {
      if (!state->source) continue;
      auto responder = TRY(ice::Responder::open(*state->source));
      state->seen = state->source;
      urls_.push_back(responder.url());
      responders_.push_back(std::move(responder));
    }
    if (urls_.empty()) {
      return fail(Code::unavailable,
                  "this machine has no way to the internet, so a browser has nothing to show");
    }
    return network;
  }

  /// Starts one browser, waits for what its pages say, and ends it with all that it started.
  Result<app::Answers> ask(BrowserCheck& check) {
    const auto begin = Clock::now();
    check.program = app::program_of(*check.browser, task_.root);
    if (check.program.empty()) {
      return fail(Code::not_found, "not installed, or not to be run",
                  std::string(check.browser->id));
    }
    if (const auto level = policy::Store(task_.root).installed(*check.browser)) {
      check.policy = *level;
    }
    const auto folder = task_.folder / check.browser->id;
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    log_ = folder / "output";
    const Fd log(::open(log_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    if (!log) return fail_errno(errno, "cannot write", log_.string());
    const auto start = TRY(app::prepare_browser(*check.browser, check.program, folder,
                                                page_->open(urls_), page_->granted_origin()));
    auto browser = start_program(
        start.argv,
        {.as = {}, .environment = start.environment, .output = log.get(), .when_we_end = SIGKILL});
    if (!browser) return std::unexpected(browser.error());
    auto answers = wait(*browser);
    if (!end_children(to_end_a_browser)) {
      return fail(Code::internal, "the browser cannot be ended", check.program.string());
    }
    std::filesystem::remove_all(folder, ignored);
    check.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    return answers;
  }

  Result<app::Answers> wait(Started& browser) {
    const auto until = Clock::now() + task_.timeout;
    for (;;) {
      if (auto answers = page_->answers()) return std::move(*answers);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      if (left.count() <= 0) {
        return fail(Code::timeout, "the browser opened no page in time" + last_words());
      }
      std::vector<pollfd> fds = {
          {stop_, POLLIN, 0}, {page_->fd(), POLLIN, 0}, {browser.ended.get(), POLLIN, 0}};
      for (const ice::Responder& responder : responders_) {
        fds.push_back({responder.fd(), POLLIN, 0});
      }
      ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
      for (ice::Responder& responder : responders_) responder.handle();
      if (fds[0].revents != 0) {
        stopped_ = true;
        return fail(Code::unavailable, "stopped");
      }
      if (fds[2].revents != 0 && !page_->answers()) {
        const int code = browser.exit_code().value_or(-1);
        return fail(Code::unavailable,
                    "the browser ended with exit code " + std::to_string(code) + last_words());
      }
    }
  }

  /// The last line that the browser printed, without what could steer a terminal.
  std::string last_words() const {
    std::ifstream file(log_);
    std::string line;
    std::string last;
    while (std::getline(file, line)) {
      if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    }
    if (last.empty()) return "";
    std::erase_if(last, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    return ", saying \"" + last.substr(0, 200) + "\"";
  }

  const Task& task_;
  int stop_;
  bool stopped_ = false;
  std::unique_ptr<app::CheckPage> page_;
  net::Snapshot snapshot_;
  std::vector<net::NamedRole> links_;
  std::vector<ice::Responder> responders_;
  std::vector<std::string> urls_;
  std::vector<std::string> servers_;
  std::filesystem::path log_;
};

int print(const Result<app::CheckReport>& report, const app::Output& output) {
  if (!report) return app::report_error(report.error(), output);
  if (output.json) {
    output.out << ipc::text_of(report_json(*report)) << '\n';
  } else {
    print_report(*report, output);
  }
  return report->exit_code();
}

}  // namespace

int main(int argc, char** argv) {
  const app::PlainText out(std::cout);
  const app::PlainText err(std::cerr);
  const Json json = Json::parse(argc == 2 ? argv[1] : "", nullptr, false);
  if (!json.is_object()) {
    std::cerr << "icelock-check is started by `icelock check`\n";
    return 64;
  }
  const Fd stop = blocked_signals({SIGTERM, SIGINT, SIGHUP});
  adopt_orphans();
  const Task task = parse_task(json);
  const auto report = Check(task, stop.get()).run();
  end_children(to_end_a_browser);
  std::error_code ignored;
  std::filesystem::remove_all(task.folder, ignored);
  return print(report, task.output);
}
