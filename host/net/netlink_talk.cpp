// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_talk.h"

#include <libmnl/libmnl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace icelock::net::netlink {
namespace {

std::unexpected<Error> not_understood(const std::string& what) {
  return fail(Code::probe_failed, what + ": the kernel's reply could not be understood");
}

std::unexpected<Error> refused(const std::string& what, int error_number) {
  return fail(Code::probe_failed, what + ": " + std::strerror(error_number));
}

/// What one dump has come to.
struct Progress {
  bool interrupted = false;
  bool done = false;
  bool malformed = false;
  bool enough = false;
  int error_number = 0;

  /// False when there is nothing more to read in this datagram.
  bool take(const nlmsghdr& message, const Talk::Each& each) {
    interrupted = interrupted || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR) {
      const auto code = read_errno(message);
      malformed = !code || (message.nlmsg_type == NLMSG_ERROR && *code == 0);
      error_number = code.value_or(0);
      done = true;
      return false;
    }
    if (message.nlmsg_type == NLMSG_OVERRUN) malformed = true;
    if (message.nlmsg_type < NLMSG_MIN_TYPE) return !malformed;
    const Read result = each(message);
    malformed = malformed || result == Read::malformed;
    enough = result == Read::enough;
    return !malformed && !enough;
  }
};

}  // namespace

Result<Talk::End> Talk::dump(Request request, const std::string& what, const Each& each,
                             std::size_t limit) {
  const std::uint32_t sequence = ++sequence_;
  request.header()->nlmsg_seq = sequence;
  if (auto sent = wire_->send(request.bytes()); !sent) return std::unexpected(sent.error());
  Progress progress;
  for (std::size_t total = 0; total <= limit;) {
    const auto datagram = wire_->receive();
    if (!datagram) return std::unexpected(datagram.error());
    const bool whole = for_each_message(*datagram, [&](const nlmsghdr& message) {
      return message.nlmsg_seq != sequence || progress.take(message, each);
    });
    if (!whole || progress.malformed) return not_understood(what);
    if (progress.error_number != 0) return refused(what, progress.error_number);
    if (progress.enough) return End::cut;
    if (progress.done) return progress.interrupted ? End::interrupted : End::whole;
    total += datagram->size();
  }
  return End::cut;
}

Result<std::vector<Answer>> Talk::ask(std::span<const Question> questions) {
  // So many replies fit into a socket's queue while nobody reads it.
  constexpr std::size_t at_once = 64;
  std::vector<Answer> answers;
  answers.reserve(questions.size());
  for (; !questions.empty(); questions = questions.subspan(std::min(at_once, questions.size()))) {
    auto some = ask_some(questions.first(std::min(at_once, questions.size())));
    if (!some) return some;
    answers.insert(answers.end(), some->begin(), some->end());
  }
  return answers;
}

Result<std::vector<Answer>> Talk::ask_some(std::span<const Question> questions) {
  std::vector<std::byte> bytes;
  const std::uint32_t first = sequence_ + 1;
  for (const Question& question : questions) {
    Request request = route_question(question);
    request.header()->nlmsg_seq = ++sequence_;
    bytes.insert(bytes.end(), request.bytes().begin(), request.bytes().end());
  }
  if (auto sent = wire_->send(bytes); !sent) return std::unexpected(sent.error());

  std::vector<std::optional<Answer>> answers(questions.size());
  for (std::size_t missing = answers.size(); missing > 0;) {
    const auto datagram = wire_->receive();
    if (!datagram) return std::unexpected(datagram.error());
    const bool whole = for_each_message(*datagram, [&](const nlmsghdr& message) {
      const std::uint32_t at = message.nlmsg_seq - first;
      if (at >= answers.size() || answers[at]) return true;
      answers[at] = read_answer(message, questions[at].destination);
      --missing;
      return true;
    });
    if (!whole) return not_understood("asking for routes");
  }
  std::vector<Answer> result;
  result.reserve(answers.size());
  for (const auto& answer : answers) result.push_back(answer.value_or(Answer{}));
  return result;
}

}  // namespace icelock::net::netlink
