-- What people say against the model: versioned, audited, and measured once sales are known.

ALTER TABLE supplyline.forecast_override RENAME COLUMN mean TO value;
ALTER TABLE supplyline.forecast_override RENAME COLUMN period TO from_day;
ALTER TABLE supplyline.forecast_override
    DROP CONSTRAINT forecast_override_mean_check,
    ADD COLUMN kind text NOT NULL DEFAULT 'demand'
        CHECK (kind IN ('demand', 'fill_rate', 'lead_time_days')),
    ADD COLUMN to_day date,
    ADD COLUMN replaces bigint REFERENCES supplyline.forecast_override (id),
    ADD COLUMN withdrawn_by text NOT NULL DEFAULT '',
    ADD COLUMN withdrawn_reason text NOT NULL DEFAULT '',
    ADD CHECK (value >= 0),
    ADD CHECK (kind <> 'fill_rate' OR (value > 0 AND value < 1)),
    ADD CHECK (from_day IS NULL OR to_day IS NULL OR from_day <= to_day);
UPDATE supplyline.forecast_override SET to_day = from_day WHERE to_day IS NULL;
ALTER TABLE supplyline.forecast_override
    ADD CHECK (kind <> 'demand' OR (from_day IS NOT NULL AND to_day IS NOT NULL)) NOT VALID;
CREATE INDEX forecast_override_item ON supplyline.forecast_override (item);
COMMENT ON TABLE supplyline.forecast_override IS
    'What people say against the model, with reason; never mixed into inventory_forecast. demand: '
    'units over the days from from_day to to_day; a row is never changed, only withdrawn or replaced.';

ALTER TABLE supplyline.forecast_history ADD COLUMN overrides jsonb NOT NULL DEFAULT '[]';

CREATE TABLE supplyline.forecast_override_use (
    run_id   text NOT NULL,
    item     text NOT NULL,
    period   date NOT NULL,
    bucket   text NOT NULL,
    override_ids bigint[] NOT NULL,
    model    double precision NOT NULL,
    used     double precision NOT NULL,
    PRIMARY KEY (run_id, item, period)
);
COMMENT ON TABLE supplyline.forecast_override_use IS
    'Per run and period with an override: what the model said and what was planned with.';
