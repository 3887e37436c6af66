"""A real server answers under the schema; one that is slow, broken or gone is an ordinary error."""

import json
import math
import re
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llmos.blackbox import read_record
from llmos.inference import DeadlineExpired, InferenceError, conforms, open_kernel
from llmos.inference._weights import packaged_weights
from llmos.mission import run_mission
from llmos.report import Order


@pytest.fixture(scope="module")
def server():
    """The server that llama-cpp-python ships, with SmolLM2, on a free port."""
    for package in (
        "llama_cpp",
        "fastapi",
        "uvicorn",
        "sse_starlette",
        "starlette_context",
        "pydantic_settings",
    ):
        pytest.importorskip(package)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "llama_cpp.server",
        "--model",
        str(packaged_weights()),
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        [*command, "--n_ctx", "1024", "--n_threads", "1"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    ready = next((line for line in process.stderr if b"Uvicorn running" in line), None)
    assert ready, "the server ended before it was ready"
    threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its log cannot fill the pipe
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait()


def test_a_real_server_answers_under_the_schema(server, ask):
    """The schema is enforced there, the counts come back, and the answer is compact."""
    kernel = open_kernel(f"openai:{server}")
    for case in range(2):
        request = ask(case, max_tokens=250)
        answer = kernel(request)
        assert conforms(json.loads(answer.text), request.schema)
        assert answer.text == json.dumps(json.loads(answer.text), separators=(",", ":"), ensure_ascii=False)
        assert answer.tokens_in > 50 < answer.tokens_in + answer.tokens_out


def test_a_real_server_follows_a_grammar(server, ask):
    """Sent as llama.cpp's kin take it; an answer that is cut off says so."""
    kernel = open_kernel(f"openai:{server}")
    grammar = 'root ::= ("red" | "blue") " " [1-3]{2} "\\n"\n'
    answer = kernel(ask(schema=None, grammar=grammar))
    assert re.fullmatch(r"(red|blue) [1-3]{2}\n?", answer.text)
    assert kernel(ask(schema=None, grammar='root ::= "a"{99}\n', max_tokens=3)).cut


def test_a_real_server_that_is_too_slow_misses_the_deadline(server, ask):
    """The caller waits no longer than it said."""
    kernel = open_kernel(f"openai:{server}#any")
    with pytest.raises(DeadlineExpired):
        kernel(ask(deadline_s=0.01))


class Scripted(BaseHTTPRequestHandler):
    """Answers each chat request with the next reply of the server's script."""

    def do_GET(self):
        self._send(200, {"data": [{"id": "scripted"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((body, dict(self.headers)))
        status, reply, *headers = self.server.script.pop(0)
        self._send(status, reply, **(headers[0] if headers else {}))

    def _send(self, status, reply, **headers):
        if status == 0:  # one byte at a time, without an end
            self.send_response(200)
            self.end_headers()
            while not self.server.stopped.wait(0.01):
                self.wfile.write(b" ")
            return
        data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        """Stay quiet."""


@pytest.fixture
def scripted():
    """A server on a free port whose replies the test writes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.script, server.asked, server.stopped = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"openai:http://127.0.0.1:{server.server_address[1]}/v1"
    yield server
    server.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def said(text):
    return {
        "choices": [{"message": {"content": text}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}},
    }


COLOUR = {
    "type": "object",
    "properties": {"a": {"enum": ["red", "blue"]}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_the_request_carries_everything(scripted, ask, monkeypatch):
    """Model, texts, schema, seed, picture and key."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    scripted.script = [(200, said('{ "a": "red" }'))]
    answer = open_kernel(f"{scripted.url}#small")(
        ask(schema=COLOUR, seed=7, system="S", user="U", images=(b"png",))
    )
    assert (answer.text, answer.tokens_in, answer.tokens_out, answer.tokens_cached) == (
        '{"a":"red"}',
        9,
        4,
        5,
    )
    body, headers = scripted.asked[0]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}
    assert body["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [picture, {"type": "text", "text": "U"}]},
    ]
    assert (body["model"], body["seed"], body["temperature"]) == ("small", 7, 0.0)
    assert body["response_format"]["json_schema"]["schema"] == COLOUR
    assert headers["Authorization"] == "Bearer secret"


def test_the_form_that_a_server_takes_is_kept(scripted, ask):
    """One that refuses `json_schema` is asked with `json_object`, and never again otherwise."""
    scripted.script = [(422, {}), (200, said('{"a":"red"}')), (200, said('{"a":"blue"}'))]
    kernel = open_kernel(scripted.url)
    assert kernel(ask(schema=COLOUR)).text == '{"a":"red"}'
    assert kernel(ask(schema=COLOUR)).text == '{"a":"blue"}'
    forms = [body.get("response_format", {}).get("type") for body, _ in scripted.asked]
    assert forms == ["json_schema", "json_object", "json_object"]


@pytest.mark.parametrize(
    ("status", "reply", "message"),
    [
        (200, said("I would go left."), "'I would go left.', which is not JSON"),
        (200, said('{"a":"green"}'), "against the schema: $.a: 'green' is not one of"),
        (200, said(None), "reply without an answer"),
        (200, {"error": "overloaded"}, "reply without an answer"),
        (200, [], "reply without an answer"),
        (200, b"<html>", "which is not JSON"),
        (200, b"\xff" * 100, "which is not JSON"),
        (200, b"[" * 100_000, "which is not JSON"),
        (200, b" " * (1 << 20), "the reply has no end"),
        (401, {"error": "no\nkey"}, "set OPENAI_API_KEY"),
        (500, b"out of memory", "HTTP 500 Internal Server Error: out of memory"),
    ],
)
def test_a_bad_reply_is_one_line(scripted, ask, status, reply, message):
    """Whatever a server says."""
    scripted.script = [(status, reply)]
    with pytest.raises(InferenceError, match=re.escape(message)) as caught:
        open_kernel(scripted.url)(ask(schema=COLOUR))
    assert "\n" not in str(caught.value)


PNG, JPEG = b"\x89PNG\r\n", b"\xff\xd8\xff\xe0"


def test_each_picture_is_sent_as_what_it_is(scripted, ask):
    """In their order, before the text."""
    scripted.script = [(200, said("red"))]
    open_kernel(scripted.url)(ask(schema=None, user="U", images=(PNG, JPEG)))
    *pictures, text = scripted.asked[0][0]["messages"][-1]["content"]
    urls = [picture["image_url"]["url"] for picture in pictures]
    assert urls == ["data:image/png;base64,iVBORw0K", "data:image/jpeg;base64,/9j/4A=="]
    assert text == {"type": "text", "text": "U"}


def test_a_server_that_takes_no_pictures_is_told_apart(scripted, ask):
    """Its own reason, and what it may mean; the same refusal of a text says nothing of pictures."""
    refusal = (400, {"error": "image input is not supported"})
    scripted.script = [refusal] * 6
    kernel = open_kernel(scripted.url)
    with pytest.raises(InferenceError, match=r"image input is not supported.*it may take no pictures"):
        kernel(ask(schema=COLOUR, images=(PNG,)))
    with pytest.raises(InferenceError) as caught:
        kernel(ask(schema=COLOUR))
    assert "pictures" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("patience", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_server_that_asks_for_patience_is_asked_once_more(scripted, ask, status, patience):
    """By seconds or by a date; then its second refusal is told."""
    busy = (status, b"slow down", {"Retry_After": patience})
    scripted.script = [busy, (200, said('{"a":"red"}')), busy, busy]
    kernel = open_kernel(scripted.url)
    assert kernel(ask(schema=COLOUR)).text == '{"a":"red"}'
    with pytest.raises(InferenceError, match=f"HTTP {status} .*: slow down; it asks for 0 s of patience"):
        kernel(ask(schema=COLOUR))
    assert len(scripted.asked) == 4


@pytest.mark.parametrize("patience", ["3600", "Fri, 01 Jan 2999 00:00:00 GMT", "soon", "-1", "9" * 400, ""])
def test_a_pause_longer_than_the_deadline_is_not_made(scripted, ask, patience):
    """Nor one that cannot be understood: the refusal is told at once."""
    scripted.script = [(429, b"too many", {"Retry_After": patience})]
    with pytest.raises(InferenceError, match="HTTP 429 Too Many Requests: too many"):
        open_kernel(scripted.url)(ask(schema=COLOUR, deadline_s=30))
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_told_and_not_followed(scripted, ask, monkeypatch, status):
    """A question would arrive without its text, and the key at another server."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    scripted.script = [(status, b"", {"Location": f"{scripted.url[7:]}/elsewhere\x1b[31m"})]
    with pytest.raises(InferenceError, match=f"HTTP {status} .*elsewhere.*: name that server") as caught:
        open_kernel(scripted.url)(ask(schema=COLOUR))
    assert str(caught.value).isprintable()
    assert len(scripted.asked) == 1


def test_a_reply_in_drops_misses_the_deadline(scripted, ask):
    """The deadline bounds the whole call, not each read."""
    scripted.script = [(0, None)]
    with pytest.raises(DeadlineExpired):
        open_kernel(scripted.url)(ask(deadline_s=0.3))


def test_a_server_that_went_away_is_told(scripted, ask):
    """Between two calls."""
    kernel = open_kernel(scripted.url)
    scripted.shutdown()
    scripted.server_close()
    with pytest.raises(InferenceError, match="is the server running"):
        kernel(ask())


def test_a_server_that_takes_no_form_is_asked_without(scripted, ask):
    """Its answer is checked all the same."""
    scripted.script = [(400, {}), (500, b"unknown response_format"), (200, said('{"a":"red"}'))]
    assert open_kernel(scripted.url)(ask(schema=COLOUR)).text == '{"a":"red"}'
    assert "response_format" not in scripted.asked[-1][0]


def test_another_refusal_loses_no_form(scripted, ask):
    """A prompt that is too long is refused in every form; the next request starts with the first again."""
    scripted.script = [(400, b"too long")] * 3 + [(200, said('{"a":"red"}'))]
    kernel = open_kernel(scripted.url)
    with pytest.raises(InferenceError, match="too long"):
        kernel(ask(schema=COLOUR))
    kernel(ask(schema=COLOUR))
    assert scripted.asked[-1][0]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    "reply", [b"lalala\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b""]
)
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_what_is_no_http_is_told_at_once(ask, reply, reset):
    """Not at the deadline, and with no traceback from the thread that asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)
                if reset:  # closing without waiting for what was sent
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        threading.Thread(target=answer, daemon=True).start()
        kernel = open_kernel(f"openai:http://127.0.0.1:{listener.getsockname()[1]}#any")
        with pytest.raises(InferenceError) as refusal:
            kernel(ask(deadline_s=30))
    assert not isinstance(refusal.value, DeadlineExpired)
    assert "\n" not in str(refusal.value)


def test_a_grammar_is_sent_in_every_form_and_dropped_where_it_is_refused(scripted, ask):
    """The second question is asked without it at once."""
    scripted.script = [(400, {"error": "unknown field"}), (200, said("red")), (200, said("blue"))]
    kernel = open_kernel(scripted.url)
    asked = ask(schema=None, grammar="root ::= [a-z]+", turns=(("A", "B"),))
    assert (kernel(asked).text, kernel(asked).text) == ("red", "blue")
    first, second, third = (body for body, _ in scripted.asked)
    assert (
        first["grammar"]
        == first["guided_grammar"]
        == first["structured_outputs"]["grammar"]
        == "root ::= [a-z]+"
    )
    assert not {"grammar", "guided_grammar", "structured_outputs"} & {*second, *third}
    assert [message["role"] for message in third["messages"]] == ["system", "user", "assistant", "user"]


def test_a_real_server_makes_a_choice(server, ask):
    """One of the texts, in whatever form it takes, and tells how likely each was."""
    answer = open_kernel(f"openai:{server}")(ask(schema=None, choices=("c1", "c2", "c3")))
    assert answer.text in ("c1", "c2", "c3")
    assert sum(answer.probabilities) == pytest.approx(1)


def chosen(content, *likeliest):
    """A reply whose tokens come with the likeliest ones: each a token that was said, and its rivals."""
    logged = [
        {
            "token": said_first,
            "logprob": math.log(rivals[said_first]),
            "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in rivals.items()],
        }
        for said_first, rivals in likeliest
    ]
    return {"choices": [{"message": {"content": content}, "logprobs": {"content": logged}}]}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (chosen("c2", ("c", {"c": 0.5, "x": 0.5}), ("2", {"1": 0.2, "2": 0.6, "9": 0.2})), (0.25, 0.75, 0)),
        (chosen("c2", ("c2", {"c1": 0.3, "c2": 0.3, "x": 0.4})), (0.5, 0.5, 0)),
        (chosen("c2", ("c2", {"c2": 0.4, "d": 0.2, "the": 0.4})), (0, 2 / 3, 1 / 3)),
        (
            chosen(
                '{ "choice": "c2" }',
                ('{ "', {'{ "': 1.0}),
                ('choice": "', {'choice": "': 1.0}),
                ("c", {"c": 0.5, "d": 0.5}),
                ("2", {"2": 0.8, "1": 0.2}),
            ),
            (0.1, 0.4, 0.5),
        ),
        (chosen(" c2\n", (" ", {" ": 1.0}), ("c2", {"c2": 0.5, "d1": 0.5})), (0, 0.5, 0.5)),
        (chosen("c2"), ()),
        (said("c2"), ()),
        (chosen("c2", ("z", {"z": 1.0})), ()),
    ],
)
def test_the_probabilities_are_those_of_the_likeliest_tokens(scripted, ask, reply, expected):
    """Shared out where the choices part; where the server tells nothing of use there are none."""
    scripted.script = [(200, reply)]
    answer = open_kernel(scripted.url)(ask(schema=None, choices=("c1", "c2", "d1")))
    assert answer.text == "c2"
    assert answer.probabilities == pytest.approx(expected)
    assert scripted.asked[0][0]["top_logprobs"] > 0


def test_an_answer_that_is_no_choice_is_an_error(scripted, ask):
    """A number, another object or an explanation."""
    kernel = open_kernel(scripted.url)
    for text in ("c3", "", "7", '{"choice":7}', '{"c1":1}', "I take c1.", '["c1"]'):
        scripted.script = [(200, said(text))]
        with pytest.raises(InferenceError, match="none of the choices"):
            kernel(ask(schema=None, choices=("c1", "c2")))


def test_choices_are_asked_for_in_the_form_that_is_taken(scripted, ask):
    """First with the likeliest tokens, then without; what is taken is kept."""
    scripted.script = [(500, b"logprobs is not supported")] * 3 + [(200, said('{"choice":"c1"}'))] * 2
    kernel = open_kernel(scripted.url)
    for _ in range(2):
        assert kernel(ask(schema=None, choices=("c1", "c2"))).text == "c1"
    *refused, taken, kept = (body for body, _ in scripted.asked)
    assert refused[2]["grammar"] == 'root ::= "c1" | "c2"'
    assert all("logprobs" in body for body in refused)
    assert taken == kept
    assert taken["response_format"]["type"] == "json_schema"
    assert "logprobs" not in taken


def test_a_mission_with_a_server_that_fails_in_many_ways_is_driven_by_the_rule(scripted, tmp_path):
    """Each decision within its deadline, and each with the reason told; at rest at the end, on record."""
    ways = [(0, None), (200, b"<html>"), (429, b"", {"Retry_After": "60"})]
    scripted.script = ways + [(500, b"out of memory")] * 99
    order = Order(
        "drive to the far corner", kernel=scripted.url, deadline_s=0.5, record=tmp_path / "run.jsonl"
    )
    report = run_mission(order)
    thoughts = [step.thought for step in report.steps if step.thought]
    assert (report.outcome, report.truth.collisions) == ("reached", 0)
    assert len(scripted.asked) == len(thoughts) >= len(ways)
    assert all(thought.stand_in and thought.brain == "rule" for thought in thoughts)
    notes = [thought.note for thought in thoughts]
    assert notes[0] == "deadline"
    assert "is not JSON" in notes[1]
    assert "60 s of patience" in notes[2]
    assert not report.truth.samples[-1].moving
    assert read_record(order.record).one("end")["outcome"] == "reached"
