"""The cookbook says what the lake that it describes answers."""

import re

from scripts.cookbook import PAGE, answered, make_shop


def test_the_cookbooks_answers_are_those_of_its_shop(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    lake = make_shop(page, tmp_path)
    # Question by question, so that the first that differs is shown.
    for said, wanted in zip(page.split("\n## "), answered(page, lake).split("\n## "), strict=True):
        assert said == wanted


def test_there_are_ten_questions_each_with_an_answer_that_has_rows():
    questions = re.split(r"^## (?=\d)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [int(question.split(".")[0]) for question in questions] == list(range(1, 11))
    for question in questions:
        (answer,) = re.findall(r"```text\n(.*?)```", question, re.DOTALL)
        assert answer.count("\n") > 1
