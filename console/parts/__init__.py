"""What pages are made of: panel, state, table, confirm; and how times and figures are written."""
