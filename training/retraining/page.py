"""The validation report as one HTML page without scripts or outside files."""

from html import escape

from ionscout.training.retraining.validation import ValidationReport

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    ".error{color:#a00;font-weight:600}.warning{color:#850}"
)


def html(report: ValidationReport, key: str) -> str:
    """The page of one retraining, named by its key."""
    verdict = "The data is not usable." if report.errors else "The data is usable."
    sources = ", ".join(f"{escape(name)}: {count}" for name, count in report.sources.items())
    lines = [
        f"<tr><td class='{f.level}'>{f.level}</td><td>{escape(f.check)}</td>"
        f"<td>{escape(f.words)}</td><td>{escape(', '.join(f.rows))}</td></tr>"
        for f in report.findings
    ]
    table = "<p>No findings.</p>"
    if lines:
        head = "<tr><th>level</th><th>check</th><th>what</th><th>rows</th></tr>"
        table = f"<table>{head}{''.join(lines)}</table>"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Data of a retraining</title>"
        f"<style>{_STYLE}</style></head><body><h1>Data of retraining {escape(key)}</h1>"
        f"<p><strong>{verdict}</strong> {report.rows} rows, {report.new} of them new ({sources}).</p>"
        f"<h2>Findings</h2>{table}"
        f"<h2>Drift</h2><p>{escape(report.drift.verdict)}: {escape(report.drift.words)}.</p></body></html>\n"
    )
