"""The survey of FORM-3: four questions about a case, answered by keys."""
