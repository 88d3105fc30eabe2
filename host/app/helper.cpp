// SPDX-License-Identifier: Apache-2.0
#include "app/helper.h"

#include <unistd.h>

#include <algorithm>

namespace icelock::app {
namespace {

Code code_of(const ipc::Json& answer) {
  const std::string word = ipc::string_field(answer, "code").value_or("");
  const auto row = std::ranges::find(codes(), word, &CodeInfo::name);
  return row == codes().end() ? Code::internal : row->code;
}

}  // namespace

Result<std::filesystem::path> own_program(std::string_view name) {
  std::error_code problem;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (problem) return fail_errno(problem.value(), "cannot find the program's own folder");
  const auto folder = self.parent_path();
  for (const auto& place : {folder / name, folder / ".." / ICELOCK_HELPER_FOLDER / name}) {
    if (::access(place.c_str(), X_OK) == 0) return place;
  }
  return fail(Code::unavailable, "this installation has no such program", std::string(name));
}

Result<ipc::Json> ask_program(std::string_view name, std::vector<std::string> arguments,
                              std::chrono::milliseconds limit, std::optional<User> as) {
  const auto program = own_program(name);
  if (!program) return std::unexpected(program.error());
  arguments.insert(arguments.begin(), program->string());
  const auto result = run_program(arguments, limit, as);
  if (!result) return std::unexpected(result.error());
  ipc::Json answer = ipc::Json::parse(result->output, nullptr, false);
  if (!answer.is_object()) return fail(Code::internal, "gave no answer", std::string(name));
  if (!answer.contains("code")) return answer;
  return fail(code_of(answer), ipc::string_field(answer, "what").value_or("failed"),
              ipc::string_field(answer, "object").value_or(std::string(name)));
}

}  // namespace icelock::app
