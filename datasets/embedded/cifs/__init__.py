"""CIF files of the embedded set, written by `ionscout.datasets.embedded.build`; do not edit them by hand."""
