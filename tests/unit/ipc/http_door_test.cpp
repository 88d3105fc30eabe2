// SPDX-License-Identifier: Apache-2.0
#include "http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <stdexcept>

namespace icelock::ipc {
namespace {

using namespace testing;

class HttpDoorTest : public ServerTest {
 protected:
  // The answer is a refusal with this code, in the form of docs/protocol.md, and was reported.
  void expect_refused(std::string_view request, Code code) {
    SCOPED_TRACE(request.substr(0, 200));
    const auto before = refusals(code);
    const auto answer = exchange(request);
    EXPECT_EQ(answer.status, info(code).http_status) << answer.head << answer.body;
    const auto json = answer.json();
    ASSERT_TRUE(json.is_object()) << answer.body;
    EXPECT_EQ(json.value("v", 0), 1);
    EXPECT_EQ(json.value("ok", true), false);
    EXPECT_EQ(json.value("code", ""), info(code).name);
    EXPECT_FALSE(json.value("what", "").empty());
    EXPECT_TRUE(json.contains("object"));
    EXPECT_NE(answer.head.find("application/json"), std::string::npos);
    EXPECT_EQ(refusals(code), before + 1);
  }
};

TEST_F(HttpDoorTest, EachRowIsReachedByItsMethodAndPathAlone) {
  start();
  for (const auto& operation : operations()) {
    if (operation.path.empty() || operation.name == "subscribe") continue;
    const bool is_get = operation.method == "GET";
    const auto answer = exchange(is_get ? get(operation.path) : post(operation.path, "{}"));
    EXPECT_EQ(answer.status, 200) << operation.path;
    EXPECT_EQ(answer.body, operation.name == "metrics" ? "up 1\n" : served(1));
    EXPECT_NE(answer.head.find("Connection: close\r\n"), std::string::npos) << answer.head;
    ASSERT_FALSE(heard().empty());
    EXPECT_EQ(heard().back().operation, operation.name);
    expect_refused(is_get ? post(operation.path, "{}") : get(operation.path), Code::unknown_op);
  }
  EXPECT_EQ(refusals(Code::unknown_op), heard().size());
}

TEST_F(HttpDoorTest, AnythingElseIsUnknown) {
  start();
  for (const char* path : {"/", "/v1", "/v1/status/", "/v1/status?x=1", "/v1/status?",
                           "//v1/status", "/v1/%73tatus", "/v1/statusx", "/v1/report", "*",
                           "/V1/status", "/v1/../v1/status", "http://icelock/v1/status"}) {
    expect_refused(get(path), Code::unknown_op);
  }
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "PATCH"}) {
    expect_refused(std::string(method) + " /v1/status HTTP/1.1\r\nHost: icelock\r\n\r\n",
                   Code::unknown_op);
  }
  EXPECT_TRUE(heard().empty());
}

