-- What a person should know about a column's type, such as why it is text.
ALTER TABLE supplyline.column_types ADD COLUMN remark text NOT NULL DEFAULT '';

-- A load's columns; what it did to the shape of its table, to be taken back with it; and its place
-- in the order of loads, which no clock decides.
ALTER TABLE supplyline.loads
  ADD COLUMN columns text[],
  ADD COLUMN shape jsonb,
  ADD COLUMN ordinal bigint;
UPDATE supplyline.loads l SET ordinal = o.n
  FROM (SELECT load_id, row_number() OVER (ORDER BY loaded_at, sequence) AS n
        FROM supplyline.loads) o WHERE o.load_id = l.load_id;
CREATE SEQUENCE supplyline.loads_ordinal OWNED BY supplyline.loads.ordinal;
SELECT setval('supplyline.loads_ordinal', (SELECT coalesce(max(ordinal), 0) + 1 FROM supplyline.loads), false);
ALTER TABLE supplyline.loads
  ALTER COLUMN ordinal SET DEFAULT nextval('supplyline.loads_ordinal'),
  ALTER COLUMN ordinal SET NOT NULL;
