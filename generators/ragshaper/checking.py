"""Running checks in order, up to the first that fails."""

from collections.abc import Awaitable, Callable, Sequence

from synthmill.generators.ragshaper.records import CheckFailure, CheckResult
from synthmill.schemas.verdict import Verdict

Outcome = CheckFailure | None
MAX_DETAIL_CHARS = 500


async def run_checks(
    checks: Sequence[tuple[str, Callable[[], Awaitable[Outcome]]]],
) -> list[CheckResult]:
    """The results in order; the first failure ends them."""
    results: list[CheckResult] = []
    for name, run in checks:
        failure = await run()
        if failure is not None:
            reason, detail = failure.reason, failure.detail[:MAX_DETAIL_CHARS]
            results.append(CheckResult(name=name, passed=False, reason=reason, detail=detail))
            break
        results.append(CheckResult(name=name, passed=True))
    return results


def verdict_of(checks: Sequence[CheckResult], name: str) -> Verdict:
    """Check results as the generator's own verdict."""
    failed = next((check for check in checks if not check.passed), None)
    return Verdict(
        filter=name,
        status="pass" if failed is None else "fail",
        reason=failed.reason if failed else None,
        detail=failed.detail if failed else None,
    )
