"""``supercheck-exporter lifecycle plan | apply``: shows what rules artifact buckets should get, then writes just that.

`plan` prints the difference, what it saves, and a name of the plan. `apply NAME` plans again, and refuses unless
the outcome has that name: what is written is what somebody has read.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from itertools import pairwise

from supercheck_exporter.collectors.s3_lifecycle import optimal_dollars
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.s3 import S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket, watched
from supercheck_exporter.storage.classes import AWS_PRICES, AWS_PRICES_OF, CLASSES, EXPIRE, Tiers, monthly_dollars
from supercheck_exporter.storage.listing import Figures
from supercheck_exporter.storage.listings import Listings
from supercheck_exporter.storage.plan import BucketPlan, fingerprint, make_plan, refusals, unsupported, write
from supercheck_exporter.storage.states import States

LOOK_SECONDS = 0.2
TELL_SECONDS = 10.0
ONCE = 1e9
"""An interval that is not over before we are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    commands = parser.add_subparsers(dest="lifecycle", required=True)
    planning = commands.add_parser("plan", help="show the rules that the artifact buckets should get, and the saving")
    planning.add_argument("--no-saving", action="store_true", help="do not list the buckets")
    applying = commands.add_parser("apply", help="write what a plan showed")
    applying.add_argument("plan", metavar="NAME", help="the name that `lifecycle plan` printed")
    for command in (planning, applying):
        command.add_argument("--remove", action="store_true", help="take our rules away again")


def main_lifecycle(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Run the command; 0, or 2 where something must be mended first."""
    try:
        settings = load(env)
    except ConfigError as error:
        return _complain(*error.problems)
    if settings.s3_endpoint is None:
        return _complain("S3_ENDPOINT is not set: set it to the URL of the object store.")
    if not args.remove and (problems := refusals(settings.storage_tiers)):
        return _complain(*problems)
    source = S3Source(settings)
    buckets = [bucket for bucket in watched(settings) if bucket.artifacts]
    try:
        plans = make_plan(source, buckets, settings.storage_tiers, remove=args.remove)
        if args.lifecycle == "apply":
            return _apply(source, plans, args.plan)
        _show(plans)
        if not args.no_saving and not args.remove:
            show_saving(settings, source, buckets)
        return _tell_name(plans, "--remove " if args.remove else "")
    except S3Error as error:
        return _complain(f"{unsupported(error)}.")
    except SourceError as error:
        return _complain(f"{error}.")
    finally:
        source.close()


def _show(plans: list[BucketPlan]) -> None:
    for plan in plans:
        print("\n".join(plan.lines()))


def _tell_name(plans: list[BucketPlan], option: str) -> int:
    if any(plan.changes for plan in plans):
        print(f"\nTo write this: supercheck-exporter lifecycle apply {option}{fingerprint(plans)}")
    else:
        print("\nNothing to write.")
    return 0


def _apply(source: S3Source, plans: list[BucketPlan], name: str) -> int:
    if fingerprint(plans) != name:
        return _complain(
            f"{name} is not the name of what would be written now: the rules or the settings have changed, or it is "
            "mistyped. Run `supercheck-exporter lifecycle plan` again, and read it."
        )
    for plan in plans:
        if plan.changes:
            # what was written before one that fails stays, and has been told
            write(source, plan)
            print(f"{plan.bucket}: written")
    return 0


def show_saving(settings: Settings, source: S3Source, buckets: list[Bucket]) -> None:
    """List the buckets, and print what each costs now and with the rules."""
    tiers, prices = settings.storage_tiers, settings.storage_prices
    print()
    if not any(prices.values()):
        print("What it saves is not known: S3_PRICES says that storage costs nothing here.")
        return
    figures, problems = _list(settings, source, buckets)
    saved = moved = 0.0
    for bucket in buckets:
        known = figures.get(bucket.name)
        before = monthly_dollars(known.tally.billed, prices) if known else None
        after = optimal_dollars(known.tally, prices, tiers) if known else None
        if known is None or before is None or after is None:
            print(f"{bucket.name}: its saving is not known{_why(problems.get(bucket.name, 'a class has no price'))}")
            continue
        print(
            f"{bucket.name}: {known.tally.total:,} objects, ${before:,.2f} a month now, ${after:,.2f} with these rules"
            f"{_deleted(known)}"
        )
        saved += 12 * (before - after)
        moved += sum(count / 1000 * CLASSES[name].move_dollars for name, count in known.tally.moves.items())
    print(f"saves ${saved:,.2f} a year{f', and moving what is there costs ${moved:,.2f} once' if moved else ''}")
    for line in _beside(prices, tiers):
        print(line)


def _beside(prices: Mapping[str, float], tiers: Tiers) -> list[str]:
    lines = [f"Prices: {AWS_PRICES_OF}; S3_PRICES sets others."] if prices is AWS_PRICES else []
    for (name, days), (_, left) in pairwise(tiers.items()):
        least = CLASSES[name].least_days
        if left - days < least:
            lines.append(f"{name} bills {least} days, and objects leave it after {left - days}: that is in the sum.")
    return lines


def _deleted(figures: Figures) -> str:
    size = figures.tally.misplaced[EXPIRE]
    return f"; {size:,} bytes are deleted at once" if size else ""


def _why(problem: str) -> str:
    return f" ({problem})"


def _list(
    settings: Settings, source: S3Source, buckets: list[Bucket]
) -> tuple[Mapping[str, Figures], Mapping[str, str]]:
    """Every bucket once; those that fail are left out, with the reason."""
    states = States()
    listings = Listings(
        source,
        tuple(buckets),
        settings.storage_tiers,
        states,
        interval=ONCE,
        pace=settings.s3_list_requests_per_second,
    )
    listings.start()
    told = time.monotonic()
    try:
        while waiting := [b.name for b in buckets if b.name not in listings.figures() and states.is_well(b.name)]:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                print(f"{waiting[0]}: {listings.progress()[waiting[0]]}", file=sys.stderr)
    finally:
        listings.stop()
    return listings.figures(), states.problems()


def _complain(*problems: str) -> int:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 2