TEST_F(HttpDoorTest, HeadIsNoWayRoundTheTable) {
  start();
  const auto answer = exchange("HEAD /v1/events HTTP/1.1\r\nHost: icelock\r\n\r\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(refusals(Code::unknown_op), 1U);
  EXPECT_TRUE(heard().empty());
}

TEST_F(HttpDoorTest, WhatIsNotHttpIsABadRequest) {
  start();
  for (const char* text :
       {"GET\r\nHost: icelock\r\n\r\n", "\r\n\r\n", "GET /v1/status\r\nHost: icelock\r\n\r\n",
        "GET /v1/status HTTP/2.0\r\nHost: icelock\r\n\r\n",
        "GET /v1/status HTTP/1.1 x\r\nHost: icelock\r\n\r\n",
        "BREW /v1/status HTTP/1.1\r\nHost: icelock\r\n\r\n",
        "POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nTransfer-Encoding: chunked"
        "\r\n\r\n2\r\n{}\r\n0\r\n\r\n"}) {
    expect_refused(text, Code::bad_request);
  }
  EXPECT_TRUE(heard().empty());
}

TEST_F(HttpDoorTest, OldHttpIsSpokenToo) {
  start();
  EXPECT_EQ(exchange("GET /v1/status HTTP/1.0\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST_F(HttpDoorTest, PagesAreNotServed) {
  start();
  expect_refused(get("/v1/status", "Origin: null\r\n"), Code::not_permitted);
  expect_refused(get("/v1/status", "Origin:\r\n"), Code::not_permitted);
  expect_refused(get("/v1/status", "referer: http://icelock/\r\n"), Code::not_permitted);
  expect_refused("GET /v1/status HTTP/1.1\r\nHost: example.org\r\n\r\n", Code::not_permitted);
  expect_refused("GET /v1/status HTTP/1.1\r\n\r\n", Code::not_permitted);
  expect_refused("GET /v1/status HTTP/1.0\r\n\r\n", Code::not_permitted);
  EXPECT_TRUE(heard().empty());
}

TEST_F(HttpDoorTest, BodiesAreObjects) {
  start();
  EXPECT_EQ(exchange(post("/v1/mode", R"({"mode":"auto"})")).status, 200);
  EXPECT_EQ(heard().back().arguments, Json({{"mode", "auto"}}));
  EXPECT_EQ(exchange(post("/v1/mode", "")).status, 200);
  EXPECT_EQ(heard().back().arguments, Json::object());
  // No length means no body, not one that lasts until the client closes (RFC 9112 section 6.3).
  EXPECT_EQ(exchange("POST /v1/mode HTTP/1.1\r\nHost: icelock\r\n\r\n").status, 200);
  EXPECT_EQ(heard().back().arguments, Json::object());
  EXPECT_EQ(heard().size(), 3U);

  expect_refused(post("/v1/mode", "{"), Code::bad_json);
  expect_refused(post("/v1/mode", "{} {}"), Code::bad_json);
  expect_refused(post("/v1/mode", "\xff"), Code::bad_json);
  expect_refused(post("/v1/mode", R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}"),
                 Code::bad_json);
  expect_refused(post("/v1/mode", std::string(60'000, '[')), Code::bad_json);
  expect_refused(post("/v1/mode", "[]"), Code::bad_request);
  expect_refused(post("/v1/mode", "null"), Code::bad_request);
  expect_refused("GET /v1/status HTTP/1.1\r\nHost: icelock\r\nContent-Length: 2\r\n\r\n{}",
                 Code::bad_request);
  EXPECT_EQ(heard().size(), 3U);
}

TEST_F(HttpDoorTest, FormsAreNoArguments) {
  start();
  // What curl -d says by itself.
  const auto answer = exchange(
      "POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nContent-Length: 15\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\n\r\n{\"mode\":\"auto\"}");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(heard().back().arguments, Json({{"mode", "auto"}}));
}

TEST_F(HttpDoorTest, BodiesHaveALimit) {
  start([](Limits& limits) { limits.request_of_root = accept_limit; });
  const std::string full = "{}" + std::string(accept_limit - 2, ' ');
  EXPECT_EQ(exchange(post("/v1/mode", full)).status, 200);
  expect_refused(post("/v1/mode", full + " "), Code::too_large);
  expect_refused(post("/v1/mode", std::string(1024 * 1024, ' ')), Code::too_large);
  expect_refused(
      "POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nContent-Length: 18446744073709551615"
      "\r\n\r\n{}",
      Code::too_large);
  EXPECT_EQ(heard().size(), 1U);
}

TEST_F(HttpDoorTest, WhoeverSendsTooMuchIsHeardOutALittleAndThenSeesWhy) {
  start([](Limits& limits) { limits.request_of_root = accept_limit; });
  Client client(name);
  EXPECT_TRUE(client.send(post("/v1/mode", std::string(1024 * 1024, ' '))));
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "too_large");
}

TEST_F(HttpDoorTest, HeadersHaveALimit) {
  start();
  const auto with_header_of = [](std::size_t size) {
    const auto without = get("/v1/status", "X: \r\n").size();
    return get("/v1/status", "X: " + std::string(size - without, 'x') + "\r\n");
  };
  EXPECT_EQ(exchange(with_header_of(16 * 1024)).status, 200);
  expect_refused(with_header_of(16 * 1024 + 1), Code::too_large);
  std::string many;
  for (int i = 0; i < 4000; ++i) many += "X: 1\r\n";
  expect_refused(get("/v1/status", many), Code::too_large);
  expect_refused(get("/" + std::string(10'000, 'x')), Code::too_large);
  std::string ranges = "bytes=0-1";
  for (int i = 0; i < 3500; ++i) ranges += ",0-1";
  EXPECT_EQ(exchange(get("/v1/status", "Range: " + ranges + "\r\n")).body, served(1));
}

TEST_F(HttpDoorTest, AskingBeforeSendingABodyWorks) {
  start();
  Client client(name);
  client.send(
      "POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nContent-Length: 2\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_TRUE(client.receive("\r\n\r\n").starts_with("HTTP/1.1 100 "));
  client.send("{}");
  EXPECT_EQ(parse_answer(client.receive()).status, 200);
}

TEST_F(HttpDoorTest, AHalfClosedClientIsAnswered) {
  start();
  Client client(name);
  client.send(get("/v1/status"));
  client.end_sending();
  EXPECT_EQ(parse_answer(client.receive()).status, 200);
}

TEST_F(HttpDoorTest, OneRequestPerConnection) {
  start();
  const auto answer = exchange(get("/v1/status") + get("/metrics"));
  EXPECT_EQ(answer.body, served(1));
  EXPECT_EQ(heard().size(), 1U);
}

TEST_F(HttpDoorTest, ThePeerIsTheKernelsWord) {
  start();
  exchange(get("/v1/status", "X-Uid: 0\r\nRemote-Addr: uid:0\r\n"));
  EXPECT_EQ(heard().back().peer.uid, ::geteuid());
  EXPECT_EQ(heard().back().peer.pid, ::getpid());
  auto nobody = connect_as_nobody(name);
  nobody.send(get("/v1/status", "X-Uid: 0\r\n"));
  nobody.receive();
  EXPECT_EQ(heard().back().peer.uid, is_root() ? 65534 : ::geteuid());
}

class OtherAnswers : public ServerTest {
  std::optional<Result<Json>> handle(const Operation& operation) override {
    if (operation.name == "metrics") return Json{{"text", text_of_metrics}};
    if (operation.name == "plan") return fail(Code::not_permitted, "only root", "plan");
    if (operation.name == "audit") throw std::runtime_error("secret");
    if (operation.name == "apply") throw 7;
    return Json{{"text", std::string(3'000'000, 'x')}};
  }

 protected:
  Json text_of_metrics = "icelock_up 1\n";
};

TEST_F(OtherAnswers, TheDaemonsAnswerIsPassedOn) {
  start();
  const auto metrics = exchange(get("/metrics", "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(metrics.status, 200);
  EXPECT_EQ(metrics.body, "icelock_up 1\n");
  EXPECT_NE(metrics.head.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  const auto plan = exchange(post("/v1/plan", "{}"));
  EXPECT_EQ(plan.status, 403);
  EXPECT_EQ(plan.json(), Json::parse(R"({"v":1,"id":null,"ok":false,"code":"not_permitted",)"
                                     R"("what":"only root","object":"plan"})"));
  EXPECT_EQ(refusals(), 0U) << "the daemon's own refusals are its own to report";
  const auto status = exchange(get("/v1/status", "Range: bytes=0-1\r\n"));
  EXPECT_EQ(status.status, 200);
  EXPECT_EQ(status.json().value("text", "").size(), 3'000'000U);
}

TEST_F(OtherAnswers, WhatTheHandlerThrowsStaysInside) {
  start();
  for (const std::string& request : {get("/v1/audit"), post("/v1/apply", "{}")}) {
    const auto answer = exchange(request);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.json().value("code", ""), "internal");
    EXPECT_EQ((answer.head + answer.body).find("secret"), std::string::npos);
  }
  EXPECT_EQ(refusals(Code::internal), 2U);
  on_loop([this] { text_of_metrics = 7; });
  EXPECT_EQ(exchange(get("/metrics")).status, 500) << "an answer that cannot be said";
}

std::optional<Code> code_for(Fd socket) {
  std::vector<Door> doors;
  doors.push_back(http_door(std::move(socket)));
  const auto opened = Server::open(std::move(doors), {});
  return opened ? std::optional<Code>() : opened.error().code;
}

TEST(ServerOpen, OtherSocketsAreRefused) {
  EXPECT_EQ(code_for(Fd()), Code::bad_request);
  EXPECT_EQ(code_for(Fd(::socket(AF_UNIX, SOCK_STREAM, 0))), Code::bad_request);
  Fd network(::socket(AF_INET, SOCK_STREAM, 0));
  ::listen(network.get(), 1);
  EXPECT_EQ(code_for(std::move(network)), Code::bad_request);
  EXPECT_EQ(code_for(listen_on(fresh_name())), std::nullopt);
}

TEST_F(HttpDoorTest, TheSocketOutlivesTheServer) {
  start();
  // As systemd keeps its own descriptor of the socket that it hands over.
  const Fd kept = on_loop([this] { return Fd(::dup(listening)); });
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(exchange(get("/v1/status")).status, 200);
    stop();
    start_on(Fd(::dup(kept.get())), [](Limits&) {});
  }
}

}  // namespace
}  // namespace icelock::ipc
