// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <httplib.h>

#include <string>
#include <string_view>

#include "ipc/http_connection.h"
#include "ipc/http_server.h"
#include "ipc/http_streams.h"

namespace icelock::ipc {

/// A whole answer for an error, for where no request was read.
std::string refusal(const Error& error);
/// One server-sent event; data may have several lines (WHATWG HTML, section 9.2.6).
std::string event_text(std::string_view name, std::string_view data);

/// What is said on a connection. cpp-httplib parses the request line, finds the route, reads the
/// body and writes the answer; it never sees the sockets, so of its Server only process_request, a
/// protected member of 0.11, is used. serve() is for any number of threads at once.
class HttpService : private httplib::Server {
 public:
  HttpService(HttpServer::Handler handler, HttpServer::Refused refused, const HttpLimits& limits);

  /// Reads one request and answers it. Nothing escapes.
  void serve(HttpConnection& connection) noexcept;
  /// Reports a refusal, and gives the answer that says so.
  std::string refuse(const Peer& peer, const Error& error) const;
  void state_changed() { streams_.ring(); }

 private:
  using Reply = HttpServer::Reply;
  using Place = EventStreams::Place;

  void answer(const Operation& operation, const httplib::Request& request,
              httplib::Response& response);
  void begin_events(httplib::Response& response);
  bool send_events(HttpConnection& connection, Place& place, std::string text,
                   const httplib::DataSink& sink) const;
  Reply ask(const HttpConnection& connection, const Operation& operation,
            const Json& arguments) const;
  void refuse(httplib::Response& response, const Error& error) const;
  void explain(httplib::Response& response) const;

  HttpServer::Handler handler_;
  HttpServer::Refused refused_;
  const HttpLimits& limits_;
  EventStreams streams_;
};

}  // namespace icelock::ipc
