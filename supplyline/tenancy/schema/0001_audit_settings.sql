-- Audit events: a hash chain that can only grow. APP_DB_USER owns the tables, so the
-- organization's role can add events and read them, and nothing else; the triggers hold for the
-- owner too.

CREATE TABLE supplyline.audit_events (
  seq bigint PRIMARY KEY CHECK (seq > 0),
  at timestamptz NOT NULL,
  org text NOT NULL,
  kind text NOT NULL,
  actor text NOT NULL,
  subject text NOT NULL,
  run_id text NOT NULL DEFAULT '',
  correlation_id text NOT NULL DEFAULT '',
  detail json NOT NULL, -- json, not jsonb: its text is hashed, so it must come back unchanged
  prev_hash text NOT NULL,
  hash text NOT NULL
);
CREATE INDEX audit_events_kind ON supplyline.audit_events (kind, seq);
CREATE INDEX audit_events_at ON supplyline.audit_events (at);

-- The newest event, recorded apart, so that cutting off the tail of the chain is seen.
CREATE TABLE supplyline.audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq bigint NOT NULL,
  hash text NOT NULL
);
INSERT INTO supplyline.audit_head (seq, hash) VALUES (0, repeat('0', 64));

CREATE FUNCTION supplyline.audit_extend() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  UPDATE supplyline.audit_head SET seq = NEW.seq, hash = NEW.hash
  WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'audit event % does not continue the chain', NEW.seq
      USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION supplyline.audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'audit events cannot be changed or removed'
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_extend BEFORE INSERT ON supplyline.audit_events
  FOR EACH ROW EXECUTE FUNCTION supplyline.audit_extend();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON supplyline.audit_events
  FOR EACH ROW EXECUTE FUNCTION supplyline.audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON supplyline.audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION supplyline.audit_refuse();

REVOKE UPDATE, DELETE ON supplyline.audit_events FROM :"org_role";
REVOKE INSERT, UPDATE, DELETE ON supplyline.audit_head FROM :"org_role";
REVOKE EXECUTE ON FUNCTION supplyline.audit_extend(), supplyline.audit_refuse() FROM PUBLIC;

-- What the organization decided for each table; every version stays.
CREATE TABLE supplyline.table_settings (
  table_name text NOT NULL,
  version int NOT NULL CHECK (version > 0),
  settings json NOT NULL,
  saved_at timestamptz NOT NULL,
  saved_by text NOT NULL,
  PRIMARY KEY (table_name, version)
);
REVOKE UPDATE, DELETE ON supplyline.table_settings FROM :"org_role";
