// SPDX-License-Identifier: Apache-2.0
#include "policy/sites.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

namespace icelock::policy {
namespace {

constexpr std::size_t longest_host = 253;
constexpr std::size_t longest_label = 63;
constexpr std::string_view domain_mark = "[*.]";
constexpr unsigned highest_port = 65535;

std::unexpected<Error> refuse(std::string what) {
  return fail(Code::bad_request, std::move(what), "pattern");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_label(std::string_view label) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
  return !label.empty() && label.size() <= longest_label && std::ranges::all_of(label, fits) &&
         label.front() != '-' && label.back() != '-';
}

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

Result<void> check_host(const std::string& host, bool with_subdomains) {
  if (host.empty()) return refuse("has no host");
  if (host.size() > longest_host) return refuse("the host is too long");
  std::size_t labels = 0;
  std::string_view rest = host;
  std::string_view last;
  for (bool more = true; more; ++labels) {
    const std::size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (!is_label(last)) {
      return refuse(
          "a host is a name like meet.example (in its xn-- form when it has other letters than "
          "a-z) "
          "or an IPv4 address");
    }
    more = dot != rest.npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  // Browsers read whatever ends in a number as an IPv4 address, in forms that few people know.
  if (is_digit(last.front())) {
    if (with_subdomains || !is_ipv4(host)) return refuse("an address is written like 192.0.2.1");
    return {};
  }
  if (labels == 1 && (with_subdomains || host != "localhost")) {
    return refuse("the host needs a dot: one whole ending is too much");
  }
  return {};
}

Result<std::string> normal_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (problem != std::errc() || end != text.data() + text.size() || port == 0 ||
      port > highest_port) {
    return refuse("the port is no number from 1 to 65535");
  }
  return ":" + std::to_string(port);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return result;
}

// Exact hosts first, then the longer domain: of two that match, the one that says more.
bool more_specific(const SiteException& a, const SiteException& b) {
  const auto rank = [](const SiteException& site) {
    return std::tuple(site.pattern.contains(domain_mark), -std::ssize(site.pattern),
                      std::string_view(site.pattern));
  };
  return rank(a) < rank(b);
}

}  // namespace

Result<std::string> normal_pattern(std::string_view text) {
  std::string scheme = "https://";
  std::string rest = lower(text);
  if (const std::size_t mark = rest.find("://"); mark != rest.npos) {
    scheme = rest.substr(0, mark + 3);
    rest.erase(0, mark + 3);
    if (scheme != "https://" && scheme != "http://") return refuse("must be https:// or http://");
  }
  if (rest.ends_with('/')) rest.pop_back();
  if (rest.find_first_of("/?#\\") != rest.npos) {
    return refuse("a site has no path: write only its host");
  }
  if (rest.contains('@')) return refuse("a site has no user name");
  const bool with_subdomains = rest.starts_with(domain_mark);
  if (with_subdomains) rest.erase(0, domain_mark.size());
  if (rest.starts_with("*.")) return refuse("write [*.]" + rest.substr(2) + " for a whole domain");
  if (rest.contains('*')) {
    return refuse("a * stands only in [*.]example.com; for all sites change the mode");
  }
  std::string port;
  if (const std::size_t colon = rest.find(':'); colon != rest.npos) {
    port = TRY(normal_port(std::string_view(rest).substr(colon + 1)));
    rest.erase(colon);
  }
  TRY(check_host(rest, with_subdomains));
  return scheme + (with_subdomains ? std::string(domain_mark) : std::string()) + rest + port;
}

Result<void> check_exception_level(Level level) {
  if (level < Level::force_proxy) return {};
  return fail(Code::bad_request,
              "must be unrestricted or default_route_only: an exception is looser than the lock",
              "level");
}

std::vector<SiteException> effective_sites(const Browser& browser, Level level,
                                           const std::vector<SiteException>& sites) {
  std::map<std::string_view, Level> loosest;
  if (browser.family == BrowserFamily::firefox) return {};
  for (const SiteException& site : sites) {
    if (site.level >= std::min(level, Level::force_proxy)) continue;
    const auto [place, fresh] = loosest.try_emplace(site.pattern, site.level);
    if (!fresh) place->second = std::min(place->second, site.level);
  }
  std::vector<SiteException> effective;
  effective.reserve(loosest.size());
  for (const auto& [pattern, its_level] : loosest) {
    effective.push_back({std::string(pattern), its_level});
  }
  std::ranges::sort(effective, more_specific);
  return effective;
}

}  // namespace icelock::policy
