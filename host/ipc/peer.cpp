// SPDX-License-Identifier: Apache-2.0
#include "ipc/peer.h"

#include <sys/socket.h>

#include <algorithm>

namespace icelock::ipc {
namespace {

// NGROUPS_MAX is 65536; nobody has so many, and whoever has more than this is no member.
constexpr std::size_t most_groups = 1024;

std::vector<gid_t> groups_of(int socket) {
  std::vector<gid_t> groups(most_groups);
  auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return {};
  groups.resize(size / sizeof(gid_t));
  return groups;
}

}  // namespace

Peer peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      size != sizeof credentials || credentials.uid == static_cast<uid_t>(-1)) {
    return {};
  }
  Peer peer{.uid = credentials.uid, .pid = credentials.pid, .groups = groups_of(socket)};
  peer.groups.push_back(credentials.gid);
  return peer;
}

uid_t user_of(const Peer& peer) {
  return peer.uid.value_or(static_cast<uid_t>(-1));
}

Right right_of(const Peer& peer, std::optional<gid_t> group) {
  if (!peer.uid) return Right::read;
  if (*peer.uid == 0) return Right::root;
  const bool member = group && std::ranges::find(peer.groups, *group) != peer.groups.end();
  return member ? Right::mode : Right::read;
}

std::string describe(const Peer& peer) {
  if (!peer.uid) return "an unknown peer";
  return "uid " + std::to_string(*peer.uid) + " (pid " + std::to_string(peer.pid) + ")";
}

}  // namespace icelock::ipc
