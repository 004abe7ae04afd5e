"""The view of what a run said of its test data: of classes, of labels, of values, or of forecasts."""

import streamlit as st

from dashboard import components, text
from dashboard.outcome import class_charts, class_curves, reads, values
from dashboard.outcome.reads import ClassOutputs, ValueOutputs
from lab.tracking.reading.run_table import RunTable


def show_outcome(table: RunTable, run: str) -> None:
    """What was predicted beside what is true, as far as the run kept it."""
    scores, matrix = reads.label_scores(run), reads.confusion_matrix(run)
    if scores is not None:
        components.show_chart(class_charts.label_bars(scores), "labels", "scores of each label of the test data")
    if matrix is not None:
        components.show_chart(class_charts.confusion_matrix(*matrix), "confusion", "confusion matrix of the test data")
    if scores is not None or matrix is not None:
        _show_probabilities(reads.class_outputs(run))
        return
    try:
        outputs = reads.value_outputs(run)
    except (ValueError, KeyError, IndexError):
        st.warning("predictions.csv cannot be read.")
        return
    if outputs is None:
        st.info("This run has no confusion matrix and no predictions.")
        return
    _show_values(outputs)


def _show_probabilities(outputs: ClassOutputs | None) -> None:
    """Calibration, ROC and precision-recall curves."""
    if outputs is None:
        st.caption("This run kept no probabilities (runs before version 0.6 did not), so there are no ROC curves.")
        return
    shown = {
        "calibration": class_curves.calibration_chart(outputs),
        "ROC": class_curves.roc_chart(outputs),
        "precision-recall": class_curves.precision_chart(outputs),
    }
    for column, (name, chart) in zip(st.columns(3), shown.items(), strict=True):
        with column:
            st.markdown(f"**{name}**")
            components.show_chart(chart, f"outcome-{name}", f"{name} of the test data")


def _show_values(outputs: ValueOutputs) -> None:
    """Forecasts with bands, then predicted against true values and the residuals of one target."""
    names = list(outputs.targets)
    target = names[0]
    if len(names) > 1:
        target = st.selectbox("Target", names, key="target", bind="query-params", format_func=text.truncate)
    if outputs.forecast:
        components.show_chart(values.forecasts(outputs, target), "forecasts", "forecasts of the test data")
    left, right = st.columns(2)
    with left:
        components.show_chart(values.against_truth(outputs, target), "predictions", "predictions against true values")
    with right:
        components.show_chart(values.residuals(outputs, target), "residuals", "residuals of the test data")
