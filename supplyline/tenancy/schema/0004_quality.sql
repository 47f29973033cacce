-- One row for each quality report, so that a trend exists.

CREATE TABLE supplyline.quality_reports (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_name text NOT NULL,
  made_at timestamptz NOT NULL,
  score numeric(5, 2), -- null: nothing could be judged
  rows bigint NOT NULL,
  body jsonb NOT NULL
);
CREATE INDEX quality_reports_table ON supplyline.quality_reports (table_name, made_at DESC);
