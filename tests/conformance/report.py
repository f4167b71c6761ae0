"""Says what a run of Tempest found.

    report.py SUBUNIT [LIST]

Prints "ok: CLASS (n tests)" for a class of which nothing failed, "not ok: TEST: reason" for each test that failed and, of those in LIST, for each
that was skipped or did not run; then the counts. The exit status is 0 when nothing was not ok and something was ok."""

import collections
import sys

import subunit
import testtools

WORDS = {"success": "ok", "xfail": "ok", "fail": "failed", "uxsuccess": "failed", "skip": "skipped"}


def read_results(path):
    """{test id: (word, reason)}; a class that could not be set up appears as "setUpClass (CLASS)"."""
    results = {}

    def take(test):
        word = WORDS.get(test["status"])
        if word:
            texts = [d.as_text() for name, d in test["details"].items() if name.startswith(("reason", "traceback")) and d.content_type.type == "text"]
            lines = [line.strip() for line in "\n".join(texts).splitlines() if line.strip()]
            results[test["id"]] = (word, last_error(lines))

    stream = testtools.StreamToDict(take)
    stream.startTestRun()
    with open(path, "rb") as file:
        subunit.ByteStreamToStreamResult(file, non_subunit_name="stdout").run(stream)
    stream.stopTestRun()
    return results


def last_error(lines):
    """The end of a traceback that says what was wrong, in one line."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith(("tempest.", "testtools.", "jsonschema.", "AssertionError")):
            return " ".join(lines[index:])[:300]
    return lines[-1][:300] if lines else ""


def test_class(test):
    name = test.split("[")[0].strip()
    if "(" in name:
        return name[name.index("(") + 1:].rstrip(")")
    return name.rsplit(".", 1)[0]


def listed(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def main():
    results = read_results(sys.argv[1])
    wanted = set(listed(sys.argv[2])) if len(sys.argv) > 2 else set()
    whole_class = {test_class(name): reason for name, (_, reason) in results.items() if name.startswith(("setUpClass", "tearDownClass"))}
    for name in wanted - results.keys():
        results[name] = ("not run", whole_class.get(test_class(name), "Tempest did not run it"))
    classes = collections.defaultdict(int)
    counts = collections.Counter()
    for name, (word, reason) in sorted(results.items()):
        bad = word in ("failed", "not run") or (word == "skipped" and name in wanted)
        if word == "skipped" and not bad:
            counts["skipped"] += 1
        elif bad:
            counts["failed"] += 1
            print(f"not ok: {name.split('[')[0]}: {word}: {reason}")
        else:
            counts["passed"] += 1
            classes[test_class(name)] += 1
    for name, count in sorted(classes.items()):
        print(f"ok: {name} ({count} test{'s' if count > 1 else ''})")
    print(f"# {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0 if counts["passed"] and not counts["failed"] else 1


sys.exit(main())
