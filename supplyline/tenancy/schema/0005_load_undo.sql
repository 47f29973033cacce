-- A load that was taken back keeps its receipt and its certificate.
ALTER TABLE supplyline.loads ADD COLUMN undone_at timestamptz;
