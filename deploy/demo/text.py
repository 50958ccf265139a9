"""Text for demo events: several scripts, emoji, escapes and the characters that archivers often handle wrongly."""

from __future__ import annotations

from base64 import b64encode
from random import Random

VOCABULARY = """
relay note zap keys signed forest river morning coffee bridge archive signal quiet window paper engine light harbour
winter market story garden answer question letter mountain stream open protocol client mirror clock naïve café über
façade señor smörgåsbord œuvre Straße łódź çok güzel žluťoučký kůň привет мир сообщение реле γειά κόσμε שלום עולם
مرحبا بالعالم नमस्ते दुनिया สวัสดี こんにちは世界 中継サーバー 你好 世界 事件 归档 안녕하세요
"""
WORDS = tuple(VOCABULARY.split())
# Single characters, and what people see as one: joined, coloured, flags, keycaps.
EMOJI = (
    "🚀",
    "⚡",
    "🫂",
    "🤙",
    "😂",
    "\u2764\ufe0f",
    "1\ufe0f\u20e3",
    "\U0001f1ef\U0001f1f5",
    "\U0001f469\U0001f3fd\u200d\U0001f4bb",
)
# What JSON must escape, what it must not, and what implementations differ about (NIP-01: DEL and U+2028 stay verbatim).
SPECIAL = (
    "\n\n",
    '"quoted"',
    "back\\slash",
    "\ttab",
    "\r\n",
    "</script>",
    "a/b",
    "\x7f",
    "\u2028",
    "\x08\x0c",
    "\x01",
    "\ufeff",
)
TRICKY = "".join(SPECIAL)
NUL = "\x00"
DOMAINS = ("example.com", "media.example.org", "relay.example.net", "blog.example.edu")

# One text in a hundred holds a NUL: common enough for every demo to show that it is kept, rare enough to look real.
NUL_SHARE = 0.01
SPECIAL_SHARE = 0.15
EMOJI_SHARE = 0.35


def chance(rng: Random, share: float) -> bool:
    """Return True for the given share of calls."""
    return rng.random() < share


def words(rng: Random, count: int) -> str:
    """Return `count` words that are separated by spaces."""
    return " ".join(rng.choices(WORDS, k=count))


def text(rng: Random, mean_words: float = 32.0) -> str:
    """Return a short text, log-normal in length, with now and then an emoji or a troublesome character."""
    body = words(rng, max(1, int(rng.lognormvariate(0.0, 0.8) * mean_words)))
    if chance(rng, EMOJI_SHARE):
        body += " " + "".join(rng.choices(EMOJI, k=rng.randint(1, 4)))
    if chance(rng, SPECIAL_SHARE):
        body += rng.choice(SPECIAL) + words(rng, 3)
    if chance(rng, NUL_SHARE):
        body += NUL + words(rng, 2)
    return body


def article(rng: Random) -> str:
    """Return a long text in Markdown: mostly a few kilobytes, sometimes tens of them."""
    paragraphs = min(60, int(rng.paretovariate(1.1) * 4))
    return "\n\n".join(f"## {words(rng, 4)}\n\n{words(rng, 80)}." for _ in range(paragraphs))


def url(rng: Random) -> str:
    """Return a URL of a domain that is reserved for examples (RFC 2606)."""
    return f"https://{rng.choice(DOMAINS)}/{rng.randbytes(6).hex()}.jpg"


def hex64(rng: Random) -> str:
    """Return 64 hex digits: the id of an event that no relay here holds."""
    return rng.randbytes(32).hex()


def base64ish(rng: Random, size_bytes: int) -> str:
    """Return text that looks like base64 of `size_bytes` bytes of ciphertext."""
    return b64encode(rng.randbytes(size_bytes)).decode()
