// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_service.h"

#include <algorithm>
#include <utility>

namespace icelock::ipc {
namespace {

constexpr std::string_view json_type = "application/json";

HttpServer::Reply reply_for(const Error& error) {
  return {info(error.code).http_status, failure(error), std::string(json_type)};
}

Result<Json> arguments_of(const std::string& body) {
  if (body.empty()) return Json::object();
  auto json = parse_json(body);
  if (json && !json->is_object()) return fail(Code::bad_request, "a body is an object");
  return json;
}

// There is one spelling for each thing: nothing is decoded, and a query is part of the name.
Result<const Operation*> operation_of(const HttpHead& head) {
  const auto row = std::ranges::find_if(operations(), [&](const Operation& one) {
    return one.method == head.method && one.path == head.target && !one.path.empty();
  });
  if (row == operations().end()) return fail(Code::unknown_op, "no such operation");
  if (head.method == "GET" && head.content_length > 0) {
    return fail(Code::bad_request, "a GET has no body", "Content-Length");
  }
  return &*row;
}

std::string head_text(int status, std::string_view content_type) {
  return "HTTP/1.1 " + std::to_string(status) + " \r\nContent-Type: " + std::string(content_type) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n";
}

}  // namespace

std::string answer_text(const HttpServer::Reply& reply) {
  return head_text(reply.status, reply.content_type) +
         "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n" + reply.body;
}

std::string event_text(std::string_view name, std::string_view data) {
  std::string text = "event: ";
  text += name;
  text += "\ndata: ";
  for (const char c : data) {
    // Each of CR and LF ends a line there; JSON has them between values only.
    if (c == '\n') {
      text += "\ndata: ";
    } else if (c != '\r') {
      text += c;
    }
  }
  return text + "\n\n";
}

HttpService::HttpService(HttpServer::Handler handler, HttpServer::Refused refused,
                         const HttpLimits& limits)
    : handler_(std::move(handler)),
      refused_(std::move(refused)),
      limits_(limits),
      streams_(limits.streams, limits.streams_per_uid) {}

void HttpService::serve(HttpConnection& connection) noexcept {
  try {
    const auto head = connection.receive_head();
    if (head && !*head) return;
    const auto served = head ? answer(connection, **head) : std::unexpected(head.error());
    if (served) return;
    auto text = refuse(connection.peer(), served.error());
    // RFC 9110 section 9.3.2.
    if (head && (*head)->method == "HEAD") text.resize(text.find("\r\n\r\n") + 4);
    connection.begin_answer();
    connection.send(text);
    connection.drain();
  } catch (...) {
    // Want of memory. The connection is closed, which is all that can be done.
    return;
  }
}

std::string HttpService::refuse(const Peer& peer, const Error& error) const {
  refused_(peer, error);
  return answer_text(reply_for(error));
}

Result<void> HttpService::answer(HttpConnection& connection, const HttpHead& head) {
  const auto operation = operation_of(head);
  if (!operation) return std::unexpected(operation.error());
  const auto body = connection.receive_body(head);
  if (!body) return std::unexpected(body.error());
  const auto arguments = arguments_of(*body);
  if (!arguments) return std::unexpected(arguments.error());
  if ((*operation)->name == "subscribe") return send_events(connection);
  const auto reply = ask(connection, **operation, *arguments);
  connection.begin_answer();
  connection.send(answer_text(reply));
  return {};
}

HttpService::Reply HttpService::ask(const HttpConnection& connection, const Operation& operation,
                                    const Json& arguments) const {
  const Peer& peer = connection.peer();
  try {
    return handler_(peer, operation, arguments, [&connection] { return connection.left(); });
  } catch (...) {
    const Error error{Code::internal, "the request could not be served", ""};
    refused_(peer, error);
    return reply_for(error);
  }
}

// Runs for the life of the stream.
Result<void> HttpService::send_events(HttpConnection& connection) {
  // The place first: what changes after the first answer rings its bell.
  const auto place = streams_.open(connection.peer());
  if (!place) return std::unexpected(place.error());
  const auto& status = *find_operation("status");
  auto reply = ask(connection, status, Json::object());
  std::string text = reply.status == 200 ? head_text(200, "text/event-stream") + "\r\n" +
                                               event_text("state", reply.body)
                                         : answer_text(reply);
  connection.begin_answer();
  while (connection.send(text) && reply.status == 200) {
    const auto wake = connection.wait_for((*place)->bell(), limits_.heartbeat);
    if (wake == HttpConnection::Wake::gone) break;
    text = ":\n\n";
    if (wake == HttpConnection::Wake::rung) {
      (*place)->silence();
      reply = ask(connection, status, Json::object());
      if (reply.status != 200) break;
      text = event_text("state", reply.body);
    }
    connection.begin_answer();
  }
  return {};
}

}  // namespace icelock::ipc
