import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pd_exporter.autoscaler.generated import Tokens, poisson
from pd_exporter.autoscaler.setting import Setting, SignalPath, named, scale_down_after
from pd_exporter.autoscaler.tune.htmltables import in_words
from pd_exporter.autoscaler.tune.report import Report, html, write_report
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure, Result, Spread
from pd_exporter.autoscaler.tune.search import Question
from pd_exporter.autoscaler.workload import Workload, service_by_distribution

VOID = {"meta", "link", "br", "hr", "img", "input"}
NASTY = "<b>&\"'$x_{</b>--> .csv"


class Page(HTMLParser):
    """What a page is made of; fails where its tags do not fit each other."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.rows: list[list[str]] = []
        self.words: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open:
            return
        self.words[self.open[-1]] = self.words.get(self.open[-1], "") + data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data + ("|" if self.open[-1] != "small" else "")

    def values(self, name: str) -> list[str]:
        return [value or "" for _, known, value in self.attributes if known == name]


@cache
def question(share: float = 0.9, measure: Measure = Measure.TTFT) -> Question:
    trace = poisson(2.0, 1200.0, Tokens(), 3)
    service = service_by_distribution(len(trace), 1.0, 0.5, 3)
    workload = Workload(trace.arrivals, service, initial_replicas=3)
    return Question(
        Judge((workload,), Goal(measure, 2.0, share), 200.0), 16, SignalPath(), phases=2
    )


@cache
def replayed(setting: Setting) -> Result:
    return question().judge.result(setting, range(2))


def results(*names: str) -> list[Result]:
    return [replayed(named(name, 16, SignalPath())) for name in names]


def searched(title: str = "trace.csv") -> Report:
    recommended = named("recommended", 16, SignalPath())
    chosen = replayed(replace(recommended, name='<i>best & "all"</i>'))
    slow = replayed(replace(chosen.setting, path=SignalPath(30, 30)))
    return Report(
        title,
        question(),
        {"requests": "a <few>", "goal": "this & that"},
        results("tutorial", "lag:1", "recommended", "static:5"),
        (chosen, *results("lag:2")),
        (chosen, slow),
        chosen,
        'query: a < b and c > "d"\n',
        {"cooldownPeriod": "does <nothing>"},
        2.5,
    )


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(html(searched(NASTY)))


def test_names_and_texts_are_what_they_are_and_not_tags(page: Page) -> None:
    assert page.words["title"] == f"Autoscaling for {NASTY}"
    assert page.words["h1"] == f"Autoscaling for {NASTY}"
    assert page.words["code"] == 'query: a < b and c > "d"\n'
    assert "a <few>this & thatdoes <nothing>" in page.words["dd"].replace("\n", "")
    assert '<i>best & "all"</i>' in page.words["b"]
    assert not {"i", "few", "nothing"} & set(page.words)


def test_the_page_needs_nothing_from_elsewhere(page: Page) -> None:
    tags = {tag for tag, _, _ in page.attributes}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    for name in ("src", "href", "xlink:href", "style", "clip-path"):
        assert not any("//" in value for value in page.values(name))
    assert "@import" not in page.words["style"]
    assert "url(" not in page.words["style"]


def test_the_page_says_its_language_and_fits_a_phone(page: Page) -> None:
    assert ("html", "lang", "en") in page.attributes
    assert "width=device-width, initial-scale=1" in page.values("content")


def test_ids_are_unique_and_every_reference_has_one(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [value.removeprefix("#") for value in page.values("xlink:href")]
    clips = [value[5:-1] for value in page.values("clip-path")]
    assert links
    assert clips
    assert set(links) | set(clips) <= set(ids)


def test_figures_have_words_for_those_who_do_not_see_them(page: Page) -> None:
    assert page.values("role").count("img") == 2
    assert all(page.values("aria-label"))


def _expected(spread: Spread, factor: float = 1, digits: int = 2) -> str:
    mean, deviation, least, most = (f"{factor * value:.{digits}f}" for value in spread)
    return f"{mean} ± {deviation}|{least} … {most}"


def test_the_tables_numbers_are_the_results(page: Page) -> None:
    report = searched()
    rows = [row for row in page.rows if len(row) == 7]
    for result in (*report.compared, *report.finalists):
        expected = [
            _expected(result.attainment, 100),
            _expected(result.replica_hours),
            _expected(result.replica_hours, 2.5),
            _expected(result.wait_p95),
            _expected(result.peak_replicas, digits=1),
        ]
        named_so = [row for row in rows if row[0].split("|")[0] == result.setting.name]
        beaten = result.setting.name == "lag:2"
        assert named_so or beaten
        assert all(row[1:-1] == expected for row in named_so)


def test_the_chosen_one_is_marked_in_each_table(page: Page) -> None:
    assert ("tr", "class", "chosen") in page.attributes
    intervals = [row[0] for row in page.rows if row[0] in {"15/15|", "30/30|"}]
    assert intervals == ["15/15|", "30/30|"]


def test_the_answer_is_a_sentence_with_both_settings_numbers(page: Page) -> None:
    report = searched()
    tutorial, chosen = report.compared[0], report.best
    answer = " ".join(page.words["p"].split())
    for result in (chosen, tutorial):
        share, hours = result.attainment.mean * 100, result.replica_hours.mean
        assert f"{share:.2f} % of the requests within the goal for {hours:.2f} replica-h" in answer


def test_no_setting_that_attains_the_goal_is_said(page: Page) -> None:
    report = Report("t", question(0.99), {}, results("tutorial"))
    assert "None of the settings attains it in every replay; <b>tutorial</b> comes nearest" in html(
        report
    )
    assert "No setting" not in page.words["p"]


def test_a_goal_beyond_the_ceiling_is_said() -> None:
    asked = question(0.9999)
    ceiling = asked.judge.ceiling()
    text = html(Report("t", asked, {}, results("tutorial")))
    assert f"Even if nobody ever waited, only {ceiling * 100:.2f} % would have it" in text


def test_settings_are_reported_without_a_search() -> None:
    report = Report("t", question(), {}, results("static:2", "static:8", "static:4"))
    text = html(report)
    Page(text)
    assert report.best.setting.name == "static:4"
    assert "ScaledObject" not in text
    assert "does not do" not in text
    assert "None beats" not in text
    assert "tutorial" not in text


@pytest.mark.parametrize("measure", Measure)
def test_a_report_is_the_same_to_the_byte(measure: Measure) -> None:
    report = Report("t", question(0.9, measure), {}, results("tutorial", "static:5"))
    assert html(report) == html(report)


def test_a_report_is_a_file(tmp_path: Path) -> None:
    write_report(Report("ä", question(), {}, results("static:5")), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    assert "Autoscaling for ä" in text


def test_a_report_that_cannot_be_written_is_the_caller_s(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_report(Report("t", question(), {}, results("static:5")), tmp_path / "no" / "r.html")


WORDS: Mapping[str, str] = {
    "tutorial": "workers = lag / 5; no behavior",
    "lag:0.7": "workers = lag / 0.7; no behavior",
    "static:6": "always 6 replicas",
}


@pytest.mark.parametrize(("name", "words"), WORDS.items())
def test_a_setting_in_words(name: str, words: str) -> None:
    assert in_words(named(name, 16, SignalPath())) == words


def test_the_recommended_setting_in_words_has_its_parameters() -> None:
    setting = named("recommended", 16, SignalPath())
    assert re.fullmatch(
        r"workers = load \+ [\d.]+ √load \+ backlog / \d+ s; scale-in window \d+ s",
        in_words(setting),
    )
    windowed = replace(named("lag:1", 16, SignalPath()), behavior=scale_down_after(450))
    assert in_words(windowed) == "workers = lag / 1; scale-in window 450 s"


def test_matplotlib_is_imported_only_for_a_report() -> None:
    modules: Sequence[str] = ("cli", "autoscaler.tune.command", "autoscaler.tune.present")
    imports = ", ".join(f"pd_exporter.{module}" for module in modules)
    code = f"import sys, {imports}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
