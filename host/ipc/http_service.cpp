// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_service.h"

#include <exception>
#include <memory>
#include <utility>

namespace icelock::ipc {
namespace {

constexpr auto json_type = "application/json";

// cpp-httplib's handlers are given the request and nothing about whom it came from. A thread serves
// one connection at a time.
thread_local HttpConnection* serving = nullptr;

class Serving {
 public:
  explicit Serving(HttpConnection& connection) { serving = &connection; }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() { serving = nullptr; }
};

HttpServer::Reply reply_for(const Error& error) {
  return {info(error.code).http_status, failure(error), json_type};
}

Result<Json> arguments_of(const httplib::Request& request) {
  if (request.body.empty()) return Json::object();
  auto json = parse_json(request.body);
  if (json && !json->is_object()) return fail(Code::bad_request, "a body is an object");
  return json;
}

// What cpp-httplib refused, in our words.
Error error_for(int status, bool timed_out) {
  if (timed_out) return {Code::timeout, "the request did not come in time", ""};
  switch (status) {
    case 404:
      return {Code::unknown_op, "no such operation", ""};
    case 413:
    case 414:
      return {Code::too_large, "the request is too large", ""};
    case 500:
      return {Code::internal, "the request could not be served", ""};
    default:
      return {Code::bad_request, "not understood as HTTP/1.1", ""};
  }
}

}  // namespace

std::string refusal(const Error& error) {
  const auto reply = reply_for(error);
  // RFC 9112 section 4: the reason may be empty.
  return "HTTP/1.1 " + std::to_string(reply.status) + " \r\nContent-Type: " + json_type +
         "\r\nContent-Length: " + std::to_string(reply.body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + reply.body;
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
      streams_(limits.streams, limits.streams_per_uid) {
  // cpp-httplib takes a server without a socket for one that is shutting down, and ends streams.
  svr_sock_ = 0;
  set_payload_max_length(limits.body);
  set_default_headers({{"Cache-Control", "no-store"}});
  set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    // It would serve HEAD with the routes of GET.
    if (request.method != "HEAD") return HandlerResponse::Unhandled;
    response.status = 404;
    return HandlerResponse::Handled;
  });
  for (const auto& operation : operations()) {
    if (operation.path.empty()) continue;
    const httplib::Server::Handler handle = [this, &operation](const httplib::Request& request,
                                                               httplib::Response& response) {
      answer(operation, request, response);
    };
    const std::string path(operation.path);
    operation.method == "GET" ? Get(path, handle) : Post(path, handle);
  }
  set_exception_handler([](const httplib::Request&, httplib::Response& response,
                           const std::exception_ptr&) { response.status = 500; });
  set_error_handler(
      [this](const httplib::Request&, httplib::Response& response) { explain(response); });
}

void HttpService::serve(HttpConnection& connection) noexcept {
  try {
    const auto head = connection.receive_head();
    if (!head) {
      connection.send(refuse(connection.peer(), head.error()));
      return connection.drain();
    }
    if (!*head) return;
    const Serving scope(connection);
    bool closed = true;
    process_request(connection, true, closed, nullptr);
    if (connection.body_left() > 0) connection.drain();
  } catch (...) {
    // Want of memory. The connection is closed, which is all that can be done.
    return;
  }
}

std::string HttpService::refuse(const Peer& peer, const Error& error) const {
  refused_(peer, error);
  return refusal(error);
}

void HttpService::refuse(httplib::Response& response, const Error& error) const {
  refused_(serving->peer(), error);
  auto reply = reply_for(error);
  response.status = reply.status;
  response.set_content(reply.body, reply.content_type);
}

// Every answer from 400 up comes by here. One with a body was made by us or by the daemon.
void HttpService::explain(httplib::Response& response) const {
  if (response.body.empty()) refuse(response, error_for(response.status, serving->timed_out()));
}

void HttpService::answer(const Operation& operation, const httplib::Request& request,
                         httplib::Response& response) {
  // The library decodes the path and splits a query off; we have one spelling for each thing.
  if (request.target != operation.path) {
    return refuse(response, error_for(404, false));
  }
  if (request.method == "GET" && request.get_header_value("Content-Length") != "0") {
    return refuse(response, {Code::bad_request, "a GET has no body", "Content-Length"});
  }
  const auto arguments = arguments_of(request);
  if (!arguments) return refuse(response, arguments.error());
  if (operation.name == "subscribe") return begin_events(response);
  const auto reply = ask(*serving, operation, *arguments);
  serving->begin_answer();
  response.status = reply.status;
  response.set_content(reply.body, reply.content_type);
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

void HttpService::begin_events(httplib::Response& response) {
  auto& connection = *serving;
  // The place first: what changes after the first answer rings its bell.
  auto place = streams_.open(connection.peer());
  if (!place) return refuse(response, place.error());
  const auto first = ask(connection, *find_operation("status"), Json::object());
  connection.begin_answer();
  response.status = first.status;
  if (first.status != 200) return response.set_content(first.body, first.content_type);
  response.set_content_provider(
      "text/event-stream",
      [this, &connection, place = *std::move(place), text = event_text("state", first.body)](
          std::size_t, const httplib::DataSink& sink) {
        return send_events(connection, *place, text, sink);
      });
}

// Runs for the life of the stream; false is how a provider says that there is no more to come.
bool HttpService::send_events(HttpConnection& connection, Place& place, std::string text,
                              const httplib::DataSink& sink) const {
  const auto& status = *find_operation("status");
  for (;;) {
    if (!sink.write(text.data(), text.size())) return false;
    const auto wake = connection.wait_for(place.bell(), limits_.heartbeat);
    if (wake == HttpConnection::Wake::gone) return false;
    if (wake == HttpConnection::Wake::quiet) {
      text = ":\n\n";
    } else {
      place.silence();
      const auto reply = ask(connection, status, Json::object());
      if (reply.status != 200) return false;
      text = event_text("state", reply.body);
    }
    connection.begin_answer();
  }
}

}  // namespace icelock::ipc
