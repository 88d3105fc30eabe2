// SPDX-License-Identifier: Apache-2.0
#include "app/helper.h"
#include "ipc/frame_client.h"

#include <unistd.h>

namespace icelock::app {
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
  const auto program = TRY(own_program(name));
  arguments.insert(arguments.begin(), program.string());
  const auto result = TRY(run_program(arguments, limit, as));
  ipc::Json answer = ipc::Json::parse(result.output, nullptr, false);
  if (!answer.is_object()) return fail(Code::internal, "gave no answer", std::string(name));
  if (!answer.contains("code")) return answer;
  return std::unexpected(ipc::error_of(answer));
}

}  // namespace icelock::app
