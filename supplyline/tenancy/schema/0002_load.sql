-- Loads: one receipt per file, its certificate, what was rejected, and the attempts that may publish.

CREATE TABLE supplyline.loads (
  load_id text PRIMARY KEY,
  table_name text NOT NULL,
  file_id text NOT NULL UNIQUE,
  file_name text NOT NULL,
  file_key text NOT NULL,
  sequence bigint NOT NULL,
  run_id text NOT NULL,
  rows_in bigint NOT NULL,
  loaded_at timestamptz NOT NULL
);
CREATE INDEX loads_table ON supplyline.loads (table_name, sequence);

CREATE TABLE supplyline.certificates (
  load_id text PRIMARY KEY REFERENCES supplyline.loads,
  table_name text NOT NULL,
  file_id text NOT NULL,
  run_id text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('success', 'partial')),
  body jsonb NOT NULL,
  issued_at timestamptz NOT NULL
);
CREATE INDEX certificates_table ON supplyline.certificates (table_name, issued_at);
CREATE INDEX certificates_run ON supplyline.certificates (run_id);

CREATE TABLE supplyline.rejected_rows (
  load_id text NOT NULL REFERENCES supplyline.loads,
  row_number bigint NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  cells jsonb NOT NULL,
  PRIMARY KEY (load_id, row_number)
);

-- The newest attempt of a run; an older one that wakes up may not publish.
CREATE TABLE supplyline.load_attempts (
  run_id text PRIMARY KEY,
  attempt int NOT NULL
);

-- The type that a column has, so that its text can be given back.
CREATE TABLE supplyline.column_types (
  table_name text NOT NULL,
  column_name text NOT NULL,
  type text NOT NULL,
  PRIMARY KEY (table_name, column_name)
);
