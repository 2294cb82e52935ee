"""Bugs on purpose in the broker of Interactive Brokers, and the test that has to catch each.

python -m tests.ib.mutations [PART OF A NAME ...]
"""

import subprocess
import sys

from tests.simulation.mutations import ROOT, DoesNotApply

IB = "daemon/brokers/ib"
MUTATIONS = {  # name: file, before (stands there once), after, the test
    "an execution is known by its id with the revision": (
        f"{IB}/executions.py",
        "    return root, int(revision)\n",
        "    return exec_id, int(revision)\n",
        "test_recovery_reads.py::test_the_highest_revision_of_an_execution_wins",
    ),
    "a commission is no revision": (
        f"{IB}/executions.py",
        "revision=2 * revision + known",
        "revision=2 * revision",
        "test_executions.py::test_the_commission_is_a_revision_and_a_correction_a_higher_one",
    ),
    "another client id is tried": (
        f"{IB}/keeper.py",
        "        self.gateway = self._make()\n",
        "        self.gateway = self._make()\n"
        "        import msgspec\n"
        "        self.others = getattr(self, 'others', -1) + 1\n"
        "        other = self.gateway.address.client_id + self.others\n"
        "        self.gateway.address = msgspec.structs.replace(\n"
        "            self.gateway.address, client_id=other\n"
        "        )\n",
        "test_keeper.py::test_the_same_client_id_is_tried_until_it_is_free",
    ),
    "what is ordered around the daily restart goes out": (
        "daemon/sender.py",
        "        if self.paused:\n            return ()\n",
        "",
        "../daemon/test_link.py::test_what_is_asked_for_in_a_pause_is_sent_when_it_ends",
    ),
    "a pause that begins after the claim is not seen": (
        "daemon/sender.py",
        "        if why := self.paused:\n",
        '        if why := "":\n',
        "../daemon/test_link.py::test_a_pause_that_begins_after_the_claim_sends_nothing",
    ),
    "what waited for the end of a pause is forgotten": (
        "daemon/link.py",
        "            if before and not paused:\n",
        "            if False:\n",
        "../daemon/test_link.py::test_what_is_asked_for_in_a_pause_is_sent_when_it_ends",
    ),
    "a gateway that restarts is missed at once": (
        f"{IB}/keeper.py",
        "            self._down_since = now + self._expected()\n",
        "            self._down_since = now\n",
        "test_restarting.py::test_a_gateway_that_stays_away_is_told_by_when_it_was_lost",
    ),
    "the window is an hour off in summer": (
        f"{IB}/restarting.py",
        "            at = datetime.combine(day, self.at, self.zone).astimezone(UTC)\n",
        "            shift = timedelta(hours=5)\n"
        "            at = datetime.combine(day, self.at, UTC) + shift\n",
        "test_restarting.py::test_the_window_is_around_a_time_of_day_in_its_zone",
    ),
    "a split that the lines contradict is booked": (
        "daemon/corporate_actions.py",
        "        if abs(came - (difference.broker - difference.ours)) < ONE:\n",
        "        if abs(came) >= 0:\n",
        "../daemon/test_corporate_actions.py::"
        "test_where_anything_disagrees_or_is_not_said_nothing_is_booked",
    ),
    "a split of before is booked again": (
        "daemon/corporate_actions.py",
        "    return at.date() < began.date() or (booked is not None and at <= booked)\n",
        "    return False\n",
        "../daemon/test_corporate_actions.py::"
        "test_one_that_was_booked_or_is_from_before_the_book_is_over",
    ),
    "a client id in use is waited for as if nobody answered": (
        f"{IB}/gateway.py",
        "                self._refused.set()\n",
        "                pass\n",
        "test_gateway.py::test_a_client_id_in_use_is_said_at_once",
    ),
    "a list without its end is empty": (
        f"{IB}/gateway.py",
        "        except (OSError, TimeoutError) as why:\n            self.close(",
        "        except TimeoutError:\n            return []\n"
        "        except OSError as why:\n            self.close(",
        "test_recovery_reads.py::test_a_list_without_its_end_is_no_book",
    ),
    "the library's guess of an order's end is believed": (
        f"{IB}/reports.py",
        "guessed = bool(trade.log and trade.log[-1].errorCode)",
        "guessed = False",
        "test_broker.py::test_a_notice_that_the_library_takes_for_an_end_ends_nothing",
    ),
    "the library's guess of an order's end is in the book": (
        f"{IB}/orders.py",
        'ENDS.get(said.status, "rejected") if completed else "open"',
        'ENDS.get(said.status, "rejected" if completed else "open")',
        "test_orders.py::"
        "test_what_the_gateway_lists_as_open_is_open_whatever_the_library_made_of_it",
    ),
    "an unknown code ends an order": (
        f"{IB}/wire_errors.py",
        "Action.NOTE if code in WARNINGS else Action.READ_AGAIN",
        "Action.NOTE if code in WARNINGS else Action.CANCELLED",
        "test_broker.py::test_a_notice_that_the_library_takes_for_an_end_ends_nothing",
    ),
    "inactive is an end": (
        f"{IB}/reports.py",
        'frozenset({"Cancelled", "ApiCancelled"})',
        'frozenset({"Cancelled", "ApiCancelled", "Inactive"})',
        "test_broker.py::test_inactive_is_no_end",
    ),
    "orders go while the servers are lost": (
        f"{IB}/broker.py",
        "if gateway is None or gateway.state is not State.READY:",
        "if gateway is None:",
        "test_broker.py::"
        "test_nothing_is_sent_before_the_books_were_compared_nor_while_servers_are_lost",
    ),
    "nothing is compared after 1101": (
        f"{IB}/broker.py",
        "if action(code) in {Action.BACK, Action.BACK_DATA_LOST}:",
        "if action(code) is Action.BACK:",
        "test_broker.py::"
        "test_nothing_is_sent_before_the_books_were_compared_nor_while_servers_are_lost",
    ),
    "orders of another account are in the book": (
        f"{IB}/recovery_reads.py",
        'if trade.order.account in {"", account}:',
        "if True:",
        "test_recovery_reads.py::test_the_book_of_one_account_has_nothing_of_another",
    ),
    "executions of another account are in the book": (
        f"{IB}/recovery_reads.py",
        " for f in fills if f.execution.acctNumber == account)",
        " for f in fills)",
        "test_recovery_reads.py::test_the_book_of_one_account_has_nothing_of_another",
    ),
    "a broken line is seen by the next question": (
        f"{IB}/gateway.py",
        '"the gateway closed the connection"\n        self.gone.set()\n',
        '"the gateway closed the connection"\n',
        "test_gateway.py::test_a_closed_socket_is_down",
    ),
    "a person is told once": (
        f"{IB}/keeper.py",
        "(self._told is None or now - self._told >= ALARM)",
        "self._told is None",
        "test_keeper.py::test_a_person_is_told_of_a_gateway_that_stays_away_and_told_again",
    ),
    "what can't be read is left out": (
        f"{IB}/reports.py",
        '            self._doubt(f"execution {fill.execution.execId}: {why}")\n',
        "            log.info(str(why))\n",
        "test_broker.py::test_an_execution_nobody_can_read_lets_the_books_be_compared_again",
    ),
    "a plan asks under the client id of orders": (
        f"{IB}/previewing.py",
        "gateway = Gateway(self._address, self._limit)",
        "import msgspec\n"
        "        same = msgspec.structs.replace(self._address, client_id=7)\n"
        "        gateway = Gateway(same, self._limit)",
        "test_previewing.py::test_its_numbers_use_up_none_of_an_order_and_no_answer_is_word_of_one",
    ),
    "a question of a plan is an order": (
        f"{IB}/previewing.py",
        "ib.whatIfOrderAsync(self._contract, self._order)",
        "asyncio.sleep(0, ib.placeOrder(self._contract, self._order))",
        "test_previewing.py::test_it_tells_commission_and_margins_of_each_and_places_nothing",
    ),
    "a refusal that the library takes for a warning is waited for": (
        f"{IB}/previewing.py",
        "        elif not self._failed.done():\n",
        "        elif False:\n",
        "test_previewing.py::test_a_read_only_gateway_is_heard_at_once",
    ),
    "a number that is not set is an amount": (
        f"{IB}/previewing.py",
        "return None if value == Decimal(str(UNSET_DOUBLE)) else money(value)",
        "return money(Decimal(0) if value == Decimal(str(UNSET_DOUBLE)) else value)",
        "test_previewing.py::test_what_is_no_amount_is_not_known_and_never_zero",
    ),
    "a number that can't be read is zero": (
        f"{IB}/previewing.py",
        "    except (InvalidOperation, AmountOutOfRange):\n        return None\n",
        "    except (InvalidOperation, AmountOutOfRange):\n        return Decimal(0)\n",
        "test_previewing.py::test_what_is_no_amount_is_not_known_and_never_zero",
    ),
}
RUN = """\
import sys
import pytest
from tests.simulation import mutations
from tests.ib.mutations import patched
sys.meta_path.insert(0, mutations.Patching(patched(sys.argv[1])))
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", sys.argv[2]]))
"""


def patched(name):
    """Return the source of the module that a mutation changes, by module name."""
    file, before, after, _ = MUTATIONS[name]
    source = (ROOT / file).read_text()
    if source.count(before) != 1:
        raise DoesNotApply(f"{name}: {file} has {source.count(before)} times: {before!r}")
    return {file.removesuffix(".py").replace("/", "."): source.replace(before, after)}


def outcome(name):
    """Run the test of a mutation on the patched source; return its exit code and what it said."""
    command = [sys.executable, "-c", RUN, name, f"tests/ib/{MUTATIONS[name][-1]}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main():
    """Run all, or those whose names hold a text; end with 1 when one gets away."""
    lost = 0
    for name in MUTATIONS:
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        code, said = outcome(name)
        lost += code != 1
        print("caught    " if code == 1 else "NOT CAUGHT", name, "" if code == 1 else said[-2000:])
    return min(lost, 1)


if __name__ == "__main__":
    sys.exit(main())
