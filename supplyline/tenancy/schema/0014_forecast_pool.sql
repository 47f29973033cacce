-- Items of a run in a fixed order that has nothing to do with their codes: the pool of the plan.
CREATE INDEX forecast_history_pool ON supplyline.forecast_history (run_id, history_key);
