-- Unchanged items are carried over from run to run; what was fitted is kept until nobody uses it.

ALTER TABLE supplyline.forecast_run
    ADD COLUMN base_run  text,
    ADD COLUMN terms_key text NOT NULL DEFAULT '',
    ADD COLUMN stock_day date;
COMMENT ON COLUMN supplyline.forecast_run.base_run IS
    'The published run that this one was compared with; its rows are carried over where nothing changed.';

ALTER TABLE supplyline.forecast_history SET LOGGED;
ALTER TABLE supplyline.forecast_history RENAME COLUMN fingerprint TO history_key;
ALTER TABLE supplyline.forecast_history
    ADD COLUMN action text NOT NULL DEFAULT 'fit'
        CHECK (action IN ('fit', 'roll', 'replan', 'keep')),
    ADD COLUMN plan_key text NOT NULL DEFAULT '',
    ADD COLUMN fit_key text NOT NULL DEFAULT '',
    ADD COLUMN fit_periods integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN supplyline.forecast_history.action IS
    'fit: forecast anew; roll: the fit of fewer periods still holds; replan: stock, prices or '
    'settings changed; keep: carried over as it was.';

CREATE TABLE supplyline.forecast_fit (
    item     text NOT NULL,
    fit_key  text NOT NULL,
    fit      jsonb NOT NULL,
    PRIMARY KEY (item, fit_key)
);
COMMENT ON TABLE supplyline.forecast_fit IS
    'A forecast with all that the plan needs of it, under the fingerprint of what it was made from.';
