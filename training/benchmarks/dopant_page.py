"""The dopant benchmark's report as a page."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionscout.training.benchmarks.dopants import DopantMetrics, DopantReport


def page(report: "DopantReport") -> str:
    """Markdown: metrics of all methods on one list, then each dopant."""
    undoped = "unknown" if report.undoped is None else f"{report.undoped:.3g} S/cm ({report.undoped_from})"
    lines = [
        f"# Dopants of {report.host}",
        "",
        f"{report.n} dopants, {report.n_site} with a site, {report.n_conductivity} with a conductivity, "
        f"{report.positives} at ten times the undoped host or above. Undoped host: {undoped}. "
        f"Conductivity model {report.model}, hull {report.hull}.",
        "",
        "| method | site accuracy | AUC 10x | recall@10 | Spearman |",
        "|---|---|---|---|---|",
        _row("ionscout", report.ours),
        _row("ionscout, prior alone (no conductivity model)", report.prior_only),
        _row(
            f"ionscout, the {report.n - _seen_rows(report)} rows of dopants never measured in this host", report.unseen
        ),
    ]
    for name, found in report.baselines.items():
        lines.append(f"| {name} | {found} | | | |" if isinstance(found, str) else _row(name, found))
    seen = ", ".join(report.seen) or "none"
    lines += [
        "",
        f"Leak: measurements of this host with {seen} are in the data known here, so the conductivity model may have "
        "seen them. The prior alone has seen no measurement of any dopant.",
        "",
        "| dopant | site | predicted site | S/cm | expected log10 S/cm |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(report.rows, key=lambda r: -(r["expected_log10_S_cm"] or -99)):
        value = "" if row["sigma_ionic_S_cm"] is None else f"{row['sigma_ionic_S_cm']:.3g}"
        guess = "" if row["expected_log10_S_cm"] is None else f"{row['expected_log10_S_cm']:.2f}"
        site = row["predicted_site"] or ""
        lines.append(f"| {row['dopant']} | {row['substituted_site']} | {site} | {value} | {guess} |")
    return "\n".join(lines) + "\n"


def _seen_rows(report: "DopantReport") -> int:
    return sum(row["dopant"] in report.seen for row in report.rows)


def _row(name: str, found: "DopantMetrics") -> str:
    cells = (found.site_accuracy, found.auc_10x, found.recall_at_10, found.spearman)
    return f"| {name} | " + " | ".join("" if x is None else f"{x:.2f}" for x in cells) + " |"
