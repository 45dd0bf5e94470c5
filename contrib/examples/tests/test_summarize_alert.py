"""Tests of examples.summarize_alert; run them with st2-run-pack-tests."""

import json

from st2tests.base import BaseActionTestCase
from summarize_alert import SummarizeAlertAction


class SummarizeAlertTest(BaseActionTestCase):
    action_cls = SummarizeAlertAction

    def test_firing(self) -> None:
        ok, summary = self.get_action_instance().run(alert=json.loads(self.get_fixture_content("alert.json")))
        self.assertTrue(ok)
        self.assertEqual(summary["title"], "DiskSpaceLow: 1 firing")
        self.assertEqual(summary["severity"], "critical")
        self.assertEqual(summary["firing"], ["DiskSpaceLow on web-1.example.com:9100"])

    def test_no_alert(self) -> None:
        ok, reason = self.get_action_instance().run(alert={"foo": 1})
        self.assertFalse(ok)
        self.assertIn("no alerts", reason)
