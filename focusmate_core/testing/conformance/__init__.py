"""The contracts: what each port, feature and door promises, as tests to inherit."""
