"""Text that gives orders to whoever reads it: what makes a skill's words a prompt injection.

Patterns cannot find every such text. They are the first of three walls: what a file's text makes a model do
is still bounded by the tools that it declares, and what a tool moves is still verified.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from llmos.evolution.findings import Finding, Severity
from llmos.text import plain

SHOWN = 60  # characters of an offending text
EACH = 5  # findings of one kind that are told
READABLE = 0.9  # share of letters and blanks from which on decoded bytes are a text


class Pattern(NamedTuple):
    """What hostile text looks like once it is folded."""

    name: str
    severity: Severity
    pattern: re.Pattern[str]
    problem: str
    remedy: str


def _row(name: str, severity: Severity, problem: str, remedy: str, *patterns: str) -> Pattern:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return Pattern(name, severity, re.compile(joined, re.IGNORECASE | re.MULTILINE), problem, remedy)


_WHAT = (
    r"(?:instruction|prompt|rule|order|guideline|guidance|advice|directive|constraint|polic(?:y|ie)|command|"
    r"restriction)s?"
)
_DROP = (
    r"(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass|neglect|drop|discard|scrap|abandon|set\s+aside|"
    r"throw\s+(?:out|away)|pay\s+no\s+(?:heed|attention)\s+to|(?:do\s+not|don't|stop|never)\s+(?:follow|obey|heed)\w*)"
)
_SAFETY = (
    r"(?:reflex|verifier|verification|guards?|emergency.stop|e-?stop|watchdog|safety(?!\s+first)|"
    r"speed\s+limits?|permissions?|audit|approval|lease)"
)
_NO = r"(?<!never )(?<!not )(?<!don't )(?<!cannot )(?<!may )(?<!can )(?<!to )(?<!would )(?<!which )(?<!that )"

PATTERNS = (
    _row(
        "override", "critical", "it tells its reader to drop other instructions",
        "say what this file is for; what else counts is not its business",
        rf"\b{_DROP}\b[^.;]{{0,40}}\b(?:previous|prior|above|earlier|preceding|other|existing|system|kernel|all|any|your|the\s+user'?s?)\b"
        rf"[^.;]{{0,40}}\b{_WHAT}\b",
        rf"\b{_DROP}\s+(?:everything|all|anything|what(?:ever)?)\b[^.;]{{0,30}}\b(?:above|before|told|said|earlier|previously|so\s+far)\b",
        rf"\b{_DROP}\s+(?:the|these|those|whatever)\s+{_WHAT}\b[^.;]{{0,40}}\b(?:given|told|earlier|before|above|so\s+far)\b",
        r"\b(?:vergiss|ignoriere?|missachte)\b[^.;]{0,40}\b(?:anweisung|regel|befehl|vorgabe)",
        r"\b(?:ignore[zr]?|oublie[zr]?)\b[^.;]{0,40}\b(?:instructions|consignes|r\S?gles)\b",
        r"\b(?:ignora|olvida|ignorar)\b[^.;]{0,40}\b(?:instrucciones|reglas|\S?rdenes|istruzioni|regole)\b",
        r"(?:忽略|无视|忘记)[^。]{0,12}(?:指令|指示|规则|提示)",
    ),
    _row(
        "persona", "error", "it gives its reader another role",
        "say what the task is; an agent's role stands in the agent's own file",
        r"\byou\s+are\s+now\b", r"\bfrom\s+now\s+on,?\s+you\b",
        r"\bpretend\s+(?:to\s+be|that\s+you|you\s+are)\b",
        r"\byour\s+(?:new|real|true|actual)\s+(?:role|task|goal|purpose|mission|instructions?|name)\s+(?:is|are)\b",
        r"\b(?:developer|debug|god|admin(?:istrator)?|root|unrestricted|jailbreak|dan)\s+mode\b",
        r"\bjailbreak",
        r"\b(?:act|behave|respond|answer)\s+as\s+(?:if\s+you|though\s+you|an?\s+unrestricted|the\s+(?:system|kernel|user|administrator))\b",
    ),
    _row(
        "authority", "error", "it puts itself above the kernel or other files",
        "leave it out: no skill and no agent outranks the kernel",
        r"\b(?:takes?|has|have)\s+(?:precedence|priority)\s+over\b[^.;]{0,40}\b(?:instruction|rule|system|kernel|prompt|skill|agent|config)",
        r"\b(?:this|these|the\s+following)\b[^.;]{0,40}\b(?:overrides?|supersedes?|replaces?)\b[^.;]{0,40}\b(?:instruction|rule|system|kernel|prompt|config|polic)",
        r"\b(?:new|updated|revised|real)\s+(?:system\s+)?(?:instructions?|prompt|orders|rules)\s*:",
        r"\b(?:kernel|scheduler|orchestrator|system\s*agent)\s*[,:]\s*(?:you\s+(?:must|shall|will)|grant|give|allow|promote|approve|run|execute|write|delete|stop|ignore)\b",
        r"\b(?:the|every|all|any)\s+(?:kernel|models?|agents?|assistants?|llms?)\s+(?:reading|that\s+reads?|who\s+reads?|which\s+reads?|processing)\b[^.;]{0,40}\b(?:must|shall|should|will|has\s+to|have\s+to)\b",
        r"\b(?:only\s+this|this\s+(?:page|file|text|document|skill)\s+(?:only|alone))\b[^.;]{0,20}\b(?:counts?|applies|matters)\b",
        r"\b(?:always|must)\s+(?:choose|use|prefer|pick)\s+this\s+(?:one|skill|agent)\b",
        r"\b(?:text|words|content)\s+of\s+(?:any|each|every|a|the)\s+file\b[^.;]{0,40}\b(?:task|order|command|instruction)",
        r"\b(?:copy|write|repeat|paste|include|insert)\s+this\s+(?:paragraph|text|sentence|line|file|skill|message)\s+(?:in|into|to)\b",
        r"\b(?:attention|note\s+to|message\s+(?:to|for)|instructions?\s+(?:to|for))\s*:?\s+(?:the\s+)?(?:ai|llm|language\s+model|assistant|auditor|reviewer|kernel)\b",
    ),
    _row(
        "privilege", "error", "it grants itself or its reader rights",
        "leave it out: rights stand in `tools:` and `writes:` and are checked there",
        r"\b(?:grant|give)\s+(?:yourself|itself|this\s+(?:skill|agent)|me|us)\b[^.;]{0,40}\b(?:access|permissions?|rights?|privileges?|tools?|control)\b",
        r"\byou\s+(?:now\s+)?have\s+(?:full|root|admin\w*|unrestricted|unlimited|complete)\s+(?:access|permissions?|rights?|control|privileges?)\b",
        r"\b(?:is|are|has\s+been|have\s+been)\s+(?:already\s+)?(?:pre-?approved|pre-?authori[sz]ed|whitelisted)\b",
        r"\b(?:skip|needs?\s+no|requires?\s+no|without)\s+(?:the\s+|any\s+|further\s+)?(?:audit|approval|confirmation|verification|review)\b",
        r"\b(?:promote|approve|merge|accept)\s+(?:this|it|me|itself)\b[^.;]{0,30}\b(?:without|immediately|at\s+once|automatically|regardless)\b",
        r"\b(?:approve|pass|accept|score|rate|mark)\s+(?:this|it)\b[^.;]{0,30}\b(?:100|full\s+marks|safe|passed|approved|trusted)\b",
    ),
    _row(
        "safety_off", "critical", "it tells its reader to switch a protection off",
        "leave it out: no text may do that",
        rf"\b{_NO}(?:disable|turn\s+off|switch\s+off|deactivate|ignore|bypass|skip|circumvent|override|"
        r"remove|suppress|silence|unplug|defeat)\b"
        rf"\s+(?:\w+\s+){{0,4}}?{_SAFETY}\b",
        r"\bnever\s+(?:stop|end\s+a\s+move|halt|brake)\b[^.;]{0,30}\b(?:before|until|at)\b",
        rf"\b{_NO}(?:turn|switch)\s+(?:the\s+)?(?:\w+\s+)?{_SAFETY}\s+off\b",
    ),
    _row(
        "secrecy", "error", "it tells its reader to hide something from people",
        "leave it out: what the robot does is told and recorded",
        r"\b(?:do\s+not|don't|never|without)\s+(?:tell|telling|mention|mentioning|inform|informing|report|reporting|reveal|revealing|show|showing|notify|notifying|alert|alerting|ask|asking)\b"
        r"[^.;]{0,30}\b(?:user|person|people|operator|owner|human|anyone|anybody|supervisor)\b",
        r"\b(?:do\s+not|don't|never)\s+wait\s+for\b[^.;]{0,20}\b(?:user|person|people|operator|owner|human|approval|answer)\b",
        r"\b(?:keep|leave)\b[^.;]{0,40}\bout\s+of\s+(?:the\s+)?(?:summary|report|log|record|trace|memory|answer)",
        r"\b(?:secretly|covertly|stealthily|behind\s+(?:the\s+)?(?:user|operator|owner)'?s?\s+back)\b",
        r"\bwithout\s+(?:the\s+)?(?:user|operator|owner|person|human)(?:'s|s')?\s+(?:knowledge|knowing|consent|permission|noticing)\b",
        r"\bhide\s+(?:this|it|that|what)\b[^.;]{0,30}\b(?:from|log|record|user)\b",
        r"\b(?:delete|erase|wipe|falsify|alter|clear|tamper)\b[^.;]{0,30}\b(?:black\s*box|logs?|records?|traces?|evidence|history|audit)\b",
    ),
    _row(
        "leak", "error", "it asks for what is not its own: a prompt, a key, a password",
        "leave it out",
        r"\b(?:reveal|print|show|repeat|output|leak|send|display|recite|disclose|tell\s+me|write\s+out|upload|post|return)\b[^.;]{0,40}"
        r"\b(?:system\s+prompt|your\s+(?:instructions|prompt|rules)|hidden\s+(?:prompt|instructions)|initial\s+(?:prompt|instructions)|api[\s_-]?keys?|passwords?|credentials?|private\s+keys?|access\s+tokens?|environment\s+variables?)\b",
        r"\b(?:upload|exfiltrate|post|send|transmit|forward)\b[^.;]{0,40}\bto\s+(?:https?://|\S{1,60}@\S{1,60}\.\w|an?\s+(?:external|remote|outside)|my\s+server)",
    ),
    _row(
        "execution", "error", "it names a program of the computer to run",
        "use the tools that the file declares",
        r"\b(?:rm\s+-[rf]{1,2}|sudo\s+\w|curl\s+(?:-\w+\s+)*https?:|wget\s+(?:-\w+\s+)*https?:|chmod\s+[+0-7]|powershell\b|nc\s+-[el]|bash\s+-c|sh\s+-c)",
        r"\b(?:os\.system|subprocess\.|__import__|eval|exec)\s*\(", r"\|\s*(?:ba)?sh\b", r"<script\b",
    ),
    _row(
        "markers", "critical", "it holds a marker that separates the turns of a chat",
        "take the marker out",
        r"<\|[a-z0-9_ ]{2,30}\|>", r"\[/?INST\]", r"<</?SYS>>", r"</?(?:start|end)_of_turn>",
        r"(?<!\w)</?s>(?!\w)",
        r"</?(?:system|assistant|user|human|instructions?|tool_call|tool_response|function_calls?|think|im_start|im_end)>",
        r"<function[ =]", r"<(?:bos|eos|pad|unk)>", r"\[(?:system|assistant)\](?!\()",
        r"^#{1,6}[ \t]*(?:system[ \t]+prompt|system|assistant|instruction|human|response)[ \t]*:",
    ),
    _row(
        "outside", "error", "it names a path outside of its folder",
        "name files of a volume by their path in it, such as skills/square.md",
        r"(?<![\w.])\.\.[/\\]", r"\b(?:file|ftp|sftp|ssh|smb|git|data|javascript|vbscript)://?\S",
        r"\bjavascript:", r"\bdata:[a-z]+/[a-z]",
        r"(?<![\w/.])/(?:etc|home|root|usr|var|tmp|proc|dev|sys|bin|opt|mnt|boot|srv|Users)\b",
        r"(?<!\w)~[/\\]", r"\b[A-Z]:\\", r"(?<!\w)\\\\\w+\\",
        r"\$(?:HOME|PATH|\{)", r"%2e%2e(?:%2f|/)", r"\]\(\s*/", r"(?<!\w)\.git/",
    ),
    _row(
        "beacon", "error", "it loads a picture or sends data to the net when it is shown",
        "leave it out",
        r"!\[[^\]\n]{0,300}\]\(\s*https?:", r"<img\b", r"<iframe\b", r"https?://[^\s)]{0,300}?(?:\{|%7b|\$\()",
    ),
    _row(
        "net", "warning", "it links to the net, which nothing here reads",
        "say what matters in the file itself",
        r"\bhttps?://\w",
    ),
    _row(
        "comment", "warning", "a comment that people do not see where the text is shown",
        "write it as plain text, or leave it out",
        r"<!--", r"^\[//\]:\s*#",
    ),
)  # fmt: skip
UNSEEN = _row("unseen", "critical", "it holds a character that people do not see", "take it out")
MIXED = _row("mixed", "error", "a word mixes letters of scripts that look alike", "write it in one script")
ROLE = _row("role", "error", "a line begins as a turn of a chat does", "write it as a sentence")
FOREIGN = _row(
    "call", "error", "it shows a call of a tool that it does not declare", "declare the tool, or leave it out"
)
DATA = _row("blob", "error", "data that nobody can read", "write what it says, or leave it out")

ROLES = re.compile(
    r"^[ \t>*_-]*(?:system|assistant|human|developer)[*_]*\s*:[*_]*[ \t]+(?=\S)", re.IGNORECASE | re.MULTILINE
)
CALL = re.compile(
    r"[\"'](?:name|tool|tool_name|function|action)[\"']\s*:\s*(?:\{\s*[\"']name[\"']\s*:\s*)?[\"']([\w.\-/]+)[\"']"
    r"\s*,\s*[\"'](?:arguments|args|parameters|params|input)[\"']\s*:",
    re.IGNORECASE,
)
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\u3164"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\x00-\x08\x0b-\x1f\x7f-\x9f]"
    "|(?<=[ -~])[\u200c\u200d]|[\u200c\u200d](?=[ -~])"
)
BLOB = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{24,}={0,2}(?![\w+/])")
LONG = 120  # characters of one word, from which on it is data
WORD = re.compile(r"[^\W\d_]{3,}")
SPACED = re.compile(r"\b(?:[^\W\d_][ .·_-]){4,}[^\W\d_]\b")
LEET = re.compile(
    r"(?<![\w.@$])(?!\d+[a-z]+\b)(?![a-z_]+\d+\b)(?=[\w@$]*[a-z])(?=[\w@$]*[\d@$])[\w@$]{4,}", re.IGNORECASE
)
DIGITS = str.maketrans("013457@$", "oieastas")
ALIKE = str.maketrans(
    "аеорсухіїјѕԁһԛԝАВЕКМНОРСТХІЈЅαειικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxiijsdhqwABEKMHOPCTXIJSaeiikvoptuxABEZHIKMNOPTYX",
)


def orders(text: str, tools: Collection[str] = (), body: int = 0) -> list[Finding]:
    """Return what in a text tries to command its reader, or to lead it elsewhere.

    Args:
        text: a whole file, or any text that a model will read.
        tools: those whose calls it may show as examples.
        body: the offset from which on it is prose; before it stand keys.
    """
    folded = fold(text)
    found = [
        _finding(row, folded, match.start(), match[0])
        for row in PATTERNS
        for match in islice(row.pattern.finditer(folded), EACH)
    ]
    found += islice((_finding(UNSEEN, text, m.start(), repr(m[0])) for m in INVISIBLE.finditer(text)), EACH)
    found += islice((_finding(MIXED, text, at, word) for at, word in mixed(text)), EACH)
    found += islice((_finding(ROLE, text, m.start(), m[0]) for m in ROLES.finditer(text, body)), EACH)
    foreign = (m for m in CALL.finditer(text) if m[1] not in tools)
    found += islice((_finding(FOREIGN, text, m.start(), m[1]) for m in foreign), EACH)
    found += islice((_finding(DATA, text, at, word) for at, word in blobs(text)), EACH)
    return sorted(found, key=lambda finding: finding.line)


def _finding(row: Pattern, text: str, at: int, shown: str) -> Finding:
    short = plain(" ".join(shown.split()))
    short = short if len(short) <= SHOWN else short[:SHOWN] + "…"
    line = text.count("\n", 0, at) + 1
    return Finding("injection", row.name, row.severity, line, f"{row.problem} ({short})", row.remedy)


def fold(text: str) -> str:
    """Return a text as its reader takes it: look-alikes, spaced letters and digits as plain letters."""
    folded = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)) if not text.isascii() else text
    if not folded.isascii():
        folded = WORD.sub(lambda m: m[0].translate(ALIKE) if _scripts(m[0]) > 1 else m[0], folded)
    folded = SPACED.sub(lambda m: re.sub(r"[ .·_-]", "", m[0]), folded)
    return LEET.sub(lambda match: match[0].translate(DIGITS), folded)


def _scripts(word: str) -> int:
    """Return how many of the scripts Latin, Cyrillic and Greek a word mixes; µ and Ω of units are none."""
    names = {unicodedata.name(sign, "").split(" ")[0] for sign in word if sign not in "µμΩ"}
    return len(names & {"LATIN", "CYRILLIC", "GREEK"})


def mixed(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words that mix scripts which look alike, with their places."""
    if not text.isascii():
        for match in WORD.finditer(text):
            if not match[0].isascii() and _scripts(match[0]) > 1:
                yield match.start(), match[0]


def blobs(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is data and no word: base64 that decodes to a text, and what is too long for a word."""
    for match in BLOB.finditer(text):
        if len(match[0]) >= LONG or _hidden(match[0]):
            yield match.start(), match[0]


def _hidden(word: str) -> bool:
    """Say whether a word is the base64 of a text."""
    whole = word.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        text = base64.b64decode(whole + "=" * (-len(whole) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    words = sum(sign.isalpha() or sign in " .,!" for sign in text)
    return " " in text and words >= READABLE * len(text)
