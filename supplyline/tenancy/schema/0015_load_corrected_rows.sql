-- Rows that a load set aside and that a row of corrections has taken the place of: whatever becomes
-- of the table, such a row is not loaded again beside its correction.
CREATE TABLE supplyline.corrected_rows (
  file_key text NOT NULL,
  row_number bigint NOT NULL,
  by_file_id text NOT NULL,
  by_row bigint NOT NULL,
  PRIMARY KEY (file_key, row_number)
);
CREATE INDEX corrected_rows_by ON supplyline.corrected_rows (by_file_id);
