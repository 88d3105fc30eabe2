// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ostream>

#include "app/gathering.h"
#include "app/print.h"
#include "app/state_json.h"
#include "cli/verbs.h"
#include "guard/decide.h"
#include "ice/exposure.h"
#include "ice/outside.h"
#include "net/probe.h"

namespace icelock::app {
namespace {

using ice::Exposure;
using ice::Permission;
using ipc::Json;

// A server that does not answer is given up after 250 ms (ice/gather.h).
constexpr std::chrono::milliseconds stun_deadline{270};
constexpr std::array families = {BrowserFamily::chromium, BrowserFamily::firefox};
constexpr std::array levels = {Level::unrestricted, Level::default_route_only, Level::force_proxy,
                               Level::disabled};
constexpr std::array permissions = {Permission::none, Permission::granted};

/// What is predicted from, and for.
struct Sight {
  net::Network network;
  guard::Decision automatic;  ///< of mode auto, whatever the mode is now
  bool vpn = false;           ///< a VPN is there, so that addresses outside it count
  guard::Protection protection;
  bool asked = false;  ///< a STUN server
  std::vector<ice::BoundSide> bound;

  bool leaks(const Exposure& exposure) const {
    return guard::is_protected(exposure, vpn, protection);
  }
};

Sight look(net::Network network, guard::Settings settings) {
  settings.mode = guard::Mode::automatic;
  guard::Memory nothing;
  Sight sight;
  sight.automatic = guard::decide(network, settings, nothing, guard::Clock::now());
  sight.vpn = guard::protects(network);
  sight.protection = settings.protection;
  sight.network = std::move(network);
  return sight;
}

Json exposures_json(const Sight& sight, const std::vector<Exposure>& exposures) {
  Json list = Json::array();
  for (const Exposure& exposure : exposures) {
    list.push_back({{"class", ice::name(exposure.exposure_class)},
                    {"channel", ice::name(exposure.channel)},
                    {"address", exposure.address},
                    {"link", exposure.link},
                    {"http_shows_too", exposure.http_shows_too},
                    {"protected", sight.leaks(exposure)}});
  }
  return list;
}

Json predict_json(const Sight& sight) {
  Json rows = Json::array();
  for (const BrowserFamily family : families) {
    Json cells = Json::array();
    for (const Level level : levels) {
      for (const Permission permission : permissions) {
        cells.push_back(
            {{"level", name(level)},
             {"permission", ice::name(permission)},
             {"exposures",
              exposures_json(sight, ice::exposure(family, level, sight.network, permission))}});
      }
    }
    rows.push_back(
        {{"family", name(family)}, {"auto", name(sight.automatic.of(family))}, {"levels", cells}});
  }
  Json bound = Json::array();
  for (const ice::BoundSide& side : sight.bound) {
    bound.push_back({{"address", net::to_string(side.local)},
                     {"link", side.link},
                     {"public", net::to_string(side.seen)}});
  }
  Json prediction = {{"v", ipc::protocol_version},
                     {"network", network_json(sight.network)},
                     {"reasons", reasons_json(sight.automatic.reasons)},
                     {"families", rows}};
  if (sight.asked) prediction["bound"] = bound;
  return prediction;
}

/// One exposure as a line, with what it means for the person.
std::string line_of(const Sight& sight, const Exposure& exposure, const Paint& paint) {
  std::string text = in_words(exposure);
  if (exposure.channel == ice::Channel::wire) text += "; only a STUN or TURN server sees it";
  if (exposure.http_shows_too) text += "; web traffic shows the same";
  if (!sight.leaks(exposure)) return text;
  return paint.red("LEAK") + "  " + text;
}

void print_exposures(const Sight& sight, std::string_view who,
                     const std::vector<Exposure>& exposures, const Output& output) {
  output.out << "    " << who << '\n';
  for (const Exposure& exposure : exposures) {
    output.out << "      " << line_of(sight, exposure, output.paint()) << '\n';
  }
  if (exposures.empty()) output.out << "      nothing\n";
}

void print_level(const Sight& sight, BrowserFamily family, Level level, const Output& output) {
  output.out << "  " << name(level)
             << (level == sight.automatic.of(family) ? "   <- auto picks this" : "") << '\n';
  const auto without = ice::exposure(family, level, sight.network, Permission::none);
  const auto with = ice::exposure(family, level, sight.network, Permission::granted);
  if (without == with) {
    print_exposures(sight, "any page, with or without microphone permission", with, output);
    return;
  }
  print_exposures(sight, "any page", without, output);
  print_exposures(sight, "a page with microphone or camera permission", with, output);
}

void print_predict(const Sight& sight, const Output& output) {
  print_network(output.out, sight.network);
  print_reasons(output.out, sight.automatic.reasons);
  for (const BrowserFamily family : families) {
    output.out << (family == BrowserFamily::chromium
                       ? "\nChrome, Chromium, Edge, Brave, Vivaldi could show\n"
                       : "\nFirefox could show\n");
    for (const Level level : levels) {
      // The Chromium family cannot switch WebRTC off.
      if (family == BrowserFamily::chromium && level == Level::disabled) continue;
      print_level(sight, family, level, output);
    }
  }
  output.out << '\n';
  for (const ice::BoundSide& side : sight.bound) {
    output.out << "A program that binds to " << net::to_string(side.local) << " on " << side.link
               << " is seen as " << net::to_string(side.seen) << ".\n";
  }
  if (sight.asked && !sight.network.ipv4.seen && !sight.network.ipv6.seen) {
    output.out << "The STUN server did not answer.\n";
  }
  if (!sight.asked) {
    output.out << "No server was asked. Name one with --stun HOST to see public addresses.\n";
  }
  if (!sight.vpn)
    output.out << "No VPN carries web traffic, so nothing of this is hidden elsewhere.\n";
}

}  // namespace

int run_predict(const std::filesystem::path& root, const std::string& stun, const Output& output) {
  auto prober = net::Prober::open();
  if (!prober) return report_error(prober.error(), output);
  const auto snapshot = prober->snapshot();
  if (!snapshot) return report_error(snapshot.error(), output);
  guard::Settings settings = guard::load_or_keep(guard::settings_paths(root), std::nullopt);
  net::Network network = net::classify(*snapshot, settings.links);
  std::vector<ice::Gathered> gathered;
  if (!stun.empty()) {
    auto answer = gather_apart(network, {stun}, stun_deadline);
    if (!answer) return report_error(answer.error(), output);
    gathered = std::move(answer->agents);
    ice::add_seen(network, gathered);
  }
  Sight sight = look(std::move(network), std::move(settings));
  sight.asked = !stun.empty();
  sight.bound = ice::bound_sides(sight.network, gathered);
  if (output.json) {
    output.out << ipc::text_of(predict_json(sight)) << '\n';
  } else {
    print_predict(sight, output);
  }
  return 0;
}

}  // namespace icelock::app
