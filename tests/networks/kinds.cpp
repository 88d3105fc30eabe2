// SPDX-License-Identifier: Apache-2.0
// To be preloaded into a program under test: links that the situation made of a tun or tap look
// like the kinds that it stands for, in the kernel's own messages on their way in. Kernels without
// ppp, sit, wireguard and the like can so be tested through the outermost door.
//
// ICELOCK_TEST_KINDS holds one line for each such link, with blanks between the fields and "-" for
// what is not there:
//   NAME ARPHRD KIND PARENT_DEVICE INFO_DATA(hex)

#include <dlfcn.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

namespace {

struct Kind {
  unsigned short hardware = 0;
  std::string name;
  std::string parent;
  std::string data;
};

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    const std::string digits(hex.substr(at, 2));
    bytes.push_back(static_cast<char>(std::strtoul(digits.c_str(), nullptr, 16)));
  }
  return bytes;
}

std::map<std::string, Kind> read_kinds() {
  std::map<std::string, Kind> kinds;
  const char* text = std::getenv("ICELOCK_TEST_KINDS");
  std::istringstream lines(text ? text : "");
  std::string name;
  std::string data;
  Kind kind;
  while (lines >> name >> kind.hardware >> kind.name >> kind.parent >> data) {
    if (kind.name == "-") kind.name.clear();
    if (kind.parent == "-") kind.parent.clear();
    kind.data = bytes_of_hex(data);
    kinds[name] = kind;
  }
  return kinds;
}

void pad(std::string& bytes) {
  bytes.resize(NLMSG_ALIGN(bytes.size()));
}

std::string attribute(unsigned short type, std::string_view payload) {
  rtattr header{};
  header.rta_len = static_cast<unsigned short>(RTA_LENGTH(payload.size()));
  header.rta_type = type;
  std::string result(reinterpret_cast<const char*>(&header), sizeof header);
  result.append(payload);
  pad(result);
  return result;
}

std::string text_attribute(unsigned short type, const std::string& text) {
  return attribute(type, std::string_view(text.c_str(), text.size() + 1));
}

std::string_view payload_of(const rtattr* each) {
  return {static_cast<const char*>(RTA_DATA(each)), static_cast<std::size_t>(RTA_PAYLOAD(each))};
}

bool is_replaced(unsigned short type) {
  return type == IFLA_LINKINFO || type == IFLA_PARENT_DEV_NAME || type == IFLA_PARENT_DEV_BUS_NAME;
}

std::string rewritten(const nlmsghdr* message, const std::map<std::string, Kind>& kinds) {
  const std::string original(reinterpret_cast<const char*>(message), message->nlmsg_len);
  if (message->nlmsg_type != RTM_NEWLINK) return original;
  ifinfomsg info = *static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  std::string name;
  std::string kept;
  const auto* first = reinterpret_cast<const char*>(message) + NLMSG_SPACE(sizeof info);
  auto left = static_cast<int>(message->nlmsg_len - NLMSG_SPACE(sizeof info));
  for (const auto* each = reinterpret_cast<const rtattr*>(first); RTA_OK(each, left);
       each = RTA_NEXT(each, left)) {
    const unsigned short type = each->rta_type & NLA_TYPE_MASK;
    if (type == IFLA_IFNAME) name = payload_of(each).data();
    if (!is_replaced(type)) kept += attribute(each->rta_type, payload_of(each));
  }
  const auto kind = kinds.find(name);
  if (kind == kinds.end()) return original;

  info.ifi_type = kind->second.hardware;
  if (!kind->second.name.empty()) {
    std::string linkinfo = text_attribute(IFLA_INFO_KIND, kind->second.name);
    if (!kind->second.data.empty()) {
      linkinfo += attribute(IFLA_INFO_DATA | NLA_F_NESTED, kind->second.data);
    }
    kept += attribute(IFLA_LINKINFO | NLA_F_NESTED, linkinfo);
  }
  if (!kind->second.parent.empty()) {
    kept += text_attribute(IFLA_PARENT_DEV_NAME, kind->second.parent);
    kept += text_attribute(IFLA_PARENT_DEV_BUS_NAME, "pci");
  }
  nlmsghdr header = *message;
  header.nlmsg_len = static_cast<unsigned>(NLMSG_LENGTH(sizeof info) + kept.size());
  std::string result(reinterpret_cast<const char*>(&header), sizeof header);
  result.append(reinterpret_cast<const char*>(&info), sizeof info);
  return result + kept;
}

std::string rewritten(std::string_view datagram) {
  static const auto kinds = read_kinds();
  std::string result;
  auto left = static_cast<unsigned>(datagram.size());
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
    result += rewritten(message, kinds);
    pad(result);
  }
  return result;
}

bool is_netlink(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) ssize_t recvmsg(int descriptor, msghdr* message,
                                                                  int flags) {
  using Function = ssize_t (*)(int, msghdr*, int);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "recvmsg"));
  const ssize_t size = real(descriptor, message, flags);
  if (size <= 0 || message->msg_iovlen != 1 || (message->msg_flags & MSG_TRUNC) != 0 ||
      !is_netlink(descriptor)) {
    return size;
  }
  iovec& part = message->msg_iov[0];
  const std::string_view datagram(static_cast<const char*>(part.iov_base),
                                  static_cast<std::size_t>(size));
  const std::string result = rewritten(datagram);
  if (result.size() > part.iov_len) {
    std::fputs("kinds: the rewritten messages do not fit their reader's buffer\n", stderr);
    std::abort();
  }
  std::memcpy(part.iov_base, result.data(), result.size());
  return static_cast<ssize_t>(result.size());
}
