// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>

#include "base/signals.h"
#include "cli/audit_verb.h"
#include "cli/export_verb.h"
#include "cli/policy_verbs.h"
#include "cli/verbs.h"
#include "policy/export.h"

// The command line: words in, one verb called. What the verbs do is elsewhere.

namespace {

using namespace icelock;

constexpr int usage_exit = 64;

struct Options {
  bool json = false;
  std::filesystem::path root = "/";
  std::string stun;
  std::vector<std::string> servers;
  int timeout = 30;
  std::string mode;
  std::optional<std::string> level;
  std::string pattern;
  std::optional<std::uint64_t> seconds;
  std::vector<std::string> browsers;
  bool system = false;
  bool user = false;
  std::filesystem::path document;
  std::string plan;
  bool yes = false;
  std::string reason;
  bool sarif = false;
  bool prometheus = false;
  std::string format;
  std::filesystem::path out;
};

const std::vector<std::string> level_words = {"unrestricted", "default_route_only", "force_proxy",
                                              "disabled"};

bool on_colour_terminal() {
  return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
}

app::Output output_of(const Options& options) {
  return {std::cout, std::cerr, options.json, !options.json && on_colour_terminal()};
}

std::optional<Level> level_of(const Options& options) {
  return options.level ? parse_level(*options.level) : std::nullopt;
}

app::PolicyOptions policy_options(const Options& options) {
  app::PolicyOptions result;
  result.root = options.root;
  result.browsers = options.browsers;
  result.level = level_of(options);
  result.document = options.document;
  result.fingerprint = options.plan;
  result.unplanned = options.yes;
  result.reason = options.reason;
  result.json = options.json;
  result.colour = !options.json && on_colour_terminal();
  result.scope = options.system ? policy::Scope::system : policy::Scope::user;
  if (const char* home = std::getenv("HOME")) result.home = home;
  std::error_code problem;
  result.host_program =
      std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / "icelock-host";
  return result;
}

int manifests(const Options& options,
              int (*run)(const app::PolicyOptions&, std::ostream&, std::ostream&)) {
  if (options.root != "/" && !options.system) {
    return app::report_error(
        {Code::bad_request, "a user's own files are not below that folder, so add --system",
         "--root " + options.root.string()},
        output_of(options));
  }
  return run(policy_options(options), std::cout, std::cerr);
}

// Signals become something to poll, so that `watch` ends between two lines and not inside one.
int watch(const Options& options) {
  const Fd stop = blocked_signals({SIGINT, SIGTERM});
  return app::run_watch(options.root, stop.get(), output_of(options));
}

int mode(const Options& options) {
  // CLI11 has checked the word.
  const auto wanted = guard::parse_mode(options.mode).value_or(guard::Mode::locked);
  const auto level = level_of(options);
  const auto output = output_of(options);
  if (level && wanted != guard::Mode::locked) {
    return app::report_error(
        {Code::bad_request, "a level goes with mode locked only", options.level.value_or("")},
        output);
  }
  return app::run_mode(options.root, wanted, level, output);
}

int audit(const Options& options) {
  const auto form = options.sarif        ? app::AuditForm::sarif
                    : options.prometheus ? app::AuditForm::metrics
                    : options.json       ? app::AuditForm::json
                                         : app::AuditForm::text;
  return app::run_audit(policy_options(options), form, ICELOCK_VERSION, std::cout, std::cerr);
}

class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", ICELOCK_VERSION);
    app_.require_subcommand(1);
    app_.failure_message(CLI::FailureMessage::simple);
    add_state_verbs();
    add_site_verbs();
    add_policy_verbs();
    add_export();
    app_.footer(
        "Exit codes: 0 done, 1 failed, 2 plan (or apply without --plan and --yes) has changes\n"
        "pending, 3 check found a leak, 4 applied but outranked, or audit found mistakes, 5 not\n"
        "permitted, 6 something unsafe or broken was found and left alone, 64 usage.");
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : usage_exit;
    }
    return action_();
  }

 private:
  CLI::App* verb(const char* name, const char* what, std::function<int(const Options&)> action) {
    CLI::App* sub = app_.add_subcommand(name, what);
    sub->add_flag("--json", options_.json, "Print JSON");
    sub->callback([this, action = std::move(action)] {
      action_ = [this, action] { return action(options_); };
    });
    return sub;
  }

  CLI::App* with_root(CLI::App* sub) {
    sub->add_option("--root", options_.root, "Use the system files below this folder instead of /")
        ->check(CLI::ExistingDirectory);
    return sub;
  }

  CLI::App* with_browsers(CLI::App* sub, const std::string& otherwise = "those installed") {
    sub->add_option("--browser", options_.browsers,
                    "Only this browser (may be repeated); default: " + otherwise)
        ->allow_extra_args(false);  // what follows may be the policy document
    return sub;
  }

  void with_stun(CLI::App* sub) {
    sub->add_option("--stun", options_.stun,
                    "STUN server to ask: ADDRESS or NAME, with :PORT if wished. "
                    "Nobody is contacted without this.");
  }

  CLI::App* with_reason(CLI::App* sub) {
    sub->add_option("--reason", options_.reason, "Why, for the history: one line");
    return sub;
  }

  CLI::App* with_level(CLI::App* sub, const char* what) {
    sub->add_option("--level", options_.level, what)->check(CLI::IsMember(level_words));
    return sub;
  }

  void add_state_verbs() {
    with_root(verb("status",
                   "What the network is, what was decided and why, what each browser obeys",
                   [](const Options& o) { return app::run_status(o.root, output_of(o)); }));
    with_root(verb("watch", "The same as a stream: one JSON line per change with --json", watch));
    with_stun(verb("probe", "Each link, and the ICE candidates that libnice gathers on it",
                   [](const Options& o) { return app::run_probe(o.stun, output_of(o)); }));
    with_stun(with_root(
        verb("predict", "What a page could learn at each level in each browser family",
             [](const Options& o) { return app::run_predict(o.root, o.stun, output_of(o)); })));
    add_check();
    CLI::App* sub =
        with_root(verb("mode", "Follow the network, keep WebRTC locked, or leave it open", mode));
    sub->add_option("mode", options_.mode, "auto, locked or open")
        ->required()
        ->check(CLI::IsMember({"auto", "locked", "open"}));
    sub->add_option("level", options_.level, "With locked: the least level to keep (force_proxy)")
        ->check(CLI::IsMember(level_words));
  }

  void add_check() {
    CLI::App* sub = with_browsers(with_root(
        verb("check", "The proof: real browsers, headless, open a page that looks for addresses",
             [](const Options& o) {
               return app::run_check({.root = o.root,
                                      .browsers = o.browsers,
                                      .stun = o.servers,
                                      .timeout = std::chrono::seconds(o.timeout)},
                                     output_of(o));
             })));
    sub->add_option("--stun", options_.servers,
                    "STUN server to ask (may be repeated); without it no server outside is asked");
    sub->add_option("--timeout", options_.timeout, "Seconds that each browser may take (30)")
        ->check(CLI::Range(1, 600));
  }

  void add_site_verbs() {
    with_root(verb("sites", "The sites that may do more than the lock allows",
                   [](const Options& o) { return app::run_sites(o.root, output_of(o)); }));
    CLI::App* allow = with_root(
        verb("allow", "Let pages of one site do more than the lock allows", [](const Options& o) {
          return app::run_allow(o.root, {o.pattern, level_of(o), o.seconds}, output_of(o));
        }));
    allow->add_option("--level", options_.level, "How far they may go (default_route_only)")
        ->check(CLI::IsMember({"unrestricted", "default_route_only"}));
    allow
        ->add_option("--for", options_.seconds,
                     "How long: 90s, 15m, 1h, 7d; until denied if not given")
        ->transform(CLI::AsNumberWithUnit(
            std::map<std::string, std::uint64_t>{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}},
            CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"));
    CLI::App* deny = with_root(verb("deny", "Take such an exception back", [](const Options& o) {
      return app::run_deny(o.root, o.pattern, output_of(o));
    }));
    for (CLI::App* sub : {allow, deny}) {
      sub->add_option("pattern", options_.pattern,
                      "meet.example, http://localhost:8080, or [*.]example.com for a whole domain")
          ->required();
    }
  }

  void add_policy_verbs() {
    constexpr const char* level_help =
        "The level to set; force_proxy if not given, because a policy cannot follow the network";
    for (const bool apply : {false, true}) {
      CLI::App* sub = with_browsers(with_root(
          apply ? verb("apply", "Lock WebRTC by browser policy, for all users, as planned",
                       [](const Options& o) {
                         return app::run_apply(policy_options(o), std::cout, std::cerr);
                       })
                : verb("plan", "What apply would change (exit 2), or nothing (exit 0)",
                       [](const Options& o) {
                         return app::run_plan(policy_options(o), std::cout, std::cerr);
                       })));
      CLI::Option* document = sub->add_option("file", options_.document,
                                              "A policy document (policies/policy.schema.json)")
                                  ->check(CLI::ExistingFile);
      with_level(sub, level_help)->get_option("--level")->excludes(document);
      if (apply) {
        CLI::Option* planned =
            sub->add_option("--plan", options_.plan,
                            "Do the plan with this fingerprint, as plan printed it, and no other");
        sub->add_flag("-y,--yes", options_.yes, "Do it without a plan, whatever it changes")
            ->excludes(planned);
        with_reason(sub);
      }
    }
    with_reason(with_browsers(
        with_root(verb("revert", "Put every policy file back as it was before apply",
                       [](const Options& o) {
                         return app::run_revert(policy_options(o), std::cout, std::cerr);
                       })),
        "all that icelock changed"));
    with_root(
        verb("history", "Each apply and revert: when, by whom, and why", [](const Options& o) {
          return app::run_history(policy_options(o), std::cout, std::cerr);
        }));
    CLI::App* audited = with_root(
        verb("audit", "What is really in force in each browser, why, and whose mistakes are there",
             audit));
    CLI::Option* sarif = audited->add_flag("--sarif", options_.sarif, "Print SARIF 2.1.0");
    audited->add_flag("--prometheus", options_.prometheus, "Print metrics for a textfile collector")
        ->excludes(sarif);
    for (const bool setup : {true, false}) {
      CLI::App* sub = with_browsers(
          with_root(setup ? verb("setup",
                                 "Let browsers start icelock-host (native-messaging manifests)",
                                 [](const Options& o) { return manifests(o, app::run_setup); })
                          : verb("unsetup", "Take the native-messaging manifests away again",
                                 [](const Options& o) { return manifests(o, app::run_unsetup); })),
          setup ? "those installed" : "all that icelock knows");
      CLI::Option* user = sub->add_flag("--user", options_.user, "For this user only (default)");
      sub->add_flag("--system", options_.system, "For all users of this machine")->excludes(user);
    }
  }

  void add_export() {
    CLI::App* sub = verb(
        "export", "The policy in the words of what a fleet already runs", [](const Options& o) {
          return app::run_export({o.format, o.document, level_of(o), o.browsers, o.out},
                                 output_of(o));
        });
    std::vector<std::string> formats;
    for (const auto& format : policy::export_formats()) formats.emplace_back(format.name);
    sub->add_option("format", options_.format, app::export_formats_help())
        ->required()
        ->check(CLI::IsMember(formats));
    CLI::Option* document = sub->add_option("file", options_.document,
                                            "A policy document (policies/policy.schema.json)")
                                ->check(CLI::ExistingFile);
    with_level(sub, "The level for every browser; force_proxy if not given")
        ->get_option("--level")
        ->excludes(document);
    sub->add_option("--browser", options_.browsers,
                    "Only this browser (may be repeated); default: all that icelock knows")
        ->allow_extra_args(false);
    sub->add_option("-o,--out", options_.out,
                    "The file or, for formats of several files, the new folder to write; without "
                    "it a single file goes to standard output");
  }

  CLI::App app_{"icelock keeps WebRTC from giving away the address that a VPN or proxy hides.",
                "icelock"};
  Options options_;
  std::function<int()> action_;
};

}  // namespace

int main(int argc, char** argv) {
  const app::PlainText out(std::cout);
  const app::PlainText err(std::cerr);
  return CommandLine().run(argc, argv);
}
