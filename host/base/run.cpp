// SPDX-License-Identifier: Apache-2.0
#include "base/run.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>

namespace icelock {

Result<RunResult> run_program(const std::vector<std::string>& argv,
                              std::chrono::milliseconds limit) {
  namespace asio = boost::asio;
  namespace process = boost::process::v2;
  if (argv.empty()) return fail(Code::internal, "no program to run");

  constexpr std::size_t output_limit = 1 << 20;
  asio::io_context context;
  asio::readable_pipe pipe(context);
  asio::steady_timer timer(context, limit);
  RunResult result;
  boost::system::error_code start_problem;
  boost::system::error_code read_problem;
  boost::system::error_code wait_problem;
  bool late = false;

  const std::vector<std::string> arguments(argv.begin() + 1, argv.end());
  process::process child =
      process::default_process_launcher()(context.get_executor(), start_problem, argv.front(),
                                          arguments, process::process_stdio{nullptr, pipe, {}});
  if (start_problem) {
    return fail_errno(start_problem.value(), "cannot run", argv.front());
  }

  int open_ends = 2;
  auto one_end_done = [&] {
    if (--open_ends == 0) timer.cancel();
  };
  auto buffer = asio::dynamic_buffer(result.output, output_limit);
  asio::async_read(pipe, buffer, [&](boost::system::error_code problem, std::size_t) {
    read_problem = problem;
    if (!problem) child.terminate(wait_problem);  // the buffer is full and more is coming
    one_end_done();
  });
  child.async_wait([&](boost::system::error_code problem, int code) {
    wait_problem = problem;
    result.exit_code = code;
    one_end_done();
  });
  timer.async_wait([&](boost::system::error_code problem) {
    if (problem) return;
    late = true;
    boost::system::error_code ignored;
    child.terminate(ignored);
    pipe.close(ignored);
  });
  context.run();

  if (late) return fail(Code::timeout, "took too long", argv.front());
  if (!read_problem) return fail(Code::too_large, "wrote too much", argv.front());
  if (wait_problem) return fail_errno(wait_problem.value(), "cannot wait for", argv.front());
  return result;
}

}  // namespace icelock
