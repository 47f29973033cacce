-- What an organization decided about all of its data; every version stays.
CREATE TABLE supplyline.retention_policy (
  version int PRIMARY KEY,
  landing_days int CHECK (landing_days >= 0),
  saved_at timestamptz NOT NULL,
  saved_by text NOT NULL
);
COMMENT ON COLUMN supplyline.retention_policy.landing_days IS
  'Days for which landed rows are kept after their load was certified; null: for ever.';
REVOKE UPDATE, DELETE ON supplyline.retention_policy FROM :"org_role";

-- When a load's landed rows were released; its certificate and checksum stay.
ALTER TABLE supplyline.loads ADD COLUMN released_at timestamptz;
