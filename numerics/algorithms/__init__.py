"""The paper's algorithms as pure functions ``run(task, config, rng) -> result``, one file each."""
