"""The worklist of people whom we promised to call back."""
