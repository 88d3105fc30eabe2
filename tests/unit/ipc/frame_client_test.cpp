// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame_client.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

namespace icelock::ipc {
namespace {

using namespace std::chrono_literals;
struct Folder {
  Folder() {
    std::string name = testing::TempDir() + "icelock-doors-XXXXXX";
    path = ::mkdtemp(name.data());
    ::chmod(path.c_str(), 0755);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

Fd listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));  // one that waits, as from systemd
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd.get(), 64), 0);
  ::chmod(path.c_str(), 0666);
  return fd;
}

void write_all(const Fd& fd, std::string_view bytes) {
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

TEST(FrameClient, SaysWhenNobodyListens) {
  const Folder folder;
  EXPECT_EQ(FrameClient::connect(folder.path / "door").error().code, Code::unavailable);
  const std::string deep(200, 'x');
  EXPECT_EQ(FrameClient::connect(folder.path / deep).error().code, Code::unavailable);
}

TEST(FrameClient, TrustsOnlyRootAndItself) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  const Folder folder;
  const Fd door = listen_at(folder.path / "door");
  EXPECT_TRUE(FrameClient::connect(folder.path / "door"));
  ::unlink((folder.path / "door").c_str());
  ::chmod(folder.path.c_str(), 0777);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    const Fd posing = listen_at(folder.path / "door");
    ::pause();
  }
  // Until it listens, nobody does.
  auto client = FrameClient::connect(folder.path / "door");
  for (int i = 0; i < 2000 && !client && client.error().code == Code::unavailable; ++i) {
    ::usleep(5000);
    client = FrameClient::connect(folder.path / "door");
  }
  EXPECT_EQ(client.error().code, Code::unknown_caller);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(FrameClient, KeepsWhatCameWithAnAnswer) {
  const Folder folder;
  const Fd door = listen_at(folder.path / "door");
  auto client = FrameClient::connect(folder.path / "door");
  ASSERT_TRUE(client);
  const Fd service(::accept(door.get(), nullptr, nullptr));
  write_all(service, *encode_frame(R"({"event":"state","n":1})") +
                         *encode_frame(R"({"v":1,"id":1,"ok":true,"n":2})") +
                         *encode_frame(R"({"event":"state","n":3})"));
  const auto answer = client->call("subscribe", Json::object(), 10s);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["n"], 2);
  EXPECT_THAT(client->receive().value(), testing::ElementsAre(R"({"event":"state","n":3})"));
  EXPECT_THAT(client->receive().value(), testing::IsEmpty());
}

TEST(FrameClient, EndsWhatItSentHalfOf) {
  const Folder folder;
  const Fd door = listen_at(folder.path / "door");
  auto client = FrameClient::connect(folder.path / "door");
  ASSERT_TRUE(client);
  const auto sent = client->send(std::string(900'000, 'x'));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::timeout);
  const auto rest = client->receive();
  ASSERT_FALSE(rest);
  EXPECT_EQ(rest.error().code, Code::io);
}

TEST(FrameClient, KnowsAServiceThatTakesNoMore) {
  const Folder folder;
  const Fd door = listen_at(folder.path / "door");
  std::vector<FrameClient> clients;
  auto next = FrameClient::connect(folder.path / "door");
  for (; next && clients.size() < 200; next = FrameClient::connect(folder.path / "door")) {
    clients.push_back(std::move(*next));
  }
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Code::busy);
}

}  // namespace
}  // namespace icelock::ipc
