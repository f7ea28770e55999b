"""Pictures and pages of results, from plain data. Only this package imports matplotlib."""
