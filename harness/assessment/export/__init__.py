"""An assessment as tables for other programs: rows, files, MLflow."""
