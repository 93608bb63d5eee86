"""Any runs side by side: scores and their spread over seeds, a paired test, Δm, curves, differences of specs."""
