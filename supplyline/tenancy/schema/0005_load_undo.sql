-- A load that was taken back keeps its receipt and its certificate.
ALTER TABLE supplyline.loads ADD COLUMN undone_at timestamptz;

-- The session of the newest attempt, so that the next one can end it when it has frozen.
ALTER TABLE supplyline.load_attempts ADD COLUMN pid int, ADD COLUMN backend_start timestamptz;
