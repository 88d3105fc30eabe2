// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace icelock::ipc {

/// Who is at the other end of a Unix socket, by the kernel's word (SO_PEERCRED and SO_PEERGROUPS,
/// unix(7)): as they were when the peer connected.
struct Peer {
  std::optional<uid_t> uid;  ///< none: the kernel would not say
  pid_t pid = 0;             ///< for the log only: pids are used again
  std::vector<gid_t> groups;
};

Peer peer_of(int socket);

/// Whom a peer counts as: all whom the kernel would not name are one user.
uid_t user_of(const Peer& peer);

/// What somebody may do. Each holds the ones before it.
enum class Right {
  read,  ///< everybody on this machine, and whoever the kernel cannot name
  mode,  ///< members of the group icelock: mode and sites, never below the admin's floor
  root,  ///< what changes files of the machine
};

/// `group`: icelock's, none when the machine has no such group; then only root may change anything.
Right right_of(const Peer& peer, std::optional<gid_t> group);

/// "uid 1000 (pid 4242)", for the log.
std::string describe(const Peer& peer);

}  // namespace icelock::ipc
