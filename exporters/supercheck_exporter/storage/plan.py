"""Lifecycle rules that a site should have: what they are, what S3 refuses, and how a bucket differs from them.

S3 keeps one list of rules for a bucket, and writing replaces it whole. So rules of others are read first and
written back as they were; ours are known by their ids.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.s3 import S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket
from supercheck_exporter.storage.classes import CLASSES, EXPIRE, Tiers
from supercheck_exporter.storage.listing import MINIO
from supercheck_exporter.storage.rules import OURS, Rule, read_rules

TIERS_RULE, UPLOADS_RULE = f"{OURS}tiers", f"{OURS}uploads"
UPLOAD_DAYS = 7
MAX_RULES = 1000
BETWEEN_DAYS = 30
"""After STANDARD_IA or ONEZONE_IA the next move must be so much later."""


def wanted_rules(tiers: Tiers, server: str) -> list[Rule]:
    """Our rules for a bucket. MinIO removes unfinished uploads by itself, and refuses a rule about them."""
    moves = [{"Days": days, "StorageClass": name} for name, days in tiers.items() if name != EXPIRE]
    rule: Rule = {"ID": TIERS_RULE, "Status": "Enabled", "Filter": {"Prefix": ""}}
    if moves:
        rule["Transitions"] = moves
    if EXPIRE in tiers:
        rule["Expiration"] = {"Days": tiers[EXPIRE]}
    uploads: Rule = {
        "ID": UPLOADS_RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
    }
    return [rule] if server == MINIO else [rule, uploads]


def refusals(tiers: Tiers) -> list[str]:
    """What S3 would refuse, one sentence each; some servers take it and do something else."""
    found = []
    for name, days in tiers.items():
        least = CLASSES[name].from_days if name in CLASSES else 0
        if days < least:
            found.append(
                f"S3_LIFECYCLE_TIERS: S3 moves nothing to {name} before {least} days, and {name}={days} says sooner."
            )
    for (name, days), (after, later) in pairwise(tiers.items()):
        if name in CLASSES and CLASSES[name].from_days and after != EXPIRE and later < days + BETWEEN_DAYS:
            found.append(f"S3_LIFECYCLE_TIERS: S3 wants {BETWEEN_DAYS} days between {name}={days} and {after}={later}.")
    return found


@dataclass(frozen=True)
class BucketPlan:
    """What a bucket has and what it should have. ``minimum`` is S3's own setting beside the rules, kept as it is."""

    bucket: str
    current: Sequence[Rule]
    minimum: str | None
    wanted: Sequence[Rule]

    @property
    def others(self) -> list[Rule]:
        """The rules that are not ours; they stay."""
        return [rule for rule in self.current if not is_ours(rule)]

    @property
    def gone(self) -> list[Rule]:
        """Rules of ours that are not wanted, or not so."""
        return [rule for rule in self.current if is_ours(rule) and _essence(rule) not in map(_essence, self.wanted)]

    @property
    def new(self) -> list[Rule]:
        """Rules that are wanted and not there."""
        return [rule for rule in self.wanted if _essence(rule) not in map(_essence, self.current)]

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.gone or self.new)

    def lines(self) -> Iterator[str]:
        """The difference, for people."""
        yield f"{self.bucket}:" if self.changes else f"{self.bucket}: no change"
        for sign, rules in (("-", self.gone), ("+", self.new)):
            yield from (f"  {sign} {rule['ID']}: {describe(rule)}" for rule in rules)
        if self.others:
            yield f"    {len(self.others)} of others: not touched"


def is_ours(rule: Rule) -> bool:
    """Whether we made it."""
    return str(rule.get("ID", "")).startswith(OURS)


def describe(rule: Rule) -> str:
    """What a rule of ours does."""
    parts = [
        f"moved to {move.get('StorageClass')} after {move.get('Days')} days" for move in rule.get("Transitions", ())
    ]
    if "Expiration" in rule:
        parts.append(f"DELETED after {rule['Expiration'].get('Days')} days")
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        parts.append(f"unfinished uploads removed after {days} days")
    if rule.get("Status") != "Enabled":
        parts.append("switched off")
    return ", ".join(parts) or "nothing"


def _essence(rule: Rule) -> str:
    """What two forms of one rule have in common: servers fill in what was left out, each in its way."""
    prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", "")) or ""
    return f"{rule.get('ID')} {prefix!r} {describe(rule)}"


def make_plan(source: S3Source, buckets: Iterable[Bucket], tiers: Tiers, *, remove: bool) -> list[BucketPlan]:
    """Read the rules of every artifact bucket. Raises S3Error, and SourceError where there would be too many rules."""
    plans = []
    for bucket in buckets:
        if not bucket.artifacts:
            continue
        rules, minimum = read_rules(source, bucket.name)
        plan = BucketPlan(bucket.name, rules, minimum, [] if remove else wanted_rules(tiers, source.server))
        if len(plan.others) + len(plan.wanted) > MAX_RULES:
            raise SourceError(f"{bucket.name} has {len(plan.others)} rules of others; S3 takes {MAX_RULES} in all")
        plans.append(plan)
    return plans


def fingerprint(plans: Sequence[BucketPlan]) -> str:
    """A short name of exactly these changes to exactly these rules."""
    content = [[plan.bucket, plan.current, plan.minimum, plan.wanted] for plan in plans]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


class Moved(SourceError):
    """The rules of a bucket are not those of the plan any more."""


def write(source: S3Source, plan: BucketPlan) -> None:
    """Write one bucket's rules, unless they have changed since they were planned.

    Raises Moved, and S3Error. Between the last look and the write S3 has no lock: two people who write in one second
    overwrite each other, as with any other tool.
    """
    rules, minimum = read_rules(source, plan.bucket)
    if _text(rules) != _text(plan.current) or minimum != plan.minimum:
        raise Moved(f"{plan.bucket}: somebody has changed its rules since they were planned")
    wanted = [*plan.others, *plan.wanted]
    if not wanted:
        source.call("delete_bucket_lifecycle", Bucket=plan.bucket)
        return
    beside: dict[str, Any] = {} if minimum is None else {"TransitionDefaultMinimumObjectSize": minimum}
    source.call(
        "put_bucket_lifecycle_configuration",
        Bucket=plan.bucket,
        LifecycleConfiguration={"Rules": wanted},
        **beside,
    )


def _text(rules: Sequence[Rule]) -> str:
    return json.dumps(rules, sort_keys=True, default=str)


def unsupported(error: S3Error) -> str:
    """The error, and what a server that keeps no lifecycle rules leaves to do."""
    if error.kind != "unsupported":
        return str(error)
    return f"{error}. Nothing removes old reports there but Supercheck's own cleanup"
