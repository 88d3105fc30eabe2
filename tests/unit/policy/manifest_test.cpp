// SPDX-License-Identifier: Apache-2.0
#include "policy/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "temp_root.h"

namespace icelock::policy {
namespace {

using nlohmann::json;
using Kind = ManifestChange::Kind;

std::vector<const Browser*> all() {
  std::vector<const Browser*> result;
  for (const Browser& browser : browsers()) result.push_back(&browser);
  return result;
}

TEST(Manifest, NamesTheCallersInTheFamilysOwnWay) {
  const json chromium =
      json::parse(manifest(*find_browser("edge"), {"/usr/lib/icelock/icelock-host", {}}));
  EXPECT_EQ(chromium,
            json({{"name", "icelock.host"},
                  {"description", chromium["description"]},
                  {"path", "/usr/lib/icelock/icelock-host"},
                  {"type", "stdio"},
                  {"allowed_origins", {"chrome-extension://ijhcpjklckmohbkaoncmpefjopcblpfa/"}}}));
  const json firefox = json::parse(manifest(*find_browser("firefox"), {"/h", {}}));
  EXPECT_EQ(firefox["allowed_extensions"], json({"icelock@icelock.extension"}));
  EXPECT_FALSE(firefox.contains("allowed_origins"));
}

class EachScope : public testing::TestWithParam<Scope> {};

TEST_P(EachScope, InstallsReplacesAndRemoves) {
  const TempRoot root;
  const auto install = [&](const char* host) {
    return install_manifests(all(), GetParam(), root.path(), root.path(), {host, {}});
  };
  auto changes = install("/one");
  ASSERT_TRUE(changes) << to_string(changes.error());
  for (const ManifestChange& change : *changes) {
    ASSERT_TRUE(std::filesystem::exists(change.path)) << change.path;
    EXPECT_EQ(change.path.filename(), "icelock.host.json");
  }
  const auto again = install("/one");
  for (const ManifestChange& change : *again) EXPECT_EQ(change.kind, Kind::none);
  EXPECT_EQ(install("/two")->front().kind, Kind::replace);
  ASSERT_TRUE(remove_manifests(all(), GetParam(), root.path(), root.path()));
  for (const ManifestChange& change : *changes) EXPECT_FALSE(std::filesystem::exists(change.path));
  const auto nothing = remove_manifests(all(), GetParam(), root.path(), root.path());
  for (const ManifestChange& change : *nothing) {
    EXPECT_EQ(change.kind, Kind::none);
  }
}

INSTANTIATE_TEST_SUITE_P(Scopes, EachScope, testing::Values(Scope::user, Scope::system));

TEST(Manifest, SomebodyElsesFileIsLeftAlone) {
  for (const Scope scope : {Scope::user, Scope::system}) {
    const TempRoot root;
    root.write(".config/chromium/NativeMessagingHosts/icelock.host.json", R"({"name": "other"})");
    root.write("etc/chromium/native-messaging-hosts/icelock.host.json", "not JSON");
    const auto before = root.snapshot();
    const std::vector<const Browser*> chromium = {find_browser("chromium")};
    EXPECT_EQ(install_manifests(chromium, scope, root.path(), root.path(), {"/h", {}}).error().code,
              Code::bad_policy_file);
    EXPECT_EQ(remove_manifests(chromium, scope, root.path(), root.path()).error().code,
              Code::bad_policy_file);
    EXPECT_EQ(root.snapshot(), before);
  }
}

TEST(Manifest, SystemScopeFollowsNoSymlink) {
  const TempRoot root;
  std::filesystem::create_directories(root / "elsewhere");
  std::filesystem::create_directories(root / "etc/opt");
  std::filesystem::create_symlink(root / "elsewhere", root / "etc/opt/chrome");
  EXPECT_EQ(install_manifests({find_browser("chrome")}, Scope::system, root.path(), {}, {"/h", {}})
                .error()
                .code,
            Code::unsafe_path);
  EXPECT_TRUE(std::filesystem::is_empty(root / "elsewhere"));
}

TEST(Manifest, HomeOfAnotherIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a folder to another user";
  const TempRoot root;
  std::filesystem::create_directories(root / "home");
  ASSERT_EQ(::chown((root / "home").c_str(), 65534, 65534), 0);
  EXPECT_EQ(
      install_manifests(all(), Scope::user, root.path(), root / "home", {"/h", {}}).error().code,
      Code::unsafe_path);
}

TEST(Manifest, RelativeHostIsRefused) {
  const TempRoot root;
  EXPECT_EQ(install_manifests(all(), Scope::user, root.path(), root.path(), {"h", {}}).error().code,
            Code::bad_request);
}

TEST(Manifest, ChromeAndBraveShareASystemFile) {
  const TempRoot root;
  const std::vector<const Browser*> both = {find_browser("chrome"), find_browser("brave")};
  const auto changes = install_manifests(both, Scope::system, root.path(), {}, {"/h", {}});
  EXPECT_EQ(changes->at(0).kind, Kind::create);
  EXPECT_EQ(changes->at(1).kind, Kind::none);
  EXPECT_EQ(changes->at(0).path, changes->at(1).path);
  const auto removed = remove_manifests({find_browser("brave")}, Scope::system, root.path(), {});
  EXPECT_EQ(removed->at(0).path, changes->at(0).path);
}

TEST(Manifest, SecondFirefoxFolderOnlyWhereTheDistributionHasIt) {
  const TempRoot root;
  const std::vector<const Browser*> firefox = {find_browser("firefox")};
  EXPECT_EQ(install_manifests(firefox, Scope::system, root.path(), {}, {"/h", {}})->size(), 1U);
  std::filesystem::create_directories(root / "usr/lib64/mozilla");
  EXPECT_EQ(install_manifests(firefox, Scope::system, root.path(), {}, {"/h", {}})->size(), 2U);
}

}  // namespace
}  // namespace icelock::policy
