"""The command line: a thin shell over `chainrule.api`."""
