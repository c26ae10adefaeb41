"""The predictor as an MLflow model from code: MLflow stores this file and the weights, never a pickle."""

from pathlib import Path

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPredictor


class ConductivityModel(PythonModel):
    """Rows with `text` (a CIF, POSCAR, JSON or formula) and, optionally, `temperature_K`."""

    def load_context(self, context) -> None:
        self.predictor = ConductivityPredictor.load(Path(context.artifacts["weights"]))

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        """One row of prediction for each row of input; columns as in `ConductivityPrediction`."""
        rows = []
        for row in model_input.to_dict("records"):
            material = parse_material(row["text"])
            rows.append(vars(self.predictor.predict([material], float(row.get("temperature_K", 298.15)))[0]))
        return pd.DataFrame(rows)


mlflow.models.set_model(ConductivityModel())
