"""What a test found: lines "ok: sentence" and "not ok: sentence", and the exit status that follows."""
import sys

failures = 0


def ok(sentence):
    print(f"ok: {sentence}", flush=True)


def not_ok(sentence, details=()):
    global failures
    failures += 1
    print(f"not ok: {sentence}", flush=True)
    for line in list(details)[:20]:
        note(line)


def check(sentence, good, details=()):
    if good:
        ok(sentence)
    else:
        not_ok(sentence, details)
    return good


def note(line):
    print(f"#   {line}", flush=True)


def end():
    sys.exit(1 if failures else 0)
