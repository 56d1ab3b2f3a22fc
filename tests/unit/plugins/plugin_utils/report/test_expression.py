# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An expression that reads what no report has is refused, whatever it is written like."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.expression import (
    ExpressionError,
    check_expression,
    evaluate,
)

from tests.unit.plugins import reports

REPORT = build_report(reports.make_hosts(3, controls=40), "Audit")


@pytest.mark.parametrize(
    "text",
    [
        "totals.score.percent < `80`",
        "length(findings[?verdict=='fail' && !waived && scope=='containers']) > `3`",
        "findings[?verdict=='unknown'].control",
        "findings[].subjects[?verdict=='fail'][].waiver.state",
        "findings[*].subjects[0].kind | [0]",
        "hosts[?status!='audited'] | [0].message",
        "hosts[:2].engines[].containers",
        "hosts[?change.mode=='failed']",
        "hosts[].change.refused[?consent=='userns_remap_allow_data_switch'][].control",
        "hosts[].change.costs[].subjects[]",
        "hosts[].before.new[]",
        "hosts[?before.score.percent > score.percent]",
        "waivers[?state=='expired']",
        "sort_by(hosts, &host)[0].os",
        "max_by(hosts[?score], &score.failed).host",
        "totals.* | [0].total",
        "{worst: totals.failed_by_severity.critical, all: length(hosts)}.worst",
        "findings[?remedy.variables.anything == 'x']",
        "findings[?references.cis_1_6_0[?@=='2.9']]",
        "@.totals.hosts.failed",
        "not_null(generated, title)",
        "[totals.hosts.total, totals.hosts.audited]",
    ],
)
def test_sound_expressions_are_taken_and_have_a_value(text):
    check_expression(text)
    evaluate(text, REPORT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hihg", "reads hihg, but there is only findings, generated"),
        ("totals.scor.percent < `80`", "reads scor,"),
        ("totals.score.percents < `80`", "reads percents, but there is only failed, passed"),
        ("findings[?severty=='high']", "reads severty,"),
        ("findings[?severity=='high'].subject", "reads subject,"),
        ("findings[].subjects[].waiver.owners", "reads owners,"),
        ("length(host) > `3`", "reads host,"),
        ("hosts[0].score.percnt", "reads percnt,"),
        ("hosts[:1].stat", "reads stat,"),
        ("hosts[].change.refuse", "reads refuse,"),
        ("hosts[].before.old", "reads old,"),
        ("findings | [?verdit=='fail']", "reads verdit,"),
        ("!waved", "reads waved,"),
        ("{a: wavers}", "reads wavers,"),
        ("@.total", "reads total,"),
        ("lenght(hosts)", "calls lenght()"),
        ("map(&host, lenght(hosts))", "calls lenght()"),
        ("a b", "is not JMESPath: "),
        ("findings[?verdict==`fail]", "is not JMESPath: "),
        ("", "is not JMESPath: "),
    ],
)
def test_expressions_that_could_never_hold_are_refused(text, reason):
    with pytest.raises(ExpressionError) as caught:
        check_expression(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_expression_may_have_no_value_on_a_report():
    text = "sum(hosts[].message) > `1`"
    check_expression(text)
    with pytest.raises(ExpressionError, match="cannot be evaluated"):
        evaluate(text, REPORT)
