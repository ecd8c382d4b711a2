"""A plugin of pytest: writes down, test by test, how llama.cpp's server tests went against a server of ours.

It leaves the tests as they are, but for three functions of their utils.py: no presets are started before the tests (they
download models), nothing is downloaded, and a text that the original model would have written is noted instead of asked
for, where the test is not about a grammar. It is given the file for its notes as RECORD_RESULTS.
"""

import json
import os
import re
import signal

import pytest

TEST_SECONDS = int(os.environ.get("RECORD_TEST_SECONDS", "120"))

# Tests whose expected texts are what a grammar or schema forces, whatever the model.
FORCED_TEXT = re.compile(r"response_format|json_schema|grammar")

current_test = ""
foreign_texts = []


class TookTooLong(Exception):
    pass


def note(entry):
    with open(os.environ["RECORD_RESULTS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def pytest_configure(config):
    import utils

    matches = utils.match_regex

    def match_regex(regex, text):
        if matches(regex, text):
            return True
        if FORCED_TEXT.search(current_test):
            return False
        foreign_texts.append(regex)
        return True

    def download_file(url, output_file_path=None):
        pytest.fail(f"not supported: download: The file {url.split('/')[-1]} cannot be had here.", pytrace=False)

    utils.match_regex = match_regex
    utils.download_file = download_file
    utils.TMP_DIR = os.path.join(os.getcwd(), "tmp")
    utils.ServerPreset.load_all = staticmethod(lambda: None)


def pytest_collection_finish(session):
    for item in session.items:
        note({"test": item.nodeid, "phase": "collected"})


def give_up(*_):
    raise TookTooLong(f"the test did not end within {TEST_SECONDS} s")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    global current_test
    current_test = item.nodeid
    foreign_texts.clear()
    signal.signal(signal.SIGALRM, give_up)
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    if item.get_closest_marker("slow") is not None:
        pytest.skip("it is marked as slow: it downloads a large model")
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


def statement_of(call):
    """The failed statement of the test itself, not that of a helper it called."""
    if call.excinfo is None:
        return None
    entries = [entry for entry in call.excinfo.traceback if f"{os.sep}unit{os.sep}" in str(entry.path)]
    return str(entries[-1].statement).strip() if entries else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" and report.passed:
        return
    output = "\n".join(text for _, text in report.sections)
    message = str(call.excinfo.value) if call.excinfo is not None else ""
    found = re.search(r"^not supported: (.*)$", f"{output}\n{message}", re.MULTILINE)
    note(
        {
            "test": item.nodeid,
            "phase": report.when,
            "outcome": report.outcome,
            "statement": statement_of(call),
            "kind": call.excinfo.typename if call.excinfo is not None else None,
            "message": message[:2000],
            "notSupported": found.group(1) if found else None,
            "foreignTexts": list(foreign_texts),
            "output": output[-3000:] if report.failed else "",
        }
    )
