"""run_ingest, run_load, run_forecast: the only place where the stages meet."""
