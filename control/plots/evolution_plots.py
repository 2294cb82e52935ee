"""What a report plots of evolution."""

from typing import TYPE_CHECKING

from control.plots.drawing import SERIES, Draw
from state.report import Report
from state.report_evolution import bred

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def front(told: Report) -> Draw:
    """Draw the newest front: return for risk against drawdown, the candidate apart."""
    run = next((each for each in reversed(bred(told)) if each.front), None)

    def draw(axes: "Axes") -> None:
        axes.set_xlabel("deepest drawdown, %")
        axes.set_ylabel("Sharpe ratio, bred bars")
        for one in run.front if run else ():
            chosen = run is not None and one.genome_id == run.candidate_id
            axes.plot(
                [-100 * one.objectives.get("drawdown", 0.0)],
                [one.objectives.get("return for risk", 0.0)],
                marker="D" if chosen else "o",
                color=SERIES[1] if chosen else SERIES[0],
                linestyle="none",
            )

    return draw


def samples(told: Report) -> Draw:
    """Draw each candidate's Sharpe ratio in and out of sample, and of who it was set beside."""
    judged = [each.verdict.out_of_sample for each in bred(told) if each.verdict is not None]

    def draw(axes: "Axes") -> None:
        at = range(len(judged))
        for n, name in enumerate(("sharpe_in_sample", "sharpe", "sharpe_holdout")):
            heights = [each.get(name, 0.0) for each in judged]
            label = ("in sample", "out of sample", "holdout")[n]
            axes.bar([x + 0.25 * n for x in at], heights, 0.25, color=SERIES[n], label=label)
        axes.set_xticks([])
        axes.set_ylabel("Sharpe ratio a year")
        axes.legend(loc="upper left")

    return draw


def convergence(told: Report) -> Draw:
    """Draw the best return for risk of each generation of the newest run."""

    def draw(axes: "Axes") -> None:
        axes.set_xlabel("generation")
        axes.set_ylabel("best return for risk, bred bars")
        generations = [generation for generation, _ in told.convergence]
        best = [value for _, value in told.convergence]
        axes.plot(generations, best, color=SERIES[0], marker="o", markersize=3)

    return draw
