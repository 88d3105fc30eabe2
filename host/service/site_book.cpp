// SPDX-License-Identifier: Apache-2.0
#include "service/site_book.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "ipc/message.h"

namespace icelock::app {
namespace {

using ipc::Json;
using std::chrono::seconds;

SiteBook::Time clock(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);
  return std::chrono::duration_cast<SiteBook::Time>(seconds(time.tv_sec) +
                                                    std::chrono::nanoseconds(time.tv_nsec));
}

/// When the machine started, as the wall clock has it now: it moves only when that clock is set.
SiteBook::Time booted() {
  return clock(CLOCK_REALTIME) - SiteBook::now();
}

Json to_json(const SiteBook::Entry& entry) {
  Json json = {
      {"uid", entry.uid}, {"pattern", entry.site.pattern}, {"level", name(entry.site.level)}};
  if (entry.end) {
    json["seconds"] = entry.granted.count();
    json["ends_ms"] = (booted() + *entry.end).count();
  }
  return json;
}

// Far beyond any date, and small enough to be counted with.
constexpr std::uint64_t last_moment = std::uint64_t{1} << 50;

std::unexpected<Error> broken(const Json& entry) {
  constexpr std::size_t enough = 200;
  return fail(Code::bad_settings, "this is no exception", entry.dump().substr(0, enough));
}

/// `set_back`: how far the wall clock was set back since. nullopt: it has ended.
Result<std::optional<SiteBook::Entry>> entry_of(const Json& json, SiteBook::Time set_back) {
  const auto uid = ipc::unsigned_field(json, "uid");
  const auto pattern = ipc::string_field(json, "pattern");
  const auto level = parse_level(ipc::string_field(json, "level").value_or(""));
  if (!uid || *uid >= static_cast<uid_t>(-1) || !pattern || !level ||
      policy::normal_pattern(*pattern).value_or("") != *pattern ||
      !policy::check_exception_level(*level)) {
    return broken(json);
  }
  SiteBook::Entry entry{static_cast<uid_t>(*uid), {*pattern, *level}, {}, {}};
  if (!json.contains("seconds") && !json.contains("ends_ms")) return entry;
  const auto length = ipc::unsigned_field(json, "seconds");
  const auto ends = ipc::unsigned_field(json, "ends_ms");
  if (!length || !ends || *length > last_moment || *ends > last_moment) return broken(json);
  entry.granted = seconds(*length);
  const SiteBook::Time left = SiteBook::Time(*ends) - clock(CLOCK_REALTIME) - set_back;
  // More than was granted: the clock says that it has not been granted yet.
  if (left <= SiteBook::Time(0) || left > entry.granted) return std::nullopt;
  entry.end = SiteBook::now() + left;
  return entry;
}

}  // namespace

SiteBook::SiteBook(std::filesystem::path file) : file_(std::move(file)) {
  if (auto loaded = load(); !loaded) {
    entries_.clear();
    broken_ = true;
    problem_ = loaded.error();
  }
}

SiteBook::Time SiteBook::now() {
  return clock(CLOCK_BOOTTIME);
}

Result<void> SiteBook::load() {
  const auto bytes = read_file(file_);
  if (!bytes && bytes.error().code == Code::not_found) return {};
  if (!bytes) return std::unexpected(bytes.error());
  const auto json = ipc::parse_json(*bytes);
  if (!json || !json->is_object() || !json->contains("sites") || !json->at("sites").is_array() ||
      json->at("sites").size() > most || json->value("v", Json()) != 1) {
    return fail(Code::bad_settings, "not a list of exceptions", file_.string());
  }
  const auto then = ipc::unsigned_field(*json, "booted_ms");
  if (!then || *then > last_moment) {
    return fail(Code::bad_settings, "does not say when the machine had started", file_.string());
  }
  const Time set_back = std::max(Time(*then) - booted(), Time(0));
  for (const Json& item : json->at("sites")) {
    auto entry = entry_of(item, set_back);
    if (!entry) return fail(Code::bad_settings, to_string(entry.error()), file_.string());
    const std::optional<Entry>& left = *entry;
    if (left) entries_.push_back(*left);
  }
  // Or one that has ended would begin again with the next change of the clock.
  if (entries_.size() < json->at("sites").size()) return save(entries_);
  return {};
}

Result<void> SiteBook::save(const std::vector<Entry>& entries) {
  Json list = Json::array();
  for (const Entry& entry : entries) list.push_back(to_json(entry));
  const Json json = {{"v", 1}, {"booted_ms", booted().count()}, {"sites", std::move(list)}};
  return replace_file(file_, json.dump(1) + "\n", 0600);
}

Result<void> SiteBook::change(std::vector<Entry> entries, bool tightens) {
  if (broken_) {
    std::error_code problem;
    std::filesystem::rename(file_, file_.string() + ".broken", problem);
  }
  auto saved = save(entries);
  if (saved || tightens) entries_ = std::move(entries);
  broken_ = broken_ && !saved;
  if (saved) {
    problem_.reset();
  } else if (tightens) {
    problem_ = saved.error();
  }
  return saved;
}

Result<void> SiteBook::allow(uid_t uid, const policy::SiteException& site, seconds length) {
  std::vector<Entry> entries = entries_;
  std::erase_if(entries, [&](const Entry& entry) {
    return entry.uid == uid && entry.site.pattern == site.pattern;
  });
  const auto own = std::ranges::count(entries, uid, &Entry::uid);
  if (static_cast<std::size_t>(own) >= most_of_one || entries.size() >= most) {
    return fail(Code::too_large, "there are too many exceptions; deny one first", site.pattern);
  }
  Entry entry{uid, site, length, {}};
  if (length != seconds(0)) entry.end = now() + length;
  entries.push_back(std::move(entry));
  return change(std::move(entries), false);
}

Result<void> SiteBook::deny(std::optional<uid_t> uid, std::string_view pattern) {
  std::vector<Entry> entries = entries_;
  const auto same = [&](const Entry& entry) { return entry.site.pattern == pattern; };
  if (std::erase_if(entries, [&](const Entry& entry) {
        return same(entry) && (!uid || entry.uid == *uid);
      }) > 0) {
    return change(std::move(entries), true);
  }
  if (std::ranges::any_of(entries, same)) {
    return fail(Code::not_permitted, "somebody else allowed it; only root may deny it",
                std::string(pattern));
  }
  return fail(Code::not_found, "there is no such exception", std::string(pattern));
}

std::vector<SiteBook::Entry> SiteBook::expire() {
  const Time time = now();
  std::vector<Entry> ended;
  std::vector<Entry> left;
  for (const Entry& entry : entries_) {
    (entry.end && *entry.end <= time ? ended : left).push_back(entry);
  }
  if (ended.empty()) return ended;
  // What cannot be written has ended all the same.
  if (auto kept = change(std::move(left), true); !kept) problem_ = kept.error();
  return ended;
}

int SiteBook::timeout() const {
  std::optional<Time> first;
  for (const Entry& entry : entries_) {
    if (entry.end) first = std::min(first.value_or(*entry.end), *entry.end);
  }
  if (!first) return -1;
  constexpr Time longest_sleep{60'000};
  return static_cast<int>(std::clamp(*first - now(), Time(0), longest_sleep).count());
}

}  // namespace icelock::app
