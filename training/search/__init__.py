"""Search of hyper-parameters: trials on the grouped folds of the cross-validation, stopped early, resumed, recorded."""
