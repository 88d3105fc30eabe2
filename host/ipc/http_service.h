// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "ipc/http_connection.h"
#include "ipc/http_server.h"
#include "ipc/http_streams.h"

namespace icelock::ipc {

/// A whole answer, with nothing after it (RFC 9112 section 4: the reason may be empty).
std::string answer_text(const HttpServer::Reply& reply);
/// One server-sent event; data may have several lines (WHATWG HTML, section 9.2.6).
std::string event_text(std::string_view name, std::string_view data);

/// What is said on a connection: finds the operation, asks the handler, writes the answer. serve()
/// is for any number of threads at once.
class HttpService {
 public:
  HttpService(HttpServer::Handler handler, HttpServer::Refused refused, const HttpLimits& limits);

  /// Reads one request and answers it. Nothing escapes.
  void serve(HttpConnection& connection) noexcept;
  /// Reports a refusal, and gives the answer that says so.
  std::string refuse(const Peer& peer, const Error& error) const;
  void state_changed() { streams_.ring(); }

 private:
  using Reply = HttpServer::Reply;

  Result<void> answer(HttpConnection& connection, const HttpHead& head);
  Result<void> send_events(HttpConnection& connection);
  Reply ask(const HttpConnection& connection, const Operation& operation,
            const Json& arguments) const;

  HttpServer::Handler handler_;
  HttpServer::Refused refused_;
  const HttpLimits& limits_;
  EventStreams streams_;
};

}  // namespace icelock::ipc
