-- Corrected rows are loaded as a file of their own, which names the file that they complete.
ALTER TABLE supplyline.loads ADD COLUMN replay_of text;
CREATE INDEX loads_replay_of ON supplyline.loads (replay_of) WHERE replay_of IS NOT NULL;
