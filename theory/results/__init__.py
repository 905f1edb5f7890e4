"""The paper's results, made explicit: each function derives one for any composed family."""
